"""Where training batches come from: tensors, worlds, files of shards, or any iterable.

Batch number `step` of a source is a function of the source, the seed and `step` alone. That is
what lets training stop anywhere and go on with the same numbers, also with another number of
processes: each gets its part of the one batch, in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

import torch
from torch import Generator, Tensor

from course_lib import parallel, runtime, validate
from course_lib.activations.shards import SHARD_KEY, read_shard, shard_shape
from course_lib.activations.store import INDEX, Index

Batch: TypeAlias = tuple[Tensor, ...]  # what `sae.loss(*batch)` takes: x, or x and a second tensor


class World(Protocol):
    """Anything that draws a batch, as the worlds of `course_lib.data` do."""

    def sample(self, batch_size: int, generator: Generator) -> Tensor | Batch: ...


Data: TypeAlias = Tensor | Batch | World | str | Path | Sequence[str | Path] | Iterable[Tensor]


class Batches(Protocol):
    """A source of batches, or of this process's part of them."""

    def batch(self, step: int) -> Batch: ...


def batches(
    data: Data, batch_size: int, seed: int, streams: int = 1, instances: int | None = None
) -> Batches:
    """The source that fits `data`; under `parallel.processes`, of this process's part.

    A tensor [rows, d_in], or a tuple of tensors with equally many rows, is shuffled anew each
    epoch. A world is asked for a fresh batch each step. A path or several are read as shards: one
    safetensors file each, or all of a folder's, with a tensor "activations" [rows, d_in]; each of
    `streams` goes through files of its own, and a process opens only the files of its part. Any
    other iterable gives whole batches itself and is started again when it ends. `instances` is how
    many may have inputs of their own, on an axis before that of the batch.

    Raises TypeError, ValueError or FileNotFoundError when there is nothing to train on.
    """
    if files := parallel.from_first(lambda: shard_paths(data)):
        if streams == parallel.size() == 1:
            return ShardBatches(files, batch_size, seed)
        return Streams(files, batch_size, seed, streams)
    source = _whole_batches(data, batch_size, seed)
    return source if parallel.size() == 1 else Shared(source, batch_size, instances)


def shard_paths(data: Data) -> list[Path]:
    """The files of `data`, none where it is no path and no list of paths.

    Raises FileNotFoundError naming what is missing.
    """
    paths = [data] if isinstance(data, (str, Path)) else data
    if not isinstance(paths, Sequence) or not all(isinstance(p, (str, Path)) for p in paths):
        return []
    return [file for path in paths for file in _shards(validate.path("data", path))]


def _whole_batches(data: Data, batch_size: int, seed: int) -> Batches:
    if isinstance(data, Tensor):
        data = (data,)
    if isinstance(data, tuple) and data and all(isinstance(part, Tensor) for part in data):
        return TensorBatches(data, batch_size, seed)
    if hasattr(data, "sample"):
        return WorldBatches(data, batch_size, seed)
    if isinstance(data, Iterable):
        return IteratorBatches(data)
    raise TypeError(
        f"data is of type {type(data).__name__}; it must be a tensor [rows, d_in], a world with "
        "sample(batch_size, generator), paths of safetensors shards, or an iterable of batches."
    )


class TensorBatches:
    """Rows of tensors in memory, shuffled anew each epoch; rows left over at its end wait."""

    def __init__(self, tensors: Batch, batch_size: int, seed: int) -> None:
        for tensor in tensors:
            if validate.finite("data", tensor).ndim == 0:
                raise ValueError("data has no axis; it must be [rows, d_in].")
        rows = {len(tensor) for tensor in tensors}
        if len(rows) != 1:
            raise ValueError(f"data has tensors with {sorted(rows)} rows; they must have as many.")
        if min(rows) < batch_size:
            raise ValueError(
                f"data has {min(rows)} rows and batch_size is {batch_size}; one batch must fit."
            )
        self.tensors, self.batch_size, self.seed = tensors, batch_size, seed
        self.per_epoch = min(rows) // batch_size
        self.epoch = -1

    def batch(self, step: int) -> Batch:
        epoch, position = divmod(step, self.per_epoch)
        if epoch != self.epoch:
            generator = runtime.step_generator(self.seed, epoch)
            self.order = torch.randperm(len(self.tensors[0]), generator=generator)
            self.epoch = epoch
        rows = self.order[position * self.batch_size : (position + 1) * self.batch_size]
        return tuple(tensor[rows.to(tensor.device)] for tensor in self.tensors)


class WorldBatches:
    """Fresh draws from a world, each step from a generator of its own."""

    def __init__(self, world: World, batch_size: int, seed: int) -> None:
        self.world, self.batch_size, self.seed = world, batch_size, seed

    def batch(self, step: int) -> Batch:
        drawn = self.world.sample(self.batch_size, runtime.step_generator(self.seed, step))
        return drawn if isinstance(drawn, tuple) else (drawn,)


