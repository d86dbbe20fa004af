"""How features share dimensions, read off the weights W [..., n_features, d_hidden]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.geometry import unit_rows

if TYPE_CHECKING:
    from jaxtyping import Float

REPRESENTED_NORM = 0.5
"""A feature counts as represented when its row norm exceeds this."""


def _weights(W: Tensor) -> Tensor:
    validate.tensors("any", W=(W, "*batch n_features d_hidden"))
    return validate.finite("W", W)


def represented_fraction(
    W: Float[Tensor, "*batch n_features d_hidden"], threshold: float = REPRESENTED_NORM
) -> Float[Tensor, "*batch"]:
    """Share of features whose row norm exceeds `threshold`: stored at all, whatever the angle."""
    validate.number("threshold", threshold)
    return (_weights(W).norm(dim=-1) > threshold).float().mean(dim=-1)


def unrepresented_mass(
    W: Float[Tensor, "*batch n_features d_hidden"],
    probability: Float[Tensor, "*#batch n_features"],
    threshold: float = REPRESENTED_NORM,
) -> Float[Tensor, "*batch"]:
    """Σ p_i over the features that are not represented: how many of them an input has on average.

    Each costs E x² when it is on and its output stays at 0, so E x² times this is the loss of a
    model that rebuilds all others exactly. Source: Liu, Liu & Gore 2025, weak superposition.
    """
    silent = _weights(W).norm(dim=-1) <= validate.number("threshold", threshold)
    probability = validate.probability("probability", probability)
    if probability.shape[-1:] not in (silent.shape[-1:], ()):
        raise ValueError(
            f"probability has shape {list(probability.shape)}; W has {silent.shape[-1]} features."
        )
    validate.broadcasts("probability", probability, "W without its last axis", silent)
    return (probability * silent).sum(dim=-1)


def interference(
    W: Float[Tensor, "*batch n_features d_hidden"],
) -> Float[Tensor, "*batch n_features"]:
    """Σ_{j≠i} (Ŵ_i·W_j)²: how strongly the other features write onto feature i's direction."""
    W = _weights(W)
    overlap = (unit_rows(W) @ W.mT).square()
    return overlap.sum(dim=-1) - overlap.diagonal(dim1=-2, dim2=-1)


def feature_dimensionality(
    W: Float[Tensor, "*batch n_features d_hidden"],
) -> Float[Tensor, "*batch n_features"]:
    """D_i = |W_i|² / Σ_j (Ŵ_i·W_j)²: the share of a dimension that feature i owns, in [0, 1].

    1 for a dedicated dimension, 1/2 for an antipodal pair, 2/5 in a pentagon; 0 for a zero row.
    Source: Elhage et al. 2022, section "The geometry of superposition". For every W,
    Σ_i D_i <= rank W, with equality exactly when each row is an eigenvector of WᵀW (the rows form
    tight frames of orthogonal subspaces), because D_i is at most W_i's leverage score.
    """
    own = _weights(W).square().sum(dim=-1)
    total = own + interference(W)
    return own / total.where(total > 0, 1.0)


def dimensions_per_feature(
    W: Float[Tensor, "*batch n_features d_hidden"],
) -> Float[Tensor, "*batch"]:
    """D* = d_hidden / |W|_F², the paper's average share of a dimension per represented feature."""
    validate.tensors("any", W=(W, "*batch n_features d_hidden"))
    return W.shape[-1] / _weights(W).square().sum(dim=(-2, -1))


def mean_squared_overlap(
    W: Float[Tensor, "*batch n_features d_hidden"],
) -> Float[Tensor, "*batch"]:
    """Mean of cos² over all ordered pairs of different non-zero rows; NaN with fewer than two.

    Independent random directions give 1 / d_hidden.
    """
    unit = unit_rows(_weights(W))
    n = (unit.square().sum(dim=-1) > 0.5).sum(dim=-1)
    total = (unit.mT @ unit).square().sum(dim=(-2, -1)) - n  # the same sum as of (unit @ unit.mT)²
    pairs = (n * (n - 1)).to(unit.dtype)
    return total / pairs.where(pairs > 0, float("nan"))


def mutual_coherence(
    W: Float[Tensor, "*batch n_features d_hidden"],
) -> Float[Tensor, "*batch"]:
    """μ, the largest |cos| between two different rows; 0 for a single row.

    Every code x = z W with fewer than (1 + 1/μ) / 2 active features is the sparsest code of x, and
    both basis pursuit and orthogonal matching pursuit find it (Donoho & Elad 2003; Tropp 2004).
    """
    unit = unit_rows(_weights(W))
    cosine = (unit @ unit.mT).abs()
    return torch.tril(cosine, diagonal=-1).amax(dim=(-2, -1))


def welch_bound(n_features: int, d_hidden: int) -> float:
    """The least mutual coherence n unit rows in d dimensions can have: √((n - d) / (d (n - 1))).

    0 for n <= d. Reached by equiangular tight frames alone, which need n <= d (d + 1) / 2.
    Source: Welch 1974, "Lower bounds on the maximum cross correlation of signals".
    """
    n, d = (
        validate.positive_int("n_features", n_features),
        validate.positive_int("d_hidden", d_hidden),
    )
    return ((n - d) / (d * (n - 1))) ** 0.5 if n > d else 0.0
