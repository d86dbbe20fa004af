"""Two features, one dimension: the three ways to store them, and what each costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.superposition.measures import REPRESENTED_NORM

if TYPE_CHECKING:
    from jaxtyping import Float, Int

PHASES = ("first feature only", "second feature only", "both, antipodal")


def analytic_losses(
    probability: float | Float[Tensor, "*grid"], relative_importance: float | Float[Tensor, "*grid"]
) -> Float[Tensor, "*grid 3"]:
    """Expected loss of each state of `PHASES` for n = 2, m = 1, importances (1, r).

    Each feature is active with probability p and then uniform in [0, 1].
    A feature that is left out is answered by its best constant, its mean p/2, and costs its
    variance p/3 - p²/4 times its importance. An antipodal pair, W = (1, -1) and b = 0, is exact
    unless both features are active; then each is wrong by min(x_1, x_2): (1 + r) p²/6.
    So the pair wins where p < 4 r / (2 + 5 r) for r <= 1.
    Source: the states of Elhage et al. 2022, section "Superposition as a phase change"; the closed
    forms are derived in the chapter's exercises.
    """
    p = validate.probability("probability", probability)
    r = validate.finite("relative_importance", relative_importance, 0.0)
    validate.broadcasts("relative_importance", r, "probability", p)
    variance = p / 3 - p.square() / 4
    losses = (r * variance, variance.expand_as(r * variance), (1 + r) * p.square() / 6)
    return torch.stack(losses, dim=-1)


def classify_phase(
    W: Float[Tensor, "*grid 2 1"], threshold: float = REPRESENTED_NORM
) -> Int[Tensor, "*grid"]:
    """Index into `PHASES` of the trained state; -1 when it is none of them.

    A feature counts as stored when |W_i| exceeds `threshold`.
    """
    validate.finite("W", validate.instance("W", W, Tensor))
    if W.shape[-2:] != (2, 1):
        raise ValueError(f"W has shape {list(W.shape)}; it must be [..., 2, 1].")
    validate.number("threshold", threshold)
    first, second = (W[..., 0].abs() > threshold).unbind(dim=-1)
    phase = torch.full(first.shape, -1, dtype=torch.long, device=W.device)
    phase[first & ~second] = 0
    phase[second & ~first] = 1
    phase[first & second & (W[..., 0, 0] * W[..., 1, 0] < 0)] = 2
    return phase
