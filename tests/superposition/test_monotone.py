"""Networks without negative weights never let an output fall; the count finds those that do."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.models import MLP
from course_lib.runtime import generator
from course_lib.superposition import monotonicity_violations


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 3), st.integers(0, 2**20))
def test_networks_without_negative_weights_are_monotone(d_in, d_hidden, d_out, seed):
    nets = MLP(d_in, d_hidden, d_out, non_negative=torch.ones(3, dtype=torch.bool), seed=seed)
    assert monotonicity_violations(nets, d_in, generator(seed), n_pairs=500).tolist() == [0, 0, 0]


def test_a_falling_output_is_counted_for_every_pair_and_a_constant_one_for_none():
    def both(x):
        return torch.stack([-x.sum(-1, keepdim=True), 0 * x[:, :1]])

    assert monotonicity_violations(both, 3, generator(0), n_pairs=100).tolist() == [1, 0]


def test_one_falling_output_of_several_is_enough():
    def network(x):
        return torch.stack([x[:, 0], -x[:, 0]], dim=-1)

    assert monotonicity_violations(network, 1, generator(0), n_pairs=50) == 1


def test_signed_networks_are_caught():
    nets = MLP(2, 8, non_negative=torch.zeros(20, dtype=torch.bool))
    assert monotonicity_violations(nets, 2, generator(0)).mean() > 0.1


def test_rounding_does_not_count_as_falling():
    def network(x):
        return x[:, :1] * 0 + 1e-7 * torch.randn(len(x), 1)

    assert monotonicity_violations(network, 2, generator(0)) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"d_in": 0}, "d_in is 0"),
        ({"n_pairs": 0}, "n_pairs is 0"),
        ({"tolerance": -1.0}, "tolerance"),
    ],
)
def test_a_bad_argument_is_named(change, message):
    right = {"network": lambda x: x, "d_in": 2, "generator": generator(0)}
    with pytest.raises(ValueError, match=message):
        monotonicity_violations(**(right | change))
