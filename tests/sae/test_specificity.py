"""What a latent fires on: against counting, against planted firings, against the reader's view."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.runtime import generator
from course_lib.sae import near_duplicates, precision_by_decile, specificity, tell_apart

TOPS = (1.0, 0.5, 0.1)


def drawn(n, seed, share=0.5):
    draw = generator(seed)
    values = torch.randn(n, generator=draw).relu() * (torch.rand(n, generator=draw) < share)
    return values, torch.rand(n, generator=draw) < 0.3


@settings(max_examples=30, deadline=None, derandomize=True)
@given(n=st.integers(1, 60), seed=st.integers(0, 99), rounded=st.booleans())
def test_precision_and_recall_are_counted_among_the_strongest(n, seed, rounded):
    values, present = drawn(n, seed)
    values = (2 * values).round() if rounded else values
    found = specificity(values, present, TOPS)
    fired = sorted((v for v in values.tolist() if v > 0), reverse=True)
    for i, top in enumerate(TOPS):
        if not fired:
            assert found.n[i] == 0 and found.precision[i].isnan() and found.recall[i] == 0
            continue
        least = fired[math.ceil(top * len(fired) - 1e-9) - 1]
        taken = [p for v, p in zip(values.tolist(), present.tolist(), strict=True) if v >= least]
        assert found.n[i] == len(taken) and found.thresholds[i].item() == pytest.approx(least)
        assert found.precision[i].item() == pytest.approx(sum(taken) / len(taken))
        if present.any():
            wanted = sum(taken) / present.sum().item()
            assert found.recall[i].item() == pytest.approx(wanted)


def test_the_top_looks_pure_where_weak_firings_are_not():
    values = torch.cat([torch.linspace(2, 3, 20), torch.linspace(0.1, 1, 80), torch.zeros(50)])
    present = torch.arange(150) < 20
    found = specificity(values, present)
    assert found.precision.tolist() == pytest.approx([0.2, 0.4, 0.8, 1.0])
    assert found.recall.tolist() == pytest.approx([1.0, 1.0, 1.0, 0.5])
    assert precision_by_decile(values, present).tolist() == [1.0, 1.0] + [0.0] * 8


def test_tenths_without_tokens_are_nan_and_order_is_by_strength():
    found = precision_by_decile(torch.tensor([1.0, 3.0, 0.0]), torch.tensor([False, True, True]))
    assert found[0] == 1 and found[5] == 0 and found[[1, 2, 3, 4, 6, 7, 8, 9]].isnan().all()


@pytest.mark.parametrize(
    ("values", "tops", "message"),
    [
        ([-1.0, 2.0], (1.0,), "values has 1 of 2"),
        ([1.0, 2.0], (0.0,), "tops has a 0"),
        ([1.0, 2.0], (1.5,), "tops has 1 of 1"),
        ([1.0, 2.0, 3.0], (1.0,), "present has shape"),
    ],
)
def test_wrong_arguments_are_named(values, tops, message):
    with pytest.raises(ValueError, match=message):
        specificity(torch.tensor(values), torch.tensor([True, False]), tops)


def test_a_planted_pair_is_the_only_one_and_its_numbers_are_those_of_counting():
    W = torch.eye(6)[:5].clone()
    W[3] = torch.tensor([0.0, 0.9, 0.0, 0.0, 0.0, 0.19**0.5]) * 3  # like latent 1, and longer
    W[4] = W[0]  # but it never fires
    z = torch.zeros(10, 5)
    z[:6, 1], z[3:8, 3], z[:, 0], z[2, 2] = 2.0, 1.0, 0.5, 1.0
    (pair,) = near_duplicates(W, z)
    assert (pair.first, pair.second) == (1, 3)
    assert pair.cosine == pytest.approx(0.9) and pair.jaccard == pytest.approx(3 / 8)
    assert pair.correlation == pytest.approx(torch.corrcoef(z[:, [1, 3]].T)[0, 1].item())
    assert len(near_duplicates(W, z, least=0.95)) == 0
    every = near_duplicates(W, z, least=-1.0)
    assert len(every) == 6 and every[0].cosine == max(pair.cosine for pair in every)


def test_a_fact_that_decides_tells_all_and_one_that_does_not_tells_nothing():
    draw = generator(0)
    first, second = torch.rand(2, 4000, generator=draw)
    decides = (first > second).long()
    nothing = torch.randint(3, (4000,), generator=draw)
    assert tell_apart(first, second, decides, generator(1)) == 1.0
    assert tell_apart(first, second, nothing, generator(1)) == pytest.approx(0.5, abs=0.04)
    assert tell_apart(first, first, nothing, generator(1)) != 1.0  # NaN: nothing to tell apart


def test_guessing_the_more_frequent_latent_is_worth_no_more_than_guessing():
    draw = generator(0)
    first = torch.rand(4000, generator=draw)
    second = torch.where(torch.rand(4000, generator=draw) < 0.95, 0.0, 2.0)
    same = torch.zeros(4000, dtype=torch.long)
    assert tell_apart(first, second, same, generator(1)) == pytest.approx(0.5, abs=0.01)


def test_what_was_learnt_is_asked_on_other_tokens():
    """A fact that names each token fits the half it was counted on, and says nothing of others."""
    first, second = torch.rand(2, 600, generator=generator(0))
    assert tell_apart(first, second, torch.arange(600), generator(1)) == 0.5
