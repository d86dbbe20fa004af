"""Latents of which few are active, kept as what is active: selecting and decoding at cost k.

A batch of `Codes` is a matrix [batch, d_sae] in compressed sparse rows. Only the encoder's product
touches every latent; it is taken a few rows at a time, and its results are dropped once the
largest are found. Decoding and every gradient cost the number of active latents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

CPU_ROWS, GPU_ROWS = 256, 8192  # inputs encoded at once
SCAN = 8  # torch.topk goes over up to SCAN · k entries; longer rows are searched by groups


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
    def by_latent(self) -> tuple[Int[Tensor, " n_active"], Int[Tensor, " d_sae"]]:
        """The order of the entries by latent, and where each latent's entries start in it."""
        count = torch.bincount(self.latents, minlength=self.d_sae)
        return self.latents.int().argsort(stable=True), count.cumsum(0) - count


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
        return z.index_put((self.pattern.inputs, self.pattern.latents), self.values)

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


def topk_codes(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "d_in d_sae"],
    bias: Float[Tensor, " d_sae"],
    k: int,
) -> Codes:
    """The k largest of x W_enc + bias for each input, through a ReLU; ties fall either way."""
    values, latents = _largest_of_rows(x, W_enc, bias, k)
    starts = torch.arange(0, len(x) * k + 1, k, device=x.device)
    return _codes(x, W_enc, bias, values.relu_(), Pattern(latents, starts, W_enc.shape[1]))


@torch.no_grad()
def _largest_of_rows(x: Tensor, W_enc: Tensor, bias: Tensor, k: int) -> tuple[Tensor, Tensor]:
    found = [largest(pre, k) for pre in _encoded(x, W_enc, bias)]
    values, latents = (torch.cat(parts).flatten() for parts in zip(*found, strict=True))
    return values, latents


def batch_topk_codes(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "d_in d_sae"],
    bias: Float[Tensor, " d_sae"],
    k: float,
    guess: float,
) -> Codes:
    """The k · batch largest positive entries of x W_enc + bias over the whole batch.

    Exact for any `guess` ≥ 0 of the smallest of them, and fast where the guess is a little low.
    """
    n = int(k * len(x))
    values, entries = above(x, W_enc, bias, guess)
    if len(values) < n and guess > 0:
        values, entries = above(x, W_enc, bias, 0.0)
    if len(values) > n:
        top = values.topk(n, sorted=False).indices.sort().values
        values, entries = values[top], entries[top]
    return _rows(x, W_enc, bias, values, entries)


def relu_codes(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "d_in d_sae"],
    bias: Float[Tensor, " d_sae"],
    max_density: float,
) -> Codes | None:
    """All positive entries of x W_enc + bias; None if they are more than `max_density` of all.

    That is judged on the first rows, so that little is computed in vain.
    """
    found = above(x, W_enc, bias, 0.0, max_density)
    return None if found is None else _rows(x, W_enc, bias, *found)


def largest(
    x: Float[Tensor, "batch n"], k: int
) -> tuple[Float[Tensor, "batch k"], Int[Tensor, "batch k"]]:
    """The k largest entries of each row and where they stand, in no order.

    The k largest lie within the k groups whose largest entries are the largest. Finding those is
    the same problem with a row as long as there are groups.
    """
    n = x.shape[-1]
    size = 1
    while n % (2 * size) == 0 and 4 * size * size * k <= 2 * n:
        size *= 2
    if n <= SCAN * k or size == 1:
        return x.topk(k, dim=-1, sorted=False)
    n_groups = n // size
    _, groups = largest(x.unflatten(-1, (size, n_groups)).amax(dim=-2), k)
    members = torch.arange(0, n, n_groups, device=x.device)
    candidates = (groups[..., None, :] + members[:, None]).flatten(-2)
    values, chosen = largest(x.gather(-1, candidates), k)
    return values, candidates.gather(-1, chosen)


