"""Sparse feature vectors: each feature is zero most of the time and uniform when it is active."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float

ALL_INSTANCES = slice(None)


def of_one_instance(features: SparseFeatures) -> SparseFeatures:
    """`features`, or any other law of features, which must have n_instances 1."""
    validate.like("features", features, "n_features", "n_instances", "sample")
    if features.n_instances != 1:
        raise ValueError(f"features has n_instances = {features.n_instances}; it must be 1.")
    return features


class SparseFeatures:
    """Independent sparse features: x_i is 0 with probability 1 - p_i, else uniform in [low, high].

    Source: Elhage et al. 2022, "Toy Models of Superposition", section 2 (there low 0, high 1).

    Args:
        n_features: number of features, n.
        probability: p, the chance that a feature is active; a number, or a tensor that broadcasts
            to [n_instances, n_features]. The paper's sparsity is S = 1 - p.
        n_instances: number of independent streams, one per model instance.
        low, high: range of the magnitudes of active features.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    max_probability = 1.0

    def __init__(
        self,
        n_features: int,
        probability: float | Float[Tensor, "*#n_instances #n_features"],
        n_instances: int = 1,
        low: float = 0.0,
        high: float = 1.0,
    ) -> None:
        self.n_features = validate.positive_int("n_features", n_features)
        self.n_instances = validate.positive_int("n_instances", n_instances)
        self.low, self.high = validate.number("low", low), validate.number("high", high)
        if self.low >= self.high:
            raise ValueError(f"low is {low} and high is {high}; low must be below high.")
        p = validate.finite("probability", probability, 0.0, self.max_probability)
        try:
            self.probability = p.float().expand(n_instances, n_features).contiguous()
        except RuntimeError:
            raise ValueError(
                f"probability has shape {list(p.shape)}; it must broadcast to "
                f"[n_instances, n_features] = [{n_instances}, {n_features}]."
            ) from None

    def sample(
        self,
        batch_size: int,
        generator: Generator,
        instances: slice = ALL_INSTANCES,
        out: Tensor | None = None,
    ) -> Float[Tensor, "n_instances batch n_features"]:
        """Draw a batch on the generator's device.

        `instances` draws for some instances only; `out` is a tensor of the right shape to draw
        into, which spares long runs the allocation.
        """
        validate.positive_int("batch_size", batch_size)
        p = self.probability[instances, None].to(generator.device)
        shape = (len(p), batch_size, self.n_features)
        if out is None:
            out = torch.empty(shape, device=generator.device)
        self._fill(validate.shape("out", out, shape), p, generator)
        return out

    def _fill(self, x: Tensor, p: Tensor, generator: Generator) -> None:
        if x.device.type == "cpu" and p.max() <= 0.25:
            return self._fill_rare(x, p, generator)
        u = x.uniform_(generator=generator)
        inactive = u >= p
        self._to_magnitude(u.div_(p)).masked_fill_(inactive, 0.0)  # given u < p, u / p is uniform

    def _fill_rare(self, x: Tensor, p: Tensor, generator: Generator) -> None:
        """The same distribution at a cost that falls with p: throw only the active ones.

        Points of a Poisson process with rate -log(1 - p) per entry leave an entry without a point
        with probability 1 - p, independently of all others. Rates that differ come from thinning.
        """
        rate = -torch.log1p(-p)
        top = rate.max()
        n_points = int(torch.poisson(top.double() * x.numel(), generator=generator))
        entry = torch.randint(x.numel(), (n_points,), generator=generator)
        if (rate < top).any():
            instance, feature = entry // x[0].numel(), entry % self.n_features
            keep = torch.rand(n_points, generator=generator) * top < rate[instance, 0, feature]
            entry = entry[keep]
        magnitude = self._to_magnitude(torch.rand(len(entry), generator=generator))
        x.zero_().view(-1).scatter_(0, entry, magnitude)

    def _to_magnitude(self, uniform: Tensor) -> Tensor:
        return uniform.mul_(self.high - self.low).add_(self.low)


