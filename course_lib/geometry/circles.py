"""Places on a circle: which turn around it a model uses, its plane, and moves within that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@dataclass(frozen=True)
class Circle:
    """`at(place)` = centre + axes^T (cos, sin)(2π frequency place / n_places): an ellipse in d.

    A *multiplied* circle has a frequency above 1: from each place to the next it goes that many
    steps around, so that with frequency 3 Monday's neighbour is the day five days on. It still
    passes each place once if frequency and n_places have no common divisor.

    Attributes:
        frequency: turns around the circle while the places are gone through once.
        n_places: places on it.
        centre: of the places, [d].
        axes: what the cosine and what the sine are multiplied with, [2, d].
        r2: the share of the variance of the places' means that the circle explains.
        power: the share that each frequency would, from 1 to n_places // 2; they add up to 1.
    """

    frequency: int
    n_places: int
    centre: Float[Tensor, " d"]
    axes: Float[Tensor, "2 d"]
    r2: float
    power: Float[Tensor, " frequencies"]

    @property
    def plane(self) -> Float[Tensor, "2 d"]:
        """Orthonormal rows that span the circle's plane."""
        return torch.linalg.qr(self.axes.T)[0].T

    @property
    def roundness(self) -> float:
        """The shorter radius over the longer: 1 for a circle, near 0 for a line."""
        short, long = torch.linalg.svdvals(self.axes).flip(0)
        return (short / long).item()

    def at(self, place: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch d"]:
        """The point of a place, which need not be a whole number."""
        return self.centre + self._turn(place) @ self.axes

    def coordinates(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch 2"]:
        """(cos, sin) of the point in the plane nearest to x: of length 1 on the circle."""
        return (x - self.centre) @ torch.linalg.pinv(self.axes)

    def place(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Where on the circle x is, in [0, n_places / frequency): places further on come again.

        With a frequency above 1 several places have the angle of x; this is the least of them.
        """
        cos, sin = self.coordinates(x).unbind(-1)
        turn = (torch.atan2(sin, cos) / (2 * math.pi)) % 1.0
        return turn * self.n_places / self.frequency

    def move(
        self,
        x: Float[Tensor, "*batch d"],
        old: Float[Tensor, "*batch"],
        new: Float[Tensor, "*batch"],
    ) -> Float[Tensor, "*batch d"]:
        """x with the circle's point of one place taken out and that of another put in.

        What x has in the plane besides stays: other features' parts, and its distance from the
        circle.
        """
        return x + (self._turn(new) - self._turn(old)) @ self.axes

    def put(
        self, x: Float[Tensor, "*batch d"], new: Float[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch d"]:
        """x with all that it has in the plane replaced by the circle's point of a place."""
        return patch_plane(x, self.at(new), self.plane)

    def _turn(self, place: Tensor) -> Tensor:
        place = torch.as_tensor(place, dtype=self.axes.dtype, device=self.axes.device)
        angle = 2 * math.pi * self.frequency * place / self.n_places
        return torch.stack([angle.cos(), angle.sin()], -1)


def place_means(
    x: Float[Tensor, "samples d"], place: Int[Tensor, " samples"], n_places: int
) -> Float[Tensor, "n_places d"]:
    """The mean of the rows of each place. Raises ValueError for a place that has no row."""
    x = validate.finite("x", validate.shape("x", x, ("samples", "d"))).detach()
    place = validate.shape("place", validate.as_tensor("place", place), (len(x),))
    validate.positive_int("n_places", n_places)
    outside = len(place) > 0 and not 0 <= place.min() <= place.max() < n_places
    if place.is_floating_point() or outside:
        raise ValueError(f"place must hold whole numbers from 0 to n_places - 1 = {n_places - 1}.")
    place = place.long()
    count = torch.bincount(place, minlength=n_places)
    if (count == 0).any():
        raise ValueError(f"place {count.argmin().item()} has no row in x; every place needs one.")
    return x.new_zeros(n_places, x.shape[1]).index_add_(0, place, x) / count[:, None]


def frequency_power(means: Float[Tensor, "n_places d"]) -> Float[Tensor, " frequencies"]:
    """The share of the variance of the places that each frequency has, from 1 to n_places // 2.

    Places in no order at all have the same share, 2 / (n_places - 1), at each frequency but the
    last of an even number of places, which has half of that.

    Raises ValueError for fewer than 3 places, NaN, or places that are all one point.
    """
    means = validate.finite("means", validate.shape("means", means, ("n_places", "d"))).detach()
    if len(means) < 3:
        raise ValueError(f"means has {len(means)} places; a circle needs at least 3.")
    centred = (means - means.mean(0)).double()
    if centred.norm() <= 1e-7 * means.norm():
        raise ValueError("means are one and the same point; there is nothing to go around.")
    power = torch.fft.rfft(centred, dim=0).abs().square().sum(1)[1:]
    if len(means) % 2 == 0:
        power[-1] /= 2  # the other frequencies stand for two terms of the transform, this for one
    return (power / power.sum()).to(means.dtype)


def fit_circle(
    x: Float[Tensor, "samples d"],
    place: Int[Tensor, " samples"],
    n_places: int,
    frequency: int | None = None,
) -> Circle:
    """The circle through the places' means, by least squares.

    Args:
        x: activations. place: of each, from 0 to n_places - 1; every place must have one.
        frequency: None for the one that explains most of those that pass each place once.

    Raises:
        TypeError, ValueError: shapes, NaN, places out of range or without a row, fewer than 3,
            a frequency that is not from 1 to (n_places - 1) / 2.
    """
    means = place_means(x, place, n_places)
    power = frequency_power(means)
    circles = range(1, (n_places + 1) // 2)
    if frequency is None:
        once = [k for k in circles if math.gcd(k, n_places) == 1]
        frequency = max(once, key=lambda k: power[k - 1].item())
    elif validate.positive_int("frequency", frequency) not in circles:
        raise ValueError(
            f"frequency is {frequency}; {n_places} places have circles of frequency 1 to "
            f"{circles[-1]}."
        )
    centre = means.mean(0)
    places = torch.arange(n_places, device=x.device, dtype=torch.float64)
    angle = 2 * math.pi * frequency * places / n_places
    turn = torch.stack([angle.cos(), angle.sin()]).to(means.dtype)
    axes = 2 / n_places * turn @ (means - centre)
    return Circle(frequency, n_places, centre, axes, power[frequency - 1].item(), power)


def patch_plane(
    x: Float[Tensor, "*batch d"],
    source: Float[Tensor, "*batch d"],
    plane: Float[Tensor, "2 d"],
) -> Float[Tensor, "*batch d"]:
    """x with its part in the span of the plane's rows, which need not be orthonormal, from source.

    Raises ValueError for rows that are not finite or do not span as many dimensions.
    """
    validate.tensors(
        "alike", x=(x, "*batch d"), source=(source, "*batch d"), plane=(plane, "directions d"),
    )  # fmt: skip
    plane = validate.finite("plane", validate.shape("plane", plane, ("directions", x.shape[-1])))
    size = torch.linalg.svdvals(plane)
    if size[-1] <= 1e-6 * size[0]:
        raise ValueError("plane has rows on one line; they must span as many dimensions.")
    Q = torch.linalg.qr(plane.T)[0]
    return x + (source - x) @ Q @ Q.T


def random_plane(d: int, generator: Generator, dtype: torch.dtype | None = None) -> Tensor:
    """Orthonormal rows [2, d] of a plane that lies any way with equal chance."""
    validate.instance("generator", generator, Generator)
    validate.positive_int("d", d, 2)
    if not any(dtype is allowed for allowed in (None, torch.float32, torch.float64)):
        raise TypeError(f"dtype is {dtype!r}; it must be torch.float32, torch.float64 or None.")
    normal = torch.randn(d, 2, generator=generator, device=generator.device, dtype=dtype)
    return torch.linalg.qr(normal)[0].T


def laid_into(
    points: Float[Tensor, "n d"], plane: Float[Tensor, "2 d"], other: Float[Tensor, "2 d"]
) -> Float[Tensor, "n d"]:
    """What points have in one plane, laid into another with all distances kept: a control.

    The rows of both planes must be orthonormal, as those of `Circle.plane` and `random_plane` are.
    """
    validate.tensors(
        "alike", points=(points, "n d"), plane=(plane, "directions d"),
        other=(other, "directions d"),
    )  # fmt: skip
    for name, rows in (("plane", plane), ("other", other)):
        rows = validate.finite(name, validate.shape(name, rows, ("directions", points.shape[-1])))
        if not torch.allclose(rows @ rows.T, torch.eye(len(rows)).to(rows), atol=1e-4):
            raise ValueError(f"{name} has rows that are not orthonormal; distances would change.")
    return points @ plane.T @ other


def circle_through(points: Float[Tensor, "points 2"]) -> tuple[Tensor, float, float]:
    """Centre [2], radius, and root mean square distance from the circle in radii, of points alone.

    No labels and no order: the algebraic least squares of Kåsa 1976, |p|² = 2 c·p + (r² - |c|²).
    0 for points on a circle; a filled disc has about 1/3.

    Raises ValueError for fewer than 4 points, NaN, or points on one line, through which no circle
    goes.
    """
    points = validate.finite("points", validate.shape("points", points, ("points", 2))).double()
    if len(points) < 4:
        raise ValueError(
            f"points has {len(points)} rows; any 3 are on a circle, so there must be 4."
        )
    centred = points - points.mean(0)
    size = torch.linalg.svdvals(centred)
    if size[1] <= 1e-7 * max(size[0].item(), points.norm().item()):
        raise ValueError("points lie on one line or in one place; no circle goes through them.")
    ones = torch.ones(len(points), 1, dtype=points.dtype, device=points.device)
    unit = size[0] / len(points) ** 0.5  # so that the system is well conditioned
    scaled = centred / unit
    solved = torch.linalg.lstsq(
        torch.cat([2 * scaled, ones], 1), scaled.square().sum(1, keepdim=True)
    ).solution.squeeze(1)
    centre, radius = solved[:2], (solved[2] + solved[:2].square().sum()).sqrt()
    off = ((scaled - centre).norm(dim=1) - radius).square().mean().sqrt() / radius
    return centre * unit + points.mean(0), (radius * unit).item(), off.item()
