"""Scores of two views: split and shared dictionaries, brute force, ties."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import PairedViews, SparseFeatures
from course_lib.runtime import generator
from course_lib.sae import modality_score, retrieval_at_k, same_latent, support_jaccard

FEATURES = SparseFeatures(10, 0.2, low=0.1).sample(400, generator(0))[0]
NOTHING = torch.zeros_like(FEATURES)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed))


def test_a_shared_dictionary_scores_one_on_every_measure():
    z_a, z_b = FEATURES, 0.9 * FEATURES
    assert support_jaccard(z_a, z_b) == 1
    assert torch.allclose(modality_score(z_a, z_b), torch.full((10,), 0.9))
    assert same_latent(z_a, z_b, FEATURES).all()
    some = FEATURES[(FEATURES > 0).sum(-1) > 1]
    assert retrieval_at_k(some, 0.9 * some) == 1


def test_a_split_dictionary_scores_zero_on_every_measure():
    z_a, z_b = torch.cat([FEATURES, NOTHING], dim=1), torch.cat([NOTHING, FEATURES], dim=1)
    assert support_jaccard(z_a, z_b) == 0
    assert torch.equal(modality_score(z_a, z_b), torch.zeros(20))
    assert not same_latent(z_a, z_b, FEATURES).any()
    assert retrieval_at_k(z_a, z_b) == 0  # every similarity is 0, and a tie is a miss


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 7), st.integers(1, 6), st.integers(0, 2**31))
def test_jaccard_and_modality_are_their_definitions_and_symmetric(batch, d_sae, seed):
    z_a, z_b = randn(batch, d_sae, seed=seed).relu(), randn(batch, d_sae, seed=seed + 1).relu()
    ratios = []
    for a, b in zip(z_a, z_b, strict=True):
        s_a, s_b = ({j for j in range(d_sae) if z[j] > 0} for z in (a, b))
        ratios += [len(s_a & s_b) / len(s_a | s_b)] if s_a | s_b else []
    expected = sum(ratios) / len(ratios) if ratios else float("nan")
    assert support_jaccard(z_a, z_b).item() == pytest.approx(expected, nan_ok=True)
    assert support_jaccard(z_b, z_a).item() == pytest.approx(expected, nan_ok=True)
    score = modality_score(z_a, z_b)
    for j in range(d_sae):
        low, high = sorted([z_a[:, j].mean().item(), z_b[:, j].mean().item()])
        expected = low / high if high else float("nan")
        assert score[j].item() == pytest.approx(expected, rel=1e-5, nan_ok=True)


def test_retrieval_at_k_is_its_definition_and_ignores_the_scale_of_rows():
    a = randn(30, 4)
    b = a + 0.5 * randn(30, 4, seed=1)
    for k in (1, 3, 30):
        hits = 0
        for i in range(30):
            cosine = torch.cosine_similarity(a[i : i + 1], b)
            hits += i in cosine.argsort(descending=True)[:k].tolist()
        assert retrieval_at_k(a, b, k).item() == pytest.approx(hits / 30)
        assert retrieval_at_k(a * 7, b * (1 + a[:, :1].abs()), k) == retrieval_at_k(a, b, k)
    assert retrieval_at_k(a, b, 30) == 1 and retrieval_at_k(a, b, 1) < 1


def test_codes_without_an_active_latent_find_nothing():
    a = torch.eye(4)
    a[0] = 0.0
    assert retrieval_at_k(a, a, 1).item() == 0.75


def test_the_best_latent_is_the_one_with_the_highest_correlation():
    z_a = torch.cat([10 + randn(400, 1), FEATURES.flip(1), NOTHING], dim=1)
    best = torch.corrcoef(torch.cat([FEATURES, z_a], dim=1).T)[:10, 10:].nan_to_num(-1).argmax(-1)
    assert torch.equal(best, 10 - torch.arange(10))
    assert same_latent(z_a, z_a, FEATURES).all()
    z_b = z_a.clone()
    z_b[:, [1, 2]] = z_b[:, [2, 1]]  # features 9 and 8 have each other's latents in the other view
    expected = torch.ones(10, dtype=torch.bool)
    expected[[8, 9]] = False
    assert torch.equal(same_latent(z_a, z_b, FEATURES), expected)


def test_an_offset_of_a_latent_does_not_hide_what_it_follows():
    noisy = FEATURES + 0.3 * randn(400, 10, seed=2)
    z_a = torch.cat([FEATURES + 50, noisy], dim=1)
    z_b = torch.cat([FEATURES, noisy], dim=1)
    assert same_latent(z_a, z_b, FEATURES).all()


def test_a_concept_that_never_varies_has_no_latent():
    features = torch.cat([FEATURES[:, :2], torch.ones(400, 1)], dim=1)
    assert same_latent(FEATURES, FEATURES, features).tolist() == [True, True, False]


def test_planted_pairs_are_found_in_the_embedding_and_a_gap_hides_them():
    x = PairedViews(SparseFeatures(64, 3 / 64), 64).sample(500, generator(0))
    centred = x - x.mean(dim=0)
    found = retrieval_at_k(centred[:, 0], centred[:, 1])
    assert 0.6 < found < 0.9
    assert retrieval_at_k(x[:, 0], x[:, 1]) < found - 0.1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: support_jaccard(FEATURES, FEATURES[:5]), r"z_b has shape \[5, 10\]"),
        (lambda: modality_score(FEATURES[None], FEATURES[None]), r"z_a has shape \[1, 400, 10\]"),
        (lambda: same_latent(FEATURES, FEATURES, FEATURES[:5]), r"features has shape \[5, 10\]"),
        (lambda: retrieval_at_k(FEATURES, FEATURES / 0), "b has .* that are not allowed"),
        (lambda: retrieval_at_k(FEATURES[:3], FEATURES[:3], 4), "k is 4; it must be at most"),
        (lambda: retrieval_at_k(FEATURES, FEATURES, 0), "k is 0"),
    ],
)
def test_bad_arguments_are_named_with_their_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
