"""The two sums over active latents, for a GPU: what `codes` does with embedding bags elsewhere.

Decoding and both dictionaries' gradients are weighted sums of a table's rows, the gradient of the
activations is inner products of rows. Every sum has one program and a fixed order, no atomic
additions: two runs give the same bits. TRITON_INTERPRET=1 runs them on a CPU, slowly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float, Int

ENTRIES = 16  # active latents that are loaded at once
COLUMNS = 128  # of the table that one program sums


def bags(
    rows: Int[Tensor, " n_active"],
    table: Float[Tensor, "n_rows d"],
    starts: Int[Tensor, " n_bags+1"],
    weights: Float[Tensor, " n_active"],
) -> Float[Tensor, "n_bags d"]:
    """Σ over each bag's entries of weight · table[row]; bags without entries are 0."""
    n_bags, width = len(starts) - 1, table.shape[1]
    out = table.new_empty(n_bags, width)
    if out.numel():
        _bags[(n_bags, triton.cdiv(width, COLUMNS))](
            rows, table.contiguous(), starts, weights, out, width,
            SUM=_sum_type(table), ENTRIES=ENTRIES, COLUMNS=COLUMNS,
        )  # fmt: skip
    return out


def products(
    left: Float[Tensor, "n_left d"],
    right: Float[Tensor, "n_right d"],
    left_rows: Int[Tensor, " n_active"],
    right_rows: Int[Tensor, " n_active"],
) -> Float[Tensor, " n_active"]:
    """Of each entry, the inner product of a row of `left` with a row of `right`."""
    n_active, width = len(left_rows), left.shape[1]
    out = left.new_empty(n_active)
    if n_active:
        _products[(triton.cdiv(n_active, ENTRIES),)](
            left.contiguous(), right.contiguous(), left_rows, right_rows, out, n_active, width,
            SUM=_sum_type(left), ENTRIES=ENTRIES, COLUMNS=COLUMNS,
        )  # fmt: skip
    return out


def _sum_type(table: Tensor) -> tl.dtype:
    return tl.float64 if table.dtype == torch.float64 else tl.float32


@triton.jit
def _bags(
    rows, table, starts, weights, out, width,
    SUM: tl.constexpr, ENTRIES: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    bag = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    end = tl.load(starts + bag + 1)
    total = tl.zeros([COLUMNS], SUM)
    for first in range(tl.load(starts + bag), end, ENTRIES):
        entry = first + tl.arange(0, ENTRIES)
        row = tl.load(rows + entry, mask=entry < end, other=0).to(tl.int64)
        weight = tl.load(weights + entry, mask=entry < end, other=0.0).to(SUM)
        inside = (entry < end)[:, None] & (column < width)[None, :]
        part = tl.load(table + row[:, None] * width + column[None, :], mask=inside, other=0.0)
        total += tl.sum(weight[:, None] * part.to(SUM), axis=0)
    tl.store(out + bag * width + column, total, mask=column < width)


@triton.jit
def _products(
    left, right, left_rows, right_rows, out, n_active, width,
    SUM: tl.constexpr, ENTRIES: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    entry = tl.program_id(0).to(tl.int64) * ENTRIES + tl.arange(0, ENTRIES)
    left_row = tl.load(left_rows + entry, mask=entry < n_active, other=0).to(tl.int64)
    right_row = tl.load(right_rows + entry, mask=entry < n_active, other=0).to(tl.int64)
    total = tl.zeros([ENTRIES], SUM)
    for first in range(0, width, COLUMNS):
        column = first + tl.arange(0, COLUMNS)
        inside = (entry < n_active)[:, None] & (column < width)[None, :]
        a = tl.load(left + left_row[:, None] * width + column[None, :], mask=inside, other=0.0)
        b = tl.load(right + right_row[:, None] * width + column[None, :], mask=inside, other=0.0)
        total += tl.sum(a.to(SUM) * b.to(SUM), axis=1)
    tl.store(out + entry, total, mask=entry < n_active)
