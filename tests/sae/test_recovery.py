"""Scores against the planted dictionary: brute force, invariances, a perfect SAE."""

from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.metrics import precision_recall_fscore_support

from course_lib.data import PlantedActivations, SparseFeatures, random_dictionary
from course_lib.runtime import generator
from course_lib.sae import (
    ReLUSAE,
    fvu,
    match,
    mean_max_cosine_similarity,
    shrinkage,
    support,
    universality,
)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def perfect_sae(D: torch.Tensor, order: torch.Tensor, size: float = 1.0) -> ReLUSAE:
    """Reads every feature of an invertible dictionary exactly; rows in another order and length."""
    sae = ReLUSAE(D.shape[1], len(D))
    with torch.no_grad():
        sae.W_dec.copy_(size * D[order])
        sae.W_enc.copy_(torch.linalg.inv(D)[:, order] / size)
        sae.b_enc.fill_(-1e-5 / size)  # rounding does not fire a latent
    return sae


def test_a_perfect_sae_has_perfect_scores_in_any_order_and_scale():
    D, order = random_dictionary(16, 16, generator(0)), torch.randperm(16, generator=generator(1))
    x, f = PlantedActivations(SparseFeatures(16, 0.1, low=0.1), D).sample_with_features(
        2000, generator(2)
    )
    sae = perfect_sae(D, order, size=3.0)
    pairs = match(sae.W_dec, D)
    assert torch.equal(order[pairs.latent], torch.arange(16))
    assert (pairs.precision, pairs.recall, pairs.f1) == (1, 1, 1) and pairs.found.all()
    assert mean_max_cosine_similarity(sae.W_dec, D).item() == pytest.approx(1, abs=1e-5)
    z = sae.encode(x)
    scores = support(z, f, pairs.latent)
    for score in (scores.precision, scores.recall, scores.f1):
        assert torch.equal(score, torch.ones(16))
    assert torch.allclose(shrinkage(z, f, sae.W_dec, pairs.latent), torch.ones(16), atol=1e-3)
    assert fvu(x, sae(x)) < 1e-6


sizes = st.tuples(
    st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**31)
)  # d_sae, n_features, d_in, seed


@settings(max_examples=40, deadline=None)
@given(sizes)
def test_the_match_is_the_best_of_all_pairings(size):
    d_sae, n_features, d_in, seed = size
    W, D = randn(d_sae, d_in, seed=seed), randn(n_features, d_in, seed=seed + 1)
    cosine = 1 - cdist(D.numpy(), W.numpy(), "cosine")
    if n_features <= d_sae:
        best = max(
            sum(cosine[i, j] for i, j in enumerate(order))
            for order in permutations(range(d_sae), n_features)
        )
    else:
        best = max(
            sum(cosine[i, j] for j, i in enumerate(order))
            for order in permutations(range(n_features), d_sae)
        )
    pairs = match(W, D, threshold=0.5)
    paired = pairs.latent >= 0
    assert paired.sum() == min(d_sae, n_features) == len(set(pairs.latent[paired].tolist()))
    assert pairs.cosine.sum().item() == pytest.approx(best, abs=1e-9)
    for i in range(n_features):
        expected = cosine[i, pairs.latent[i]] if paired[i] else 0.0
        assert pairs.cosine[i].item() == pytest.approx(expected, abs=1e-9)
    n_found = sum(bool(c >= 0.5) for c in pairs.cosine[paired])
    assert pairs.found.sum() == n_found
    assert (pairs.precision, pairs.recall) == (n_found / d_sae, n_found / n_features)
    harmonic = 2 / (1 / pairs.precision + 1 / pairs.recall) if n_found else 0.0
    assert pairs.f1 == pytest.approx(harmonic)


@settings(max_examples=20, deadline=None)
@given(sizes)
def test_mmcs_is_its_definition_and_ignores_order_and_scale(size):
    d_sae, n_features, d_in, seed = size
    W, D = randn(d_sae, d_in, seed=seed), randn(n_features, d_in, seed=seed + 1)
    by_hand = (1 - cdist(D.numpy(), W.numpy(), "cosine")).max(axis=1).mean()
    order = torch.randperm(d_sae, generator=generator(seed))
    stretch = torch.rand(d_sae, 1, generator=generator(seed)) + 0.1
    assert mean_max_cosine_similarity(W, D).item() == pytest.approx(by_hand, abs=1e-9)
    changed = mean_max_cosine_similarity(W[order] * stretch, 5 * D)
    assert changed.item() == pytest.approx(by_hand, abs=1e-9)


def test_instances_are_scored_side_by_side():
    W, D = randn(3, 7, 4), randn(5, 4, seed=1)
    each = torch.stack([mean_max_cosine_similarity(one, D) for one in W])
    assert torch.allclose(mean_max_cosine_similarity(W, D), each)


