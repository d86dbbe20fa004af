"""How many features a representation holds, read off activations or codes alone.

Every function takes [*instances, batch, d] and gives one number per instance. Sizes that differ can
stand side by side, filled up with zeros: a silent latent and a silent dimension count for nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float


def effective_features(
    z: Float[Tensor, "*instances batch d_sae"],
) -> Float[Tensor, "*instances"]:
    """F = exp H(p), p_j = Σ_s |z_sj| / Σ_sk |z_sk|: how many latents share the activity evenly.

    From 1 (one latent has it all) to d_sae (all have as much); 0 where all are silent. With N
    neurons below, ψ = F / N. Source: Bereska et al. 2025, "Superposition as Lossy Compression".
    """
    activity = _rows("z", z).abs().sum(dim=-2)
    total = activity.sum(dim=-1, keepdim=True)
    entropy = torch.special.entr(activity / total.where(total > 0, 1.0)).sum(dim=-1)
    return entropy.exp() * (total[..., 0] > 0)


def participation_ratio(
    h: Float[Tensor, "*instances batch d"],
) -> Float[Tensor, "*instances"]:
    """(Σ_i λ_i)² / Σ_i λ_i² of the covariance's eigenvalues λ: the dimensions that h varies in.

    From 1 to min(d, batch - 1); 0 where h does not vary. A covariance has d eigenvalues, so no h
    holds more than d by this measure, whatever is in it.
    """
    centered = _rows("h", h)
    centered = centered - centered.mean(dim=-2, keepdim=True)
    # The covariance of some direction is as large as rounding where there is none at all.
    size = h.abs().amax(dim=(-2, -1), keepdim=True) * torch.finfo(centered.dtype).eps * 8
    centered = centered.where(centered.abs() > size, 0.0)
    covariance = centered.mT @ centered
    trace = covariance.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    squares = covariance.square().sum(dim=(-2, -1))
    return trace.square() / squares.where(squares > 0, 1.0)


def von_neumann_entropy(
    h: Float[Tensor, "*instances batch d"],
) -> Float[Tensor, "*instances"]:
    """S(ρ) = -Σ_i λ_i log λ_i in nats, λ the eigenvalues of ρ = HᵀH / batch with rows of norm 1.

    From 0 (all inputs in one direction) to log d (all directions alike), so exp S is from 1 to d.
    Rows of zeros have no direction and are left out. The mean is not subtracted: what all inputs
    share counts as a direction. Differentiable, to be trained for or against. Source: Kim et al.
    2023, "VNE: An Effective Method for Improving Deep Representation by Manipulating Eigenvalue
    Distribution", section 2.
    """
    rows = _rows("h", h)
    norm = rows.norm(dim=-1, keepdim=True)
    unit = rows / norm.where(norm > 0, 1.0)
    n = (norm > 0).sum(dim=-2, keepdim=True).clamp(min=1)
    eigenvalues = torch.linalg.eigvalsh(unit.mT @ unit / n)
    return torch.special.entr(eigenvalues.clamp(min=1e-12)).sum(dim=-1)


def _rows(name: str, tensor: Tensor) -> Tensor:
    if isinstance(tensor, Tensor):
        validate.plain(name, tensor)
    if not isinstance(tensor, Tensor) or tensor.ndim < 2 or 0 in tensor.shape:
        what = list(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
        raise ValueError(f"{name} is {what}; it must be a tensor [..., batch, d], and not empty.")
    rows = validate.finite(name, tensor)
    return rows.float() if rows.dtype in (torch.float16, torch.bfloat16) else rows
