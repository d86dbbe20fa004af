"""Sparse codes are read back where the theory says so, and as scikit-learn reads them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Lasso, orthogonal_mp

from course_lib.data import k_sparse_codes, low_coherence_dictionary, random_dictionary
from course_lib.runtime import generator
from course_lib.superposition import (
    ista,
    l1_transition,
    mutual_coherence,
    orthogonal_matching_pursuit,
)


def sparse_codes(n_features: int, k: int, seed: int, batch: int = 64) -> torch.Tensor:
    """Exactly k active features each, of either sign, magnitudes from 0.2 to 1.2."""
    draw = generator(seed)
    active = torch.rand(batch, n_features, generator=draw).argsort(dim=-1)[:, :k]
    magnitude = 0.2 + torch.rand(batch, k, generator=draw, dtype=torch.double)
    magnitude *= torch.where(torch.rand(batch, k, generator=draw) < 0.5, -1, 1)
    return torch.zeros(batch, n_features, dtype=torch.double).scatter(-1, active, magnitude)


@pytest.mark.parametrize("seed", range(3))
def test_every_code_below_the_coherence_bound_is_found(seed):
    W = low_coherence_dictionary(32, 24, generator(seed)).double()
    bound = (1 + 1 / mutual_coherence(W).item()) / 2
    assert bound > 3, "the dictionary leaves the theorem something to say"
    for k in range(1, int(bound - 1e-9) + 1):
        z = sparse_codes(32, k, seed=k)
        torch.testing.assert_close(orthogonal_matching_pursuit(z @ W, W, k), z)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), k=st.integers(1, 6))
def test_it_takes_the_steps_that_scikit_learn_takes(seed, k):
    W = random_dictionary(12, 8, generator(seed)).double()
    x = torch.randn(5, 8, generator=generator(seed + 1), dtype=torch.double)
    theirs = orthogonal_mp(W.T.numpy(), x.T.numpy(), n_nonzero_coefs=k).T
    ours = orthogonal_matching_pursuit(x, W, k)
    torch.testing.assert_close(ours, torch.as_tensor(theirs).reshape(5, 12))


def test_longer_rows_are_not_preferred_and_codes_are_in_their_units():
    W = random_dictionary(12, 8, generator(0)).double()
    length = torch.logspace(-1, 1, 12, dtype=torch.double)
    x = sparse_codes(12, 2, seed=3) @ W
    z = orthogonal_matching_pursuit(x, W, 2)
    scaled = orthogonal_matching_pursuit(x, length[:, None] * W, 2)
    torch.testing.assert_close(scaled * length, z)


def test_the_residual_is_orthogonal_to_every_row_that_was_taken():
    W = random_dictionary(20, 10, generator(1)).double()
    x = torch.randn(30, 10, generator=generator(2), dtype=torch.double)
    z = orthogonal_matching_pursuit(x, W, 4)
    assert ((z != 0).sum(dim=-1) == 4).all()
    assert (((x - z @ W) @ W.T)[z != 0]).abs().max() < 1e-10


def test_steps_that_are_not_needed_and_rows_that_are_twice_there_do_no_harm():
    W = torch.eye(4, dtype=torch.double)[[0, 0, 1, 2]]
    x = torch.tensor([[0.7, 0, 0, 0], [0, 0, 0, 0], [0.5, 0.2, 0, 0]], dtype=torch.double)
    z = orthogonal_matching_pursuit(x, W, 3)
    torch.testing.assert_close(z @ W, x)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.ones(2, 5)}, r"x has shape \[2, 5\]; it must be \[batch, 3\]"),
        ({"W": torch.ones(4)}, r"W has shape \[4\]"),
        ({"k": 4}, r"k is 4; for 4 rows in 3 dimensions it must be at most 3"),
        ({"k": 0}, r"k is 0"),
        ({"x": torch.full((2, 3), float("nan"))}, r"x has 6 of 6 entries"),
        ({"W": torch.eye(4, 3)}, r"row 3 of W is zero"),
    ],
)
def test_a_bad_argument_is_named(change, message):
    right = {"x": torch.ones(2, 3), "W": torch.ones(4, 3), "k": 1}
    with pytest.raises(ValueError, match=message):
        orthogonal_matching_pursuit(**(right | change))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**20), penalty=st.floats(0.02, 0.5))
def test_ista_finds_the_codes_that_scikit_learns_lasso_finds(seed, penalty):
    W = random_dictionary(10, 6, generator(seed)).double()
    x = torch.randn(3, 6, generator=generator(seed + 1), dtype=torch.double)
    z = ista(x, W, penalty, steps=4000)
    for row, code in zip(x, z, strict=True):  # scikit-learn divides the square by its 6 samples
        lasso = Lasso(penalty / 6, fit_intercept=False, tol=1e-10, max_iter=100_000)
        theirs = torch.as_tensor(lasso.fit(W.T.numpy(), row.numpy()).coef_)
        costs = [(row - c @ W).square().sum() / 2 + penalty * c.abs().sum() for c in (code, theirs)]
        assert costs[0] <= costs[1] + 1e-6


def test_ista_ends_where_no_entry_gains_by_moving():
    W, x = torch.randn(12, 7, generator=generator(0)), torch.randn(9, 7, generator=generator(1))
    z = ista(x.double(), W.double(), 0.3, steps=5000)
    pull = (x - z @ W.double()) @ W.double().T
    torch.testing.assert_close(pull[z != 0], 0.3 * z[z != 0].sign(), atol=1e-4, rtol=0)
    assert pull.abs().max() < 0.3 + 1e-4


def test_a_penalty_above_every_reading_gives_the_empty_code():
    W, x = random_dictionary(6, 4, generator(0)), torch.randn(5, 4, generator=generator(1))
    assert not ista(x, W, (x @ W.T).abs().max().item() + 1e-6, steps=10).any()


def test_ista_keeps_instances_apart():
    W = torch.randn(3, 8, 5, generator=generator(0))
    x = torch.randn(3, 4, 5, generator=generator(1))
    alone = torch.stack([ista(*pair, 0.1, steps=50) for pair in zip(x, W, strict=True)])
    torch.testing.assert_close(ista(x, W, 0.1, steps=50), alone)


def test_with_a_small_penalty_codes_below_the_coherence_bound_come_back():
    W = low_coherence_dictionary(32, 24, generator(0))
    for k in (1, 2, 3):
        z = k_sparse_codes(50, n_features=32, k=k, generator=generator(k))
        torch.testing.assert_close(ista(z @ W, W, 1e-3, steps=500), z, atol=0.02, rtol=0)


def test_the_transition_has_its_published_values_and_rises_with_the_dimensions():
    # Donoho & Tanner's weak threshold for random supports: rho(1/2) = 0.386, rho(1/4) = 0.267.
    assert l1_transition(0.5) == pytest.approx(0.386, abs=1e-3)
    assert l1_transition(0.25) == pytest.approx(0.267, abs=1e-3)
    assert l1_transition(0.0) == 0.0 and l1_transition(1.0) == pytest.approx(1.0, abs=1e-3)
    values = [l1_transition(k / 50) for k in range(51)]
    assert values == sorted(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.ones(2, 5)}, r"x has shape \[2, 5\] and W \[4, 3\]"),
        ({"W": torch.ones(1, 4, 3)}, r"x has shape \[2, 3\] and W \[1, 4, 3\]"),
        ({"W": torch.full((4, 3), float("inf"))}, "W has 12 of 12 entries"),
        ({"l1_coefficient": -0.1}, "l1_coefficient is -0.1"),
        ({"steps": 0}, "steps is 0"),
    ],
)
def test_a_bad_argument_of_ista_is_named(change, message):
    right = {"x": torch.ones(2, 3), "W": torch.ones(4, 3), "l1_coefficient": 0.1}
    with pytest.raises(ValueError, match=message):
        ista(**(right | change))


@pytest.mark.parametrize("bad", [-0.1, 1.5, float("nan")])
def test_a_share_of_dimensions_beyond_0_to_1_is_refused(bad):
    with pytest.raises(ValueError, match="dimensions_per_feature is"):
        l1_transition(bad)
