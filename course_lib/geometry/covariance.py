"""Covariances and their inverses: what is measured, what is shrunk, and where neither exists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float

    Shrinkage = float | Literal["ledoit-wolf"]

LEDOIT_WOLF = "ledoit-wolf"


@dataclass(frozen=True, eq=False)
class Covariance:
    """A mean, and a covariance by its axes: Cov = Σ_i variance_i · axis_i axis_iᵀ, in double.

    Attributes:
        mean: [d].
        axes: [rank, d], orthonormal: all of space, or the span in which the rows vary.
        variance: [rank], all above 0, falling.
        shrinkage: how much of it is the identity's, from 0 to 1.
        n_rows: rows that count (of a weight above 0).
        n_effective: (Σ w)² / Σ w², as many equal rows would tell as much.
    """

    mean: Float[Tensor, " d"]
    axes: Float[Tensor, "rank d"]
    variance: Float[Tensor, " rank"]
    shrinkage: float
    n_rows: int
    n_effective: float

    def power(self, exponent: float) -> Float[Tensor, "d d"]:
        """Cov to this power on the span of the axes, 0 elsewhere: -1 is the pseudo-inverse."""
        return (self.axes.T * self.variance**exponent) @ self.axes


def covariance(
    name: str,
    x: Float[Tensor, "n d"],
    weights: Float[Tensor, " n"] | None = None,
    shrinkage: Shrinkage = 0.0,
) -> Covariance:
    """The covariance of the rows of x, shrunk: (1 - s) Cov + s · (tr Cov / d) · identity.

    With s = 0 the axes are those along which x varies by more than the rounding of its entries.
    "ledoit-wolf" chooses the s with the least expected squared error, from x itself (Ledoit and
    Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices").

    Args:
        name: of x in messages.
        weights: of the rows, such as probabilities; of any sum, all equal if None.
        shrinkage: a number from 0 to 1, or "ledoit-wolf".

    Raises:
        TypeError, ValueError: naming the argument; and where all rows are alike.
    """
    given = validate.shape(name, validate.finite(name, x), ("n", "d")).detach()
    if given.numel() == 0:
        raise ValueError(f"{name} has shape {list(given.shape)}; it must have rows and columns.")
    if given.device.type == "mps":  # which has no double precision
        given = given.cpu()
    x, d = given.double(), given.shape[1]
    w = _shares(name, x, weights)
    mean = w @ x
    centred = x - mean
    # What the sums of d products that made x may be wrong by; half precision is taken as exact.
    kind = torch.float64 if given.dtype == torch.float64 else torch.float32
    rounding = d * torch.finfo(kind).eps * (w @ x.pow(2).sum(1)).sqrt()
    triangle = torch.linalg.qr(w.sqrt()[:, None] * centred, mode="r").R
    _, size, axes = torch.linalg.svd(triangle, full_matrices=True)
    seen = int((size > rounding).sum())
    if seen == 0:
        raise ValueError(f"the rows of {name} are all alike; there is no covariance to work with.")
    variance = x.new_zeros(d)
    variance[: len(size)] = size**2
    s = _shrinkage(shrinkage, centred, w, variance)
    if s == 0:
        variance, axes = variance[:seen], axes[:seen]
    else:
        variance = (1 - s) * variance + s * variance.mean()
    return Covariance(mean, axes, variance, s, int((w > 0).sum()), float(1 / w.pow(2).sum()))


def _shares(name: str, x: Tensor, weights: Tensor | None) -> Float[Tensor, " n"]:
    if weights is None:
        return x.new_full((len(x),), 1 / len(x))
    w = validate.finite("weights", weights, 0.0).detach().to(x)
    if w.shape != x.shape[:1]:
        raise ValueError(
            f"weights has shape {list(w.shape)}; it must be [{len(x)}], one for each row of {name}."
        )
    if not w.any():
        raise ValueError("weights are all 0; at least one row must count.")
    return w / w.sum()


def _shrinkage(shrinkage: Shrinkage, centred: Tensor, w: Tensor, variance: Tensor) -> float:
    """s itself, or that of Ledoit and Wolf: (variance of the estimate) / (its distance from μ)."""
    if not isinstance(shrinkage, str):
        return validate.number("shrinkage", shrinkage, 0.0, 1.0)
    validate.choice("shrinkage", shrinkage, (LEDOIT_WOLF,))
    distance = (variance - variance.mean()).pow(2).sum()
    if distance == 0:
        return 1.0  # the identity already
    cov = (centred.T * w) @ centred
    length = centred.pow(2).sum(1)
    spread = length**2 - 2 * ((centred @ cov) * centred).sum(1) + cov.pow(2).sum()
    return float(((w**2 @ spread) / distance).clamp(0, 1))
