"""Finding the largest pre-activations without keeping the rest.

All pre-activations of a batch are far more than a CPU's cache holds. So the encoder's product is
taken a tile at a time, many inputs by some latents, into one buffer that the next tile overwrites,
and of each tile only what lies above a bound is kept. A bound that leaves a little more than is
wanted makes the rest cheap; a bad one costs time, and the result is exact all the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float, Int

CPU_ENTRIES = 2**21  # of a tile: 8 MB
CPU_WIDTH = 2**10  # latents of a tile, where there are more than CPU_WIDEST; else all of them
CPU_WIDEST = 2**12
GPU_INPUTS = 2**13  # of a tile; its latents are all there are
SCAN = 8  # torch.topk goes over up to SCAN · k entries; longer rows are searched by groups
SAMPLE = 64  # inputs that tell what to expect of a batch
GROUP = 8  # neighbours that are looked at one by one only if their largest is above the bound


class Encoder(NamedTuple):
    """x to (x - center) W_enc + b_enc; nothing is subtracted where `center` is None."""

    W_enc: Float[Tensor, "*n_instances d_in d_sae"]
    b_enc: Float[Tensor, "*n_instances d_sae"]
    center: Float[Tensor, "*n_instances d_in"] | None

    def centered(self, x: Float[Tensor, "batch d_in"]) -> Float[Tensor, "batch d_in"]:
        return x if self.center is None else x - self.center


class Found(NamedTuple):
    """Some pre-activations, ordered by input: their values, and where they stand."""

    values: Float[Tensor, " n_found"]
    inputs: Int[Tensor, " n_found"]
    latents: Int[Tensor, " n_found"]


def tiles(
    x: Float[Tensor, "batch d_in"], encoder: Encoder, width: int
) -> Iterator[tuple[int, int, Float[Tensor, "inputs width"]]]:
    """First input, first latent, and the pre-activations of a tile, for one tile after another.

    A tile is `width` latents wide; all tiles of the same inputs follow each other.
    """
    on_cpu = x.device.type == "cpu"
    n_inputs = min(len(x), max(1, CPU_ENTRIES // width) if on_cpu else GPU_INPUTS)
    dtype = x.dtype
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
    x, W_enc, b_enc = (part.to(dtype) for part in (encoder.centered(x), *encoder[:2]))
    buffer = x.new_empty(n_inputs * width)
    for i in range(0, len(x), max(1, n_inputs)):
        rows = x[i : i + n_inputs]
        for j in range(0, len(b_enc), width):
            bias = b_enc[j : j + width]
            pre = buffer[: len(rows) * len(bias)].view(len(rows), len(bias))
            yield i, j, torch.addmm(bias, rows, W_enc[:, j : j + width], out=pre)


def best_width(x: Tensor, encoder: Encoder) -> int:
    """How many latents a tile should have to be searched by a bound."""
    d_sae = len(encoder.b_enc)
    return CPU_WIDTH if x.device.type == "cpu" and d_sae > CPU_WIDEST else d_sae


@torch.no_grad()
def top_k(
    x: Float[Tensor, "batch d_in"], encoder: Encoder, k: int
) -> tuple[Float[Tensor, "batch k"], Int[Tensor, "batch k"]]:
    """The k largest pre-activations of each input and which latents they are, in no order.

    Where fewer than k are positive, latent 0 with the value 0 may stand for the others.
    """
    d_sae, width = len(encoder.b_enc), best_width(x, encoder)
    if width == d_sae:
        return _top_k_of_rows(x, encoder, k)
    expected = k * width / d_sae  # of the k largest, in the first tile
    enough = min(k, width, math.ceil(expected + 4 * math.sqrt(expected)) + 2)
    found, bounds = [], []
    for i, j, pre in tiles(x, encoder, width):
        if j == 0:
            bounds.append(largest(pre, enough)[0].amin(dim=-1).relu_())
        found.append(_above(pre, bounds[-1], i, j))
    values, latents, count = _side_by_side(_by_input(found), len(x), k)
    values, chosen = largest(values, k)
    latents = latents.gather(1, chosen)
    short = (count < k) & (torch.cat(bounds) > 0)
    if short.any():
        values[short], latents[short] = _top_k_of_rows(x[short], encoder, k)
    return values, latents


@torch.no_grad()
def above(x: Float[Tensor, "batch d_in"], encoder: Encoder, bound: float) -> Found:
    """The pre-activations above `bound`."""
    width = best_width(x, encoder)
    return _by_input([_above(pre, bound, i, j) for i, j, pre in tiles(x, encoder, width)])


@torch.no_grad()
def sample(x: Float[Tensor, "batch d_in"], encoder: Encoder) -> Float[Tensor, "some d_sae"]:
    """All pre-activations of a few inputs, from all over the batch."""
    some = x[:: max(1, len(x) // SAMPLE)][:SAMPLE]
    return torch.cat([pre for _, _, pre in tiles(some, encoder, len(encoder.b_enc))])


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


def _top_k_of_rows(x: Tensor, encoder: Encoder, k: int) -> tuple[Tensor, Tensor]:
    parts = [largest(pre, k) for _, _, pre in tiles(x, encoder, len(encoder.b_enc))]
    values, latents = zip(*parts, strict=True)
    return torch.cat(values), torch.cat(latents)


def _above(
    pre: Float[Tensor, "inputs width"], bound: float | Float[Tensor, " inputs"], i: int, j: int
) -> Found:
    """What is above the bound in the tile whose first input is i and first latent j."""
    size = math.gcd(GROUP, pre.shape[1])
    n_groups = pre.shape[1] // size
    limit = bound[:, None] if isinstance(bound, Tensor) else bound
    groups = (F.max_pool1d(pre[:, None], size)[:, 0] > limit).flatten().nonzero()[:, 0]
    inputs = groups // n_groups
    if isinstance(bound, Tensor):
        limit = bound.index_select(0, inputs)[:, None]
    members = pre.view(-1, size).index_select(0, groups)
    at = (members > limit).flatten().nonzero()[:, 0]
    group = at // size
    first = groups % n_groups * size
    return Found(
        members.flatten().index_select(0, at),
        inputs.index_select(0, group) + i,
        first.index_select(0, group) + at % size + j,
    )


def _by_input(parts: list[Found]) -> Found:
    values, inputs, latents = (torch.cat(part) for part in zip(*parts, strict=True))
    order = inputs.int().argsort(stable=True)
    return Found(*(part.index_select(0, order) for part in (values, inputs, latents)))


def _side_by_side(found: Found, batch_size: int, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Values and latents of each input in one row, filled up with 0 to k or more; their number."""
    values, inputs, latents = found
    count = torch.bincount(inputs, minlength=batch_size)
    first = (count.cumsum(0) - count).index_select(0, inputs)
    place = inputs, torch.arange(len(inputs), device=inputs.device) - first
    size = batch_size, max(k, int(count.max()))
    rows = (part.new_zeros(size).index_put_(place, part) for part in (values, latents))
    return (*rows, count)
