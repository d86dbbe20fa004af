"""Dictionaries have the angles that they promise."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import low_coherence_dictionary, paired_dictionary, random_dictionary
from course_lib.runtime import generator
from course_lib.superposition import mean_squared_overlap, mutual_coherence, welch_bound

EPS = 1e-5  # of float32 sums over a few dozen entries


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**31))
def test_rows_are_unit_vectors_and_the_seed_decides_them(n_features, d_in, seed):
    D = random_dictionary(n_features, d_in, generator(seed))
    assert D.shape == (n_features, d_in)
    assert torch.allclose(D.norm(dim=-1), torch.ones(n_features), atol=EPS)
    assert torch.equal(D, random_dictionary(n_features, d_in, generator(seed)))


def test_random_directions_have_mean_squared_cosine_one_over_d():
    D = random_dictionary(400, 25, generator(0))
    assert mean_squared_overlap(D) == pytest.approx(1 / 25, rel=0.02)
    assert D.mean(dim=0).norm() < 3 / 400**0.5  # no preferred direction


@pytest.mark.parametrize(("n_features", "d_in", "least"), [(3, 2, 1 / 2), (6, 3, 5**-0.5)])
def test_the_optimised_dictionary_reaches_the_welch_bound_where_a_tight_frame_exists(
    n_features, d_in, least
):
    D = low_coherence_dictionary(n_features, d_in, generator(0))
    assert welch_bound(n_features, d_in) == pytest.approx(least)
    assert mutual_coherence(D) == pytest.approx(least, abs=2e-3)


def test_48_rows_in_32_dimensions_guarantee_codes_of_five_features():
    D = low_coherence_dictionary(48, 32, generator(1))
    mu = mutual_coherence(D).item()
    assert welch_bound(48, 32) <= mu < 1 / 9  # (1 + 1/mu) / 2 > 5
    assert mu < mutual_coherence(random_dictionary(48, 32, generator(1))) / 3
    assert torch.allclose(D.norm(dim=-1), torch.ones(48), atol=EPS)


def test_a_dictionary_can_be_optimised_where_gradients_are_off():
    with torch.no_grad():
        D = low_coherence_dictionary(3, 2, generator(0), steps=200)
    assert not D.requires_grad
    assert mutual_coherence(D) < 0.51


@pytest.mark.parametrize("cosine", [-1.0, 0.0, 0.6, 1.0])
def test_the_two_directions_of_a_pair_have_the_cosine(cosine):
    first, second = paired_dictionary(50, 12, cosine, generator(0))
    assert torch.allclose((first * second).sum(-1), torch.full((50,), cosine), atol=EPS)
    for D in (first, second):
        assert torch.allclose(D.norm(dim=-1), torch.ones(50), atol=EPS)
        assert mean_squared_overlap(D) == pytest.approx(1 / 12, rel=0.15)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda g: random_dictionary(0, 3, g), "n_features is 0"),
        (lambda g: random_dictionary(3, -1, g), "d_in is -1"),
        (lambda g: low_coherence_dictionary(3, 2, g, steps=0), "steps is 0"),
        (lambda g: paired_dictionary(3, 1, 0.5, g), "d_in is 1; a pair of directions needs"),
        (lambda g: paired_dictionary(3, 4, 1.5, g), "cosine is 1.5"),
    ],
)
def test_bad_arguments_are_named_with_their_value(build, message):
    with pytest.raises(ValueError, match=message):
        build(generator(0))
