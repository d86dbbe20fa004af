"""Probes whose optimum is a formula: class means, LDA, ridge regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.data.sequences import NONE
from course_lib.probes.moments import (
    class_means,
    precise,
    second_moment,
    solve,
    within_class_covariance,
)
from course_lib.probes.readouts import Linear

if TYPE_CHECKING:
    from jaxtyping import Float, Int

CHUNK = 2**24  # entries of covariances that are held at a time


def mass_mean(
    x: Float[Tensor, "g n d_model"], y: Int[Tensor, "g m n"], n_classes: int, whiten: bool = False
) -> Linear:
    """Towards the nearest class mean; of two classes the direction is the difference of means.

    With `whiten` near is measured by the covariance within classes: Σ⁻¹ (μ₁ - μ₀), the optimum for
    Gaussian classes of one covariance and equal size (Marks & Tegmark 2024, Section 5). Where Σ has
    no inverse (n < d_model, collinear features) its pseudo-inverse stands.
    """
    if not isinstance(whiten, bool):
        raise TypeError(f"whiten is {whiten!r}; it must be True or False.")
    return _gaussian(x, y, n_classes, 0.0 if whiten else None, priors=False)


def lda(
    x: Float[Tensor, "g n d_model"],
    y: Int[Tensor, "g m n"],
    n_classes: int,
    shrinkage: float | str = "auto",
) -> Linear:
    """Linear discriminant analysis: Gaussian classes of one covariance, with their shares.

    Σ is the covariance within classes, shrunk towards a multiple of the identity:
    (1 - s) Σ + s tr(Σ)/d I; s is `shrinkage`, or "auto", what Ledoit and Wolf (2004) estimate.
    At s = 0 predictions do not change under affine maps of x.
    """
    if shrinkage != "auto":
        validate.number("shrinkage", shrinkage, 0.0, 1.0)
    return _gaussian(x, y, n_classes, shrinkage, priors=True)


def ridge(
    x: Float[Tensor, "g n d_model"], y: Float[Tensor, "g m n"], n_classes: int, alpha: float = 1.0
) -> Linear:
    """The minimum of Σ (w·x + b - y)² + alpha ‖w‖²: scikit-learn's `Ridge(alpha)`.

    At alpha = 0 and with collinear features, the solution of least norm with all features at
    variance 1. Rows whose y is NaN take no part.
    """
    validate.number("alpha", alpha, 0.0)
    dtype, x, y = x.dtype, precise(x), precise(y)
    there = ~y.isnan()
    n = there.sum(-1, keepdim=True)
    weight = there.to(x.dtype)
    mean_x, mean_y = weight @ x / n, y.nansum(-1) / n[..., 0]
    centre = x.mean(1, keepdim=True)
    residual = torch.where(there, y - mean_y[..., None], 0.0)
    S = second_moment(x - centre, there)
    offset = (mean_x - centre)[:, : S.shape[1]]  # of one problem where all have the same rows
    S = S - n[:, : S.shape[1], None] * offset[..., None] * offset[..., None, :]
    S = S + alpha * torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    targets = (residual @ (x - centre)).unflatten(1, (S.shape[1], -1)).mT
    w = solve(S, targets).mT.flatten(1, 2)
    return Linear(0, w.to(dtype), (mean_y - (w * mean_x).sum(-1)).to(dtype))


def _gaussian(
    x: Tensor, y: Tensor, n_classes: int, shrinkage: float | str | None, priors: bool
) -> Linear:
    """Score of class k: μₖᵀ Σ⁻¹ x - μₖᵀ Σ⁻¹ μₖ / 2 (+ log its share), Σ = I at shrinkage None."""
    g, m, _ = y.shape
    d = x.shape[-1]
    outputs = (n_classes,) if n_classes > 2 else ()
    W, b = x.new_empty(g, m, *outputs, d), x.new_empty(g, m, *outputs)
    step = max(CHUNK // d**2, 1)
    for i in range(g):
        part = precise(x[i : i + 1])
        centre = part.mean(1)
        part = part - centre
        for j in range(0, m, step):
            labels = y[i : i + 1, j : j + step]
            means, counts = class_means(part, labels, n_classes)
            towards = means
            if shrinkage is not None:
                S = within_class_covariance(part, labels, means, counts)
                if shrinkage != 0:
                    S = _shrunk(part, labels, means, S, shrinkage)
                towards = solve(S, means.mT).mT
            bias = -(towards * means).sum(-1) / 2
            if priors:
                bias = bias + (counts / counts.sum(-1, keepdim=True)).log()
            if n_classes == 2:
                towards, bias = towards[:, :, 1] - towards[:, :, 0], bias[:, :, 1] - bias[:, :, 0]
            W[i, j : j + step] = towards[0]
            b[i, j : j + step] = (bias - (towards * centre).sum(-1))[0]
    return Linear(n_classes, W, b)


def _shrunk(x: Tensor, y: Tensor, means: Tensor, S: Tensor, shrinkage: float | str) -> Tensor:
    size = S.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
    target = size * torch.eye(S.shape[-1], dtype=S.dtype, device=S.device)
    s = _ledoit_wolf(x, y, means, S)[..., None, None] if shrinkage == "auto" else shrinkage
    return (1 - s) * S + s * target


def _ledoit_wolf(x: Tensor, y: Tensor, means: Tensor, S: Tensor) -> Float[Tensor, "g m"]:
    """The shrinkage that loses least: Var(S) / ‖S - tr(S)/d I‖², Ledoit & Wolf 2004, Lemma 3.3."""
    d = S.shape[-1]
    size = S.diagonal(dim1=-2, dim2=-1).mean(-1)
    squared = (S**2).sum((-2, -1))
    rows, own = (x**2).sum(-1)[:, None], (means**2).sum(-1)
    length = torch.zeros_like(rows).expand(y.shape)
    for k in range(means.shape[2]):  # ‖x - mean of its class‖², without a copy of x per problem
        from_mean = rows - 2 * means[:, :, k] @ x.mT + own[:, :, k, None]
        length = torch.where(y == k, from_mean, length)
    noise = ((length**2).sum(-1) / (y != NONE).sum(-1) - squared) / (y != NONE).sum(-1)
    spread = squared - d * size**2
    return torch.where(spread > 0, noise.clamp(min=0).minimum(spread) / spread, 1.0)
