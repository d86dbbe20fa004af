"""Is a two-dimensional feature really two-dimensional? Two indices, and where to look for one.

A feature is *reducible* if some rotation turns it into two independent coordinates, or if it is a
mixture of parts of which one has no width. Each index measures how near it is to one of these.
Source: Engels et al. 2024, "Not All Language Model Features Are Linear", sections 3 and 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

N_ANGLES = 180  # tried by both indices: one per degree of a half turn
REACH = 3.0  # of the histogram, in root mean squares of a coordinate
MOST_BINS = 10_000  # on a side of the histogram: as many cells as memory could hold
FEWEST = 4  # points in a plane that can be anything but a triangle


@dataclass(frozen=True)
class Index:
    """An index and the rotation at which it is taken.

    Attributes:
        value: bits for the separability index, a probability for the mixture index.
        angle: radians, of the first coordinate's direction in the plane.
    """

    value: float
    angle: float


def separability_index(
    points: Float[Tensor, "points 2"], n_bins: int | None = None, n_angles: int = N_ANGLES
) -> Index:
    """S = min over rotations of the mutual information of the two coordinates, in bits.

    0 for two independent features, however they are rotated; large for a circle. The information
    is that of a histogram of n_bins × n_bins cells, less what chance alone puts there (Miller and
    Madow: one degree of freedom per occupied cell), and not below 0. Moving, scaling and turning
    the points changes nothing but rounding and the grid of `n_angles` over a quarter turn, after
    which coordinates only change places.

    Args:
        n_bins: None for √(points / 5), from 4 to 40.

    Raises:
        TypeError, ValueError: not [points, 2], fewer than 4 points, NaN, or all in one place or on
            one line, where the question of a second dimension does not arise.
    """
    points = _centred_plane(points)
    if n_bins is None:
        n_bins = min(40, max(4, round(math.sqrt(len(points) / 5))))
    if validate.positive_int("n_bins", n_bins, 2) > MOST_BINS:
        raise ValueError(f"n_bins is {n_bins}; it must be at most {MOST_BINS}.")
    a, b, angles = _turned(points, validate.positive_int("n_angles", n_angles), math.pi / 2)
    sd = math.sqrt(points.square().sum().item() / (2 * len(points)))
    cell_a, cell_b = (
        ((x / (2 * REACH * sd) + 0.5) * n_bins).long().clamp(0, n_bins - 1) for x in (a, b)
    )
    counts = torch.zeros(n_angles, n_bins * n_bins, dtype=points.dtype, device=points.device)
    counts.scatter_add_(1, cell_a * n_bins + cell_b, torch.ones_like(a))
    counts = counts.unflatten(1, (n_bins, n_bins))
    joint, of_a, of_b = counts.flatten(1), counts.sum(2), counts.sum(1)
    nats = _entropy(of_a) + _entropy(of_b) - _entropy(joint)
    by_chance = (joint > 0).sum(1) - (of_a > 0).sum(1) - (of_b > 0).sum(1) + 1
    bits = ((nats - by_chance / (2 * len(points))) / math.log(2)).clamp(min=0)
    best = bits.argmin()
    return Index(bits[best].item(), angles[best].item())


def mixture_index(
    points: Float[Tensor, "points 2"], epsilon: float = 0.1, n_angles: int = N_ANGLES
) -> Index:
    """M_ε = max over directions v and offsets c of P(|v·f + c| < ε √E(v·f + c)²).

    The share of points within a thin strip: near 1 when one of two exclusive features is nearly
    always off, small for a circle. Offsets are tried at every point, so that the strip is centred
    on one; moving, scaling and turning the points changes nothing but rounding and the grid of
    angles over a half turn.

    Raises:
        TypeError, ValueError: as `separability_index`, and epsilon not in (0, 1).
    """
    points = _centred_plane(points)
    if not 0 < validate.number("epsilon", epsilon) < 1:
        raise ValueError(f"epsilon is {epsilon}; it must be above 0 and below 1.")
    a, _, angles = _turned(points, validate.positive_int("n_angles", n_angles), math.pi)
    a = a.sort(dim=1).values.contiguous()
    width = epsilon * (a.square().mean(1, keepdim=True) + a.square()).sqrt()
    inside = torch.searchsorted(a, a + width) - torch.searchsorted(a, a - width, right=True)
    share = inside.amax(1) / len(points)
    best = share.argmax()
    return Index(share[best].item(), angles[best].item())


def cluster_decoder(
    W_dec: Float[Tensor, "d_sae d_in"], threshold: float = 0.5, neighbours: int = 2
) -> Int[Tensor, " d_sae"]:
    """Group latents whose decoder directions chain together; the cluster of each, largest first.

    A latent is joined to its `neighbours` nearest by cosine, as far as the cosine is above the
    threshold; clusters are what hangs together. Latents that tile a circle make a chain although
    opposite ones point away from each other, hence no clustering around centres. Rotating all rows
    and scaling each changes nothing. A row of zeros is a cluster of its own.

    Raises:
        TypeError, ValueError: not [d_sae, d_in], NaN, or arguments out of range.
    """
    from scipy.sparse.csgraph import connected_components

    validate.tensors("any", W_dec=(W_dec, "d_sae d_in"))
    W_dec = validate.finite("W_dec", W_dec)
    validate.number("threshold", threshold, -1.0, 1.0)
    norm = W_dec.norm(dim=1, keepdim=True)
    unit = (W_dec / norm.where(norm > 0, 1.0)).detach()
    cosine = (unit @ unit.T).fill_diagonal_(-2.0)
    n_near = min(validate.positive_int("neighbours", neighbours), len(cosine) - 1)
    joined = torch.zeros_like(cosine, dtype=torch.bool)
    if n_near:
        joined.scatter_(1, cosine.topk(n_near, dim=1).indices, True)
    joined &= (cosine > threshold) & (norm > 0) & (norm.T > 0)
    found = torch.from_numpy(connected_components(joined.cpu().numpy(), directed=False)[1]).long()
    by_size = found.bincount().argsort(descending=True, stable=True)
    return by_size.argsort()[found].to(W_dec.device)


def cluster_points(
    z: Float[Tensor, "batch d_sae"],
    W_dec: Float[Tensor, "d_sae d_in"],
    members: Bool[Tensor, " d_sae"] | Int[Tensor, " members"],
    n_components: int = 2,
) -> tuple[Float[Tensor, "points n_components"], Float[Tensor, "n_components d_in"]]:
    """What a cluster of latents writes, where any of it is active, in its principal components.

    Returns the coordinates (centred) and the components as orthonormal rows of the input space.

    Raises:
        TypeError, ValueError: naming the argument; fewer active inputs than `FEWEST`, or fewer
            directions than components.
    """
    validate.tensors("any", W_dec=(W_dec, "d_sae d_in"))
    validate.shape("z", z, ("batch", len(W_dec)))
    n_components = validate.positive_int("n_components", n_components)
    members = _checked_latents(members, len(W_dec))
    z = validate.finite("z", z)[:, members].detach()
    W_dec = validate.finite("W_dec", W_dec)[members].detach()
    kind = torch.promote_types(torch.promote_types(z.dtype, W_dec.dtype), torch.float32)
    written = z[(z != 0).any(1)].to(kind) @ W_dec.to(kind)
    if len(written) < FEWEST:
        raise ValueError(
            f"members are active on {len(written)} of {len(z)} inputs; there must be {FEWEST}."
        )
    written = validate.finite("z @ W_dec", written - written.mean(0))
    _, size, V = torch.linalg.svd(written, full_matrices=False)
    rank = int((size > 1e-6 * size[0].clamp(min=1e-30)).sum())
    if rank < n_components:
        raise ValueError(
            f"members write {rank} directions; n_components = {n_components} needs as many."
        )
    return written @ V[:n_components].T, V[:n_components]


def _checked_latents(members: Tensor, d_sae: int) -> Tensor:
    members = validate.whole("members", validate.as_tensor("members", members))
    if members.dtype == torch.bool:
        return validate.shape("members", members, (d_sae,))
    return validate.whole(
        "members", validate.shape("members", members, ("latents",)), -d_sae, d_sae - 1
    )


def _centred_plane(points: Tensor) -> Tensor:
    points = validate.finite("points", validate.shape("points", points, ("points", 2))).detach()
    if len(points) < FEWEST:
        raise ValueError(f"points has {len(points)} rows; there must be at least {FEWEST}.")
    points = points.double()
    largest = points.abs().max()
    points = points - points.mean(0)
    size = torch.linalg.svdvals(points)
    if size[1] <= 1e-7 * max(size[0].item(), largest.item() * math.sqrt(len(points))):
        raise ValueError(
            "points lie on one line or in one place; an index of a two-dimensional feature needs "
            "points that fill a plane."
        )
    return points


def _turned(points: Tensor, n: int, until: float) -> tuple[Tensor, Tensor, Tensor]:
    """Both coordinates [angles, points] after each of n turns, from a start the points themselves
    give: so their orientation does not decide which turns are tried."""
    axis = torch.linalg.svd(points, full_matrices=False)[2][0]
    angles = torch.atan2(axis[1], axis[0]) + torch.arange(n, dtype=points.dtype) * until / n
    direction = torch.stack([angles.cos(), angles.sin()], 1)
    across = torch.stack([-angles.sin(), angles.cos()], 1)
    return direction @ points.T, across @ points.T, angles % until


def _entropy(counts: Tensor) -> Tensor:
    """Of each row of counts, in nats."""
    p = counts / counts.sum(1, keepdim=True)
    return -torch.special.xlogy(p, p).sum(1)
