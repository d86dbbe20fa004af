"""V-information: what a family of predictors can use; never below zero, raised by processing."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.probes import (
    feature_complexity,
    fit,
    group_split,
    log_prob,
    random_split,
    v_information,
)
from course_lib.runtime import generator

N = 1500


def rows(d=4, seed=0, n=N):
    return torch.randn(n, d, generator=generator(seed), dtype=torch.float64)


def test_labels_that_do_not_depend_on_x_have_exactly_none_but_for_chance():
    y = torch.randint(2, (100, N), generator=generator(1))
    found = v_information(rows(10), y)
    assert (found.bits == 0).double().mean() >= 0.9
    assert found.bits.abs().max() < 0.03
    assert torch.equal(found.bits == 0, found.trust == 0)


def test_an_uncalibrated_estimate_would_be_far_below_zero_where_ours_is_not():
    x, y = rows(100, n=300), torch.randint(2, (20, 300), generator=generator(1))
    split = random_split(300, seed=2)
    readout = fit(x, y, rows=split.train, C=10.0)
    raw = math.log(2) + log_prob(readout.scores(x), y)[:, split.test].mean()
    assert raw / math.log(2) < -1
    assert v_information(x, y, split=split, C=10.0).bits.min() > -0.1


def test_a_noisy_channel_has_the_information_of_the_channel():
    """y is sign(x) flipped with probability 0.1: 1 - H(0.1) bits, and linear probes reach it."""
    draws = generator(3)
    x = torch.randint(2, (20000, 1), generator=draws).double() * 2 - 1
    flipped = torch.rand(20000, generator=draws) < 0.1
    found = v_information(x, (x[:, 0] > 0) ^ flipped)
    capacity = 1 + 0.1 * math.log2(0.1) + 0.9 * math.log2(0.9)
    assert float(found.bits) == pytest.approx(capacity, abs=0.02)
    assert float(found.label_entropy) == pytest.approx(1, abs=0.01)


def test_what_tells_everything_gives_the_entropy_of_the_labels_of_three_classes_too():
    y = torch.multinomial(torch.tensor([0.6, 0.3, 0.1]), N, True, generator=generator(5))
    found = v_information(20 * torch.nn.functional.one_hot(y).double(), y)
    entropy = -sum(p * math.log2(p) for p in (0.6, 0.3, 0.1))
    assert float(found.label_entropy) == pytest.approx(entropy, abs=0.06)
    assert float(found.bits) == pytest.approx(float(found.label_entropy), abs=0.02)


def test_processing_can_raise_it_as_it_cannot_raise_mutual_information():
    x = rows(2)
    y = x[:, 0] * x[:, 1] > 0
    product = torch.cat([x, x[:, :1] * x[:, 1:]], 1)
    assert v_information(x, y).bits < 0.02
    assert v_information(product, y).bits > 0.7
    assert v_information(x, y, "mlp").bits > 0.7


def test_pointwise_values_average_to_it_and_name_their_rows():
    x = rows()
    y = (x[:, 0] + rows(seed=9)[:, 0] > 0).long()
    y[::7] = -1
    found = v_information(x, y, seed=4)
    assert torch.equal(found.rows, random_split(N, seed=4).test.nonzero()[:, 0])
    there = y[found.rows] >= 0
    assert found.pointwise.shape == found.rows.shape
    torch.testing.assert_close(found.pointwise[there].mean(), found.bits)
    assert not found.pointwise[~there].any() and (found.pointwise < 0).any()


def test_problems_side_by_side_are_those_one_by_one():
    x = torch.stack([rows(), rows(seed=3)])
    y = torch.stack([(x[0, :, 0] > 0).long(), (x[1, :, 1] > 0.5).long()])
    together = v_information(x, y[:, None])
    assert together.bits.shape == (2, 2)
    alone = v_information(x[1], y[1])
    assert float(together.bits[1, 1]) == pytest.approx(float(alone.bits), abs=1e-3)


def test_groups_stay_whole_when_the_trust_is_chosen():
    """Copies within groups: trust chosen on copies of what was learnt would be full."""
    x, y = rows(30, n=60), torch.randint(2, (60,), generator=generator(6))
    x, y, groups = (t.repeat_interleave(20, 0) for t in (x, y, torch.arange(60)))
    careless = v_information(x, y, split=random_split(1200), C=10.0)
    careful = v_information(x, y, split=group_split(groups), C=10.0)
    assert careless.bits > 0.5
    assert float(careful.bits) == 0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-0.2, 1.3), min_size=1, max_size=6))
def test_complexity_is_between_none_and_all_and_falls_with_every_layer_that_reads_more(values):
    information = torch.tensor(values, dtype=torch.float64)
    K = feature_complexity(information)
    assert -1e-12 <= K <= 1
    assert feature_complexity(information + 0.1) <= K + 1e-12


def test_complexity_of_features_read_at_once_late_and_never():
    information = torch.tensor([[0.8, 0.8, 0.8, 0.8], [0.0, 0.0, 0.0, 0.8], [0.0, -0.01, 0, 0]])
    K = feature_complexity(information, torch.tensor([0.8, 0.8, 0.8]))
    torch.testing.assert_close(K, torch.tensor([0.0, 0.75, 1.0]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: v_information(rows(), torch.zeros(N).long()), "no training row of class 1"),
        (lambda: v_information(rows(), torch.arange(N) % 2, "ridge"), "method is 'ridge'"),
        (lambda: v_information(rows() / 0, torch.arange(N) % 2), "x has 6000 of 6000"),
        (lambda: feature_complexity(torch.ones(3), 0.0), "entropy is 0"),
        (lambda: feature_complexity(torch.tensor(1.0)), "at least one layer"),
        (lambda: feature_complexity(torch.tensor([float("nan")])), "information has 1 of 1"),
    ],
)
def test_a_bad_argument_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
