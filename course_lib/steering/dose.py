"""Dose and response, cell by cell: at which strength, where, and in which contexts an act works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from course_lib import validate
from course_lib.steering.actions import Act
from course_lib.steering.behaviours import Behaviour, plain_score, score

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


@dataclass(frozen=True)
class DoseResponse:
    """In which contexts the wanted words are the likelier ones, for every cell of a grid.

    Attributes:
        log_odds: [n_acts, n_groups, n_strengths, n] of the behaviour, nats.
        clean: [n_groups, n] without an act.
    """

    log_odds: Float[Tensor, "n_acts n_groups n_strengths n"]
    clean: Float[Tensor, "n_groups n"]

    @property
    def won(self) -> Bool[Tensor, "n_acts n_groups n_strengths n"]:
        """Whether what shows the behaviour is likelier than its opposite."""
        return self.log_odds > 0

    @property
    def share(self) -> Float[Tensor, "n_acts n_groups n_strengths"]:
        """The share of a cell's contexts that are won."""
        return self.won.float().mean(dim=-1)

    def interval(self, level: float = 0.95) -> Float[Tensor, "n_acts n_groups n_strengths 2"]:
        """`share_interval` of each cell."""
        return share_interval(self.won, level)


def dose_response(
    model: nn.Module,
    acts: Sequence[Act],
    groups: Sequence[Behaviour],
    strengths: Sequence[float] | Float[Tensor, " n_strengths"],
) -> DoseResponse:
    """Each act (one for each layer, say) at each strength, in each group of contexts.

    Args:
        groups: the behaviour in contexts of several kinds, the same number of each.

    Raises ValueError for no group, and groups that differ in size.
    """
    validate.instance("model", model, nn.Module)
    for group in validate.sequence("groups", groups):
        validate.instance("an entry of groups", group, Behaviour)
    sizes = sorted({len(group) for group in groups})
    if len(sizes) != 1:
        raise ValueError(f"groups have {sizes} contexts; there must be groups, all of one size.")
    found = [score(model, acts, group, strengths).log_odds for group in groups]
    clean = [plain_score(model, group).log_odds for group in groups]
    return DoseResponse(torch.stack(found, dim=1), torch.stack(clean))


def share_interval(won: Bool[Tensor, "*cells n"], level: float = 0.95) -> Float[Tensor, "*cells 2"]:
    """Wilson's interval of the share of True over the last axis.

    A bootstrap of n successes in n says [1, 1]; this one says how far below 1 the share may be.
    """
    validate.tensors("any", won=(won, "*cells n"))
    if won.dtype != torch.bool or won.ndim < 1 or not won.shape[-1]:
        raise ValueError(
            f"won has dtype {won.dtype} and shape {list(won.shape)}; it must be bool, [..., n]."
        )
    n, p = won.shape[-1], won.double().mean(dim=-1)
    if not 0 < validate.number("level", level, 0.0, 1.0) < 1:
        raise ValueError(f"level is {level}; it must be between 0 and 1, such as 0.95.")
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (p * (1 - p) / n + z**2 / (4 * n**2)).sqrt()
    return torch.stack([middle - half, middle + half], dim=-1).clamp(0, 1).float()
