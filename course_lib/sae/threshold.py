"""A fixed threshold: what a latent must exceed is chosen, not learnt."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course_lib.sae.base import SAE


class ThresholdSAE(SAE):
    """z = pre · 1[pre > τ] with τ fixed; nothing in the loss but reconstruction.

    Rows of W_dec have norm 1, so z is in the units of x: what is below τ, such as interference
    between features, is cut, and what is above it passes unshrunk. Gradients flow through active
    latents alone, which is all that the derivative sees; no surrogate stands in for the jump. So a
    latent that is silent on all inputs stays silent. Source: Hu et al. 2025, "Towards Atoms of
    Large Language Models" (arXiv:2509.20784), threshold-activated SAE.

    Args:
        tau: τ ≥ 0, in units of the activations, while training those of the scaled ones; a number
            or one per instance.
        d_in, d_sae, n_instances, seed: as in `SAE`.
    """

    varying = ("tau",)

    def __init__(
        self,
        d_in: int,
        d_sae: int,
        tau: float | Sequence[float],
        *,
        n_instances: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(d_in, d_sae, n_instances=n_instances, seed=seed)
        self.register_buffer("tau", self.per_instance("tau", tau))

    def activate(self, pre: Tensor) -> Tensor:
        return torch.where(pre > self.tau[..., None, None], pre, 0.0)

    def fold_scale(self, scale: float) -> None:
        super().fold_scale(scale)
        self.tau /= scale
