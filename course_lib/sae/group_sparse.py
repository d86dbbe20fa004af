"""Group-sparse: one latent for a concept in both of two views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import parallel, validate
from course_lib.sae.base import Loss, squared_error
from course_lib.sae.relu import ReLUSAE

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


class GroupSparseSAE(ReLUSAE):
    """A ReLU SAE trained on pairs (x_0, x_1), two views of the same thing.

    The loss adds up both reconstructions, an L1 penalty and a group penalty,
    group_coefficient · Σ_j sqrt(z_0j² + z_1j²), which is cheaper where both views use one latent.
    Cross-modal masking makes them interchangeable: before decoding, each latent's two activations
    change places with probability `mask_prob`. Source: "Decomposing multimodal embedding spaces
    with group-sparse autoencoders" (arXiv:2601.20028). The swap is our reading of its random
    cross-modal masking.

    Args:
        group_coefficient: weight of the group penalty; a number or one per instance.
        mask_prob: chance of a swap, in training only; a number or one per instance. The swaps come
            from torch's global generator, which `Trainer` sets for each step.
        d_in, d_sae, l1_coefficient, n_instances, decoder_norm, seed: as in `ReLUSAE`.
    """

    varying = ("l1_coefficient", "group_coefficient", "mask_prob")

    def __init__(
        self,
        d_in: int,
        d_sae: int,
        l1_coefficient: float | Sequence[float] = 0.25,
        group_coefficient: float | Sequence[float] = 0.45,
        mask_prob: float | Sequence[float] = 0.5,
        *,
        n_instances: int | None = None,
        decoder_norm: str = "unit",
        seed: int = 0,
    ) -> None:
        super().__init__(
            d_in, d_sae, l1_coefficient, n_instances=n_instances, decoder_norm=decoder_norm,
            seed=seed,
        )  # fmt: skip
        group_coefficient = self.per_instance("group_coefficient", group_coefficient)
        self.register_buffer("group_coefficient", group_coefficient)
        mask_prob = validate.probability("mask_prob", mask_prob)
        self.register_buffer("mask_prob", self.per_instance("mask_prob", mask_prob))

    def loss(
        self,
        x: Float[Tensor, "*n_instances batch 2 d_in"],
        target: None = None,
        *,
        dead: Bool[Tensor, "*n_instances d_sae"] | None = None,
    ) -> Loss:
        """Per pair: both squared errors and both penalties.

        Raises ValueError when x does not hold pairs.
        """
        if x.ndim < 3 or x.shape[-2] != 2:
            raise ValueError(f"x has shape {list(x.shape)}; it must be [batch, 2, {self.d_in}].")
        z = self.encode(x.flatten(-3, -2))
        pairs = z.unflatten(-2, (-1, 2))
        x_hat = self.decode(self._swapped(pairs).flatten(-3, -2))
        error = squared_error(x.flatten(-3, -2), x_hat)
        sparsity = self.sparsity_loss(z, z) + self._group_loss(pairs) / 2
        return Loss(
            {"reconstruction": 2 * error, "sparsity": 2 * sparsity},
            x_hat.unflatten(-2, (-1, 2)),
            pairs,
        )

    def _swapped(
        self, pairs: Float[Tensor, "*n_instances batch 2 d_sae"]
    ) -> Float[Tensor, "*n_instances batch 2 d_sae"]:
        """Activations after the swaps, which are the same draw for all instances."""
        if not self.training:
            return pairs
        n_pairs = pairs.shape[-3] * parallel.size()
        draw = parallel.own(torch.rand(n_pairs, 1, self.d_sae, device=pairs.device))
        return torch.where(draw < self.mask_prob[..., None, None, None], pairs.flip(-2), pairs)

    def _group_loss(
        self, pairs: Float[Tensor, "*n_instances batch 2 d_sae"]
    ) -> Float[Tensor, "*n_instances"]:
        norm = self.W_dec.norm(dim=-1) if self.decoder_norm == "free" else 1.0
        tiny = torch.finfo(pairs.dtype).tiny  # the slope of a square root at 0 is not finite
        size = (pairs.square().sum(dim=-2) + tiny).sqrt().mean(dim=-2)
        return self.group_coefficient * (size * norm).sum(dim=-1)

    @torch.no_grad()
    def fold_scale(self, scale: float) -> None:
        super().fold_scale(scale)
        self.group_coefficient /= scale
