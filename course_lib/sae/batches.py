"""Where training batches come from: tensors, worlds, files of shards, or any iterable.

Batch number `step` of a source is a function of the source, the seed and `step` alone. That is
what lets training stop anywhere and go on with the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

import torch
from torch import Generator, Tensor

from course_lib import runtime, validate
from course_lib.activations.shards import SHARD_KEY, read_shard, shard_shape

Batch: TypeAlias = tuple[Tensor, ...]  # what `sae.loss(*batch)` takes: x, or x and a second tensor


class World(Protocol):
    """Anything that draws a batch, as the worlds of `course_lib.data` do."""

    def sample(self, batch_size: int, generator: Generator) -> Tensor | Batch: ...


Data: TypeAlias = Tensor | Batch | World | str | Path | Sequence[str | Path] | Iterable[Tensor]


class Batches(Protocol):
    """A source of batches."""

    def batch(self, step: int) -> Batch: ...


def batches(data: Data, batch_size: int, seed: int) -> Batches:
    """The source that fits `data`.

    A tensor [rows, d_in], or a tuple of tensors with equally many rows, is shuffled anew each
    epoch. A world is asked for a fresh batch each step. A path or several are read as shards: one
    safetensors file each, or all of a folder's, with a tensor "activations" [rows, d_in]. Any
    other iterable gives whole batches itself and is started again when it ends.

    Raises TypeError, ValueError or FileNotFoundError when there is nothing to train on.
    """
    if isinstance(data, Tensor):
        data = (data,)
    if isinstance(data, tuple) and data and all(isinstance(part, Tensor) for part in data):
        return TensorBatches(data, batch_size, seed)
    if isinstance(data, (str, Path)):
        return ShardBatches([data], batch_size, seed)
    if isinstance(data, Sequence) and data and all(isinstance(p, (str, Path)) for p in data):
        return ShardBatches(data, batch_size, seed)
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
            validate.finite("data", tensor)
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

    def __init__(self, paths: Sequence[str | Path], batch_size: int, seed: int) -> None:
        self.paths = [file for path in map(Path, paths) for file in _shards(path)]
        self.batch_size, self.seed = batch_size, seed
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


def _shards(path: Path) -> list[Path]:
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
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
        self.last = drawn if isinstance(drawn, tuple) else (drawn,)
        return self.last

    def _start(self, step: int) -> Iterator[Tensor | Batch]:
        if isinstance(self.data, Iterator):
            raise ValueError(
                f"data ended before step {step} and cannot be started again; give an iterable "
                "such as a DataLoader or a list, or more batches."
            )
        return iter(self.data)
