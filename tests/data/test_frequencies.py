"""Frequencies follow their law, and rare features have the distribution of all sparse features."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from course_lib.data import FeatureFrequencies, RareFeatures, power_law_probability
from course_lib.runtime import generator

N = 40_000
SIGMAS = 4.5  # a right sampler fails one comparison in 150,000
P = torch.tensor([[0.6, 0.3, 0.05, 0.0], [0.01, 0.02, 0.9, 0.2]])


@settings(max_examples=40, deadline=None)
@given(
    law=st.sampled_from(["power", "exponential", "linear"]),
    parameter=st.floats(0.05, 3),
    n=st.integers(1, 60),
    share=st.floats(0, 1),
)
def test_frequencies_fall_with_rank_and_add_up_to_what_is_asked(law, parameter, n, share):
    law = FeatureFrequencies(law, parameter)
    first = law.probability(n, 0.5)[0].item() / 0.5  # for one active feature
    p = law.probability(n, share / first)
    assert p.shape == (n,) and (p >= 0).all() and (p <= 1 + 1e-6).all()
    assert (p.diff() <= 1e-7).all()
    assert p.sum().item() == pytest.approx(share / first, rel=1e-4)


def test_each_law_is_the_one_it_is_named_for():
    power = FeatureFrequencies("power", 1.5).probability(100)
    torch.testing.assert_close(power, power_law_probability(100, 1.5, 1.0))
    fall = FeatureFrequencies("exponential", 0.1).probability(100).log().diff()
    torch.testing.assert_close(fall, torch.full((99,), -0.1), atol=1e-4, rtol=0)
    line = FeatureFrequencies("linear").probability(4)
    torch.testing.assert_close(line, torch.tensor([0.4, 0.3, 0.2, 0.1]))
    assert [str(FeatureFrequencies(*a)) for a in (("power", 1.0), ("linear",))] == [
        "power 1",
        "linear",
    ]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: FeatureFrequencies("zipf"), "law is 'zipf'; it must be one of 'power'"),
        (lambda: FeatureFrequencies("power", -1.0), "parameter is -1.0"),
        (lambda: FeatureFrequencies("exponential"), "scale of an exponential law must be above 0"),
        (lambda: FeatureFrequencies("linear").probability(0), "n_features is 0"),
        (lambda: FeatureFrequencies("power", 2.0).probability(10, 5.0), "at most 1.55"),
        (lambda: RareFeatures(3, 1.0), "must be from 0 to 0.99"),
        (lambda: RareFeatures(3, 0.1).sample_active(0, generator(0)), "batch_size is 0"),
    ],
)
def test_bad_arguments_are_named_with_their_value(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_features_are_active_with_their_own_probability_and_uniform_then():
    x = RareFeatures(4, P, 2, low=-1.0, high=3.0).sample(N, generator(0))
    share = (x != 0).float().mean(1)
    error = (P * (1 - P) / N).sqrt() * SIGMAS
    assert ((share - P).abs() <= error).all()
    for i, j in ((0, 0), (1, 0), (1, 3)):
        on = x[i, :, j][x[i, :, j] != 0]
        assert stats.kstest(on.numpy(), stats.uniform(-1, 4).cdf).pvalue > 1e-4


def test_features_are_independent_of_each_other_and_between_samples():
    x = RareFeatures(4, P, 2).sample(N, generator(1))
    pairs = (x[0, :, 0], x[0, :, 1]), (x[0, 1:, 0], x[0, :-1, 0]), (x[0, :, 0], x[1, :, 2])
    for a, b in pairs:
        table = [
            [((a > 0) == i).logical_and((b > 0) == j).sum().item() for j in (0, 1)] for i in (0, 1)
        ]
        assert stats.chi2_contingency(table).pvalue > 1e-4


def test_the_active_entries_are_the_batch():
    features = RareFeatures(4, P, 2)
    some = slice(1, 2)
    active = features.sample_active(50, generator(2), some)
    assert len(set(zip(*(axis.tolist() for axis in active[:3]), strict=True))) == len(active[0])
    x = torch.zeros(1, 50, 4)
    x[active[:3]] = active.magnitude
    out = torch.full((1, 50, 4), math.nan)
    assert features.sample(50, generator(2), some, out=out) is out
    assert torch.equal(out, x) and (x[0, :, 2] > 0).sum() > 30
    with pytest.raises(ValueError, match=r"out has shape \[1, 50, 4\]; it must be \[2, 50, 4\]"):
        features.sample(50, generator(2), out=out)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6), st.floats(0, 0.99))
def test_samples_have_the_shape_and_are_repeatable(n_instances, n_features, batch, p):
    features = RareFeatures(n_features, p, n_instances)
    x = features.sample(batch, generator(3))
    assert x.shape == (n_instances, batch, n_features)
    assert (x >= 0).all() and (x <= 1).all()
    assert torch.equal(x, features.sample(batch, generator(3)))