@torch.no_grad()
def above(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "d_in d_sae"],
    bias: Float[Tensor, " d_sae"],
    bound: float,
    max_density: float = 1.0,
) -> tuple[Float[Tensor, " n_active"], Int[Tensor, " n_active"]] | None:
    """The entries of x W_enc + bias above `bound`, and where they stand in the flattened matrix.

    None if among the first rows their share is larger than `max_density`.
    """
    values, entries, start = [], [], 0
    for pre in _encoded(x, W_enc, bias):
        pre = pre.flatten()
        is_above = pre > bound
        if start == 0 and max_density < 1 and is_above.float().mean() > max_density:
            return None
        found = is_above.nonzero()[:, 0]
        values.append(pre[found])
        entries.append(found + start)
        start += len(pre)
    return torch.cat(values), torch.cat(entries)


def _encoded(x: Tensor, W_enc: Tensor, bias: Tensor) -> Iterator[Float[Tensor, "rows d_sae"]]:
    """x W_enc + bias, a few rows at a time in one buffer that the next rows overwrite."""
    n_rows = CPU_ROWS if x.device.type == "cpu" else GPU_ROWS
    dtype = x.dtype
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
    x, W_enc, bias = x.to(dtype), W_enc.to(dtype), bias.to(dtype)
    buffer = x.new_empty(min(n_rows, len(x)), W_enc.shape[1])
    for rows in x.split(n_rows):
        yield torch.addmm(bias, rows, W_enc, out=buffer[: len(rows)])


def _rows(x: Tensor, W_enc: Tensor, bias: Tensor, values: Tensor, entries: Tensor) -> Codes:
    d_sae = W_enc.shape[1]
    count = torch.bincount(entries // d_sae, minlength=len(x))
    pattern = Pattern(entries % d_sae, F.pad(count.cumsum(0), (1, 0)), d_sae)
    return _codes(x, W_enc, bias, values, pattern)


def _codes(x: Tensor, W_enc: Tensor, bias: Tensor, values: Tensor, pattern: Pattern) -> Codes:
    return Codes(Encode.apply(x, W_enc, bias, values.to(W_enc.dtype), pattern), pattern)


class Encode(torch.autograd.Function):
    """Gives values that were selected from ReLU(x W_enc + bias) the gradient they have there."""

    @staticmethod
    def forward(
        ctx, x: Tensor, W_enc: Tensor, bias: Tensor, values: Tensor, pattern: Pattern
    ) -> Tensor:
        ctx.save_for_backward(x, W_enc, values)
        ctx.pattern = pattern
        return values.clone()

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        (x, W_enc, values), pattern = ctx.saved_tensors, ctx.pattern
        grad = torch.ops.aten.threshold_backward(grad, values, 0.0)
        by_x = by_W = by_bias = None
        if ctx.needs_input_grad[0]:
            by_x = _bags(pattern.latents, W_enc.mT, pattern.starts[:-1], grad)
        if ctx.needs_input_grad[1]:
            by_W = _latent_sums(pattern, grad, x).mT
        if ctx.needs_input_grad[2]:
            by_bias = grad.new_zeros(pattern.d_sae).index_add_(0, pattern.latents, grad)
        return by_x, by_W, by_bias, None, None


class Decode(torch.autograd.Function):
    """z W_dec, for the active entries of z."""

    @staticmethod
    def forward(ctx, values: Tensor, W_dec: Tensor, pattern: Pattern) -> Tensor:
        ctx.save_for_backward(values, W_dec)
        ctx.pattern = pattern
        return _bags(pattern.latents, W_dec, pattern.starts[:-1], values)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        (values, W_dec), pattern = ctx.saved_tensors, ctx.pattern
        by_values = by_W = None
        if ctx.needs_input_grad[0]:
            by_values = torch.ops.aten._embedding_bag_per_sample_weights_backward(
                grad.contiguous(), W_dec, pattern.latents, pattern.starts[:-1], pattern.inputs, 0
            )
        if ctx.needs_input_grad[1]:
            by_W = _latent_sums(pattern, values, grad)
        return by_values, by_W, None


def _bags(rows: Tensor, table: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    """Σ over each bag's entries of weight · table[row]; bags without entries are 0."""
    table = table.contiguous()
    return F.embedding_bag(rows, table, starts, mode="sum", per_sample_weights=weights.to(table))


def _latent_sums(pattern: Pattern, weights: Tensor, rows: Tensor) -> Float[Tensor, "d_sae d"]:
    """Σ over each latent's entries of weight · rows[input]: the gradient of a dictionary."""
    order, starts = pattern.by_latent
    return _bags(pattern.inputs[order], rows, starts, weights[order])
