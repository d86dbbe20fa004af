"""How much of a board probes read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from course_lib.data.games import EMPTY

if TYPE_CHECKING:
    from jaxtyping import Float

    from course_lib.probes.result import ProbeResult


@dataclass(frozen=True)
class BoardAccuracy:
    """How much of a board probes read, [*lead] each; EMPTY is one of their three classes.

    Attributes:
        all: share of all cells that are right. Most are empty, and easy.
        occupied: share of the cells with a stone that are said to hold that stone.
        colour: of the cells with a stone, how often the right stone is likelier than the other.
    """

    all: Float[Tensor, "*lead"]
    occupied: Float[Tensor, "*lead"]
    colour: Float[Tensor, "*lead"]


def board_accuracy(found: ProbeResult) -> BoardAccuracy:
    """What probes of cells read of held-out boards, with the empty cells and without.

    Raises ValueError for probes of another number of classes, or without a stone to score.
    """
    if found.scores.ndim != found.labels.ndim + 1 or found.scores.shape[-1] != 3:
        raise ValueError("found must be of probes of three classes: mine, theirs and empty.")
    told, stone = found.labels >= 0, (found.labels >= 0) & (found.labels < EMPTY)
    if not stone.any(-1).all():
        raise ValueError("found has a probe without a stone among its held-out labels.")
    right = found.scores.argmax(-1) == found.labels
    colour = found.scores[..., :EMPTY].argmax(-1) == found.labels

    def share(yes: Tensor, among: Tensor) -> Tensor:
        return (yes & among).sum(-1) / among.sum(-1)

    return BoardAccuracy(share(right, told), share(right, stone), share(colour, stone))
