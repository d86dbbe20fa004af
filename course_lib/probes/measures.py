"""How well held-out scores agree with labels, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import runtime, validate
from course_lib.probes.moments import precise

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

CHUNK = 2**23  # resampled values that are held at a time


Statistic = Callable[[Tensor | None], Tensor]  # of how often each row counts, [n]; None for once


def auroc(
    scores: Float[Tensor, "*batch n"], positive: Bool[Tensor, "*batch n"],
    there: Bool[Tensor, "*batch n"],
) -> Statistic:  # fmt: skip
    """The chance that a positive row scores higher than a negative one; a tie counts one half.

    Only rows that are `there` count. NaN where one of the two classes has none.
    """
    ordered, order = scores.where(there, float("inf")).contiguous().sort(dim=-1)
    positive, negative = (
        precise(rows.to(scores.dtype)).gather(-1, order)
        for rows in (positive & there, ~positive & there)
    )
    first = torch.searchsorted(ordered, ordered)
    after = torch.searchsorted(ordered, ordered, right=True)

    def chance(weight: Tensor | None = None) -> Float[Tensor, "*batch"]:
        w = 1 if weight is None else weight.to(positive.dtype)[order]
        below = F.pad((negative * w).cumsum(-1), (1, 0))
        beaten = (below.gather(-1, first) + below.gather(-1, after)) / 2
        pairs = (positive * w).sum(-1) * below[..., -1]
        won = (positive * w * beaten).sum(-1) / pairs
        return won.masked_fill(pairs == 0, float("nan")).to(scores.dtype)

    return chance


def f1_score(hits: Tensor, wrong: Tensor) -> Tensor:
    """From the number of rows of class 1 that are named so, and of all that are named wrongly."""
    return 2 * hits / (2 * hits + wrong)


def r2_score(squared_error: Tensor, y: Tensor, squared_y: Tensor, n: Tensor) -> Tensor:
    """From sums over rows: 1 - Σ (prediction - y)² / Σ (y - mean y)²."""
    return 1 - squared_error / (squared_y - y**2 / n)


def interval(
    values: Sequence[Float[Tensor, "*batch n"]] | Statistic,
    combine: Callable[..., Tensor] | None,
    unit: Int[Tensor, " n"],
    level: float,
    resamples: int,
    seed: int,
) -> Float[Tensor, "*batch 2"]:
    """Percentiles of a statistic over drawings of units, with replacement.

    The statistic is `combine(*sums)` of values per row, which takes one matrix product for all
    drawings, or else a function of how often each row counts.
    """
    n_units = int(unit.max()) + 1
    if n_units < 2:
        raise ValueError(
            "a bootstrap interval needs at least two test rows, two groups where the split has "
            "groups; hold out more."
        )
    times = resampled_counts(n_units, resamples, seed).to(unit.device)
    if combine is None:
        drawn = torch.stack([values(row[unit]) for row in times], -1)
    else:
        drawn = combine(*(_sums_of_units(v, unit) @ times.to(v.dtype).T for v in values))
    tail = (1 - level) / 2
    levels = drawn.new_tensor([tail, 1 - tail])
    parts = drawn.reshape(-1, resamples).split(max(CHUNK // resamples, 1))
    limits = torch.cat([part.nanquantile(levels, dim=-1).T for part in parts])
    return limits.reshape(*drawn.shape[:-1], 2)


def resampled_counts(n_units: int, resamples: int, seed: int) -> Float[Tensor, "resamples n_units"]:
    """How often each unit is drawn, in `resamples` drawings of n_units with replacement."""
    validate.positive_int("resamples", resamples)
    drawn = torch.randint(n_units, (resamples, n_units), generator=runtime.generator(seed))
    return torch.zeros(resamples, n_units).scatter_add_(1, drawn, torch.ones(drawn.shape))


def _sums_of_units(
    values: Float[Tensor, "*batch n"], unit: Int[Tensor, " n"]
) -> Float[Tensor, "*batch n_units"]:
    sums = values.new_zeros(*values.shape[:-1], int(unit.max()) + 1)
    return sums.index_add_(-1, unit, values.contiguous())
