"""How often features are active, and features of which few are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Generator, Tensor

from course_lib import validate
from course_lib.data.sparse import ALL_INSTANCES, SparseFeatures

if TYPE_CHECKING:
    from jaxtyping import Float, Int

LAWS = ("power", "exponential", "linear")


@dataclass(frozen=True)
class FeatureFrequencies:
    """A law of how often the feature of rank i = 1 … n is active.

    Args:
        law: "power", p_i ∝ i^-parameter; "exponential", p_i ∝ exp(-i / (parameter n)); or
            "linear", p_i ∝ n + 1 - i.
        parameter: exponent of the power law, at least 0 (0 makes all features equal); scale of the
            exponential as a share of n, above 0; not used by the linear law.

    Source of the three laws: Liu, Liu & Gore 2025, "Superposition Yields Robust Neural Scaling".

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    law: str
    parameter: float = 0.0

    def __post_init__(self) -> None:
        validate.choice("law", self.law, LAWS)
        if validate.number("parameter", self.parameter, 0.0) == 0 and self.law == "exponential":
            raise ValueError("parameter is 0; the scale of an exponential law must be above 0.")

    def probability(
        self, n_features: int, mean_active: float = 1.0
    ) -> Float[Tensor, " n_features"]:
        """p_i, falling with i, with Σ p_i = `mean_active` features active on average.

        Raises ValueError when the most frequent feature would need a probability above 1.
        """
        n = validate.positive_int("n_features", n_features)
        rank = torch.arange(1, n + 1, dtype=torch.get_default_dtype())
        if self.law == "power":
            weight = rank**-self.parameter
        elif self.law == "exponential":
            weight = (-rank / (self.parameter * n)).exp()
        else:
            weight = n + 1 - rank
        p = weight / weight.sum() * validate.number("mean_active", mean_active, 0.0, n)
        if p[0] > 1:
            raise ValueError(
                f"mean_active is {mean_active}; under the law {self} the most frequent feature "
                f"would be active with probability {p[0]:.3g}, so mean_active must be at most "
                f"{mean_active / p[0]:.3g}."
            )
        return p

    def __str__(self) -> str:
        if self.law == "power":
            return f"power {self.parameter:g}"
        return f"exponential {self.parameter:g}" if self.law == "exponential" else "linear"


class Active(NamedTuple):
    """The entries of a batch that are on, in no order: x[instance, sample, feature] = magnitude."""

    instance: Int[Tensor, " n_active"]
    sample: Int[Tensor, " n_active"]
    feature: Int[Tensor, " n_active"]
    magnitude: Float[Tensor, " n_active"]


class RareFeatures(SparseFeatures):
    """The world of `SparseFeatures`, drawn at a cost that depends on how many entries are on.

    For features of very different frequencies, few of which are active at a time. Arguments and
    errors as there; no probability above 0.99.
    """

    max_probability = 0.99

    def __init__(
        self,
        n_features: int,
        probability: float | Float[Tensor, "*#n_instances #n_features"],
        n_instances: int = 1,
        low: float = 0.0,
        high: float = 1.0,
    ) -> None:
        super().__init__(n_features, probability, n_instances, low, high)
        self._rate = -torch.log1p(-self.probability.double()).cumsum(dim=-1)

    def sample_active(
        self, batch_size: int, generator: Generator, instances: slice = ALL_INSTANCES
    ) -> Active:
        """Draw a batch as its active entries, on the generator's device.

        Points of a Poisson process with rate -log(1 - p) per entry leave an entry without a point
        with probability 1 - p, independently of all others; an entry with several points is on
        once.
        """
        validate.positive_int("batch_size", batch_size)
        device, n = generator.device, self.n_features
        rate = self._rate[instances].to(device)
        total = rate[:, -1]
        n_points = torch.poisson(total * batch_size, generator=generator).long()
        instance = torch.arange(len(rate), device=device).repeat_interleave(n_points)

        def uniform(n_draws: int) -> Tensor:
            return torch.rand(n_draws, generator=generator, device=device, dtype=rate.dtype)

        before = total.cumsum(0) - total
        place = before[instance] + uniform(len(instance)) * total[instance]
        feature = torch.searchsorted((rate + before[:, None]).flatten(), place, right=True)
        feature = (feature - instance * n).clamp(0, n - 1)
        sample = (uniform(len(instance)) * batch_size).long().clamp(max=batch_size - 1)
        entry = ((instance * batch_size + sample) * n + feature).unique()
        row = entry // n
        magnitude = self._to_magnitude(uniform(len(entry))).to(self.probability.dtype)
        return Active(row // batch_size, row % batch_size, entry % n, magnitude)

    def sample(
        self,
        batch_size: int,
        generator: Generator,
        instances: slice = ALL_INSTANCES,
        out: Tensor | None = None,
    ) -> Float[Tensor, "n_instances batch n_features"]:
        """`sample_active` as a batch of full vectors; arguments as of `SparseFeatures.sample`."""
        if generator.device.type == "mps":  # which has no double precision
            return super().sample(batch_size, generator, instances, out)
        active = self.sample_active(batch_size, generator, instances)
        shape = (len(self._rate[instances]), batch_size, self.n_features)
        if out is None:
            out = torch.empty(shape, device=generator.device)
        validate.shape("out", out, shape).zero_()[active[:3]] = active.magnitude
        return out
