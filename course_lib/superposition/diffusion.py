"""Diffusion models whose score is known exactly: mixtures of Gaussians under a noising process."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float

NOISE_RATE = 0.1, 20.0
"""β at t = 0 and at t = 1 of the variance-preserving process (Song et al. 2021)."""


def noise_rate(t: float) -> float:
    """β(t) = g(t)², linear in t, of the noising process dx = -½ β x dt + √β dW, t from 0 to 1."""
    t = validate.number("t", t) if not isinstance(t, Tensor) else t
    return NOISE_RATE[0] + (NOISE_RATE[1] - NOISE_RATE[0]) * t


def signal(t: float) -> float:
    """α(t), what is left of the data at time t: x_t = α x_0 + √(1 - α²) ε. 1 at t = 0."""
    t = validate.number("t", t)
    low, high = NOISE_RATE
    return math.exp(-0.5 * (low * t + 0.5 * (high - low) * t * t))


class GaussianMixtureScore:
    """A "trained" diffusion model without error: density and score of a noised Gaussian mixture.

    The mixture stays one at every t: means α μ_k, variances α² σ_k² + 1 - α². All arguments may
    carry leading instance axes, one mixture each; x then is [*instances, batch, d].

    Args:
        means: μ [*instances, n_components, d].
        stds: σ, above 0, a number or a tensor that broadcasts to [*instances, n_components].
        weights: positive, broadcast likewise; used at sum 1.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(
        self,
        means: Float[Tensor, "*instances n_components d"],
        stds: float | Float[Tensor, "*#instances #n_components"],
        weights: float | Float[Tensor, "*#instances #n_components"] = 1.0,
    ) -> None:
        self.means = validate.finite("means", means)
        if self.means.ndim < 2 or 0 in self.means.shape:
            raise ValueError(
                f"means has shape {list(self.means.shape)}; it must be [..., n_components, d]."
            )
        self.stds = self._per_component("stds", stds)
        weights = self._per_component("weights", weights)
        self.weights = weights / weights.sum(dim=-1, keepdim=True)

    def _per_component(self, name: str, value: float | Tensor) -> Tensor:
        value = validate.finite(name, value, 0.0).to(self.means)
        if (value == 0).any():
            raise ValueError(f"{name} has entries that are 0; every entry must be above 0.")
        try:
            return value.expand(self.means.shape[:-1])
        except RuntimeError:
            raise ValueError(
                f"{name} has shape {list(value.shape)}; it must broadcast to "
                f"[..., n_components] = {list(self.means.shape[:-1])}."
            ) from None

    def _components(self, x: Tensor, t: float) -> tuple[Tensor, Tensor, Tensor]:
        """log(w_k q_k(x)) [..., batch, k], the means [..., k, d] and variances [..., 1, k]."""
        alpha = signal(validate.number("t", t, 0.0, 1.0))
        mean = alpha * self.means
        variance = ((alpha * self.stds).square() + 1 - alpha**2).unsqueeze(-2)
        distance = (
            x.square().sum(dim=-1, keepdim=True)
            - 2 * x @ mean.mT
            + mean.square().sum(dim=-1).unsqueeze(-2)
        )
        constant = (
            self.weights.log().unsqueeze(-2) - 0.5 * x.shape[-1] * (2 * math.pi * variance).log()
        )
        return constant - 0.5 * distance / variance, mean, variance

    def log_density(
        self, x: Float[Tensor, "*instances batch d"], t: float = 0.0
    ) -> Float[Tensor, "*instances batch"]:
        """log q_t(x), in nats."""
        return self._components(x, t)[0].logsumexp(dim=-1)

    def score(
        self, x: Float[Tensor, "*instances batch d"], t: float = 0.0
    ) -> Float[Tensor, "*instances batch d"]:
        """∇ log q_t(x), what a diffusion model is trained to predict."""
        log_parts, mean, variance = self._components(x, t)
        pull = log_parts.softmax(dim=-1) / variance
        return pull @ mean - pull.sum(dim=-1, keepdim=True) * x

    def curvature(
        self,
        x: Float[Tensor, "*instances batch d"],
        t: float,
        direction: Float[Tensor, "*instances batch d"] | None = None,
    ) -> Float[Tensor, "*instances batch"]:
        """nᵀ H n for the Hessian H of log q_t at x along unit vectors n; without n the trace of H.

        The trace is the divergence of the score.
        """
        log_parts, mean, variance = self._components(x, t)
        share = log_parts.softmax(dim=-1)
        if direction is None:
            width = x.shape[-1]
            pulls = (mean.unsqueeze(-3) - x.unsqueeze(-2)) / variance.unsqueeze(-1)
            square = pulls.square().sum(dim=-1)
            own = (share.unsqueeze(-1) * pulls).sum(dim=-2).square().sum(dim=-1)
        else:
            width = 1
            along = direction @ mean.mT - (direction * x).sum(dim=-1, keepdim=True)
            square = (along / variance).square()
            own = (share * along / variance).sum(dim=-1).square()
        return (share * (square - width / variance)).sum(dim=-1) - own

    def sample(
        self, n_samples: int, generator: Generator, t: float = 0.0
    ) -> Float[Tensor, "*instances n_samples d"]:
        """Draw from q_t, on the generator's device."""
        validate.positive_int("n_samples", n_samples)
        *instances, n_components, d = self.means.shape
        flat = self.weights.reshape(-1, n_components).to(generator.device)
        which = torch.multinomial(flat, n_samples, replacement=True, generator=generator)
        which = which.view(*instances, n_samples)
        noise = torch.randn(
            *instances, n_samples, d, generator=generator, dtype=self.means.dtype,
            device=generator.device,
        )  # fmt: skip
        means, stds = self.means.to(generator.device), self.stds.to(generator.device)
        x = means.gather(-2, which[..., None].expand(*which.shape, d))
        spread = (signal(t) * stds.gather(-1, which)).square() + 1 - signal(t) ** 2
        return signal(t) * x + spread.sqrt()[..., None] * noise
