"""The sparse features have the distribution that they promise."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from course_lib.data import (
    AntiCorrelatedPairs,
    CorrelatedPairs,
    SparseFeatures,
    importance_decay,
    power_law_probability,
)
from course_lib.runtime import generator

N = 40_000
SIGMAS = 4.5  # a right sampler fails one comparison in 150,000


def assert_frequency(active: torch.Tensor, p: torch.Tensor) -> None:
    """The share of True along the first axis is p within SIGMAS standard errors."""
    error = (p * (1 - p) / len(active)).sqrt() * SIGMAS
    assert ((active.float().mean(0) - p).abs() <= error + 1e-6).all()


@pytest.mark.parametrize("p", [0.0, 0.02, 0.2, 0.26, 0.5, 1.0])
def test_features_are_active_with_their_probability_and_uniform_then(p):
    x = SparseFeatures(3, p).sample(N, generator(0))[0]
    assert_frequency(x > 0, torch.full((3,), p))
    if p:
        assert stats.kstest(x[x > 0].numpy(), "uniform").pvalue > 1e-4


@pytest.mark.parametrize("top", [0.2, 0.9])
def test_every_instance_and_feature_has_its_own_probability(top):
    p = torch.linspace(0, top, 6).view(2, 3)
    x = SparseFeatures(3, p, n_instances=2).sample(N, generator(1))
    for instance in range(2):
        assert_frequency(x[instance] > 0, p[instance])


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_features_are_independent_of_each_other_and_between_samples(p):
    x = SparseFeatures(4, p).sample(N, generator(2))[0]
    for a, b in ((x[:, 0], x[:, 1]), (x[:, 2], x[:, 3]), (x[1:, 0], x[:-1, 0])):
        table = [
            [((a > 0) == i).logical_and((b > 0) == j).sum().item() for j in (0, 1)] for i in (0, 1)
        ]
        assert stats.chi2_contingency(table).pvalue > 1e-4


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_low_and_high_bound_the_magnitudes(p):
    x = SparseFeatures(2, p, low=-1, high=3).sample(N, generator(3))
    active = x[x != 0]
    assert -1 <= active.min() < -0.99 and 2.99 < active.max() <= 3
    assert stats.kstest(active.numpy(), stats.uniform(-1, 4).cdf).pvalue > 1e-4


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 4), st.integers(1, 5), st.integers(1, 6), st.floats(0, 1), st.integers(0, 2**31)
)
def test_samples_have_the_shape_and_are_repeatable(n_instances, n_features, batch, p, seed):
    features = SparseFeatures(n_features, p, n_instances)
    x = features.sample(batch, generator(seed))
    assert x.shape == (n_instances, batch, n_features)
    assert x.isfinite().all() and (x >= 0).all() and (x <= 1).all()
    assert torch.equal(x, features.sample(batch, generator(seed)))


@pytest.mark.parametrize("p", [0.1, 0.6])
def test_a_given_tensor_is_filled_in_place_with_the_same_numbers(p):
    features = SparseFeatures(3, p, n_instances=4)
    out = torch.full((2, 5, 3), math.nan)
    x = features.sample(5, generator(0), slice(1, 3), out=out)
    assert x is out
    assert torch.equal(x, features.sample(5, generator(0), slice(1, 3)))
    with pytest.raises(ValueError, match=r"out has shape \[2, 5, 3\]; it must be \[4, 5, 3\]"):
        features.sample(5, generator(0), out=out)


def test_correlated_pairs_are_active_together_with_independent_magnitudes():
    x = CorrelatedPairs(4, 0.3).sample(N, generator(4))[0]
    assert torch.equal(x[:, 0] > 0, x[:, 1] > 0)
    assert_frequency(x > 0, torch.full((4,), 0.3))
    both = x[x[:, 0] > 0]
    assert abs(stats.spearmanr(both[:, 0], both[:, 1]).statistic) < SIGMAS / len(both) ** 0.5
    table = [
        [((x[:, 0] > 0) == i).logical_and((x[:, 2] > 0) == j).sum().item() for j in (0, 1)]
        for i in (0, 1)
    ]
    assert stats.chi2_contingency(table).pvalue > 1e-4


@pytest.mark.parametrize("p", [0.05, 0.5])
def test_anticorrelated_pairs_are_never_active_together(p):
    x = AntiCorrelatedPairs(4, p).sample(N, generator(5))[0]
    assert not ((x[:, ::2] > 0) & (x[:, 1::2] > 0)).any()
    assert_frequency(x > 0, torch.full((4,), p))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SparseFeatures(0, 0.1), "n_features is 0"),
        (lambda: SparseFeatures(3, 1.5), "probability has 1 of 1 entries .* the first is 1.5"),
        (lambda: SparseFeatures(3, math.nan), "the first is nan"),
        (lambda: SparseFeatures(3, torch.rand(2)), r"shape \[2\]; .* = \[1, 3\]"),
        (lambda: SparseFeatures(3, 0.1, n_instances=-2), "n_instances is -2"),
        (lambda: SparseFeatures(3, 0.1, low=1, high=1), "low is 1 and high is 1"),
        (lambda: CorrelatedPairs(3, 0.1), "n_features is 3; pairs need an even number"),
        (lambda: CorrelatedPairs(2, torch.tensor([0.1, 0.2])), "differs within a pair"),
        (lambda: AntiCorrelatedPairs(4, 0.6), "must be from 0 to 0.5"),
        (lambda: SparseFeatures(3, 0.1).sample(0, generator(0)), "batch_size is 0"),
        (lambda: importance_decay(3, 0.0), "factor is 0"),
        (lambda: importance_decay(3, 1.2), "factor is 1.2"),
        (lambda: power_law_probability(10, 2.0, 5.0), "mean_active is 5.0; .* at most 1.55"),
    ],
)
def test_bad_arguments_are_named_with_their_value(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_importance_falls_by_the_factor():
    assert torch.equal(importance_decay(3, 0.5), torch.tensor([1.0, 0.5, 0.25]))


def test_power_law_probabilities_have_the_exponent_and_the_sum():
    p = power_law_probability(100, 1.5, 2.0)
    assert torch.isclose(p.sum(), torch.tensor(2.0))
    assert torch.allclose(p[0] / p[7], torch.tensor(8**1.5))
