"""TopK: the k largest pre-activations of each input, and nothing in the loss but reconstruction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.sae.base import SAE, Loss, squared_error
from course_lib.sae.codes import Codes, topk_codes

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

AUX_COEFFICIENT = 1 / 32  # Gao et al. 2024, appendix A.2


class TopKSAE(SAE):
    """z keeps the k largest pre-activations of each input, through a ReLU; the rest are 0.

    Dead latents learn from AuxK: the `aux_k` largest of them rebuild what the others left over.
    Source: Gao et al. 2024, "Scaling and evaluating sparse autoencoders", section 2.3 and A.2.

    Args:
        k: active latents per input; one number, or one for each instance.
        aux_k: dead latents that take part in AuxK; None for d_in / 2, 0 for no AuxK.
        d_in, d_sae, n_instances, decoder_norm, seed: as in `SAE`.
    """

    varying = ("k",)

    def __init__(
        self,
        d_in: int,
        d_sae: int,
        k: int | Sequence[int],
        *,
        aux_k: int | None = None,
        n_instances: int | None = None,
        decoder_norm: str = "unit",
        seed: int = 0,
    ) -> None:
        super().__init__(d_in, d_sae, n_instances=n_instances, decoder_norm=decoder_norm, seed=seed)
        self.k = self.one_or_each(k, lambda k: validate.positive_int("k", k))
        if most(self.k) > d_sae:
            raise ValueError(f"k is {k}; it must be at most d_sae = {d_sae}.")
        self.aux_k = d_in // 2 if aux_k is None else validate.positive_int("aux_k", aux_k, 0)

    def one_or_each(self, k: float | Sequence, check: Callable[[float], float]) -> float | tuple:
        """`k` as `check` returns it, or a tuple of that many as there are instances."""
        if not isinstance(k, Sequence) or "k" not in self.varying:
            return check(k)
        if len(k) != self.n_instances:
            instances = f" or {self.n_instances} numbers" if self.lead else ""
            raise ValueError(f"k is {k}; it must be a number{instances}.")
        return tuple(check(own) for own in k)

    def activate(self, pre: Tensor) -> Tensor:
        values, latents = pre.topk(most(self.k), dim=-1)
        return torch.zeros_like(pre).scatter_(-1, latents, cut(values.relu(), self.k))

    def loss(
        self,
        x: Float[Tensor, "*n_instances batch d_in"],
        target: Float[Tensor, "*n_instances batch d_in"] | None = None,
        *,
        dead: Bool[Tensor, "*n_instances d_sae"] | None = None,
    ) -> Loss:
        return self.with_aux(super().loss(x, target), x, self.target(x, target), dead)

    def codes(self, x: Float[Tensor, "batch d_in"]) -> Codes | None:
        if not self.computes_like(TopKSAE):
            return None
        return topk_codes(x, self.encoder, self.k)

    def with_aux(
        self,
        loss: Loss,
        x: Float[Tensor, "*n_instances batch d_in"],
        target: Float[Tensor, "*n_instances batch d_in"],
        dead: Bool[Tensor, "*n_instances d_sae"] | None,
    ) -> Loss:
        """`loss` with the term "aux" where there are dead latents."""
        if dead is not None and self.aux_k and dead.any():
            residual = target - loss.x_hat.detach()
            loss.terms["aux"] = self.aux_loss(x, residual, dead)
        return loss

    def aux_loss(
        self,
        x: Float[Tensor, "*n_instances batch d_in"],
        residual: Float[Tensor, "*n_instances batch d_in"],
        dead: Bool[Tensor, "*n_instances d_sae"],
    ) -> Float[Tensor, "*n_instances"]:
        """How well the `aux_k` largest dead latents rebuild the residual, which is a constant here.

        Scaled by AUX_COEFFICIENT and, where fewer than `aux_k` latents are dead, by their share.
        """
        if self.lead:
            W_dec = self.W_dec
            pre = self.pre_activations(x).masked_fill(~dead[..., None, :], -torch.inf)
        else:
            latents = dead.nonzero()[:, 0]
            W_dec = self.W_dec[latents]
            pre = self.encoder.centered(x) @ self.W_enc[:, latents] + self.b_enc[latents]
        values, chosen = pre.topk(min(self.aux_k, pre.shape[-1]), dim=-1)
        z = torch.zeros_like(pre).scatter_(-1, chosen, values.relu())
        share = (dead.sum(dim=-1) / self.aux_k).clamp(max=1)
        return AUX_COEFFICIENT * share * squared_error(residual, z @ W_dec)


def most(k: float | tuple[float, ...]) -> float:
    """k, or the largest where each instance has its own."""
    return max(k) if isinstance(k, tuple) else k


def cut(
    values: Float[Tensor, "*n_instances rows most"], k: int | tuple[int, ...]
) -> Float[Tensor, "*n_instances rows most"]:
    """The first k of every row, 0 after them; all of it unless each instance has its own k."""
    if not isinstance(k, tuple):
        return values
    own = torch.tensor(k, device=values.device).view(-1, *[1] * min(values.ndim - 1, 2))
    return values.where(torch.arange(values.shape[-1], device=values.device) < own, 0.0)
