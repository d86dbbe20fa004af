"""Features of two dimensions: circles, independent pairs, exclusive pairs, and a trap."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import runtime, validate

if TYPE_CHECKING:
    from jaxtyping import Float, Int

PLANAR = ("circle", "independent", "exclusive", "bits")


def planar_points(
    kind: str, n: int, generator: Generator, noise: float = 0.05
) -> Float[Tensor, "n 2"]:
    """n points of a planted two-dimensional feature, turned by a random angle, with white noise.

    | kind          | what it is                                            | irreducible |
    |---------------|-------------------------------------------------------|-------------|
    | "circle"      | an angle, all equally likely, at radius 1             | yes         |
    | "independent" | two numbers, each uniform in [-1, 1]                  | no          |
    | "exclusive"   | one of two axes, then a number uniform in [0.5, 1.5]  | no          |
    | "bits"        | two independent bits: four points on a circle         | no          |
    """
    validate.instance("generator", generator, Generator)
    validate.choice("kind", kind, PLANAR)
    validate.positive_int("n", n)
    u = torch.rand(n, 2, generator=generator)
    if kind == "circle":
        angle = 2 * math.pi * u[:, 0]
        points = torch.stack([angle.cos(), angle.sin()], 1)
    elif kind == "independent":
        points = 2 * u - 1
    elif kind == "exclusive":
        first = u[:, :1] < 0.5
        points = torch.cat([first, ~first], 1) * (0.5 + u[:, 1:])
    else:
        points = math.sqrt(2) * (u.round() - 0.5)
    angle = 2 * math.pi * torch.rand((), generator=generator).item()
    cos, sin = math.cos(angle), math.sin(angle)
    points = points @ torch.tensor([[cos, sin], [-sin, cos]])
    return points + validate.number("noise", noise) * torch.randn(n, 2, generator=generator)


class OneFeatureAtATime:
    """Activations that each hold one feature: a circle, an independent pair, or one of some lines.

    Planted, in orthogonal subspaces: plane 0, a circle of radius 1; plane 1, two independent
    numbers in [-1, 1]; then lines, a number in [0.5, 1.5] along a direction of its own. All
    features are equally likely, and never two at once: the simplest world in which an SAE with one
    active latent has to tile a plane.

    Args:
        n_lines: directions. d_in: at least 4 + n_lines. noise: standard deviation of white noise.
        seed: of the subspaces.

    Attributes:
        directions: [4 + n_lines, d_in], orthonormal; the planes have the first two pairs.
    """

    def __init__(
        self, n_lines: int = 6, d_in: int = 12, noise: float = 0.02, seed: int = 0
    ) -> None:
        self.n_lines = validate.positive_int("n_lines", n_lines)
        self.d_in = validate.positive_int("d_in", d_in, 4 + n_lines)
        self.noise = validate.number("noise", noise, 0.0)
        normal = torch.randn(d_in, d_in, generator=runtime.generator(seed))
        self.directions = torch.linalg.qr(normal)[0][: 4 + n_lines]

    def sample(self, batch_size: int, generator: Generator) -> Float[Tensor, "batch d_in"]:
        return self.sample_with_features(batch_size, generator)[0]

    def sample_with_features(
        self, batch_size: int, generator: Generator
    ) -> tuple[Float[Tensor, "batch d_in"], Int[Tensor, " batch"]]:
        """Activations, and which feature each holds: 0 and 1 for the planes, then the lines."""
        shape = validate.positive_int("batch_size", batch_size), 2 + self.n_lines
        which = torch.randint(shape[1], shape[:1], generator=generator)
        on = torch.nn.functional.one_hot(which, shape[1])[:, :, None]
        u = torch.rand(*shape, 2, generator=generator)
        angle = 2 * math.pi * u[:, 0, 0]
        circle = torch.stack([angle.cos(), angle.sin()], 1)
        planes = on[:, :2] * torch.stack([circle, 2 * u[:, 1] - 1], 1)
        lines = on[:, 2:, 0] * (0.5 + u[:, 2:, 0])
        x = torch.cat([planes.flatten(1), lines], 1) @ self.directions
        return x + self.noise * torch.randn(x.shape, generator=generator), which
