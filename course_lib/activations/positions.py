"""Which positions of a sequence are meant: all, a slice, indices, or a mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

Positions: TypeAlias = "int | slice | Sequence[int] | Tensor | None"

ADVICE = "count from the start, because under a KV cache the end moves"


def checked(positions: Positions) -> Positions:
    """`positions` as None, a slice, a sorted list of whole numbers, or a mask [batch | 1, seq].

    Positions count from the start of the sequence, whether its tokens are read at once or, with a
    KV cache, in several passes; padding counts too. A mask beyond its end is False.

    Raises:
        TypeError, ValueError: for negative positions and what is none of these.
    """
    if positions is None:
        return None
    if isinstance(positions, Tensor):
        validate.as_tensor("positions", positions)
    if isinstance(positions, slice):
        if any(end is not None and end < 0 for end in (positions.start, positions.stop)):
            raise ValueError(f"positions is {positions}; {ADVICE}.")
        if positions.step is not None and positions.step < 1:
            raise ValueError(f"positions is {positions}; its step must be at least 1.")
        return positions
    if isinstance(positions, Tensor) and positions.dtype == torch.bool:
        if positions.ndim not in (1, 2):
            raise ValueError(
                f"positions is a mask of shape {list(positions.shape)}; it must be [seq] or "
                "[batch, seq]."
            )
        return torch.atleast_2d(positions).cpu()
    if isinstance(positions, Tensor):
        positions = positions.tolist()
    listed = list(positions) if isinstance(positions, Sequence) else [positions]
    if any(isinstance(place, int) and place < 0 for place in listed):
        raise ValueError(f"positions is {positions}; {ADVICE}.")
    return sorted({validate.positive_int("positions", place, 0) for place in listed})


def choose(
    positions: Positions, start: int, activation: Tensor
) -> tuple[Int[Tensor, " n"], Bool[Tensor, "batch n"] | None]:
    """What `checked` positions mean for an activation [..., seq, d] that begins at `start`.

    Returns its columns that are meant and, of a mask, for which rows of the batch; on the CPU.
    Raises ValueError when the activation has no positions, or another batch than the mask.
    """
    if activation.ndim < 3:
        raise ValueError(
            f"the activation has shape {list(activation.shape)} and thus no positions; "
            "leave positions out."
        )
    stop = start + activation.shape[-2]
    if isinstance(positions, Tensor):
        if len(positions) not in (1, len(activation)):
            raise ValueError(
                f"positions is a mask of {len(positions)} sequences and the batch has "
                f"{len(activation)}; they must be as many."
            )
        mask = positions[:, start:stop]
        columns = mask.any(dim=0).nonzero()[:, 0]
        return columns, mask[:, columns]
    meant = range(*positions.indices(stop)) if isinstance(positions, slice) else positions
    return torch.tensor([p - start for p in meant if start <= p < stop], dtype=torch.long), None


def unreached(positions: Positions, length: int) -> str:
    """What of `checked` positions lies beyond the `length` that was read; empty when nothing."""
    if isinstance(positions, slice):
        first = positions.start or 0
        return f"position {first} and those after it" if first >= length else ""
    if isinstance(positions, list):
        beyond = [place for place in positions if place >= length]
        return f"position {', '.join(map(str, beyond))}" if beyond else ""
    if isinstance(positions, Tensor) and bool(positions[:, length:].any()):
        return f"the mask's positions from {length} on"
    return ""
