"""Packing directions: as many unit rows as wanted, as far from each other as can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float

SHARPNESS = (10.0, 1000.0)  # of the soft maximum, at the first and at the last step
LR = 0.02  # Adam's first rate for unit rows


@torch.enable_grad()
def spread(
    D: Float[Tensor, "*batch n_features d_in"], steps: int = 1000, non_negative: bool = False
) -> Float[Tensor, "*batch n_features d_in"]:
    """The rows of D at norm 1, pushed apart until the largest |cosine| is near the least possible.

    Adam lowers a soft maximum of |cos| over all pairs, log Σ exp(s |cos|) / s, whose sharpness s
    grows by a factor 100 on the way. Leading axes are packings of their own, side by side: seeds,
    and sizes too, for rows and columns of zeros stay zeros and do not count. With `non_negative`
    no entry goes below 0. No packing is below the Welch bound (`superposition.welch_bound`);
    simplices and other equiangular tight frames reach it.

    Raises ValueError for entries that are not finite and, with `non_negative`, below 0.
    """
    validate.positive_int("steps", steps)
    D = validate.finite("D", D, 0.0 if non_negative else float("-inf")).detach().clone()
    if D.ndim < 2:
        raise ValueError(f"D has shape {list(D.shape)}; it must be [..., n_features, d_in].")
    there = D.norm(dim=-1) > 0
    first, second = torch.triu_indices(D.shape[-2], D.shape[-2], 1, device=D.device)
    if len(first) == 0:
        return unit_rows(D)
    missing = ~(there[..., first] & there[..., second])
    D.requires_grad_()
    optimizer = torch.optim.Adam([D], lr=LR)
    low, high = SHARPNESS
    for step in range(steps):
        progress = step / steps
        optimizer.param_groups[0]["lr"] = LR * (1 - progress)
        sharpness = low * (high / low) ** progress
        unit = unit_rows(D)
        cosine = (unit @ unit.mT)[..., first, second].abs().masked_fill(missing, float("-inf"))
        optimizer.zero_grad()
        (torch.logsumexp(sharpness * cosine, dim=-1) / sharpness).sum().backward()
        optimizer.step()
        if non_negative:
            D.data.clamp_(min=0)
    return unit_rows(D.detach())


def unit_rows(
    D: Float[Tensor, "*batch n_features d_in"],
) -> Float[Tensor, "*batch n_features d_in"]:
    """D with every row at norm 1; a row of zeros stays one."""
    validate.tensors("floating", D=(D, "*batch d_in"))
    norm = D.norm(dim=-1, keepdim=True)
    return D / norm.where(norm > 0, 1.0)