def test_half_precision_weights_are_compared_in_single_and_need_no_gradient():
    D = random_dictionary(8, 64, generator(0))
    W = torch.nn.Parameter(D.bfloat16())
    assert match(W, D).recall == 1
    mmcs = mean_max_cosine_similarity(W, D)
    assert mmcs.dtype == torch.float32 and not mmcs.requires_grad
    assert 1 - 1e-4 < mmcs < 1


def test_the_opposite_direction_is_not_the_feature():
    D = random_dictionary(6, 12, generator(0))
    assert match(-D, D).recall == 0
    assert mean_max_cosine_similarity(-D, D) < 0.9
    assert mean_max_cosine_similarity(torch.cat([-D, D]), D).item() == pytest.approx(1, abs=1e-5)


def test_duplicates_and_dead_rows_cost_precision_but_not_recall():
    D = random_dictionary(6, 12, generator(0))
    pairs = match(torch.cat([D, D, torch.zeros(6, 12)]), D)
    assert (pairs.recall, pairs.precision, pairs.f1) == (1, 6 / 18, 2 * 6 / (18 + 6))


def test_random_directions_recover_nothing():
    W, D = random_dictionary(64, 32, generator(0)), random_dictionary(64, 32, generator(1))
    assert match(W, D).recall == 0
    assert mean_max_cosine_similarity(W, D) < 0.55


def test_universality_is_symmetric_and_one_for_the_same_latents():
    a, b = randn(9, 5), randn(6, 5, seed=1)
    assert universality(a, b) == pytest.approx(universality(b, a))
    assert universality(a, a.flip(0) * 2) == pytest.approx(1)
    assert universality(a, b) < 0.9


def test_support_scores_are_those_of_scikit_learn():
    z, f = randn(60, 7).sub(0.5).relu(), randn(60, 4, seed=1).relu()
    latent = torch.tensor([5, 0, 2, 2])
    scores = support(z, f, latent)
    for i, j in enumerate(latent):
        expected = precision_recall_fscore_support(f[:, i] > 0, z[:, j] > 0, average="binary")
        got = [s[i].item() for s in (scores.precision, scores.recall, scores.f1)]
        assert got == pytest.approx(expected[:3])


def test_a_feature_without_a_latent_is_missed_and_one_never_on_has_no_recall():
    z, f = torch.ones(5, 2), torch.tensor([[1.0, 0.0, 2.0]]).expand(5, 3)
    scores = support(z, f, torch.tensor([-1, 0, 1]))
    assert scores.recall.nan_to_num(-1).tolist() == [0, -1, 1]
    assert scores.precision.nan_to_num(-1).tolist() == [-1, 0, 1]
    assert scores.f1.tolist() == [0, 0, 1]


def test_shrinkage_is_the_slope_where_both_are_active():
    f = torch.tensor([[1.0], [2.0], [3.0], [0.0]], dtype=torch.float64)
    z = torch.tensor([[0.4], [0.8], [0.0], [9.0]], dtype=torch.float64)  # a miss, a false alarm
    W_dec = torch.tensor([[0.0, 2.0]], dtype=torch.float64)
    assert shrinkage(z, f, W_dec, torch.tensor([0])).item() == pytest.approx(0.8)
    assert shrinkage(z, f, W_dec, torch.tensor([-1])).isnan()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: match(torch.ones(3, 4), torch.ones(3, 5)), "with the same d_in"),
        (lambda: match(torch.ones(2, 3, 4), torch.ones(3, 4)), r"W_dec has shape \[2, 3, 4\]"),
        (lambda: match(torch.ones(3, 4) / 0, torch.ones(3, 4)), "W_dec has 12 of 12 entries"),
        (lambda: match(torch.ones(3, 4), torch.ones(3, 4), 1.1), "threshold is 1.1"),
        (lambda: support(torch.ones(3, 4), torch.ones(2, 1), torch.tensor([0])), "features has"),
        (lambda: support(torch.ones(3, 4), torch.ones(3, 1), torch.tensor([4])), "from 4 to 4"),
        (lambda: support(torch.ones(3, 4), torch.ones(3, 1), torch.tensor([0.5])), "whole"),
        (lambda: support(torch.ones(3, 4), torch.ones(3, 1), torch.tensor([0, 1])), "latent has"),
        (
            lambda: shrinkage(
                torch.ones(3, 4), torch.ones(3, 1), torch.ones(5, 2), torch.tensor([0])
            ),
            r"W_dec has shape \[5, 2\]; it must be \[4, d_in\]",
        ),
    ],
)
def test_bad_arguments_are_named_with_their_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
