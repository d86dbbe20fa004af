"""Latents of which few are active, kept as what is active: selecting and decoding at cost k.

A batch of `Codes` is a matrix [batch, d_sae] in compressed sparse rows. Only the encoder's product
touches every latent, and what it finds is dropped but for the largest. Decoding and every gradient
cost the number of active latents.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import parallel
from course_lib.sae.selection import Encoder, Found, above, largest, sample, top_k

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Pattern:
    """Where the active latents of a batch stand, ordered by input.

    Attributes:
        latents: [n_active], which latent each entry is.
        starts: [batch + 1], input i has the entries starts[i] … starts[i + 1] - 1.
        d_sae: number of latents there are.
    """

    latents: Int[Tensor, " n_active"]
    starts: Int[Tensor, " batch+1"]
    d_sae: int

    @property
    def batch_size(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def inputs(self) -> Int[Tensor, " n_active"]:
        """Which input each entry belongs to."""
        inputs = torch.arange(self.batch_size, device=self.starts.device)
        return inputs.repeat_interleave(self.starts.diff(), output_size=len(self.latents))

    @cached_property
    def by_latent(self) -> tuple[Int[Tensor, " n_active"], Int[Tensor, " d_sae+1"]]:
        """The order of the entries by latent, and where each latent's entries start in it."""
        count = torch.bincount(self.latents, minlength=self.d_sae)
        return self.latents.int().argsort(stable=True), F.pad(count.cumsum(0), (1, 0))


@dataclass(frozen=True)
class Codes:
    """The latents z [batch, d_sae] of a batch: what is active, and how strongly.

    Attributes:
        values: [n_active], the activations, which carry the gradient.
        pattern: where they stand.
    """

    values: Float[Tensor, " n_active"]
    pattern: Pattern

    def dense(self) -> Float[Tensor, "batch d_sae"]:
        z = self.values.new_zeros(self.pattern.batch_size, self.pattern.d_sae)
        return z.index_put(
            (self.pattern.inputs, self.pattern.latents), self.values, accumulate=True
        )

    def l0(self) -> Float[Tensor, ""]:
        """Mean number of active latents per input; entries that are 0 are not active."""
        return self.values.count_nonzero() / self.pattern.batch_size

    def fired(self) -> Bool[Tensor, " d_sae"]:
        """Which latents are active on some input."""
        fired = torch.zeros(self.pattern.d_sae, dtype=torch.bool, device=self.values.device)
        return fired.index_fill_(0, self.pattern.latents[self.values != 0], True)

    def means(self) -> Float[Tensor, " d_sae"]:
        """Each latent's activation, averaged over the batch."""
        sums = self.values.new_zeros(self.pattern.d_sae)
        return sums.index_add(0, self.pattern.latents, self.values) / self.pattern.batch_size

    def decode(
        self, W_dec: Float[Tensor, "d_sae d_out"], b_dec: Float[Tensor, " d_out"]
    ) -> Float[Tensor, "batch d_out"]:
        """z W_dec + b_dec."""
        return Decode.apply(self.values, W_dec, self.pattern) + b_dec


def topk_codes(x: Float[Tensor, "batch d_in"], encoder: Encoder, k: int) -> Codes:
    """The k largest pre-activations of each input, through a ReLU; ties fall either way."""
    values, latents = top_k(x, encoder, k)
    starts = torch.arange(0, len(x) * k + 1, k, device=x.device)
    pattern = Pattern(latents.flatten(), starts, len(encoder.b_enc))
    return _codes(x, encoder, values.flatten().relu_(), pattern)


def batch_topk_codes(x: Float[Tensor, "batch d_in"], encoder: Encoder, k: float) -> Codes:
    """The k · batch largest positive pre-activations of the whole batch."""
    n, some = int(k * (len(x) * parallel.size())), sample(x, encoder)
    for surplus in (1.5, 5.0, math.inf):
        expected = surplus * k * len(some)
        bound = 0.0
        if expected < some.numel():
            bound = largest(some.view(1, -1), math.ceil(expected))[0].min().clamp_min(0.0)
            bound = parallel.minimum(bound).item()
        found = above(x, encoder, bound)
        n_found = parallel.total(len(found.values))
        if n_found >= n or bound == 0:
            break
    if n_found > n:
        if parallel.size() == 1:
            top = found.values.topk(n, sorted=False).indices.sort().values
        else:
            top = parallel.largest(found.values, n).nonzero()[:, 0]
        found = Found(*(part.index_select(0, top) for part in found))
    return _rows(x, encoder, found)


