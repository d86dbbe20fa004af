"""Ways to find a direction from activations of two classes: tensors in, one tensor out.

Each method returns a direction as long as the gap between the class means along it, so that
strength 1 takes the mean of class 0 along the direction to where the mean of class 1 is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor

from course_lib import runtime, validate

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


def difference_of_means(
    h: Float[Tensor, "n d"], y: Int[Tensor, " n"] | Bool[Tensor, " n"]
) -> Float[Tensor, " d"]:
    """mean(h | 1) - mean(h | 0), the gap itself: contrastive activation addition.

    Of pairs it is the mean of their differences. Source: Rimsky et al. 2024 (arXiv:2312.06681).

    Args:
        h: activations. y: 0 or 1 for each; -1 for those that do not count.

    Raises ValueError when a class is missing or an activation is not finite; so do all methods.
    """
    zero, one = _classes(h, y)
    return (one.mean(dim=0) - zero.mean(dim=0)).to(h)


def reading_vector(
    h: Float[Tensor, "n d"], y: Int[Tensor, " n"] | Bool[Tensor, " n"]
) -> Float[Tensor, " d"]:
    """The first principal component of all states, centred by their one mean, with y's sign.

    Centred class by class, or pair by pair, the contrast would be what is taken away. It finds the
    concept only where that is what varies most: with labels it reads no more than a sign. Source:
    representation reading, Zou et al. 2023 (arXiv:2310.01405).
    """
    zero, one = _classes(h, y)
    both = torch.cat([zero, one])
    centred = both - both.mean(dim=0)
    return _sized(torch.linalg.svd(centred, full_matrices=False).Vh[0], zero, one, h)


def reading_vector_of_pairs(
    h0: Float[Tensor, "n d"], h1: Float[Tensor, "n d"]
) -> Float[Tensor, " d"]:
    """The first principal component of the differences h1 - h0 and their mirror images.

    Mirrored, they have mean 0; to subtract the mean of the differences would be to subtract the
    very contrast. Source: linear artificial tomography, Zou et al. 2023 (arXiv:2310.01405), whose
    pairs are shuffled to the same end.

    Args:
        h0, h1: states of class 0 and 1, row by row of one pair.
    """
    validate.tensors("any", h0=(h0, "n d"), h1=(h1, "n d"))
    validate.shape("h1", h1, h0.shape)
    zero, one = _finite(h0), _finite(h1)
    return _sized(torch.linalg.svd(one - zero, full_matrices=False).Vh[0], zero, one, h0)


def logistic(
    h: Float[Tensor, "n d"], y: Int[Tensor, " n"] | Bool[Tensor, " n"], C: float = 1.0
) -> Float[Tensor, " d"]:
    """The weights of a logistic regression with intercept; C is scikit-learn's."""
    from sklearn.linear_model import LogisticRegression

    zero, one = _classes(h, y)
    labels = [0] * len(zero) + [1] * len(one)
    both = torch.cat([zero, one]).numpy()
    if validate.number("C", C, 0.0) == 0:
        raise ValueError("C is 0; it must be above 0.")
    fit = LogisticRegression(C=C, tol=1e-8, max_iter=5000).fit(both, labels)
    return _sized(torch.from_numpy(fit.coef_[0]), zero, one, h)


def lda(
    h: Float[Tensor, "n d"],
    y: Int[Tensor, " n"] | Bool[Tensor, " n"],
    shrinkage: float | str = "auto",
) -> Float[Tensor, " d"]:
    """The gap times the inverse covariance within the classes: Fisher's direction, whitened.

    Args:
        shrinkage: s in (1 - s) Cov + s (tr Cov / d) I, or "auto" for Ledoit and Wolf's choice. With
            0 and a singular covariance the pseudo-inverse is taken.
    """
    from sklearn.covariance import ledoit_wolf_shrinkage

    zero, one = _classes(h, y)
    gap = one.mean(dim=0) - zero.mean(dim=0)
    within = torch.cat([zero - zero.mean(dim=0), one - one.mean(dim=0)])
    if isinstance(shrinkage, str) and shrinkage == "auto":
        shrinkage = float(ledoit_wolf_shrinkage(within.numpy(), assume_centered=True))
    s = validate.number("shrinkage", shrinkage, 0.0, 1.0)
    covariance = within.T @ within / len(within)
    mean_variance = covariance.diagonal().mean()
    covariance = (1 - s) * covariance + s * mean_variance * torch.eye(len(covariance)).double()
    return _sized(torch.linalg.pinv(covariance, hermitian=True) @ gap, zero, one, h)


