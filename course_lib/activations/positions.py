"""Which positions of a sequence are meant: all, a slice, indices, or a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

Positions: TypeAlias = "None | int | slice | Sequence[int] | Tensor"

ADVICE = "count from the start, because under a KV cache the end moves"


@dataclass(frozen=True)
class Chosen:
    """Columns of an activation [..., seq, d] that are meant.

    Attributes:
        columns: None for all of them, else their indices in this activation.
        rows: None, or which rows of the batch at each of these columns, [batch | 1, n_columns].
    """

    columns: Int[Tensor, " n_columns"] | None
    rows: Bool[Tensor, "batch n_columns"] | None = None


def checked(positions: Positions) -> Positions:
    """`positions` as None, a slice, a sorted list of whole numbers, or a mask [batch | 1, seq].

    Positions count from the start of the sequence, whether its tokens are read at once or, with a
    KV cache, in several passes; padding counts too. A mask beyond its end is False.

    Raises:
        TypeError, ValueError: for negative positions and what is none of these.
    """
    if positions is None:
        return None
    if isinstance(positions, slice):
        for end in (positions.start, positions.stop):
            if end is not None and end < 0:
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
        return positions if positions.ndim == 2 else positions[None]
    if isinstance(positions, Tensor):
        positions = positions.tolist()
    listed = list(positions) if isinstance(positions, (Sequence, range)) else [positions]
    if any(isinstance(p, int) and p < 0 for p in listed):
        raise ValueError(f"positions is {positions}; {ADVICE}.")
    return sorted({validate.positive_int("positions", position, 0) for position in listed})


def choose(positions: Positions, start: int, activation: Tensor) -> Chosen:
    """What `checked` positions mean for an activation whose first column is position `start`.

    Raises ValueError when the activation has no positions, or another batch than the mask.
    """
    if positions is None:
        return Chosen(None)
    if activation.ndim < 3:
        raise ValueError(
            f"the activation has shape {list(activation.shape)} and thus no positions; "
            "leave positions out."
        )
    stop, device = start + activation.shape[-2], activation.device
    if isinstance(positions, slice):
        meant = range(*positions.indices(stop))
        columns = [place - start for place in meant if place >= start]
        return Chosen(torch.tensor(columns, dtype=torch.long, device=device))
    if isinstance(positions, list):
        columns = [place - start for place in positions if start <= place < stop]
        return Chosen(torch.tensor(columns, dtype=torch.long, device=device))
    if len(positions) not in (1, len(activation)):
        raise ValueError(
            f"positions is a mask of {len(positions)} sequences and the batch has "
            f"{len(activation)}; they must be as many."
        )
    mask = positions[:, start:stop].to(device)
    columns = mask.any(dim=0).nonzero()[:, 0]
    return Chosen(columns, mask[:, columns])


def unreached(positions: Positions, length: int) -> str:
    """What of `checked` positions lies beyond the `length` that was read; empty when nothing."""
    if isinstance(positions, slice):
        first = positions.start or 0
        return f"position {first} and those after it" if first >= length else ""
    if isinstance(positions, list):
        beyond = [place for place in positions if place >= length]
        return f"position {', '.join(map(str, beyond))}" if beyond else ""
    if isinstance(positions, Tensor) and bool(positions[:, length:].any()):
        return "some of the mask"
    return ""
