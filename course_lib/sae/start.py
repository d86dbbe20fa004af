"""Where training starts: the scale of the activations and the centre that b_dec begins at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float


def activation_scale(x: Float[Tensor, "*batch d_in"]) -> float:
    """The factor that brings the mean norm of the activations to sqrt(d_in).

    Source: Conerly et al. 2024 (Anthropic, "April update"). Raises ValueError when all are zero.
    """
    x = x if x.is_floating_point() else x.float()
    norm = x.norm(dim=-1).mean().item()
    if norm == 0:
        raise ValueError("The first activations are all zero; there is nothing to scale by.")
    return x.shape[-1] ** 0.5 / norm


def geometric_median(
    x: Float[Tensor, "batch d_in"], max_steps: int = 200, tolerance: float = 1e-6
) -> Float[Tensor, " d_in"]:
    """The point with the least mean distance to the rows of x, by Weiszfeld's iteration.

    A point that coincides with a row is safe: distances are kept above a millionth of their mean.
    Stops when the point moves by less than `tolerance` times the mean distance.
    """
    point = x.mean(dim=0)
    for _ in range(max_steps):
        distance = (x - point).norm(dim=-1)
        if distance.max() == 0:
            break
        weight = 1 / distance.clamp_min(1e-6 * distance.mean())
        moved = (weight[:, None] * x).sum(dim=0) / weight.sum()
        step = (moved - point).norm()
        point = moved
        if step < tolerance * distance.mean():
            break
    return point


def center(x: Float[Tensor, "*batch d_in"], how: str) -> Float[Tensor, " d_in"]:
    """Where b_dec starts: "mean", "geometric_median" or "zero" of all rows of x."""
    rows = x.flatten(end_dim=-2)
    if how == "mean":
        return rows.mean(dim=0)
    return geometric_median(rows) if how == "geometric_median" else torch.zeros_like(rows[0])
