"""BatchTopK: k active latents per input on average, shared out over the batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import parallel, validate
from course_lib.sae.base import Loss
from course_lib.sae.codes import Codes, batch_topk_codes
from course_lib.sae.topk import TopKSAE, cut, most

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

THRESHOLD_MEMORY = 0.99  # of the running mean that becomes the threshold at inference


class BatchTopKSAE(TopKSAE):
    """In training, z keeps the k · batch largest pre-activations of the whole batch, if positive.

    An input then has as many latents as it needs. At inference (`sae.eval()`, which `Trainer` and
    `load` leave it in) an input must not depend on its neighbours: z keeps what is above
    `threshold`, the running mean over training batches of the smallest value that was kept.
    Source: Bussmann et al. 2024, "BatchTopK Sparse Autoencoders" (arXiv:2412.06410), section 3.

    Args:
        k: active latents per input, on average over a batch; need not be whole; one number, or one
            for each instance.
        d_in, d_sae, aux_k, n_instances, decoder_norm, seed: as in `TopKSAE`.

    Attributes:
        threshold: [*n_instances], in the state dict; 0 before the first training batch.
    """

    def __init__(
        self,
        d_in: int,
        d_sae: int,
        k: float | Sequence[float],
        *,
        aux_k: int | None = None,
        n_instances: int | None = None,
        decoder_norm: str = "unit",
        seed: int = 0,
    ) -> None:
        super().__init__(
            d_in, d_sae, 1, aux_k=aux_k, n_instances=n_instances, decoder_norm=decoder_norm,
            seed=seed,
        )  # fmt: skip
        self.k = self.one_or_each(k, lambda k: validate.number("k", k, 1 / d_sae, d_sae))
        self.register_buffer("threshold", torch.zeros(self.lead))

    def activate(self, pre: Tensor) -> Tensor:
        if not self.training:
            return torch.where(pre > self.threshold[..., None, None], pre, 0.0).relu()
        values = pre.relu().flatten(len(self.lead))
        batch = values.shape[-1] // self.d_sae
        n = self.one_or_each(self.k, lambda k: int(k * (batch * parallel.size())))
        here = min(most(n), values.shape[-1])
        kept, latents = values.topk(here, dim=-1, sorted=isinstance(n, tuple))
        kept = cut(kept, n) if parallel.size() == 1 else _shared_cut(kept, n)
        return torch.zeros_like(values).scatter_(-1, latents, kept).view_as(pre)

    def loss(
        self,
        x: Float[Tensor, "*n_instances batch d_in"],
        target: Float[Tensor, "*n_instances batch d_in"] | None = None,
        *,
        dead: Bool[Tensor, "*n_instances d_sae"] | None = None,
    ) -> Loss:
        loss = super().loss(x, target, dead=dead)
        if self.training:
            self._follow(loss.z)
        return loss

    def codes(self, x: Float[Tensor, "batch d_in"]) -> Codes | None:
        if not self.training or not self.computes_like(BatchTopKSAE):
            return None
        return batch_topk_codes(x, self.encoder, self.k)

    @torch.no_grad()
    def _follow(self, z: Float[Tensor, "*n_instances batch d_sae"] | Codes) -> None:
        values = z.values if isinstance(z, Codes) else z.flatten(len(self.lead))
        if values.shape[-1] == 0:
            values = values.new_zeros(1)
        smallest = values.masked_fill(values == 0, torch.inf).amin(dim=-1).to(self.threshold)
        smallest = parallel.minimum(smallest)
        smallest = torch.where(smallest.isfinite(), smallest, self.threshold)
        moved = torch.lerp(smallest, self.threshold, THRESHOLD_MEMORY)
        self.threshold.copy_(torch.where(self.threshold == 0, smallest, moved))

    def fold_scale(self, scale: float) -> None:
        super().fold_scale(scale)
        self.threshold /= scale


def _shared_cut(
    values: Float[Tensor, "*n_instances n"], k: int | tuple[int, ...]
) -> Float[Tensor, "*n_instances n"]:
    """Of each row what is among the k largest of all processes; 0 for the rest."""
    rows = values.detach().reshape(-1, values.shape[-1])
    each = k if isinstance(k, tuple) else [k] * len(rows)
    keep = [parallel.largest(row, own) for row, own in zip(rows, each, strict=True)]
    return values.where(torch.stack(keep).view_as(values), 0.0)
