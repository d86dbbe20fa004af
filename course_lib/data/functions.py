"""Periodic functions made of smooth atoms at random places, on a grid as fine as one likes."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import runtime, validate
from course_lib.data.sparse import of_one_instance

if TYPE_CHECKING:
    from jaxtyping import Complex, Float
    from typing_extensions import Self

    from course_lib.data.sparse import SparseFeatures


class PlantedFunctions:
    """x(t) = Σ_j f_j a_j(t - s_j) on the circle t in [0, 1), at n_points equidistant t.

    Planted: the atoms a_j, random smooth functions with mean 0, mean square 1 and no frequency
    above `max_frequency` (Fourier coefficients complex normal, falling as a Gaussian of width
    max_frequency / 2); which atoms are active and how strongly, by the law of `features`; where
    each stands, its shift s_j uniform on the circle.
    A draw does not depend on the grid: the same generator seed gives the same functions at any
    resolution, `world.sample(b, g)` and `world.at(128).sample(b, g)`. Nothing is lost on a grid of
    more than 2 · max_frequency points, so the finer one is the exact band-limited interpolation.

    Args:
        features: the law of the atoms' amplitudes, with n_instances 1.
        n_points: points of the grid; more than 2 · max_frequency.
        max_frequency: the highest frequency of an atom, in periods per circle.
        seed: of the atoms.

    Attributes:
        coefficients: [n_features, max_frequency], complex, of frequencies 1 … max_frequency.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(
        self, features: SparseFeatures, n_points: int = 64, max_frequency: int = 8, seed: int = 0
    ) -> None:
        self.features, self.n_features = of_one_instance(features), features.n_features
        self.max_frequency = validate.positive_int("max_frequency", max_frequency)
        self.n_points = validate.positive_int("n_points", n_points, 2 * max_frequency + 1)
        frequency = torch.arange(1, max_frequency + 1)
        parts = torch.randn(self.n_features, max_frequency, 2, generator=runtime.generator(seed))
        c = torch.view_as_complex(parts) * torch.exp(-2 * (frequency / max_frequency) ** 2)
        mean_square = 2 * c.abs().square().sum(dim=-1, keepdim=True)
        self.coefficients: Complex[Tensor, "n_features max_frequency"] = c / mean_square.sqrt()

    @property
    def d_in(self) -> int:
        return self.n_points

    @property
    def atoms(self) -> Float[Tensor, "n_features n_points"]:
        """The atoms on the grid, unshifted."""
        return self._on_grid(self.coefficients)

    def at(self, n_points: int) -> Self:
        """The same world on another grid."""
        world = copy.copy(self)
        world.n_points = validate.positive_int("n_points", n_points, 2 * self.max_frequency + 1)
        return world

    def sample(self, batch_size: int, generator: Generator) -> Float[Tensor, "batch n_points"]:
        """Draw functions on the generator's device."""
        return self.sample_with_features(batch_size, generator)[0]

    def sample_with_features(
        self, batch_size: int, generator: Generator
    ) -> tuple[
        Float[Tensor, "batch n_points"],
        Float[Tensor, "batch n_features"],
        Float[Tensor, "batch n_features"],
    ]:
        """The same draw as `sample`, with the atoms' amplitudes f and their shifts in [0, 1)."""
        f = self.features.sample(batch_size, generator)[0]
        shift = torch.rand(f.shape, generator=generator, device=f.device)
        frequency = torch.arange(1, self.max_frequency + 1, device=f.device)
        phase = -2 * math.pi * shift[..., None] * frequency
        moved = self.coefficients.to(f.device) * torch.polar(f[..., None].expand_as(phase), phase)
        return self._on_grid(moved.sum(dim=1)), f, shift

    def _on_grid(self, c: Complex[Tensor, "*batch max_frequency"]) -> Tensor:
        constant = torch.zeros_like(c[..., :1])
        spectrum = torch.cat([constant, c], dim=-1)
        return torch.fft.irfft(spectrum, n=self.n_points, norm="forward")
