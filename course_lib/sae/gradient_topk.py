"""g-SAE: choose the latents that matter for what the model does with the activations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.sae.base import Loss
from course_lib.sae.topk import TopKSAE

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


class GradientTopKSAE(TopKSAE):
    """TopK by the score z_j + β z_j |d_j · ∇|, the values that pass on being z_j.

    ∇ is the gradient of the model's loss by the activations, and z_j |d_j · ∇| to first order what
    leaving the latent out does to the loss. It is needed in training alone: at inference, `encode`
    selects by value as TopK does. Source: "Features that Make a Difference:
    Leveraging Gradients for Improved Dictionary Learning" (arXiv:2411.10397).

    Args:
        beta: β ≥ 0; 0 is TopK. |d_j · ∇| has the units of the loss per unit of activation.
        d_in, d_sae, k, aux_k, n_instances, decoder_norm, seed: as in `TopKSAE`.
    """

    varying = ()  # one k for all instances

    def __init__(
        self,
        d_in: int,
        d_sae: int,
        k: int,
        beta: float = 1.0,
        *,
        aux_k: int | None = None,
        n_instances: int | None = None,
        decoder_norm: str = "unit",
        seed: int = 0,
    ) -> None:
        super().__init__(
            d_in, d_sae, k, aux_k=aux_k, n_instances=n_instances, decoder_norm=decoder_norm,
            seed=seed,
        )  # fmt: skip
        self.beta = validate.number("beta", beta, 0.0)

    def encode(
        self,
        x: Float[Tensor, "*n_instances batch d_in"],
        gradient: Float[Tensor, "*n_instances batch d_in"] | None = None,
    ) -> Float[Tensor, "*n_instances batch d_sae"]:
        """Latents z, selected by score where `gradient` is given, else by value.

        Raises ValueError when the gradient is not shaped like x.
        """
        if gradient is None:
            return super().encode(x)
        validate.shape("gradient", gradient, x.shape)
        pre = self.pre_activations(x)
        with torch.no_grad():
            effect = (gradient @ self.W_dec.mT).abs()
            latents = (pre.relu() * (1 + self.beta * effect)).topk(self.k, dim=-1).indices
        return torch.zeros_like(pre).scatter(-1, latents, pre.gather(-1, latents).relu())

    def target(self, x: Tensor, gradient: Tensor | None = None) -> Tensor:
        return x

    def scale_batch(self, scale: float, *batch: Tensor) -> tuple[Tensor, ...]:
        return (batch[0] * scale, *batch[1:])

    def loss(
        self,
        x: Float[Tensor, "*n_instances batch d_in"],
        gradient: Float[Tensor, "*n_instances batch d_in"] | None = None,
        *,
        dead: Bool[Tensor, "*n_instances d_sae"] | None = None,
    ) -> Loss:
        """As TopK's, with latents selected by score where `gradient` is given."""
        if gradient is None:
            return super().loss(x, dead=dead)
        z = self.encode(x, gradient)
        x_hat = self.decode(z)
        terms = {"reconstruction": self.reconstruction_loss(x, z, x_hat)}
        return self.with_aux(Loss(terms, x_hat, z), x, x, dead)