class ShardBatches:
    """Rows of safetensors files, one file in memory at a time.

    Each epoch takes the files in a new order and shuffles the rows within each; rows of different
    files never meet in a batch; where they differ much, train on `Store.batches`, which mixes them.
    """

    def __init__(self, paths: Sequence[Path], batch_size: int, seed: int) -> None:
        self.paths, self.batch_size, self.seed = paths, batch_size, seed
        shapes = [shard_shape(path) for path in self.paths]
        for path, shape in zip(self.paths, shapes, strict=True):
            if len(shape) != 2 or shape[1:] != shapes[0][1:] or shape[0] < batch_size:
                raise ValueError(
                    f"{path} holds {SHARD_KEY} of shape {shape}; it must be [rows, "
                    f"{shapes[0][-1]}] with at least batch_size = {batch_size} rows."
                )
        self.batches = [shape[0] // batch_size for shape in shapes]
        self.loaded: tuple[int, int] | None = None

    def batch(self, step: int) -> Batch:
        epoch, position = divmod(step, sum(self.batches))
        order = torch.randperm(len(self.paths), generator=runtime.step_generator(self.seed, epoch))
        for shard in order.tolist():
            if position < self.batches[shard]:
                break
            position -= self.batches[shard]
        if self.loaded != (epoch, shard):
            self._load(epoch, shard)
        return (self.rows[position * self.batch_size : (position + 1) * self.batch_size],)

    def _load(self, epoch: int, shard: int) -> None:
        path = self.paths[shard]
        rows = validate.finite(f"{SHARD_KEY} of {path}", read_shard(path))
        generator = runtime.step_generator(self.seed, 1 + epoch * len(self.paths) + shard)
        self.rows = rows[torch.randperm(len(rows), generator=generator)]
        self.loaded = (epoch, shard)


class Streams:
    """A batch of equally many rows from each of several streams, which share the files out.

    Stream s has every file whose number leaves the rest s, and its own order of them. Part r of R
    of a batch is its r-th R-th, so a process opens the files of the streams that lie in its part:
    with as many streams as processes, one each.
    """

    def __init__(self, paths: Sequence[Path], batch_size: int, seed: int, streams: int) -> None:
        if len(paths) < streams or batch_size % streams:
            raise ValueError(
                f"streams is {streams} with {len(paths)} files and batch_size {batch_size}; it "
                "must divide batch_size, and each stream needs a file."
            )
        rows, part = batch_size // streams, batch_size // parallel.size()
        first = parallel.rank() * part
        self.parts = []  # streams, and which of their rows
        for s in range(first // rows, -(-(first + part) // rows)):
            own = seed if s == 0 else runtime.step_generator(seed, s).initial_seed()
            here = slice(max(first - s * rows, 0), min(first + part - s * rows, rows))
            self.parts.append((ShardBatches(paths[s::streams], rows, own), here))

    def batch(self, step: int) -> Batch:
        return (torch.cat([stream.batch(step)[0][here] for stream, here in self.parts]),)


class Shared:
    """This process's part of batches that all processes draw whole."""

    def __init__(self, source: Batches, batch_size: int, instances: int | None) -> None:
        self.source, self.batch_size, self.instances = source, batch_size, instances

    def batch(self, step: int) -> Batch:
        whole = self.source.batch(step)
        return cut(whole, self.batch_size, parallel.size(), self.instances)[parallel.rank()]


def cut(batch: Batch, rows: int, n: int, instances: int | None) -> list[Batch]:
    """A batch of so many rows in n equal parts. Raises ValueError where it has not that many."""
    parts = [part.tensor_split(n, dim=axis_of(part, rows, instances)) for part in batch]
    return list(zip(*parts, strict=True))


def axis_of(part: Tensor, rows: int, instances: int | None) -> int:
    """The axis of the batch: 0, or 1 where each of so many instances has inputs of its own."""
    if part.ndim > 2 and part.shape[:2] == (instances, rows):
        return 1
    if part.shape[:1] == (rows,):
        return 0
    raise ValueError(
        f"data gave a batch of shape {list(part.shape)}; to be shared out it must be [{rows}, ...] "
        f"or [n_instances, {rows}, ...], which is what batch_size says."
    )


def _shards(path: Path) -> list[Path]:
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if (path.parent / INDEX).is_file() and path.is_dir():  # of an activation store
        wanted = (path / f"{n:06d}.safetensors" for n in range(len(Index.load(path.parent).shards)))
        if missing := [file for file in wanted if file not in files]:
            raise FileNotFoundError(
                f"{missing[0]} is missing, and {len(missing) - 1} more shards of the store; call "
                "harvest again with the same arguments to make them."
            )
    if not files or not files[0].exists():
        raise FileNotFoundError(
            f"{path} is no safetensors file and no folder with any; name the shards to train on."
        )
    return files


class IteratorBatches:
    """Batches as an iterable gives them: a resumed run lets those already trained on pass by."""

    def __init__(self, data: Iterable[Tensor | Batch]) -> None:
        self.data = data
        self.next, self.iterator = 0, iter(data)
        self.last: Batch | None = None

    def batch(self, step: int) -> Batch:
        if self.last is not None and step == self.next - 1:
            return self.last
        if step < self.next:
            self.next, self.iterator = 0, self._start(step)
        while self.next <= step:
            drawn = next(self.iterator, None)
            if drawn is None:
                self.iterator = self._start(step)
                drawn = next(self.iterator, None)
                if drawn is None:
                    raise ValueError(f"data ended before step {step}; it gives no batches.")
            self.next += 1
        batch = drawn if isinstance(drawn, tuple) else (drawn,)
        for part in batch:
            validate.instance("a batch of data", part, Tensor)
        self.last = batch
        return self.last

    def _start(self, step: int) -> Iterator[Tensor | Batch]:
        if isinstance(self.data, Iterator):
            raise ValueError(
                f"data ended before step {step} and cannot be started again; give an iterable "
                "such as a DataLoader or a list, or more batches."
            )
        return iter(self.data)
