"""Online coding: how many bits the labels cost someone who holds x and learns as labels arrive.

Source: Voita & Titov 2020, "Information-Theoretic Probing with Minimum Description Length", online
code; it is the prequential one of Blier & Ollivier 2018.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from course_lib import validate
from course_lib.data.sequences import NONE
from course_lib.probes.probe import checked_with_classes, fit
from course_lib.probes.readouts import log_prob
from course_lib.runtime import generator

if TYPE_CHECKING:
    from jaxtyping import Float, Int

BLOCKS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)  # the paper's


@dataclass(frozen=True, eq=False)
class CodeLength:
    """What the labels cost in bits.

    Attributes:
        bits: [*lead], all labels of a problem.
        uniform_bits: [*lead], n log2 K: the cost for who cannot see x and knows nothing.
        block_bits: [*lead, n_blocks]; the first block is sent with the uniform code.
        ends: [n_blocks], how many rows were sent after each block.
    """

    bits: Float[Tensor, "*lead"]
    uniform_bits: Float[Tensor, "*lead"]
    block_bits: Float[Tensor, "*lead n_blocks"]
    ends: Int[Tensor, " n_blocks"]

    @property
    def compression(self) -> Float[Tensor, "*lead"]:
        """uniform_bits / bits: 1 where x is of no use, below 1 where the probe overfits."""
        return self.uniform_bits / self.bits

    def mixture(self, dim: int = 0) -> Float[Tensor, "*lead"]:
        """Bits of the Bayesian mixture of the codes along `dim` and the uniform code.

        -log2 of the mean of 2^-bits over these J codes: at most log2 J above the best of them, so
        that regularisation may be chosen by code length at a price that is known, and labels
        without structure never cost more than n log2 K + log2 J.
        """
        codes = torch.cat([self.bits, self.uniform_bits.narrow(dim, 0, 1)], dim)
        mixed = torch.logsumexp(-codes * math.log(2), dim) - math.log(codes.shape[dim])
        return -mixed / math.log(2)


def code_length(
    x: Float[Tensor, "*lead n d_model"],
    y: Int[Tensor, "*lead n"],
    method: str = "logistic",
    *,
    blocks: Sequence[float] = BLOCKS,
    groups: Int[Tensor, " n"] | None = None,
    seed: int = 0,
    **options: Any,
) -> CodeLength:
    """Send the labels block by block, each with the probe fitted to all blocks before it.

    L = n_1 log2 K - Σ_i log2 p(y of block i+1 | x, probe of blocks 1..i). The rows come in an order
    drawn from `seed`, those of one group together, so that no document is coded by its own rows.
    `blocks` are the shares of rows sent after each block; the first ends late enough to hold every
    class of every problem twice (the receiver sees that too, it is no extra message), and blocks
    that would end before it are dropped. Rows labelled -1 are not sent. Labels that x does not tell
    cost about n log2 K where d_model is small against n, and more where the probe overfits, which
    is the point: accuracy cannot show it. Options are those of `fit`.

    Raises ValueError for shares that do not rise to 1 and fewer than two blocks, and as `fit`.
    """
    x, y, n_classes = checked_with_classes(x, y, method)
    n = y.shape[-1]
    blocks = validate.items("blocks", blocks)
    shares = validate.shape("blocks", validate.finite("blocks", blocks, 0.0, 1.0), ("n_blocks",))
    if len(shares) < 2 or shares[-1] != 1 or (shares.diff() <= 0).any() or shares[0] <= 0:
        raise ValueError(f"blocks is {tuple(blocks)}; it must be shares of the rows, rising to 1.")
    order = _order(n, groups, seed).to(y.device)
    x, y = x[..., order, :], y[..., order]
    groups = None if groups is None else groups.to(y.device)[order]
    ends = _ends(y, n_classes, shares, groups)

    there = (y != NONE).cpu().double()
    uniform = there * math.log2(n_classes)
    blocks_bits, start = [uniform[..., : ends[0]].sum(-1)], ends[0]
    for end in ends[1:]:
        known = None if groups is None else groups[:start]
        readout = fit(x[..., :start, :], y[..., :start], method, groups=known, seed=seed, **options)
        nats = log_prob(readout.scores(x[..., start:end, :]), y[..., start:end], n_classes)
        blocks_bits.append(-nats.cpu().double().sum(-1) / math.log(2))
        start = end
    lead = blocks_bits[-1].shape
    block_bits = torch.stack([bits.expand(lead) for bits in blocks_bits], -1)
    return CodeLength(
        block_bits.sum(-1), uniform.sum(-1).expand(lead), block_bits, torch.tensor(ends)
    )


def _order(n: int, groups: Tensor | None, seed: int) -> Tensor:
    if groups is None:
        return torch.randperm(n, generator=generator(seed))
    validate.as_tensor("groups", validate.shape("groups", groups, (n,)))
    values, group = groups.cpu().unique(return_inverse=True)
    return torch.randperm(len(values), generator=generator(seed))[group].argsort(stable=True)


def _ends(y: Tensor, n_classes: int, shares: Tensor, groups: Tensor | None) -> list[int]:
    """The last row of each block, plus one: on borders of groups, the first with all classes."""
    n = y.shape[-1]
    first = 1
    for k in range(n_classes):
        twice = (y == k).cumsum(-1) >= 2
        if not twice[..., -1].all():
            raise ValueError(f"class {k} has fewer than two rows in a problem; it cannot be coded.")
        first = max(first, int((~twice).sum(-1).max()) + 1)
    borders = torch.arange(1, n + 1)
    if groups is not None:
        last = torch.cat([groups[1:] != groups[:-1], groups.new_ones(1, dtype=torch.bool)])
        borders = borders[last.cpu()]
    wanted = (shares * n).round().long().clamp(min=first)
    ends = borders[torch.searchsorted(borders, wanted)].unique().tolist()
    if len(ends) < 2:
        raise ValueError(
            f"Every class has come twice only after {first} of {n} rows, and there is no block "
            "after that to code; give more rows or smaller groups."
        )
    return ends
