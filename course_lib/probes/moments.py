"""Means and covariances of many problems, and linear systems with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib.data.sequences import NONE

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


def precise(x: Tensor) -> Tensor:
    """x in float64, where the device has it: covariances square the condition number."""
    return x if x.device.type == "mps" else x.double()


def class_means(
    x: Float[Tensor, "g n d_model"], y: Int[Tensor, "g m n"], n_classes: int
) -> tuple[Float[Tensor, "g m k d_model"], Float[Tensor, "g m k"]]:
    """The mean of each class, and how many rows it has."""
    member = (y[:, :, None] == torch.arange(n_classes, device=y.device)[:, None]).to(x.dtype)
    counts = member.sum(-1)
    sums = (member.flatten(1, 2) @ x).view(*counts.shape, -1)
    return sums / counts[..., None], counts


def second_moment(
    x: Float[Tensor, "g n d_model"], there: Bool[Tensor, "g m n"]
) -> Float[Tensor, "g m d_model d_model"]:
    """Σ x xᵀ over the rows that are there; m is 1 when those are the same in all problems."""
    if torch.equal(there, there[:, :1].expand_as(there)):
        there = there[:, :1]
    if there.all():
        return (x.mT @ x)[:, None]
    problems = [
        torch.stack([part[rows].T @ part[rows] for rows in masks])
        for part, masks in zip(x, there, strict=True)
    ]
    return torch.stack(problems)


def within_class_covariance(
    x: Float[Tensor, "g n d_model"],
    y: Int[Tensor, "g m n"],
    means: Float[Tensor, "g m k d_model"],
    counts: Float[Tensor, "g m k"],
) -> Float[Tensor, "g m d_model d_model"]:
    """Σ (x - mean of its class)(..)ᵀ / n."""
    moment = second_moment(x, y != NONE)
    weighted = means * counts[..., None]
    return (moment - weighted.mT @ means) / counts.sum(-1)[..., None, None]


def solve(
    S: Float[Tensor, "*batch d d"], b: Float[Tensor, "*batch d k"]
) -> Float[Tensor, "*batch d k"]:
    """S⁻¹ b for covariances S, S⁺ b (the pseudo-inverse) where S has no inverse.

    Whether it has is judged with every feature at variance 1, so that the units of x do not
    matter; a feature that does not vary gets 0.
    """
    scale = S.diagonal(dim1=-2, dim2=-1)
    largest = scale.amax(-1, keepdim=True)
    varies = scale > 1e-12 * largest
    scale = torch.where(varies, scale, 1.0).rsqrt() * varies
    S = S * scale[..., None] * scale[..., None, :]
    b = b * scale[..., None]
    d = S.shape[-1]
    tolerance = d * torch.finfo(S.dtype).eps
    root, info = torch.linalg.cholesky_ex(S)
    regular = (info == 0) & (root.diagonal(dim1=-2, dim2=-1).amin(-1) > tolerance**0.5)
    batch = torch.broadcast_shapes(S.shape[:-2], b.shape[:-2])
    if regular.all():
        solution = torch.cholesky_solve(b, root)
    else:
        values, vectors = torch.linalg.eigh(S)
        inverse = torch.where(values > 10 * tolerance * values[..., -1:], 1 / values, 0.0)
        solution = vectors @ (inverse[..., None] * (vectors.mT @ b))
    return (solution * scale[..., None]).expand(*batch, *b.shape[-2:])
