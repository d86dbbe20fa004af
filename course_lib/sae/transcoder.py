"""Transcoder: sparse latents between a layer's input and its output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from course_lib import runtime, validate
from course_lib.sae.selection import Encoder
from course_lib.sae.topk import TopKSAE

if TYPE_CHECKING:
    from jaxtyping import Float


OUTPUT_STREAM = 0x7C0DE  # keeps the initial decoder apart from the initial encoder


class Transcoder(TopKSAE):
    """ŷ = z W_dec + b_dec + x W_skip, with z the TopK latents of x W_enc + b_enc.

    It is trained by `loss(x, target)` to imitate a layer, for instance an MLP from its input to
    its output, and so says what the layer does rather than what passes through. The skip
    connection takes over what is linear. Sources: Dunefsky et al. 2024, "Transcoders Find
    Interpretable LLM Feature Circuits" (arXiv:2406.11944); Paulo et al. 2025, "Transcoders Beat
    Sparse Autoencoders for Interpretability" (arXiv:2501.18823) for the skip connection.

    Args:
        d_out: size of the target; None for d_in.
        skip: with W_skip, which starts at 0.
        d_in, d_sae, k, aux_k, n_instances, decoder_norm, seed: as in `TopKSAE`.

    Attributes:
        W_dec: [*n_instances, d_sae, d_out].
        b_dec: [*n_instances, d_out]; it is not subtracted from x. Instead b_enc starts where the
            centre of the inputs has pre-activations 0.
        W_skip: [*n_instances, d_in, d_out], or None.
    """

    resamples = False

    def __init__(
        self,
        d_in: int,
        d_sae: int,
        k: int | Sequence[int],
        d_out: int | None = None,
        *,
        skip: bool = False,
        aux_k: int | None = None,
        n_instances: int | None = None,
        decoder_norm: str = "unit",
        seed: int = 0,
    ) -> None:
        super().__init__(
            d_in, d_sae, k, aux_k=aux_k, n_instances=n_instances, decoder_norm=decoder_norm,
            seed=seed,
        )  # fmt: skip
        self.d_out = d_in if d_out is None else validate.positive_int("d_out", d_out)
        self.skip = skip
        outputs = TopKSAE(
            self.d_out, d_sae, k, n_instances=n_instances, decoder_norm=decoder_norm,
            seed=runtime.checked_seed(seed) ^ OUTPUT_STREAM,
        )  # fmt: skip
        self.W_dec, self.b_dec = outputs.W_dec, outputs.b_dec
        W_skip = nn.Parameter(torch.zeros(*self.lead, d_in, self.d_out)) if skip else None
        self.register_parameter("W_skip", W_skip)

    @property
    def encoder(self) -> Encoder:
        return Encoder(self.W_enc, self.b_enc, None)

    def reconstruct(
        self,
        x: Float[Tensor, "*n_instances batch d_in"],
        z: Float[Tensor, "*n_instances batch d_sae"],
    ) -> Float[Tensor, "*n_instances batch d_out"]:
        y = self.decode(z)
        return y if self.W_skip is None else y + x @ self.W_skip

    def target(self, x: Tensor, target: Tensor | None = None) -> Tensor:
        if target is None:
            raise ValueError("target is None; a transcoder learns from pairs (x, target).")
        return target

    @torch.no_grad()
    def start(self, how: str, *batch: Tensor) -> None:
        """Put b_dec at the centre of the first targets, and b_enc where the inputs' centre is 0."""
        self.b_dec.copy_(self._center("target", self.target(*batch), self.d_out, how))
        middle = self._center("x", batch[0], self.d_in, how)
        self.b_enc.copy_(-(middle[..., None, :] @ self.W_enc)[..., 0, :])
