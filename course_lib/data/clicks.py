"""Clicks that depend on several categorical features, from a law that is known."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import runtime, validate

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class ClickLog:
    """Samples of T categorical values and a click, from a logistic law that is known.

    The values of a feature have Zipf frequencies, p_v ∝ 1 / (v + 1). Each value has an effect from
    a normal law, drawn once; the logit of a click is the sum of the effects of the T values.

    Args:
        n_features: T.
        n_values: number of values of each feature.
        strength: standard deviation of the logit.
        n_instances: number of independent worlds.
        seed: of the effects.

    Attributes:
        effects: [n_instances, n_features, n_values].
        frequency: [n_values], sums to 1.
    """

    def __init__(
        self,
        n_features: int,
        n_values: int,
        strength: float = 2.0,
        n_instances: int = 1,
        seed: int = 0,
    ) -> None:
        self.n_features = validate.positive_int("n_features", n_features)
        self.n_values = validate.positive_int("n_values", n_values)
        self.n_instances = validate.positive_int("n_instances", n_instances)
        scale = validate.number("strength", strength, 0.0) / n_features**0.5
        shape = (n_instances, n_features, n_values)
        self.effects = scale * torch.randn(shape, generator=runtime.generator(seed))
        weight = 1 / torch.arange(1.0, n_values + 1)
        self.frequency = weight / weight.sum()

    def repeat(self, times: int) -> ClickLog:
        """The same worlds over again, for several models on each: instance i is world i mod n."""
        repeated = copy.copy(self)
        repeated.n_instances = validate.positive_int("times", times) * self.n_instances
        repeated.effects = self.effects.repeat(times, 1, 1)
        return repeated

    def sample(
        self, batch_size: int, generator: Generator
    ) -> tuple[Int[Tensor, "n_instances batch n_features"], Float[Tensor, "n_instances batch"]]:
        """Values and clicks (0.0 or 1.0)."""
        validate.positive_int("batch_size", batch_size)
        shape = (self.n_instances, batch_size, self.n_features)
        upto = self.frequency.cumsum(0)
        values = torch.searchsorted(upto, upto[-1] * torch.rand(shape, generator=generator))
        values = values.clamp(max=self.n_values - 1)
        chance = self.logit(values).sigmoid()
        return values, (torch.rand(shape[:2], generator=generator) < chance).float()

    def logit(
        self, values: Int[Tensor, "n_instances batch n_features"]
    ) -> Float[Tensor, "n_instances batch"]:
        """The true log-odds of a click."""
        instance = torch.arange(self.n_instances)[:, None, None]
        return self.effects[instance, torch.arange(self.n_features), values].sum(dim=-1)

    def excess_loss(
        self,
        values: Int[Tensor, "n_instances batch n_features"],
        logit: Float[Tensor, "n_instances batch"],
    ) -> Float[Tensor, " n_instances"]:
        """Expected log-loss of a prediction above that of the truth, in nats; 0 for the truth."""
        true = self.logit(values)
        softplus = torch.nn.functional.softplus
        gap = softplus(logit) - softplus(true) - true.sigmoid() * (logit - true)
        return gap.mean(dim=-1)
