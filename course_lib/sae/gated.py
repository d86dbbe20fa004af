"""Gated: which latents are active and how strongly are decided apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from course_lib.sae.base import Loss, squared_error
from course_lib.sae.relu import ReLUSAE

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


class GatedSAE(ReLUSAE):
    """z = 1[gate > 0] · ReLU(exp(r_mag) · (x - b_dec) W_enc + b_mag), gate = the pre-activations.

    The penalty falls on ReLU(gate) and so cannot shrink z. No gradient passes the jump; the gate
    learns what to open for from an auxiliary term, the error of ReLU(gate) through a copy of the
    decoder that is held fixed. Source: Rajamanoharan et al. 2024, "Improving Dictionary Learning
    with Gated Sparse Autoencoders" (arXiv:2404.16014), section 3.2; their b_gate is b_enc here.

    Args:
        d_in, d_sae, l1_coefficient, n_instances, decoder_norm, seed: as in `ReLUSAE`.

    Attributes:
        r_mag, b_mag: [*n_instances, d_sae], log scale and bias of the magnitudes.
    """

    def __init__(
        self,
        d_in: int,
        d_sae: int,
        l1_coefficient: float | Sequence[float] = 1.0,
        *,
        n_instances: int | None = None,
        decoder_norm: str = "unit",
        seed: int = 0,
    ) -> None:
        super().__init__(
            d_in, d_sae, l1_coefficient, n_instances=n_instances, decoder_norm=decoder_norm,
            seed=seed,
        )  # fmt: skip
        self.r_mag = nn.Parameter(torch.zeros_like(self.b_enc))
        self.b_mag = nn.Parameter(torch.zeros_like(self.b_enc))

    def activate(self, pre: Tensor) -> Tensor:
        b_enc, r_mag, b_mag = (
            bias[:, None] if self.lead else bias for bias in (self.b_enc, self.r_mag, self.b_mag)
        )
        magnitude = torch.relu((pre - b_enc) * r_mag.exp() + b_mag)
        return torch.where(pre > 0, magnitude, 0.0)

    def sparsity_loss(self, z: Tensor, pre: Tensor) -> Float[Tensor, "*n_instances"]:
        return super().sparsity_loss(pre.relu(), pre)

    def loss(
        self,
        x: Float[Tensor, "*n_instances batch d_in"],
        target: Float[Tensor, "*n_instances batch d_in"] | None = None,
        *,
        dead: Bool[Tensor, "*n_instances d_sae"] | None = None,
    ) -> Loss:
        pre = self.pre_activations(x)
        z = self.activate(pre)
        x_hat = self.decode(z)
        target = self.target(x, target)
        by_gate = pre.relu() @ self.W_dec.detach() + self.b_dec.detach()[..., None, :]
        terms = {
            "reconstruction": squared_error(target, x_hat),
            "sparsity": self.sparsity_loss(z, pre),
            "aux": squared_error(target, by_gate),
        }
        return Loss(terms, x_hat, z)

    @torch.no_grad()
    def fold_scale(self, scale: float) -> None:
        super().fold_scale(scale)
        self.b_mag /= scale

    @torch.no_grad()
    def revive(self, latents: Tensor, directions: Tensor, size: float) -> None:
        super().revive(latents, directions, size)
        self.r_mag[latents] = 0.0
        self.b_mag[latents] = 0.0
