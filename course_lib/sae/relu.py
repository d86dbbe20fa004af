"""The ReLU autoencoder with an L1 penalty: where the field began."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib.sae.base import SAE
from course_lib.sae.codes import Codes, relu_codes
from course_lib.sae.dense import DenseCodes, autoencode

if TYPE_CHECKING:
    from jaxtyping import Float

MAX_DENSITY = 0.08  # share of active latents up to which training keeps only those


class ReLUSAE(SAE):
    """z = ReLU(pre), with the penalty l1_coefficient · Σ_j z_j ‖W_dec,j‖, mean over the batch.

    With `decoder_norm="free"` the decoder's norm stands in the penalty, so that making a latent
    small and its direction long saves nothing (Conerly et al. 2024, Anthropic's April update).
    With `decoder_norm="unit"` it is 1 (Bricken et al. 2023, "Towards Monosemanticity").

    Args:
        l1_coefficient: weight of the penalty; a number or one per instance.
        d_in, d_sae, n_instances, decoder_norm, seed: as in `SAE`.
    """

    coefficient = "l1_coefficient"
    varying = ("l1_coefficient",)

    def __init__(
        self,
        d_in: int,
        d_sae: int,
        l1_coefficient: float | Sequence[float] = 1.0,
        *,
        n_instances: int | None = None,
        decoder_norm: str = "free",
        seed: int = 0,
    ) -> None:
        super().__init__(d_in, d_sae, n_instances=n_instances, decoder_norm=decoder_norm, seed=seed)
        self.register_buffer("l1_coefficient", self.per_instance("l1_coefficient", l1_coefficient))

    def activate(self, pre: Tensor) -> Tensor:
        return torch.relu(pre)

    def codes(self, x: Float[Tensor, "batch d_in"]) -> Codes | DenseCodes | None:
        if x.device.type != "cpu" or not self.computes_like(ReLUSAE):
            return None
        codes = relu_codes(x, self.encoder, MAX_DENSITY)
        if codes is None and not torch.is_autocast_enabled("cpu"):
            return autoencode(x, self.encoder, self.W_dec, self.b_dec)
        return codes

    def sparsity_loss(
        self, z: Tensor | Codes | DenseCodes, pre: Tensor | None
    ) -> Float[Tensor, "*n_instances"]:
        norm = self.W_dec.norm(dim=-1) if self.decoder_norm == "free" else 1.0
        mean = z.mean(dim=-2) if isinstance(z, Tensor) else z.means()
        return self.l1_coefficient * (mean * norm).sum(dim=-1)