def relu_codes(
    x: Float[Tensor, "batch d_in"], encoder: Encoder, max_density: float
) -> Codes | None:
    """All positive pre-activations; None if they seem to be more than `max_density` of all."""
    if (sample(x, encoder) > 0).float().mean() > max_density:
        return None
    return _rows(x, encoder, above(x, encoder, 0.0))


def _rows(x: Tensor, encoder: Encoder, found: Found) -> Codes:
    count = torch.bincount(found.inputs, minlength=len(x))
    pattern = Pattern(found.latents, F.pad(count.cumsum(0), (1, 0)), len(encoder.b_enc))
    return _codes(x, encoder, found.values, pattern)


def _codes(x: Tensor, encoder: Encoder, values: Tensor, pattern: Pattern) -> Codes:
    return Codes(Encode.apply(x, *encoder, values.to(encoder.b_enc.dtype), pattern), pattern)


class Encode(torch.autograd.Function):
    """Gives values that were selected from ReLU((x - center) W_enc + b_enc) their gradient."""

    @staticmethod
    def forward(
        ctx,
        x: Tensor,
        W_enc: Tensor,
        b_enc: Tensor,
        center: Tensor | None,
        values: Tensor,
        pattern: Pattern,
    ) -> Tensor:
        ctx.save_for_backward(x if center is None else x - center, W_enc, values)
        ctx.pattern = pattern
        return values.clone()

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        (x, W_enc, values), pattern = ctx.saved_tensors, ctx.pattern
        grad = torch.ops.aten.threshold_backward(grad, values, 0.0)
        by_x = by_W = by_center = None
        if ctx.needs_input_grad[0]:
            by_x = _bags(pattern.latents, W_enc.mT, pattern.starts, grad)
        if ctx.needs_input_grad[1]:
            by_W = _latent_sums(pattern, grad, x).mT
        by_bias = grad.new_zeros(pattern.d_sae).index_add_(0, pattern.latents, grad)
        if ctx.needs_input_grad[3]:
            by_center = -(W_enc @ by_bias)
        return by_x, by_W, by_bias, by_center, None, None


class Decode(torch.autograd.Function):
    """z W_dec, for the active entries of z."""

    @staticmethod
    def forward(ctx, values: Tensor, W_dec: Tensor, pattern: Pattern) -> Tensor:
        ctx.save_for_backward(values, W_dec)
        ctx.pattern = pattern
        return _bags(pattern.latents, W_dec, pattern.starts, values)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        (values, W_dec), pattern = ctx.saved_tensors, ctx.pattern
        by_values = by_W = None
        if ctx.needs_input_grad[0]:
            by_values = _products(grad, W_dec, pattern)
        if ctx.needs_input_grad[1]:
            by_W = _latent_sums(pattern, values, grad)
        return by_values, by_W, None


def _bags(rows: Tensor, table: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    """Σ over each bag's entries of weight · table[row]; bags without entries are 0."""
    if kernels := gpu_kernels(table.device):
        return kernels.bags(rows, table, starts, weights)
    return F.embedding_bag(
        rows, table.contiguous(), starts, mode="sum",
        per_sample_weights=weights.to(table), include_last_offset=True,
    )  # fmt: skip


def _products(by_x_hat: Tensor, W_dec: Tensor, pattern: Pattern) -> Float[Tensor, " n_active"]:
    """Of each entry, the inner product of its input's row of `by_x_hat` with its latent's row."""
    if kernels := gpu_kernels(W_dec.device):
        return kernels.products(by_x_hat, W_dec, pattern.inputs, pattern.latents)
    return torch.ops.aten._embedding_bag_per_sample_weights_backward(
        by_x_hat.contiguous(), W_dec, pattern.latents, pattern.starts[:-1], pattern.inputs, 0
    )


def gpu_kernels(device: torch.device) -> ModuleType | None:
    """`triton_kernels` for tensors on a GPU; None elsewhere, or if Triton is not installed."""
    if device.type != "cuda":
        return None
    try:
        from course_lib.sae import triton_kernels
    except ImportError:
        return None
    return triton_kernels


def _latent_sums(pattern: Pattern, weights: Tensor, rows: Tensor) -> Float[Tensor, "d_sae d"]:
    """Σ over each latent's entries of weight · rows[input]: the gradient of a dictionary."""
    order, starts = pattern.by_latent
    return _bags(pattern.inputs[order], rows, starts, weights[order])
