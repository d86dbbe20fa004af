"""Semi-NMF: features as small groups of neurons, without an encoder to train."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import runtime, validate

if TYPE_CHECKING:
    from jaxtyping import Float
    from typing_extensions import Self

TINY = 1e-9
RIDGE = 1e-6  # of YᵀY, relative to its mean diagonal, where it is inverted


class SemiNMF:
    """X ≈ Z W_dec with Z ≥ 0 and W_dec signed, each row of which keeps its largest neurons only.

    X [batch, d_in] holds the activations of an MLP's neurons. Only Z is non-negative: how much of
    a feature an input has; a neuron may add to a feature or take away from it. After each update
    a row of W_dec keeps the `winners` neurons of largest magnitude (hard winner-take-all); without
    that the updates never raise the error. Sources: "Decomposing MLP Activations into
    Interpretable Features via Semi-Nonnegative Matrix Factorization" (arXiv:2506.10920); Ding, Li
    and Jordan 2010, "Convex and Semi-Nonnegative Matrix Factorizations", section 3, for the
    updates. (There the matrix is neurons by inputs, A = Xᵀ, their Z is W_decᵀ and their Y is Zᵀ.)

    Args:
        d_sae: number of features.
        winners: neurons that a feature may use; None for all.
        steps: updates of both factors.
        seed: of the start.

    Attributes:
        W_dec: [d_sae, d_in].
        losses: [steps], mean over the inputs of the squared error after each update.
    """

    def __init__(
        self, d_sae: int, winners: int | None = None, *, steps: int = 200, seed: int = 0
    ) -> None:
        self.d_sae = validate.positive_int("d_sae", d_sae)
        self.winners = None if winners is None else validate.positive_int("winners", winners)
        self.steps = validate.positive_int("steps", steps)
        self.seed = seed

    def fit(self, x: Float[Tensor, "batch d_in"]) -> Self:
        """Factorise x. Raises ValueError when x is no matrix or not finite."""
        validate.shape("x", validate.finite("x", x), ("batch", "d_in"))
        if self.winners is not None and self.winners > x.shape[1]:
            raise ValueError(f"winners is {self.winners}; there are {x.shape[1]} neurons.")
        z = torch.rand(len(x), self.d_sae, generator=runtime.generator(self.seed)).to(x)
        losses = []
        for _ in runtime.progress(range(self.steps), "semi-NMF"):
            self.W_dec = self._winners(_least_squares(z, x))
            z = _update(z, x, self.W_dec)
            losses.append((x - z @ self.W_dec).square().sum(dim=-1).mean())
        self.losses = torch.stack(losses)
        return self

    def _winners(self, W: Float[Tensor, "d_sae d_in"]) -> Float[Tensor, "d_sae d_in"]:
        if self.winners is None:
            return W
        kept = W.abs().topk(self.winners, dim=-1).indices
        return torch.zeros_like(W).scatter(-1, kept, W.gather(-1, kept))

    def encode(
        self, x: Float[Tensor, "batch d_in"], steps: int = 200
    ) -> Float[Tensor, "batch d_sae"]:
        """Z ≥ 0 for new inputs, by the same updates with W_dec held fixed."""
        z = x.new_ones(len(x), self.d_sae)
        for _ in range(steps):
            z = _update(z, x, self.W_dec)
        return z

    def decode(self, z: Float[Tensor, "batch d_sae"]) -> Float[Tensor, "batch d_in"]:
        return z @ self.W_dec


def _least_squares(z: Tensor, x: Tensor) -> Float[Tensor, "d_sae d_in"]:
    """The W of least squared error for these latents: (ZᵀZ)⁻¹ Zᵀ X."""
    gram = z.mT @ z
    ridge = RIDGE * gram.diagonal().mean() * torch.eye(len(gram)).to(gram)
    return torch.linalg.solve(gram + ridge, z.mT @ x)


def _update(z: Tensor, x: Tensor, W: Tensor) -> Float[Tensor, "batch d_sae"]:
    """Z ∘ sqrt(([X Wᵀ]₊ + Z [W Wᵀ]₋) / ([X Wᵀ]₋ + Z [W Wᵀ]₊)), which keeps signs and error."""
    fit, gram = x @ W.mT, W @ W.mT
    up = fit.clamp(min=0) + z @ (-gram).clamp(min=0)
    down = (-fit).clamp(min=0) + z @ gram.clamp(min=0)
    return z * (up / (down + TINY)).sqrt()
