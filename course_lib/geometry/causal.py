"""The causal inner product: the geometry of unembeddings that no re-parametrisation can change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.geometry.covariance import Covariance, covariance

if TYPE_CHECKING:
    from jaxtyping import Float

    from course_lib.geometry.covariance import Shrinkage

LEAVES_SPAN = 1e-3  # share of a vector's length outside the span of the tokens that is an error


@dataclass(frozen=True, eq=False)
class CausalInnerProduct:
    """⟨a, b⟩ = aᵀ Cov(γ)⁻¹ b for directions in the space of the unembeddings γ.

        product = CausalInnerProduct.from_unembedding(model.unembed.weight)
        product.cos(gender, tense)

    A model that is told by its logits λᵀγ alone is the same model after γ → Aγ, λ → A⁻ᵀλ, for
    every invertible A; Euclidean angles between directions are not the same, these are. If
    concepts are independent of each other over the tokens, their directions are orthogonal here.

    Vectors are rows, on any leading axes. Everything is computed in double precision (for tokens
    on MPS: on the CPU) and returned in the dtype and on the device of what was given. Where the
    tokens do not vary in all of space, and nothing is shrunk, the product is defined on their span;
    other vectors raise ValueError.

    Source: Park, Choe, Veitch 2023, "The Linear Representation Hypothesis and the Geometry of
    Large Language Models" (arXiv:2311.03658).

    Attributes:
        tokens: the covariance of the unembeddings, by its axes.
    """

    tokens: Covariance

    @classmethod
    def from_unembedding(
        cls,
        W_U: Float[Tensor, "d_vocab d"],
        weights: Float[Tensor, " d_vocab"] | None = None,
        shrinkage: Shrinkage = 0.0,
    ) -> CausalInnerProduct:
        """The product of the rows of an unembedding matrix.

        Args:
            weights: the law under which concepts are taken to be independent, such as the tokens'
                frequencies; uniform if None, as in the paper.
            shrinkage: from 0, the covariance as it is, to 1, the Euclidean product up to a factor;
                or "ledoit-wolf", as for `covariance`. Whatever is not 0 is no longer invariant.

        Raises:
            TypeError, ValueError: naming the argument; rows that are all alike; tokens so few that
                whitening makes them a regular simplex.
        """
        tokens = covariance("W_U", W_U, weights, shrinkage)
        if tokens.shrinkage == 0 and tokens.n_rows <= len(tokens.variance) + 1:
            raise ValueError(
                f"W_U has {tokens.n_rows} tokens, which span {len(tokens.variance)} dimensions. "
                "Whitening makes so few a regular simplex, in which pairs are orthogonal whatever "
                "they mean; take more tokens than dimensions, or a shrinkage above 0."
            )
        return cls(tokens)

    @property
    def mean(self) -> Float[Tensor, " d"]:
        """The mean of the tokens."""
        return self.tokens.mean

    @property
    def covariance(self) -> Float[Tensor, "d d"]:
        """Cov(γ), shrunk."""
        return self.tokens.power(1.0)

    @property
    def precision(self) -> Float[Tensor, "d d"]:
        """Its inverse, on the span of the tokens."""
        return self.tokens.power(-1.0)

    @property
    def rank(self) -> int:
        """The dimensions in which the product is defined."""
        return len(self.tokens.variance)

    @property
    def tokens_per_dimension(self) -> float:
        """Near 1, any two concepts look orthogonal: see the error of `from_unembedding`."""
        return self.tokens.n_effective / self.rank

    def inner(self, a: Float[Tensor, "*n d"], b: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        """⟨a, b⟩, the leading axes broadcast."""
        return _as_given((self._white(a, "a") * self._white(b, "b")).sum(-1), a, b)

    def norm(self, a: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        """√⟨a, a⟩."""
        return _as_given(self._white(a, "a").norm(dim=-1), a)

    def cos(self, a: Float[Tensor, "*n d"], b: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        """⟨a, b⟩ / (‖a‖ ‖b‖); ValueError for a vector of zeros, which has no direction."""
        return _as_given(_cos(self._white(a, "a"), self._white(b, "b")), a, b)

    def riesz(self, a: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """Cov⁻¹ a, the λ for which λᵀb = ⟨a, b⟩: what to add to λ to move a concept and no other.

        The theory leaves a diagonal matrix free here; as in the paper, it is the identity.
        """
        return _as_given(self._white(a, "a") / self.tokens.variance.sqrt() @ self.tokens.axes, a)

    def whiten(self, a: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """Cov^(-1/2) a, whose Euclidean geometry is the causal one of a; for tokens, γ - mean."""
        return _as_given(self._white(a, "a") @ self.tokens.axes, a)

    def _white(self, a: Tensor, name: str) -> Float[Tensor, "*n rank"]:
        """The whitened coordinates along the axes, in double precision."""
        axes, d = self.tokens.axes, len(self.mean)
        a = validate.finite(name, a)
        if a.ndim == 0 or a.shape[-1] != d:
            raise ValueError(f"{name} has shape {list(a.shape)}; it must be [..., {d}].")
        a = a.to(axes.device).to(axes.dtype)  # in this order: MPS has no double precision
        along = a @ axes.T
        if self.rank < d:
            share = (a - along @ axes).norm(dim=-1) / a.norm(dim=-1).clamp(min=1e-300)
            if a.numel() and share.max() > LEAVES_SPAN:
                raise ValueError(
                    f"{name} has a vector with {share.max():.1%} of its length outside the span "
                    f"of the tokens, which vary in {self.rank} of {d} dimensions; no token tells "
                    "what an angle is there. Project it on the span, or take a shrinkage above 0."
                )
        return along / self.tokens.variance.sqrt()


def cosines(
    V: Float[Tensor, "n d"], product: CausalInnerProduct | None = None
) -> Float[Tensor, "n n"]:
    """The cosines of all pairs of rows under a product, Euclidean if None."""
    V = validate.shape("V", validate.finite("V", V), ("n", "d"))
    if product is not None:
        validate.like("product", product, "whiten")
    rows = V.double() if product is None else product.whiten(V.double())
    return _cos(rows[:, None], rows).to(V.dtype)


def off_diagonal(table: Float[Tensor, "n n"]) -> Float[Tensor, " n*(n-1)"]:
    """The entries off the diagonal, row by row."""
    table = validate.shape("table", validate.as_tensor("table", table), ("n", "n"))
    return table[~torch.eye(len(table), dtype=torch.bool, device=table.device)]


def _cos(a: Tensor, b: Tensor) -> Tensor:
    lengths = [each.norm(dim=-1) for each in (a, b)]
    for name, length in zip("ab", lengths, strict=True):
        if (length == 0).any():
            raise ValueError(f"{name} has a vector of zeros, which has no direction.")
    return (a * b).sum(-1) / lengths[0] / lengths[1]


def _as_given(answer: Tensor, *vectors: Tensor) -> Tensor:
    """The answer on the device of the vectors and in their dtype, double where one of them is."""
    given = [torch.as_tensor(each) for each in vectors]
    kind = given[0].dtype if len(given) == 1 else torch.promote_types(*(v.dtype for v in given))
    kind = kind if kind.is_floating_point else torch.get_default_dtype()
    return answer.to(kind).to(given[0].device)
