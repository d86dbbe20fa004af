"""Scales of meaning: axes between antonyms, and what else moves when one of them is edited."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Generator, Tensor

from course_lib import validate
from course_lib.geometry.causal import off_diagonal
from course_lib.geometry.concepts import concept_direction, random_pairs
from course_lib.geometry.packing import unit_rows

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class Line(NamedTuple):
    """y = slope · x + intercept by least squares, and the share r2 of y's variance it explains."""

    slope: float
    intercept: float
    r2: float


def semantic_axis(E: Float[Tensor, "d_vocab d"], pairs: Int[Tensor, "n 2"]) -> Float[Tensor, " d"]:
    """The unit direction of a scale: mean of e(w⁺) - e(w⁻) over antonym pairs (w⁻, w⁺).

    Raises ValueError as `concept_direction`, and for differences that cancel.
    """
    vector = concept_direction(E, pairs).vector
    if not vector.any():
        raise ValueError("the differences of pairs cancel; there is no axis.")
    return unit_rows(vector)


def axis_scores(
    E: Float[Tensor, "n d"], axes: Float[Tensor, "n_axes d"]
) -> Float[Tensor, "n n_axes"]:
    """The place of each word on each scale: e(w)ᵀ ŝ, the axes brought to length 1."""
    E, axes = (
        validate.shape(name, validate.finite(name, value), ("n", "d"))
        for name, value in (("E", E), ("axes", axes))
    )
    if E.shape[1] != axes.shape[1]:
        raise ValueError(f"E has d = {E.shape[1]} and axes {axes.shape[1]}; they must be equal.")
    if not axes.any(1).all():
        raise ValueError("axes has a row of zeros, which has no direction.")
    return E @ unit_rows(axes).to(E).T


def random_axes(
    E: Float[Tensor, "d_vocab d"], n_axes: int, n_pairs: int, generator: Generator
) -> Float[Tensor, "n_axes d"]:
    """Axes between words that have nothing to do with each other: the control."""
    validate.instance("generator", generator, Generator)
    validate.tensors("any", E=(E, "d_vocab d"))
    validate.positive_int("n_axes", n_axes)
    return torch.stack(
        [semantic_axis(E, random_pairs(len(E), n_pairs, generator)) for _ in range(n_axes)]
    )


def variance_by_component(scores: Float[Tensor, "n n_axes"]) -> Float[Tensor, " n_components"]:
    """The share of the scores' variance that each principal component has, the largest first."""
    scores = validate.shape("scores", validate.finite("scores", scores), ("n", "n_axes"))
    centred = scores.double() - scores.double().mean(0)
    variance = torch.linalg.svdvals(centred) ** 2
    if variance.sum() <= 1e-24 * scores.double().pow(2).sum():
        raise ValueError("scores are the same for all words; there is no variance to share.")
    return (variance / variance.sum()).to(scores.dtype)


def off_target_line(cosines: Float[Tensor, "n n"], shifts: Float[Tensor, "n n"]) -> Line:
    """What an edit of one scale did to each other one, against the cosine of the two.

    The diagonal does not count. Shifts of the edited vector's own projections, e(w) + α ŝ_i, are
    α · cos by definition: a line of slope α and r2 of 1 that is no evidence. Take the shifts of
    what the model puts out (`measured_leakage`).

    Raises ValueError for cosines that are all the same.
    """
    cosines, shifts = validate.as_tensor("cosines", cosines), validate.as_tensor("shifts", shifts)
    x, y = off_diagonal(cosines).double(), off_diagonal(shifts).double()
    for name, value in (("cosines", x), ("shifts", y)):
        validate.finite(name, value)
    if len(x) != len(y):
        raise ValueError(f"cosines is {list(cosines.shape)} and shifts {list(shifts.shape)}.")
    dx, dy = x - x.mean(), y - y.mean()
    if not dx.pow(2).sum() > 1e-24:
        raise ValueError("cosines are all the same off the diagonal; there is no slope.")
    slope = float(dx @ dy / (dx @ dx))
    total = float(dy @ dy)
    r2 = 1 - float((dy - slope * dx).pow(2).sum()) / total if total > 0 else 0.0
    return Line(slope, float(y.mean() - slope * x.mean()), r2)
