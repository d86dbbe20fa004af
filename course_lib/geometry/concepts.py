"""Directions of concepts, from tokens that differ in one, and what they are worth held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate
from course_lib.geometry.causal import CausalInnerProduct

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@dataclass(frozen=True, eq=False)
class ConceptDirection:
    """The direction of a concept W, from pairs of tokens that differ in W alone.

    Attributes:
        differences: [n, d], γ(Y₁) - γ(Y₀) of each pair.
    """

    differences: Float[Tensor, "n d"]

    @property
    def vector(self) -> Float[Tensor, " d"]:
        """The mean difference."""
        return self.differences.mean(0)

    @property
    def left_out(self) -> Float[Tensor, "n d"]:
        """For each pair the mean difference of the others; ValueError with fewer than 2 pairs."""
        n = len(self.differences)
        if n < 2:
            raise ValueError(f"pairs has {n} row; to leave one out takes at least 2.")
        return (self.differences.sum(0) - self.differences) / (n - 1)

    def loo_cosines(self, product: CausalInnerProduct | None = None) -> Float[Tensor, " n"]:
        """The cosine of each pair's difference with the direction of all other pairs.

        Leaving the pair out matters: with n unrelated pairs, the cosine of one of them with a mean
        that holds it is about 1/√n, and no evidence.
        """
        if product is not None:
            return product.cos(self.differences, self.left_out)
        return torch.nn.functional.cosine_similarity(
            self.differences.double(), self.left_out.double(), dim=-1, eps=0.0
        ).to(self.differences.dtype)


def concept_direction(
    W_U: Float[Tensor, "d_vocab d"], pairs: Int[Tensor, "n 2"]
) -> ConceptDirection:
    """The direction from counterfactual pairs of tokens, such as (king, queen) for gender.

    Args:
        pairs: each row a token without the concept and its counterpart with it.

    Raises ValueError for pairs that are no pairs of tokens, and for a difference that is 0.

    Source: Park, Choe, Veitch 2023 (arXiv:2311.03658).
    """
    W_U = validate.shape("W_U", validate.finite("W_U", W_U), ("d_vocab", "d")).detach()
    pairs = checked_pairs(pairs, len(W_U)).to(W_U.device)
    differences = W_U[pairs[:, 1]] - W_U[pairs[:, 0]]
    same = ~differences.any(1)
    if same.any():
        raise ValueError(
            f"pairs has {int(same.sum())} rows whose two tokens have one and the same vector, the "
            f"first is {pairs[same][0].tolist()}; a pair must differ."
        )
    return ConceptDirection(differences)


def random_pairs(n_tokens: int, n: int, generator: Generator) -> Int[Tensor, "n 2"]:
    """n pairs of two different tokens, drawn uniformly: what a direction must be held against."""
    validate.instance("generator", generator, Generator)
    validate.positive_int("n_tokens", n_tokens, minimum=2)
    validate.positive_int("n", n)
    device = generator.device
    one = torch.randint(n_tokens, (n,), generator=generator, device=device)
    step = torch.randint(1, n_tokens, (n,), generator=generator, device=device)
    return torch.stack([one, (one + step) % n_tokens], dim=1)


def difference_of_means(
    W_U: Float[Tensor, "d_vocab d"], labels: Int[Tensor, " d_vocab"]
) -> Float[Tensor, " d"]:
    """Mean of the tokens labelled 1 (True) minus mean of those labelled 0; others do not count.

    It is the mean difference of pairs only where everything else is balanced between the two:
    what is more frequent with the concept is in it too. Raises ValueError where a class is empty.
    """
    W_U = validate.shape("W_U", validate.finite("W_U", W_U), ("d_vocab", "d")).detach()
    labels = validate.as_tensor("labels", labels).to(W_U.device)
    validate.shape("labels", labels, (len(W_U),))
    for value in (0, 1):
        if not (labels == value).any():
            raise ValueError(f"labels has no token with {value}; there must be some of both.")
    return W_U[labels == 1].mean(0) - W_U[labels == 0].mean(0)


def checked_pairs(pairs: Tensor, n_tokens: int, name: str = "pairs") -> Int[Tensor, "n 2"]:
    """`pairs` as [n, 2] whole numbers below n_tokens, or TypeError / ValueError."""
    pairs = validate.as_tensor(name, pairs)
    if pairs.is_floating_point() or pairs.dtype == torch.bool:
        raise TypeError(f"{name} has dtype {pairs.dtype}; it must hold tokens, whole numbers.")
    if pairs.ndim != 2 or pairs.shape[1] != 2 or len(pairs) == 0:
        raise ValueError(f"{name} has shape {list(pairs.shape)}; it must be [n, 2] with n >= 1.")
    if pairs.min() < 0 or pairs.max() >= n_tokens:
        raise ValueError(
            f"{name} has tokens from {int(pairs.min())} to {int(pairs.max())}; the vocabulary has "
            f"0 to {n_tokens - 1}."
        )
    return pairs.long()
