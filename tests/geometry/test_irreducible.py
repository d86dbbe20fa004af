"""Indices of two-dimensional features tell circles from products and mixtures, however they lie."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.geometry.irreducible import (
    cluster_decoder,
    cluster_points,
    mixture_index,
    separability_index,
)
from course_lib.runtime import generator

N = 1000


def turn(points: torch.Tensor, angle: float) -> torch.Tensor:
    cos, sin = math.cos(angle), math.sin(angle)
    return points @ torch.tensor([[cos, sin], [-sin, cos]], dtype=points.dtype)


def circle(seed: int, noise: float = 0.05) -> torch.Tensor:
    g = generator(seed)
    angle = 2 * math.pi * torch.rand(N, generator=g)
    points = torch.stack([angle.cos(), angle.sin()], 1)
    return points + noise * torch.randn(N, 2, generator=g)


def product(seed: int) -> torch.Tensor:
    return torch.rand(N, 2, generator=generator(seed))


def mixture(seed: int, noise: float = 0.01) -> torch.Tensor:
    g = generator(seed)
    size, which = 0.5 + torch.rand(N, generator=g), torch.rand(N, generator=g) < 0.5
    points = torch.stack([size * which, size * ~which], 1)
    return points + noise * torch.randn(N, 2, generator=g)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_planted_features_are_told_apart_at_any_angle(seed, angle):
    S = {make: separability_index(turn(make(seed), angle)).value for make in PLANTED}
    M = {make: mixture_index(turn(make(seed), angle)).value for make in PLANTED}
    assert S[product] < 0.1 < 0.5 < S[circle] and S[mixture] > 0.5
    assert M[circle] < 0.25 and M[product] < 0.25 and M[mixture] > 0.45


PLANTED = (circle, product, mixture)


@settings(max_examples=8, deadline=None)
@given(
    st.sampled_from(PLANTED), st.integers(0, 1000), st.floats(0, 6.3),
    st.floats(0.01, 100), st.floats(-10, 10), st.booleans(),
)  # fmt: skip
def test_moving_turning_scaling_and_mirroring_change_no_index(
    make, seed, angle, size, shift, mirror
):
    points = make(seed).double()
    other = size * (turn(points, angle) + shift)
    if mirror:
        other = other.flip(1)
    # A point may fall on the other side of an edge between cells by rounding, or with the sign.
    assert separability_index(other).value == pytest.approx(
        separability_index(points).value, abs=0.05
    )
    assert mixture_index(other).value == pytest.approx(mixture_index(points).value, abs=0.003)


def test_the_mixture_index_is_its_definition_with_strips_centred_on_points():
    points = mixture(0)[:60].double()
    found = mixture_index(points, n_angles=12)
    centred = points - points.mean(0)
    best = 0.0
    for step in range(12):
        a = centred @ torch.linalg.svd(centred)[2][0]
        b = (
            centred
            @ torch.linalg.svd(centred)[2][1]
            * torch.sign(torch.linalg.det(torch.linalg.svd(centred)[2]))
        )
        turned = a * math.cos(step * math.pi / 12) + b * math.sin(step * math.pi / 12)
        for c in turned:
            spread = (turned - c).square().mean().sqrt()
            best = max(best, ((turned - c).abs() < 0.1 * spread).double().mean().item())
    assert found.value == pytest.approx(best, abs=1e-6)


def test_the_separability_index_is_scikit_learns_information_less_what_chance_puts_there():
    metrics = pytest.importorskip("sklearn.metrics")
    points = circle(3).double()
    n_bins = 8
    found = separability_index(points, n_bins=n_bins, n_angles=1)
    centred = points - points.mean(0)
    axis = torch.linalg.svd(centred)[2][0]
    frame = torch.stack([axis, torch.stack([-axis[1], axis[0]])])
    sd = (centred.square().sum() / (2 * N)).sqrt()
    cells = ((centred @ frame.T / (6 * sd) + 0.5) * n_bins).long().clamp(0, n_bins - 1)
    nats = metrics.mutual_info_score(cells[:, 0].numpy(), cells[:, 1].numpy())
    occupied = len((cells[:, 0] * n_bins + cells[:, 1]).unique())
    extra = occupied - len(cells[:, 0].unique()) - len(cells[:, 1].unique()) + 1
    assert found.value == pytest.approx((nats - extra / (2 * N)) / math.log(2), abs=1e-6)


def test_the_angle_of_a_turned_product_is_the_turn():
    found = separability_index(turn(product(0), 0.5)).angle
    off = (found - 0.5) % (math.pi / 2)
    assert min(off, math.pi / 2 - off) < 0.05


def test_the_strip_of_a_mixture_lies_along_one_of_its_parts():
    found = mixture_index(turn(mixture(0), 0.5)).angle
    off = (found - 0.5) % (math.pi / 2)
    assert min(off, math.pi / 2 - off) < 0.15  # it may lean over, to take in some of the other part


def test_independent_bits_are_separable_although_their_four_points_lie_on_a_circle():
    bits = torch.randint(2, (N, 2), generator=generator(0)).float()
    assert separability_index(turn(bits, 0.3)).value < 0.01


def test_four_exclusive_values_on_the_same_four_points_are_not_separable():
    which = torch.randint(3, (N,), generator=generator(0))  # one corner of the square never comes
    corners = torch.tensor([[0.0, 0], [1, 0], [0, 1]])
    assert separability_index(corners[which]).value > 0.2


def test_gaussian_points_are_separable_at_every_angle_and_chance_is_taken_off():
    few = torch.randn(300, 2, generator=generator(0))
    assert separability_index(few).value < 0.05


@pytest.mark.parametrize("index", [separability_index, mixture_index])
@pytest.mark.parametrize(
    ("points", "says"),
    [
        (torch.ones(20, 2), "one line or in one place"),
        (torch.arange(20.0)[:, None] * torch.tensor([1.0, 2.0]) + 3, "one line or in one place"),
        (torch.randn(3, 2), "at least 4"),
        (torch.full((20, 2), float("nan")), "finite"),
        (torch.randn(20, 3), r"must be \[points, 2\]"),
    ],
)
def test_points_that_have_no_index_are_refused(index, points, says):
    with pytest.raises(ValueError, match=says):
        index(points)


@pytest.mark.parametrize("epsilon", [0.0, 1.0, float("nan")])
def test_a_strip_must_have_a_width(epsilon):
    with pytest.raises(ValueError, match="epsilon"):
        mixture_index(circle(0), epsilon)


def tiling(n: int, d: int = 20) -> torch.Tensor:
    """n latents around a circle in the first two dimensions, then d - 2 of their own."""
    angle = 2 * math.pi * torch.arange(n) / n
    around = torch.zeros(n, d)
    around[:, 0], around[:, 1] = angle.cos(), angle.sin()
    return torch.cat([around, torch.eye(d)[2:]])


def test_latents_that_tile_a_circle_are_one_cluster_and_the_others_alone():
    found = cluster_decoder(tiling(8))
    assert (found[:8] == 0).all()
    assert sorted(found[8:].tolist()) == list(range(1, 19))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000))
def test_turning_all_latents_and_scaling_each_changes_no_cluster(seed):
    g = generator(seed)
    Q = torch.linalg.qr(torch.randn(20, 20, generator=g))[0]
    size = 0.1 + torch.rand(26, 1, generator=g)
    torch.testing.assert_close(cluster_decoder(size * (tiling(8) @ Q)), cluster_decoder(tiling(8)))


def test_a_latent_without_a_direction_is_a_cluster_of_its_own():
    W_dec = torch.cat([tiling(6), torch.zeros(2, 20)])
    found = cluster_decoder(W_dec)
    assert (found == found[-1]).sum() == 1 and (found == found[-2]).sum() == 1


def test_what_a_cluster_writes_is_the_planted_circle():
    angle = 2 * math.pi * torch.rand(500, generator=generator(0))
    W_dec = tiling(24)
    direction = torch.stack([angle.cos(), angle.sin()], 1)
    z = torch.zeros(600, len(W_dec))
    z[:500, :24] = (direction @ W_dec[:24, :2].T).relu() / 6
    z[500:, 30] = 1.0
    points, plane = cluster_points(z, W_dec, cluster_decoder(W_dec) == 0)
    assert points.shape == (500, 2)
    torch.testing.assert_close(points.norm(dim=1).std(), torch.tensor(0.0), atol=0.05, rtol=0)
    torch.testing.assert_close(plane[:, 2:], torch.zeros(2, 18), atol=1e-5, rtol=0)


def test_clusters_that_write_too_little_are_refused():
    z, W_dec = torch.ones(50, 3), torch.eye(3)
    with pytest.raises(ValueError, match="write 0 directions"):
        cluster_points(z, W_dec, torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="active on 0 of 50"):
        cluster_points(0 * z, W_dec, torch.tensor([0, 1]))
