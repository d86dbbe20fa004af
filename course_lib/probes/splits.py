"""Which rows a probe is trained on and which are held out; leaks are made impossible here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import runtime, validate

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to train on and rows to test on; a row may be neither.

    Attributes:
        train, test: [n], or [*splits, n] whose leading axes broadcast like those of labels.
        kind: "random", "group", "block", or what you call it.
        groups: [n], numbers of what must not stand on both sides (a document, a town), or None.

    Raises:
        TypeError: masks that are not bool tensors.
        ValueError: shapes that differ, no row to test on, a row or a group on both sides.
    """

    train: Bool[Tensor, "*splits n"]
    test: Bool[Tensor, "*splits n"]
    kind: str
    groups: Int[Tensor, " n"] | None = None

    def __post_init__(self) -> None:
        for name in ("train", "test"):
            mask = getattr(self, name)
            if not isinstance(mask, Tensor) or mask.dtype != torch.bool or mask.ndim == 0:
                raise TypeError(f"{name} is {mask!r}; it must be a tensor of True and False, [n].")
            validate.as_tensor(name, mask)
        if self.train.shape != self.test.shape:
            raise ValueError(
                f"train has shape {list(self.train.shape)} and test {list(self.test.shape)}; "
                "they must be equal."
            )
        if not self.test.any(-1).all():
            raise ValueError("the test side is empty; hold out at least one row of each split.")
        if (self.train & self.test).any():
            both = int((self.train & self.test).sum())
            raise ValueError(f"{both} rows are on both sides; a row may be on one only.")
        if self.groups is not None:
            _check_groups("groups", self.groups, self.train.shape[-1])
            for train, test in zip(
                self.train.reshape(-1, self.n), self.test.reshape(-1, self.n), strict=True
            ):
                both = set(self.groups[train].tolist()) & set(self.groups[test].tolist())
                if both:
                    raise ValueError(
                        f"{len(both)} groups are on both sides, {min(both)} among them; a group "
                        "may be on one side only. `group_split` makes such splits."
                    )

    @property
    def n(self) -> int:
        return self.train.shape[-1]

    def to(self, device: torch.device | str) -> Split:
        groups = None if self.groups is None else self.groups.to(device)
        return Split(self.train.to(device), self.test.to(device), self.kind, groups)


def random_split(n: int, test: float = 0.3, seed: int = 0) -> Split:
    """A share `test` of n rows, drawn at random, is held out; at least one on either side."""
    order = torch.randperm(validate.positive_int("n", n, 2), generator=runtime.generator(seed))
    held_out = torch.zeros(n, dtype=torch.bool)
    held_out[order[: _n_test(n, test)]] = True
    return Split(~held_out, held_out, "random")


def group_split(groups: Int[Tensor, " n"], test: float = 0.3, seed: int = 0) -> Split:
    """A share `test` of the groups is held out, each with all its rows.

    Rows of one document, town or word are near copies of each other: a random split would test a
    probe on what it has seen.
    """
    _check_groups("groups", groups)
    values, group = groups.unique(return_inverse=True)
    if len(values) < 2:
        raise ValueError("groups holds one group; a split needs at least two.")
    order = torch.randperm(len(values), generator=runtime.generator(seed)).to(groups.device)
    held_out = torch.zeros(len(values), dtype=torch.bool, device=groups.device)
    held_out[order[: _n_test(len(values), test)]] = True
    return Split(~held_out[group], held_out[group], "group", groups)


def block_split(
    positions: Float[Tensor, "n n_axes"],
    n_blocks: int = 4,
    test: float = 0.3,
    margin: float = 0.0,
    seed: int = 0,
) -> Split:
    """The map is cut into n_blocks a side, and a share `test` of the blocks in use is held out.

    Neighbours are alike, so that a random split tells where a held-out place is by the places
    around it. Training rows closer than `margin` (in units of `positions`) to a test row are on
    neither side.
    """
    validate.positive_int("n_blocks", n_blocks, 2)
    validate.number("margin", margin, 0.0)
    positions = validate.finite("positions", positions)
    validate.tensors("any", positions=(positions, "n n_axes"))
    low, high = positions.aminmax(dim=0)
    side = torch.where(high > low, high - low, 1.0) / n_blocks
    cell = ((positions - low) / side).long().clamp(max=n_blocks - 1)
    block = torch.zeros_like(cell[:, 0])
    for axis in cell.T:
        block = block * n_blocks + axis
    split = group_split(block, test, seed)
    train = split.train
    if margin > 0:
        distance = torch.cdist(positions, positions[split.test])
        train = train & (distance.amin(1) >= margin)
    if not train.any():
        raise ValueError(f"margin is {margin}; no training row is left, make it smaller.")
    return Split(train, split.test, "block", block)


def stack_splits(splits: Sequence[Split]) -> Split:
    """Splits of the same rows as one, with a leading axis: many seeds in one solve."""
    splits = [validate.instance("splits", s, Split) for s in validate.items("splits", splits)]
    if not splits:
        raise ValueError("splits is empty; give at least one.")
    kinds = dict.fromkeys(split.kind for split in splits)
    if any(split.n != splits[0].n for split in splits):
        raise ValueError(f"splits are of {[split.n for split in splits]} rows; all must be alike.")
    groups = splits[0].groups
    if any(
        (split.groups is None) != (groups is None)
        or (groups is not None and not torch.equal(split.groups, groups))
        for split in splits
    ):
        raise ValueError("splits have different groups; all must have the same, or none any.")
    train, test = (torch.stack([getattr(s, side) for s in splits]) for side in ("train", "test"))
    return Split(train, test, " and ".join(kinds), groups)


def _n_test(n: int, share: float) -> int:
    validate.number("test", share, 0.0, 1.0)
    if not 0 < share < 1:
        raise ValueError(f"test is {share}; it is the share held out, between 0 and 1.")
    return min(max(round(share * n), 1), n - 1)


def _check_groups(name: str, groups: Int[Tensor, " n"], n: int | str = "n") -> None:
    validate.as_tensor(name, validate.shape(name, groups, (n,)))
    if groups.is_floating_point():
        raise TypeError(f"{name} has dtype {groups.dtype}; number the groups with whole numbers.")
