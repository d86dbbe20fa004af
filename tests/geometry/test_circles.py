"""Circles are found with their frequency, in any space, and moves along them do what they say."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.geometry.circles import (
    circle_through,
    fit_circle,
    frequency_power,
    laid_into,
    patch_plane,
    place_means,
    random_plane,
)
from course_lib.runtime import generator

COPRIME = [(7, 1), (7, 2), (7, 3), (12, 1), (12, 5), (5, 2)]


def planted(n: int, k: int, seed: int = 0, noise: float = 0.0, d: int = 10, each: int = 6):
    """x [samples, d] and place, on a circle of frequency k with random axes of equal length."""
    g = generator(seed)
    axes = 2 * random_plane(d, g, torch.float64)
    place = torch.arange(n).repeat(each)
    angle = 2 * math.pi * k * place.double() / n
    x = 3 + torch.stack([angle.cos(), angle.sin()], 1) @ axes
    return x + noise * torch.randn(x.shape, generator=g, dtype=x.dtype), place


@pytest.mark.parametrize(("n", "k"), COPRIME)
def test_a_planted_circle_is_found_with_its_frequency(n, k):
    x, place = planted(n, k)
    circle = fit_circle(x, place, n)
    assert circle.frequency == k
    assert circle.r2 == pytest.approx(1.0) and circle.roundness == pytest.approx(1.0)
    torch.testing.assert_close(circle.at(place), x)
    torch.testing.assert_close(circle.power.sum(), torch.tensor(1.0, dtype=torch.float64))


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(COPRIME), st.integers(0, 1000), st.floats(0.01, 100), st.floats(-10, 10))
def test_turning_scaling_and_moving_the_space_moves_the_circle_with_it(case, seed, size, shift):
    n, k = case
    x, place = planted(n, k, seed, noise=0.3)
    Q = torch.linalg.qr(torch.randn(10, 10, generator=generator(seed), dtype=x.dtype))[0]
    before, after = fit_circle(x, place, n), fit_circle(size * x @ Q + shift, place, n)
    assert before.frequency == after.frequency
    assert before.r2 == pytest.approx(after.r2, abs=1e-8)
    assert before.roundness == pytest.approx(after.roundness, abs=1e-6)
    torch.testing.assert_close(after.at(place), size * before.at(place) @ Q + shift)


def test_a_linear_map_of_the_space_keeps_the_circles_places_but_not_its_roundness():
    x, place = planted(7, 2)
    A = torch.diag(torch.logspace(0, 1, 10, dtype=x.dtype))
    circle = fit_circle(x @ A, place, 7)
    assert circle.frequency == 2 and circle.r2 == pytest.approx(1.0)
    assert circle.roundness < 0.9
    torch.testing.assert_close(circle.at(place), x @ A)


def test_starting_the_count_elsewhere_changes_nothing_but_the_phase():
    x, place = planted(7, 3, noise=0.2)
    before, after = fit_circle(x, place, 7), fit_circle(x, (place + 2) % 7, 7)
    torch.testing.assert_close(before.power, after.power)
    torch.testing.assert_close(before.at(place), after.at((place + 2) % 7))


def test_the_powers_are_those_of_the_definition():
    means = torch.randn(12, 5, generator=generator(0), dtype=torch.float64)
    centred = means - means.mean(0)
    for k, share in enumerate(frequency_power(means), start=1):
        angle = 2 * math.pi * k * torch.arange(12, dtype=torch.float64) / 12
        basis = torch.stack([angle.cos(), angle.sin()], 1)[:, : 1 if k == 6 else 2]
        fitted = basis @ torch.linalg.lstsq(basis, centred).solution
        expected = fitted.square().sum() / centred.square().sum()
        torch.testing.assert_close(share, expected)


def test_places_in_no_order_give_each_frequency_the_same_share():
    assert frequency_power(torch.eye(7)).tolist() == pytest.approx([1 / 3] * 3)
    assert frequency_power(torch.eye(12)).tolist() == pytest.approx([2 / 11] * 5 + [1 / 11])


def test_a_circle_that_passes_half_of_the_places_is_not_taken_for_one_that_passes_all():
    x, place = planted(12, 2, noise=0.01)
    assert math.gcd(fit_circle(x, place, 12).frequency, 12) == 1
    assert fit_circle(x, place, 12, frequency=2).r2 > 0.99


@pytest.mark.parametrize(("n", "k"), COPRIME)
def test_a_point_is_at_its_place(n, k):
    x, place = planted(n, k)
    circle = fit_circle(x, place, n)
    torch.testing.assert_close(circle.coordinates(x).norm(dim=1), torch.ones(len(x), dtype=x.dtype))
    apart = (circle.place(x) - place) % (n / k)
    torch.testing.assert_close(
        torch.minimum(apart, n / k - apart), torch.zeros(len(x), dtype=x.dtype), atol=1e-6, rtol=0
    )


def test_a_move_takes_one_place_to_the_other_and_leaves_the_rest_of_the_space():
    x, place = planted(7, 2)
    aside = torch.randn(x.shape, generator=generator(1), dtype=x.dtype)
    circle = fit_circle(x, place, 7)
    new = (place + 3) % 7
    moved = circle.move(x + aside, place, new)
    torch.testing.assert_close(moved - aside, circle.at(new))
    put = circle.put(x + aside, new)
    P = circle.plane.T @ circle.plane
    torch.testing.assert_close(put @ P, circle.at(new) @ P)
    torch.testing.assert_close(put - put @ P, (x + aside) - (x + aside) @ P)


def test_moving_there_and_back_changes_nothing():
    x, place = planted(12, 5, noise=0.4)
    circle = fit_circle(x, place, 12)
    there = circle.move(x, place, place + 0.5)
    torch.testing.assert_close(circle.move(there, place + 0.5, place), x)


def test_a_patched_plane_is_the_sources_and_all_else_the_bases():
    g = generator(0)
    x, source = torch.randn(2, 30, 8, generator=g, dtype=torch.float64)
    plane = torch.randn(2, 8, generator=g, dtype=torch.float64)
    patched = patch_plane(x, source, plane)
    torch.testing.assert_close(patched @ plane.T, source @ plane.T)
    across = torch.linalg.svd(plane)[2][2:]
    torch.testing.assert_close(patched @ across.T, x @ across.T)
    torch.testing.assert_close(
        patch_plane(x, source, plane * torch.tensor([[3.0], [-0.1]])), patched
    )


def test_points_laid_into_another_plane_keep_their_distances_and_nothing_else():
    g = generator(0)
    points, plane, other = torch.randn(20, 9, generator=g), random_plane(9, g), random_plane(9, g)
    laid = laid_into(points, plane, other)
    torch.testing.assert_close(torch.pdist(laid), torch.pdist(points @ plane.T))
    torch.testing.assert_close(laid @ other.T @ other, laid)
    with pytest.raises(ValueError, match="not orthonormal"):
        laid_into(points, 2 * plane, other)


def test_circle_through_finds_centre_and_radius_wherever_it_is():
    angle = torch.rand(40, generator=generator(0), dtype=torch.float64) * 2  # an arc is enough
    points = 0.3 * torch.stack([angle.cos(), angle.sin()], 1) + torch.tensor([100.0, -7.0])
    centre, radius, off = circle_through(points)
    assert centre.tolist() == pytest.approx([100.0, -7.0], abs=1e-6)
    assert radius == pytest.approx(0.3) and off < 1e-9


def test_a_filled_disc_is_far_from_any_circle():
    g = generator(0)
    angle, size = 2 * math.pi * torch.rand(4000, generator=g), torch.rand(4000, generator=g).sqrt()
    disc = torch.stack([angle.cos(), angle.sin()], 1) * size[:, None]
    assert 0.2 < circle_through(disc)[2] < 0.4


NAN = torch.full((14, 3), float("nan"))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: fit_circle(NAN, torch.arange(14) % 7, 7), "finite"),
        (lambda: fit_circle(torch.ones(14, 3), torch.arange(14) % 7, 7), "one and the same point"),
        (lambda: fit_circle(torch.randn(14, 3), torch.arange(14) % 6, 7), "place 6 has no row"),
        (lambda: fit_circle(torch.randn(14, 3), torch.arange(14), 7), "whole numbers from 0"),
        (lambda: fit_circle(torch.randn(4, 3), torch.arange(4) % 2, 2), "at least 3"),
        (lambda: fit_circle(torch.randn(14, 3), torch.arange(14) % 7, 7, 4), "frequency is 4"),
        (lambda: fit_circle(torch.randn(12, 3), torch.arange(12), 12, 6), "frequency is 6"),
        (lambda: place_means(torch.randn(4, 3), torch.rand(4), 2), "whole numbers"),
        (lambda: patch_plane(torch.ones(3, 4), torch.ones(3, 4), torch.ones(2, 4)), "one line"),
        (lambda: circle_through(torch.randn(3, 2)), "must be 4"),
        (lambda: circle_through(torch.arange(10.0)[:, None].repeat(1, 2)), "one line"),
        (lambda: circle_through(torch.zeros(10, 2)), "one line or in one place"),
    ],
)
def test_what_has_no_circle_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