def k_means(
    h: Float[Tensor, "n d"], y: Int[Tensor, " n"] | Bool[Tensor, " n"], seed: int = 0
) -> Float[Tensor, " d"]:
    """The difference of the centres of two clusters, found without the labels but for the sign."""
    from sklearn.cluster import KMeans

    zero, one = _classes(h, y)
    both = torch.cat([zero, one]).numpy()
    if runtime.checked_seed(seed, 0) >= 2**32:
        raise ValueError(f"seed is {seed}; it must be below 2**32.")
    centres = KMeans(2, n_init=10, random_state=seed).fit(both).cluster_centers_
    return _sized(torch.from_numpy(centres[1] - centres[0]).double(), zero, one, h)


METHODS: dict[str, Callable[..., Tensor]] = {
    "difference_of_means": difference_of_means,
    "pca": reading_vector,
    "logistic": logistic,
    "lda": lda,
    "k_means": k_means,
}


def causal(direction: Float[Tensor, "*n d"], product: Any) -> Float[Tensor, "*n d"]:
    """The vector to add for a direction that is read: its Riesz map under an inner product.

    Adding it moves what `direction` reads, and moves nothing that is read along directions that are
    orthogonal to it under the product. Source: Park et al. 2024 (arXiv:2311.03658).

    Args:
        direction: of the unembedding's rows, such as the mean difference of counterfactual pairs.
        product: the matrix M [d, d] of ⟨a, b⟩ = aᵀ M b, or an object whose `riesz(a)` is M a, such
            as `course_lib.geometry.CausalInnerProduct`.
    """
    if not isinstance(product, Tensor):
        if not hasattr(product, "riesz"):
            raise TypeError(
                f"product is of type {type(product).__name__}; it must be a matrix [d, d] or have "
                "a method riesz, as a CausalInnerProduct does."
            )
        return product.riesz(direction)
    validate.tensors("any", direction=(direction, "*n d"), product=(product, "d d"))
    matrix = validate.finite("product", product)
    if not torch.allclose(matrix, matrix.T, rtol=1e-4, atol=1e-6 * matrix.abs().max().item()):
        raise ValueError("product is not symmetric; it must be the matrix of an inner product.")
    return direction @ matrix.T.to(direction)


def random_like(vector: Float[Tensor, " d"], generator: Generator) -> Float[Tensor, " d"]:
    """A vector of the same norm in a direction drawn evenly from all, by a generator of the CPU."""
    validate.instance("generator", generator, Generator)
    validate.tensors("any", vector=(vector, "d"))
    made = torch.randn(vector.shape, generator=generator, dtype=torch.double)
    return (made * (vector.double().norm().cpu() / made.norm())).to(vector)


def _finite(h: Tensor) -> Float[Tensor, "n d"]:
    validate.tensors("any", h=(h, "n d"))
    return validate.finite("h", h).detach().double().cpu()


def _classes(h: Tensor, y: Tensor) -> tuple[Float[Tensor, "n0 d"], Float[Tensor, "n1 d"]]:
    """The rows of class 0 and of class 1, in double precision on the CPU."""
    rows, y = _finite(h), validate.shape("y", validate.as_tensor("y", y), (len(h),)).cpu()
    if y.is_floating_point() or not torch.isin(y.long(), torch.tensor([-1, 0, 1])).all():
        raise ValueError(f"y has values {y.unique().tolist()[:5]}; it must hold 0, 1 and -1 only.")
    zero, one = rows[y == 0], rows[y == 1]
    if len(zero) == 0 or len(one) == 0:
        raise ValueError(
            f"y has {len(zero)} rows of class 0 and {len(one)} of class 1; a contrast needs both."
        )
    return zero, one


def _sized(direction: Tensor, zero: Tensor, one: Tensor, like: Tensor) -> Float[Tensor, " d"]:
    """The direction, from class 0 to class 1, as long as the gap of the means along it."""
    gap = one.mean(dim=0) - zero.mean(dim=0)
    if direction.norm() == 0 or gap.norm() == 0:
        raise ValueError("the two classes have the same mean; there is no direction between them.")
    unit = direction / direction.norm()
    return (unit * (unit @ gap)).to(like)