class _Pairs(SparseFeatures):
    """Features 2i and 2i + 1 form a pair and have one probability."""

    def __init__(self, n_features: int, probability: float | Tensor, *args, **kwargs) -> None:
        super().__init__(n_features, probability, *args, **kwargs)
        if n_features % 2:
            raise ValueError(f"n_features is {n_features}; pairs need an even number.")
        if not torch.equal(self.probability[:, ::2], self.probability[:, 1::2]):
            raise ValueError("probability differs within a pair (2i, 2i + 1); it must be equal.")

    def _pair_uniform(self, x: Tensor, generator: Generator) -> Tensor:
        shape = (*x.shape[:-1], self.n_features // 2)
        u = torch.rand(shape, generator=generator, device=x.device)
        return u.repeat_interleave(2, dim=-1)

    def _fill_where(self, x: Tensor, active: Tensor, generator: Generator) -> None:
        self._to_magnitude(x.uniform_(generator=generator)).masked_fill_(~active, 0.0)


class CorrelatedPairs(_Pairs):
    """Pairs that are active together or not at all; magnitudes are independent.

    Each feature is active with probability p, as in `SparseFeatures` (Elhage et al. 2022,
    section "Organization of correlated features"). Arguments and errors as there; n_features even.
    """

    def _fill(self, x: Tensor, p: Tensor, generator: Generator) -> None:
        self._fill_where(x, self._pair_uniform(x, generator) < p, generator)


class AntiCorrelatedPairs(_Pairs):
    """Pairs of which at most one feature is active.

    Each feature is active with probability p, at most 1/2 (Elhage et al. 2022, section
    "Organization of correlated features"). Arguments and errors as in `SparseFeatures`.
    """

    max_probability = 0.5

    def _fill(self, x: Tensor, p: Tensor, generator: Generator) -> None:
        u = self._pair_uniform(x, generator)
        first = torch.arange(self.n_features, device=x.device) % 2 == 0
        self._fill_where(x, torch.where(first, u < p, u >= 1 - p), generator)


def importance_decay(n_features: int, factor: float) -> Float[Tensor, " n_features"]:
    """Importances factor^i for i = 0 … n_features - 1; `factor` in (0, 1], 1 makes all equal."""
    validate.positive_int("n_features", n_features)
    if validate.number("factor", factor, 0.0, 1.0) == 0:
        raise ValueError("factor is 0; it must be above 0 and at most 1.")
    return factor ** torch.arange(n_features, dtype=torch.get_default_dtype())


def power_law_probability(
    n_features: int, exponent: float, mean_active: float
) -> Float[Tensor, " n_features"]:
    """Probabilities p_i proportional to (i + 1)^-exponent with `mean_active` active on average.

    Raises ValueError when the most frequent feature would need a probability above 1.
    """
    validate.positive_int("n_features", n_features)
    rank = torch.arange(1, n_features + 1, dtype=torch.get_default_dtype())
    weight = rank ** -validate.number("exponent", exponent, 0.0)
    p = weight / weight.sum() * validate.number("mean_active", mean_active, 0.0, n_features)
    if p[0] > 1:
        raise ValueError(
            f"mean_active is {mean_active}; with exponent {exponent} the most frequent feature "
            f"would be active with probability {p[0]:.3g}, so mean_active must be at most "
            f"{mean_active / p[0]:.3g}."
        )
    return p


def k_sparse_codes(
    *shape: int, n_features: int, k: int, generator: Generator
) -> Float[Tensor, "*shape n_features"]:
    """Codes with exactly k active features each: 0.2 to 1.2 in size, of either sign.

    Every choice of k features is equally likely. On the generator's device.
    Raises ValueError for k above n_features.
    """
    validate.instance("generator", generator, Generator)
    for size in shape:
        validate.positive_int("shape", size, 0)
    validate.positive_int("n_features", n_features)
    if validate.positive_int("k", k) > n_features:
        raise ValueError(f"k is {k}; it must be at most n_features = {n_features}.")
    draws = {"generator": generator, "device": generator.device}
    active = torch.rand(*shape, n_features, **draws).topk(k, dim=-1).indices
    size = 0.2 + torch.rand(*shape, k, **draws)
    sign = torch.where(torch.rand(*shape, k, **draws) < 0.5, -1.0, 1.0)
    return torch.zeros(*shape, n_features, device=generator.device).scatter(-1, active, size * sign)
