"""p-anneal: an L1 penalty that turns, while training, into one that counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import parallel, validate
from course_lib.sae.relu import ReLUSAE

if TYPE_CHECKING:
    from jaxtyping import Float

CHANGES = 10  # of p on its way from 1 to p_end
SOFTENING = 1e-3  # s below


class PAnnealSAE(ReLUSAE):
    """z = ReLU(pre) with the penalty l1_coefficient · Σ_j z_j^p, p falling from 1 to `p_end`.

    Small p punishes being active more than being large. p falls in ten equal changes, the first
    at `anneal_start`, the last a tenth of the way before the end; at each the coefficient is set
    anew so that the penalty of the batch at hand stays the same. Near 0, where the slope of z^p has
    no bound, z^p is (z + s)^p - s^p with s = 0.001. Source: Karvonen et al. 2024, "Measuring
    Progress in Dictionary Learning for Language Model Interpretability with Board Game Models"
    (arXiv:2408.00113), section 4.

    Args:
        p_end: p at the end of training, in (0, 1].
        anneal_start: share of training with p = 1, in [0, 1).
        d_in, d_sae, l1_coefficient, n_instances, decoder_norm, seed: as in `ReLUSAE`.

    Attributes:
        p: [], in the state dict.
        unit: [], the unit in which the penalty measures z; in the state dict.
    """

    penalty_degree = 0

    def __init__(
        self,
        d_in: int,
        d_sae: int,
        l1_coefficient: float | Sequence[float] = 1.0,
        *,
        p_end: float = 0.2,
        anneal_start: float = 0.2,
        n_instances: int | None = None,
        decoder_norm: str = "unit",
        seed: int = 0,
    ) -> None:
        super().__init__(
            d_in, d_sae, l1_coefficient, n_instances=n_instances, decoder_norm=decoder_norm,
            seed=seed,
        )  # fmt: skip
        self.p_end = validate.number("p_end", p_end, 0.01, 1.0)
        self.anneal_start = validate.number("anneal_start", anneal_start, 0.0, 0.99)
        self.register_buffer("p", torch.tensor(1.0))
        self.register_buffer("unit", torch.tensor(1.0))
        self._changes = 0  # of p that are done or due
        self._next_p: float | None = None

    def schedule(self, progress: float) -> None:
        """Say which p the next batch of training should change to, if any."""
        annealed = (progress - self.anneal_start) / (1 - self.anneal_start)
        changes = 0 if annealed < 0 else min(1 + int(CHANGES * annealed), CHANGES)
        if changes != self._changes:
            self._changes = changes
            self._next_p = 1 - (1 - self.p_end) * changes / CHANGES

    def sparsity_loss(self, z: Tensor, pre: Tensor) -> Float[Tensor, "*n_instances"]:
        if self.training and self._next_p is not None:
            self._change_p(self._next_p, z)
            self._next_p = None
        return self.l1_coefficient * self._penalty(z)

    @torch.no_grad()
    def _change_p(self, p: float, z: Float[Tensor, "*n_instances batch d_sae"]) -> None:
        before = parallel.mean(self._penalty(z))
        self.p.fill_(p)
        ratio = before / parallel.mean(self._penalty(z))
        self.l1_coefficient *= torch.where(ratio.isfinite(), ratio, 1.0)

    def _penalty(self, z: Tensor) -> Float[Tensor, "*n_instances"]:
        if self.decoder_norm == "free":
            z = z * self.W_dec.norm(dim=-1)[..., None, :]
        powers = (z / self.unit + SOFTENING) ** self.p - SOFTENING**self.p
        return powers.sum(dim=-1).mean(dim=-1)

    def fold_scale(self, scale: float) -> None:
        super().fold_scale(scale)
        self.unit /= scale
