"""The activation store: what a model computes for many tokens, in memory or in files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from course_lib import files, runtime, validate
from course_lib.activations.mixing import mix
from course_lib.activations.shards import SHARD_KEY, read_shard, shard_shape

if TYPE_CHECKING:
    from jaxtyping import Float, Int

INDEX = "index.json"
LABELS = ("token", "sequence", "position")  # of each row, beside its activations


@dataclass(frozen=True)
class Index:
    """What a store holds.

    Attributes:
        model: its class, and its name where it has one.
        weights, tokens, kept: fingerprints of the weights, of all tokens, and of which were kept.
        sites: for each site the size d of its activations.
        dtype: theirs, such as "float32".
        shape: [sequences, positions] of the tokens.
        shards: for each shard the first of its sequences, the one after its last, and its rows.
    """

    model: str
    weights: str
    tokens: str
    kept: str
    sites: dict[str, int]
    dtype: str
    shape: list[int]
    shards: list[list[int]]

    def save(self, path: Path) -> None:
        files.write_sealed(path / INDEX, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Index:
        """Raises FileNotFoundError without an index, ValueError when it is damaged or newer."""
        file = path / INDEX
        if not file.is_file():
            raise FileNotFoundError(f"{path} is no activation store: it has no {INDEX}.")
        return files.read_sealed(file, f"delete {path} and harvest again", cls._checked)

    @classmethod
    def _checked(cls, content: dict[str, Any]) -> Index:
        """The index. Raises ValueError unless its lists hold what they must."""
        index = cls(**content)
        sites, shards = index.sites, index.shards
        if not isinstance(sites, dict) or not sites or not all(_is_size(d) for d in sites.values()):
            raise ValueError(f"sites is {sites!r}; each must have its size")
        if any("\0" in site or len(site.encode()) > validate.LONGEST_NAME for site in sites):
            raise ValueError("a site has a name that no file can have")
        if not isinstance(shards, list) or not shards:
            raise ValueError(f"shards is {shards!r}; there must be one")
        for shard in shards:
            if not isinstance(shard, list) or len(shard) != 3 or not all(map(_is_size, shard)):
                raise ValueError(f"a shard is {shard!r}; it must be three sizes")
        return index


def _is_size(value: object) -> bool:
    return type(value) is int and value >= 0


class Store:
    """Activations row by row: one row for each token that was kept, in the order of the tokens.

        store = harvest(model, tokens, ["blocks.1.mlp_out"])
        x = store["blocks.1.mlp_out"]  # [rows, d]
        y = labels[store.sequence, store.position]  # the labels of these rows

    What is in files is read when it is asked for, and checked; `Store.open(path)` opens it again.

    Attributes:
        index: what it holds.
        path: its folder, None in memory.
    """

    def __init__(self, index: Index, shards: Sequence[dict[str, Tensor]] | Path) -> None:
        self.index = index
        self.path = shards if isinstance(shards, Path) else None
        self._shards = shards

    @classmethod
    def open(cls, path: str | Path) -> Store:
        """The store in a folder.

        Raises:
            FileNotFoundError: the folder holds no store.
            ValueError: its harvest did not come to its end, or a file is damaged.
        """
        path = validate.path("path", path)
        index = Index.load(path)
        missing = [n for n in range(len(index.shards)) if not is_whole(path, index, n)]
        if missing:
            raise ValueError(
                f"{path} lacks {len(missing)} of {len(index.shards)} shards; call harvest again "
                "with the same arguments to make them."
            )
        return cls(index, path)

    def __len__(self) -> int:
        """Number of rows."""
        return sum(rows for _, _, rows in self.index.shards)

    def __getitem__(self, site: str) -> Float[Tensor, "rows d"]:
        """All activations at a site, in memory."""
        return self._all(self._known(site), SHARD_KEY)

    @property
    def token(self) -> Int[Tensor, " rows"]:
        """The token of each row."""
        return self._all(next(iter(self.index.sites)), "token")

    @property
    def sequence(self) -> Int[Tensor, " rows"]:
        """Which of the sequences each row is of."""
        return self._all(next(iter(self.index.sites)), "sequence")

    @property
    def position(self) -> Int[Tensor, " rows"]:
        """The position of each row in its sequence."""
        return self._all(next(iter(self.index.sites)), "position")

    def folder(self, site: str) -> Path:
        """The folder of a site's shards, for `Trainer` or another program.

        Raises ValueError for a store in memory, KeyError for an unknown site.
        """
        if self.path is None:
            raise ValueError("the store is in memory and has no folder; harvest with a path.")
        return folder_of(self.path, self._known(site))

    def batches(
        self,
        batch_size: int,
        *sites: str,
        seed: int = 0,
        buffer_rows: int = 2**17,
        epochs: int | None = 1,
    ) -> Batches:
        """Shuffled batches of one site, or of several side by side, through a mixing buffer.

            pairs = store.batches(512, "blocks.1.mlp:input", "blocks.1.mlp_out", epochs=None)
            Trainer(transcoder, pairs, ...)

        Args:
            sites: all that there are when none is named.
            buffer_rows: rows in memory, together with one shard; at least batch_size.
            epochs: how often each row comes, each time in another order; None for endlessly.

        Raises KeyError for an unknown site.
        """
        names = [self._known(site) for site in sites or self.index.sites]
        return Batches(self, names, batch_size, seed, buffer_rows, epochs)

    def shard(self, number: int, site: str, name: str = SHARD_KEY) -> Tensor:
        """The activations of one shard, or with `name` one of `LABELS`."""
        if self.path is None:
            return self._shards[number][site if name == SHARD_KEY else name]
        return read_shard(file_of(self.path, site, number), name)

    def _all(self, site: str, name: str) -> Tensor:
        parts = [self.shard(number, site, name) for number in range(len(self.index.shards))]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _known(self, site: str) -> str:
        if not isinstance(site, str) or site not in self.index.sites:
            raise KeyError(f"{site!r} is not in the store; {', '.join(self.index.sites)} are.")
        return site


@dataclass(frozen=True)
class Batches:
    """Batches of a store; each time it is gone through, they are the same ones."""

    store: Store
    sites: list[str]
    batch_size: int
    seed: int
    buffer_rows: int
    epochs: int | None

    def __iter__(self) -> Iterator[tuple[Float[Tensor, "batch_size d"], ...]]:
        epoch = 0
        while self.epochs is None or epoch < self.epochs:
            generator = runtime.step_generator(self.seed, epoch)
            order = torch.randperm(len(self.store.index.shards), generator=generator).tolist()
            chunks = (tuple(self.store.shard(n, site) for site in self.sites) for n in order)
            yield from mix(chunks, self.batch_size, self.buffer_rows, generator)
            epoch += 1


def folder_of(path: Path, site: str) -> Path:
    return path / site.replace(":", "-")  # a colon may not stand in a file's name on Windows


def file_of(path: Path, site: str, number: int) -> Path:
    return folder_of(path, site) / f"{number:06d}.safetensors"


def is_whole(path: Path, index: Index, number: int) -> bool:
    """Whether a shard is there for all sites; ValueError when one of its files is damaged."""
    rows = index.shards[number][2]
    for site, d in index.sites.items():
        file = file_of(path, site, number)
        if not file.exists():
            return False
        if (shape := shard_shape(file)) != [rows, d]:
            raise ValueError(f"{file} holds activations of shape {shape}, not {[rows, d]}.")
    return True
