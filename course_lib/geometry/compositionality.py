"""Codes of combinations: what is a sum of concepts, and what a read-out knows of unseen ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate
from course_lib.geometry.covariance import covariance

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, eq=False)
class Factorisation:
    """The best additive description f(c) = f₀ + Σ_i u_i[c_i] of codes of combinations.

    Attributes:
        intercept: [d], f₀.
        effects: for each concept [n_values, d], the u_i; the values of a concept sum to 0.
    """

    intercept: Float[Tensor, " d"]
    effects: list[Float[Tensor, "n_values d"]]

    def predict(self, factors: Int[Tensor, "n n_factors"]) -> Float[Tensor, "n d"]:
        """The code of each combination, seen or not."""
        parts = [effect[values] for effect, values in zip(self.effects, factors.T, strict=True)]
        return self.intercept + torch.stack(parts).sum(0)


def factorise(H: Float[Tensor, "n d"], factors: Int[Tensor, "n n_factors"]) -> Factorisation:
    """Least squares for f₀ and u_i, over the rows of H with their values of the concepts.

    Where the combinations do not say which part a value has (two concepts that always go
    together), it is the solution of least norm.

    Source: Trager et al. 2023, "Linear Spaces of Meanings: Compositional Structures in
    Vision-Language Models" (arXiv:2302.14383).

    Raises:
        TypeError, ValueError: naming the argument; a concept with a value that no row has.
    """
    H, factors, sizes = _checked(H, factors)
    design = _effect_coded(factors, sizes)
    solution = torch.linalg.lstsq(design, H.double(), driver="gelsd").solution
    effects, start = [], 1
    for size in sizes:
        effects.append((_contrasts(size) @ solution[start : start + size - 1]).to(H.dtype))
        start += size - 1
    return Factorisation(solution[0].to(H.dtype), effects)


def additive_r2(
    H: Float[Tensor, "n d"], factors: Int[Tensor, "n n_factors"], whiten: bool = True
) -> float:
    """The share of the codes' variance that is a sum of the concepts' parts, from 0 to 1.

    Whitened, every direction in which the codes vary counts alike, and the share is the same for
    any invertible map of the codes. Plain, the share is that of the total variance, which a few
    large directions decide.

    It grows with the number of concepts' values over the number of rows, also where there is
    nothing: (Σ (n_i - 1)) / (n - 1) on average for random codes.

    Raises ValueError as `factorise`, for codes that are all alike, and, whitened, for so few rows
    that all their codes have the same share, whatever they are.
    """
    H, factors, sizes = _checked(H, factors)
    moments = covariance("H", H)
    if whiten and len(moments.variance) >= len(H) - 1:
        raise ValueError(
            f"H has {len(H)} rows, which vary in {len(moments.variance)} dimensions. Whitening "
            "makes so few a regular simplex, of which the share is always the same; give more "
            "rows than dimensions, or whiten=False."
        )
    centred = H.double() - moments.mean
    if whiten:
        centred = centred @ moments.axes.T / moments.variance.sqrt()
    design = _effect_coded(factors, sizes)
    fitted = design @ torch.linalg.lstsq(design, centred, driver="gelsd").solution
    return float(1 - (centred - fitted).pow(2).sum() / centred.pow(2).sum())


def factor_orthogonality(
    effects: Sequence[Float[Tensor, "n_values d"]],
) -> Float[Tensor, "n_factors n_factors"]:
    """The overlap of the concepts' subspaces: the mean squared cosine of their principal angles.

    0 where every difference within one concept is orthogonal to every difference within the other,
    1 where the smaller subspace lies in the larger one; two random ones of r and s dimensions have
    max(r, s) / d. Subspaces are those of the differences between a concept's values.

    Raises ValueError for a concept whose values are all alike, or no further apart than rounding.
    """
    effects = [validate.finite("effects", each) for each in validate.sequence("effects", effects)]
    if not effects:
        raise ValueError("effects is empty; there must be a concept.")
    validate.tensors(
        "any", **{f"effects[{i}]": (each, f"n_{i} d") for i, each in enumerate(effects)}
    )
    bases = []
    sizes = torch.stack([(effect - effect.mean(0)).norm() for effect in effects])
    for i, effect in enumerate(effects):
        if not sizes[i] > 100 * torch.finfo(effect.dtype).eps * sizes.max():
            raise ValueError(f"concept {i} has the same code for all its values.")
        bases.append(covariance(f"effects of concept {i}", effect).axes)
    table = torch.empty(len(bases), len(bases), dtype=torch.float64)
    for i, one in enumerate(bases):
        for j, other in enumerate(bases):
            table[i, j] = (one @ other.T).pow(2).sum() / min(len(one), len(other))
    return table.to(effects[0])


def dimension_bound(n_values: Sequence[int]) -> tuple[int, int]:
    """Least dimensions for a code of concepts with n_i values each: (k, Σ (n_i - 1)).

    The first is what k orthogonal concepts take at the least, a line for each, its values on it in
    order. The second is what additive codes take in which each value of each concept stands out
    from the others by its own linear read-out of the same size: a simplex for each concept.
    """
    validate.sequence("n_values", n_values)
    sizes = [validate.positive_int("n_values", n, minimum=2) for n in n_values]
    if not sizes:
        raise ValueError("n_values is empty; there must be a concept.")
    return len(sizes), sum(sizes) - len(sizes)


def combination_split(
    n_values: Sequence[int], n_support: int, generator: Generator
) -> Bool[Tensor, "*n_values"]:
    """Which of all combinations are seen, `n_support` of them; `seen[tuple(factors.T)]` by row.

    The first Σ (n_i - 1) + 1 are a cross: a random combination, and all that differ from it in one
    concept. They show every value, and are the fewest that identify an additive code. The others
    are drawn uniformly.

    Raises ValueError for fewer than that, or no combination left to test.
    """
    validate.instance("generator", generator, Generator)
    _, freedom = dimension_bound(n_values)
    seen = torch.zeros(tuple(n_values), dtype=torch.bool)
    if not freedom + 1 <= validate.positive_int("n_support", n_support) < seen.numel():
        raise ValueError(
            f"n_support is {n_support}; it must be from {freedom + 1}, so that every value is seen "
            f"and an additive code identified, to {seen.numel() - 1}, so that one is left."
        )
    device = generator.device
    centre = [int(torch.randint(n, (), generator=generator, device=device)) for n in n_values]
    for i in range(len(centre)):
        seen[(*centre[:i], slice(None), *centre[i + 1 :])] = True
    rest = (~seen.flatten()).nonzero()[:, 0]
    order = torch.randperm(len(rest), generator=generator, device=device).cpu()
    seen.view(-1)[rest[order[: n_support - freedom - 1]]] = True
    return seen


def unseen_accuracy(
    H: Float[Tensor, "n d"],
    factors: Int[Tensor, "n n_factors"],
    seen: Bool[Tensor, " n"],
    ridge: float = 1e-6,
) -> Float[Tensor, " n_factors"]:
    """How often a linear read-out, fitted on the seen rows, is right on the others; by concept.

    Ridge regression on the values one-hot; the largest output is the answer. `ridge` is in units of
    the seen codes' mean variance.

    Raises:
        TypeError, ValueError: naming the argument; a value that no seen row has.
    """
    H, factors, sizes = _checked(H, factors)
    validate.number("ridge", ridge, 0.0)
    if (seen := validate.as_tensor("seen", seen)).dtype != torch.bool:
        raise TypeError("seen must be a tensor of True and False, one for each row of H.")
    seen = validate.shape("seen", seen, (len(H),)).to(H.device)
    if seen.all() or not seen.any():
        raise ValueError("seen must have both True, rows to fit, and False, rows to test.")
    x = H.double()
    centred = x - x[seen].mean(0)
    own = centred[seen]
    accuracy = []
    for i, (values, size) in enumerate(zip(factors.T, sizes, strict=True)):
        target = torch.nn.functional.one_hot(values[seen], size).double()
        if (unseen := target.sum(0) == 0).any():
            raise ValueError(f"seen has no row with value {int(unseen.nonzero()[0, 0])} of {i}.")
        share = target.mean(0)
        weight = _ridge(own, target - share, ridge)
        guess = (centred[~seen] @ weight + share).argmax(1)
        accuracy.append((guess == values[~seen]).double().mean())
    return torch.stack(accuracy).to(H.dtype)


def _ridge(x: Tensor, y: Tensor, ridge: float) -> Tensor:
    """The least-norm least squares for ridge 0, by singular values."""
    left, size, right = torch.linalg.svd(x, full_matrices=False)
    penalty = ridge * size.pow(2).mean()
    shrink = size / (size**2 + penalty)
    shrink = shrink.where(size > size.max() * 1e-12, 0.0)
    return right.T @ (shrink[:, None] * (left.T @ y))


def _contrasts(n: int) -> Float[Tensor, "n n-1"]:
    """Columns that sum to 0: the last value is minus the sum of the others."""
    return torch.cat([torch.eye(n - 1), -torch.ones(1, n - 1)]).double()


def _effect_coded(factors: Tensor, sizes: list[int]) -> Float[Tensor, "n columns"]:
    blocks = [_contrasts(n).to(factors.device)[v] for n, v in zip(sizes, factors.T, strict=True)]
    return torch.cat([torch.ones_like(blocks[0][:, :1]), *blocks], dim=1)


def _checked(H: Tensor, factors: Tensor) -> tuple[Tensor, Tensor, list[int]]:
    """H, the factors, and how many values each has; TypeError / ValueError otherwise."""
    H = validate.finite("H", H).detach()
    validate.tensors("any", H=(H, "n d"))
    factors = validate.as_tensor("factors", factors)
    if factors.is_floating_point() or factors.dtype == torch.bool:
        raise TypeError(f"factors has dtype {factors.dtype}; it must hold whole numbers from 0 on.")
    if factors.ndim != 2 or len(factors) != len(H) or factors.numel() == 0:
        raise ValueError(f"factors has shape {list(factors.shape)}; it must be [{len(H)}, k].")
    sizes = []
    for i, values in enumerate(factors.T):
        size = int(values.max()) + 1
        if values.min() < 0 or len(values.unique()) < size or size < 2:
            raise ValueError(
                f"factors has the values {values.unique().tolist()} of concept {i}; they must be "
                "0, 1, … without a gap, at least two."
            )
        sizes.append(size)
    return H, factors.long().to(H.device), sizes
