"""One embedding table for many features, beside a table for each: who shares a row with whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from course_lib import runtime, validate

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@dataclass(frozen=True)
class Collisions:
    """Shares of a feature's values that share their row, each [n_instances, n_features].

    Attributes:
        within: with another value of the same feature.
        between: with a value of another feature.
    """

    within: Tensor
    between: Tensor


class UnifiedEmbedding(nn.Module):
    """A table of n_rows vectors in which every value of every feature finds a row by hashing.

    Unified, each feature hashes into the whole table with a hash function of its own; separate,
    feature t has the t-th part of the rows to itself. The hash functions are random tables, drawn
    once. Instances may differ in layout and in how many rows they use: only the first
    `n_rows[i]` rows of instance i are ever read.
    Source: Coleman et al. 2023, "Unified Embedding".

    Args:
        n_features: number of categorical features, T.
        n_values: number of values of each feature.
        n_rows: rows of the table, at least n_features; a number or [n_instances].
        d_embed: length of a row.
        n_instances: number of independent tables.
        separate: False for one table, True for one per feature; a bool or [n_instances].
        seed: of the hash functions and of the initial rows (normal, norm about 0.1).

    Attributes:
        table: [n_instances, most rows, d_embed].
        rows: [n_instances, n_features, n_values], the row of each value.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(
        self,
        n_features: int,
        n_values: int,
        n_rows: int | Int[Tensor, " n_instances"],
        d_embed: int,
        n_instances: int = 1,
        *,
        separate: bool | Tensor = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.n_features = validate.positive_int("n_features", n_features)
        self.n_values = validate.positive_int("n_values", n_values)
        self.d_embed = validate.positive_int("d_embed", d_embed)
        self.n_instances = validate.positive_int("n_instances", n_instances)
        budget = validate.as_tensor("n_rows", n_rows)
        separate = validate.as_tensor("separate", separate)
        if separate.dtype != torch.bool:
            raise TypeError(f"separate has dtype {separate.dtype}; it must be bool.")
        for name, value in (("n_rows", budget), ("separate", separate)):
            if value.ndim:
                validate.shape(name, value, (n_instances,))
        real = budget.is_floating_point()
        if real or budget.min() < n_features or budget.max() >= validate.MOST:
            raise ValueError(
                f"n_rows is {n_rows}; it must be whole numbers of at least n_features = "
                f"{n_features}, a row for each, and below 10**9."
            )
        self.n_rows, self.separate = budget.expand(n_instances), separate.expand(n_instances)

        generator = runtime.generator(seed)
        u = torch.rand(n_instances, n_features, n_values, generator=generator)
        size = torch.where(self.separate, self.n_rows // n_features, self.n_rows)
        first = torch.where(self.separate[:, None], size[:, None] * torch.arange(n_features), 0)
        rows = first[..., None] + (u * size[:, None, None]).long()
        self.register_buffer("rows", rows)
        table = torch.randn(n_instances, int(budget.max()), d_embed, generator=generator)
        self.table = nn.Parameter(0.1 * table / d_embed**0.5)

    def forward(
        self, values: Int[Tensor, "n_instances batch n_features"]
    ) -> Float[Tensor, "n_instances batch n_features d_embed"]:
        """The row of each value."""
        validate.shape("values", values, (self.n_instances, "batch", self.n_features))
        instance = torch.arange(self.n_instances, device=values.device)[:, None, None]
        feature = torch.arange(self.n_features, device=values.device)
        rows = self.rows[instance, feature, values] + instance * self.table.shape[1]
        return nn.functional.embedding(rows, self.table.flatten(0, 1))

    def collisions(self) -> Collisions:
        """Who shares a row with whom, counted over all values alike."""
        most = self.table.shape[1]
        counts = torch.zeros(self.n_instances, self.n_features, most, device=self.rows.device)
        counts.scatter_add_(2, self.rows, torch.ones_like(self.rows, dtype=counts.dtype))
        others = counts.sum(dim=1, keepdim=True) - counts
        within = (counts.gather(2, self.rows) > 1).float().mean(dim=-1)
        between = (others.gather(2, self.rows) > 0).float().mean(dim=-1)
        return Collisions(within, between)


class ClickModel(nn.Module):
    """Logistic regression on embeddings: logit = Σ_t ⟨θ_t, E[h_t(v_t)]⟩ + b.

    The read-outs θ_t all start as the same vector of norm 1, the worst case for one table: any
    angle between them was learnt. Source: Coleman et al. 2023, the single-layer analysis.

    Attributes:
        theta: [n_instances, n_features, d_embed].
        bias: [n_instances].
    """

    def __init__(self, embedding: UnifiedEmbedding, seed: int = 0) -> None:
        super().__init__()
        self.embedding = validate.instance("embedding", embedding, UnifiedEmbedding)
        shape = (embedding.n_instances, 1, embedding.d_embed)
        start = torch.randn(shape, generator=runtime.generator(seed))
        start = start / start.norm(dim=-1, keepdim=True)
        self.theta = nn.Parameter(start.repeat(1, embedding.n_features, 1))
        self.bias = nn.Parameter(torch.zeros(embedding.n_instances))

    def forward(
        self, values: Int[Tensor, "n_instances batch n_features"]
    ) -> Float[Tensor, "n_instances batch"]:
        """The logit of each sample."""
        read = self.embedding(values) * self.theta[:, None]
        return read.sum(dim=(-1, -2)) + self.bias[:, None]

    def angles(self) -> Float[Tensor, " n_instances"]:
        """The mean angle between two read-outs, in degrees; 0 at the start, 90 when orthogonal."""
        unit = nn.functional.normalize(self.theta.detach(), dim=-1)
        cosine = (unit @ unit.mT).clamp(-1, 1)
        pairs = torch.triu_indices(*cosine.shape[-2:], offset=1)
        return cosine[:, pairs[0], pairs[1]].acos().rad2deg().mean(dim=-1)
