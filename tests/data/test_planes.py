"""Planted planes hold what they say, and never two features at once."""

import pytest
import torch

from course_lib.data.planes import PLANAR, OneFeatureAtATime, planar_points
from course_lib.runtime import generator


def test_a_circle_has_one_radius_and_four_bits_have_it_too():
    for kind, places in (("circle", None), ("bits", 4)):
        points = planar_points(kind, 500, generator(0), noise=0.0)
        torch.testing.assert_close(points.norm(dim=1), torch.ones(500))
        if places:
            assert len((points * 1e4).round().unique(dim=0)) == places


def test_of_an_exclusive_pair_one_is_always_off():
    points = planar_points("exclusive", 500, generator(0), noise=0.0)
    axis = torch.linalg.qr(points[:1].T, mode="complete")[0].T
    turned = points @ axis.T
    assert (turned.abs().amin(1) < 1e-5).all() and (turned.abs().amax(1) >= 0.5).all()


def test_the_coordinates_of_an_independent_pair_have_the_variance_of_a_uniform_number():
    points = planar_points("independent", 20_000, generator(0), noise=0.0)
    assert points.var(0).tolist() == pytest.approx([1 / 3, 1 / 3], abs=0.01)
    assert points.norm(dim=1).max() > 1.2  # corners, which a circle has not


def test_an_unknown_kind_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match="'bits'"):
        planar_points("square", 10, generator(0))
    assert PLANAR[0] == "circle"


def test_an_activation_lies_in_the_subspace_of_its_feature_alone():
    world = OneFeatureAtATime(noise=0.0, seed=3)
    x, which = world.sample_with_features(400, generator(1))
    part = x @ world.directions.T
    owner = torch.cat([torch.tensor([0, 0, 1, 1]), torch.arange(2, 8)])
    torch.testing.assert_close(part * (owner != which[:, None]), torch.zeros_like(part))
    torch.testing.assert_close(part @ world.directions, x)
    circle = x[which == 0]
    torch.testing.assert_close(circle.norm(dim=1), torch.ones(len(circle)))


def test_a_seed_fixes_the_subspaces_and_the_generator_the_draw():
    a, b = OneFeatureAtATime(seed=1), OneFeatureAtATime(seed=1)
    torch.testing.assert_close(a.sample(5, generator(2)), b.sample(5, generator(2)))
    assert not torch.equal(a.directions, OneFeatureAtATime(seed=2).directions)
    with pytest.raises(ValueError, match="d_in"):
        OneFeatureAtATime(n_lines=6, d_in=9)
