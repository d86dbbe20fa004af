"""Finding the largest pre-activations without keeping the rest.

The encoder's product is taken a few inputs at a time, into one buffer that stays in a CPU's cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float, Int

CPU_ROWS, GPU_ROWS = 256, 8192  # inputs encoded at once
SCAN = 8  # torch.topk goes over up to SCAN · k entries; longer rows are searched by groups


class Encoder(NamedTuple):
    """x to (x - center) W_enc + b_enc; nothing is subtracted where `center` is None."""

    W_enc: Float[Tensor, "*n_instances d_in d_sae"]
    b_enc: Float[Tensor, "*n_instances d_sae"]
    center: Float[Tensor, "*n_instances d_in"] | None

    def centered(self, x: Float[Tensor, "batch d_in"]) -> Float[Tensor, "batch d_in"]:
        return x if self.center is None else x - self.center


def encode(
    x: Float[Tensor, "batch d_in"], encoder: Encoder
) -> Iterator[Float[Tensor, "rows d_sae"]]:
    """Pre-activations, a few rows at a time in one buffer that the next rows overwrite."""
    n_rows = CPU_ROWS if x.device.type == "cpu" else GPU_ROWS
    dtype = x.dtype
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
    x, W_enc, b_enc = (part.to(dtype) for part in (encoder.centered(x), *encoder[:2]))
    buffer = x.new_empty(min(n_rows, len(x)), len(b_enc))
    for rows in x.split(n_rows):
        yield torch.addmm(b_enc, rows, W_enc, out=buffer[: len(rows)])


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
    encoder: Encoder,
    bound: float,
    max_density: float = 1.0,
) -> tuple[Float[Tensor, " n_active"], Int[Tensor, " n_active"]] | None:
    """The pre-activations above `bound`, and where they stand in the flattened matrix.

    None if among the first rows their share is larger than `max_density`.
    """
    values, entries, start = [], [], 0
    for pre in encode(x, encoder):
        pre = pre.flatten()
        is_above = pre > bound
        if start == 0 and max_density < 1 and is_above.float().mean() > max_density:
            return None
        found = is_above.nonzero()[:, 0]
        values.append(pre[found])
        entries.append(found + start)
        start += len(pre)
    return torch.cat(values), torch.cat(entries)
