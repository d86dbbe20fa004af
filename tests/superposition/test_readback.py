"""Sparse codes are read back where the theory says so, and as scikit-learn reads them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import orthogonal_mp

from course_lib.data import low_coherence_dictionary, random_dictionary
from course_lib.runtime import generator
from course_lib.superposition import mutual_coherence, orthogonal_matching_pursuit


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
