"""Latents of which many are active: a whole ReLU autoencoder, a block of latents at a time.

The dense latents [batch, d_sae] and their gradient are larger than a CPU's cache, and writing them
costs as much as the products that make them. Here a block of latents is encoded, counted and
decoded before the next one is looked at; the gradient of the latents is never held at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib.sae.selection import Encoder

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

BLOCK_ENTRIES = 2**20  # of a block [batch, width]; from a half to twice as many do as well
MIN_WIDTH = 64  # narrower products are slow


@dataclass(frozen=True)
class DenseCodes:
    """The latents of a batch, and what was made of them while they were at hand.

    Attributes:
        blocks: z [batch, d_sae] without a gradient, as blocks [batch, width] one after the other.
        mean: [d_sae], each latent's activation, averaged over the batch.
        x_hat: [batch, d_out], the reconstruction.
    """

    blocks: Float[Tensor, " batch*d_sae"]
    mean: Float[Tensor, " d_sae"]
    x_hat: Float[Tensor, "batch d_out"]

    def dense(self) -> Float[Tensor, "batch d_sae"]:
        return torch.cat([z for _, z in _blocks(self.blocks, len(self.mean))], dim=-1)

    def l0(self) -> Float[Tensor, ""]:
        """Mean number of active latents per input."""
        return (self.blocks > 0).count_nonzero() / len(self.x_hat)

    def fired(self) -> Bool[Tensor, " d_sae"]:
        """Which latents are active on some input."""
        return self.mean > 0

    def means(self) -> Float[Tensor, " d_sae"]:
        """Each latent's activation, averaged over the batch."""
        return self.mean

    def decode(self, W_dec: Tensor, b_dec: Tensor) -> Float[Tensor, "batch d_out"]:
        """The reconstruction, which is made together with the latents and with the same weights."""
        return self.x_hat


def autoencode(
    x: Float[Tensor, "batch d_in"],
    encoder: Encoder,
    W_dec: Float[Tensor, "d_sae d_out"],
    b_dec: Float[Tensor, " d_out"],
) -> DenseCodes:
    """z, through a ReLU, and z W_dec + b_dec; `mean` and `x_hat` carry gradients."""
    return DenseCodes(*Autoencode.apply(x, *encoder, W_dec, b_dec))


class Autoencode(torch.autograd.Function):
    """The fields of `DenseCodes`, and the gradient of everything from those of the last two."""

    @staticmethod
    def forward(
        ctx,
        x: Tensor,
        W_enc: Tensor,
        b_enc: Tensor,
        center: Tensor | None,
        W_dec: Tensor,
        b_dec: Tensor,
    ) -> tuple[Tensor, ...]:
        x = x if center is None else x - center
        z = x.new_empty(len(x) * len(b_enc))
        x_hat = b_dec.repeat(len(x), 1)
        means = torch.empty_like(b_enc)
        for at, block in _blocks(z, len(b_enc)):
            torch.addmm(b_enc[at], x, W_enc[:, at], out=block).relu_()
            x_hat.addmm_(block, W_dec[at])
            torch.mean(block, dim=0, out=means[at])
        ctx.save_for_backward(x, W_enc, W_dec, z)
        ctx.mark_non_differentiable(z)
        ctx.set_materialize_grads(False)  # or a gradient of zeros is made for z
        return z, means, x_hat

    @staticmethod
    def backward(ctx, *by: Tensor) -> tuple[Tensor | None, ...]:
        x, W_enc, W_dec, z = ctx.saved_tensors
        by_means = W_enc.new_zeros(len(W_dec)) if by[1] is None else by[1]
        by_x_hat = x.new_zeros(len(x), W_dec.shape[1]) if by[2] is None else by[2]
        by_x = torch.zeros_like(x) if ctx.needs_input_grad[0] else None
        by_W_enc, by_W_dec = torch.empty_like(W_enc.mT), torch.empty_like(W_dec)
        by_bias, share = torch.empty_like(by_means), by_means / len(x)
        for at, block in _blocks(z, len(share)):
            by_pre = torch.addmm(share[at], by_x_hat, W_dec[at].mT)
            torch.ops.aten.threshold_backward.grad_input(by_pre, block, 0.0, grad_input=by_pre)
            torch.mm(by_pre.mT, x, out=by_W_enc[at])
            torch.mm(block.mT, by_x_hat, out=by_W_dec[at])
            torch.sum(by_pre, dim=0, out=by_bias[at])
            if by_x is not None:
                by_x.addmm_(by_pre, W_enc[:, at].mT)
        by_center = -(W_enc @ by_bias) if ctx.needs_input_grad[3] else None
        return by_x, by_W_enc.mT, by_bias, by_center, by_W_dec, by_x_hat.sum(dim=0)


def _blocks(z: Tensor, d_sae: int) -> Iterator[tuple[slice, Float[Tensor, "batch width"]]]:
    """Each block of latents: which they are, and its part of z."""
    batch = len(z) // d_sae
    width = max(MIN_WIDTH, BLOCK_ENTRIES // max(1, batch))
    for start in range(0, d_sae, width):
        end = min(start + width, d_sae)
        yield slice(start, end), z[batch * start : batch * end].view(batch, end - start)
