"""Absorption and splitting on trees where the answer is known."""

import pytest
import torch

from course_lib.data import HierarchicalFeatures, PlantedActivations, tree_dictionary
from course_lib.data.hierarchy import PARENT
from course_lib.runtime import generator
from course_lib.sae import absorption, conditional_orthogonality, fvu, match, splitting

TREE = torch.tensor(PARENT)
CHILD = (TREE >= 0).nonzero()[:, 0]
D = tree_dictionary(PARENT, 20, 0.1, generator(0))
X, F = PlantedActivations(HierarchicalFeatures(std=0.0), D).sample_with_features(3000, generator(1))


def absorbed_latents() -> tuple[torch.Tensor, torch.Tensor]:
    """Each child's latent writes its parent as well, and the parent's is silent then."""
    z, W_dec = F.clone(), D.clone()
    for child in CHILD:
        z[F[:, child] > 0, TREE[child]] = 0.0
        W_dec[child] += D[TREE[child]]
    return z, W_dec


def test_a_faithful_dictionary_absorbs_nothing_and_splits_nothing():
    order = torch.randperm(20, generator=generator(2))
    scores = absorption(F[:, order] / 3, F, 3 * D[order], D, PARENT)
    assert torch.equal(scores.child, CHILD) and torch.equal(scores.parent, TREE[CHILD])
    assert torch.equal(scores.rate, torch.zeros(9))
    assert torch.equal(scores.parent_fires, torch.ones(9))
    assert scores.cosine.abs().max() < 1e-6
    assert torch.equal(splitting(F[:, order] / 3, F), torch.ones(20, dtype=torch.long))


def test_an_absorbed_dictionary_rebuilds_as_well_with_fewer_latents_and_scores_one():
    z, W_dec = absorbed_latents()
    assert fvu(X, z @ W_dec) < 1e-10
    assert (z > 0).sum() < (F > 0).sum()
    scores = absorption(z, F, W_dec, D, PARENT)
    assert torch.equal(scores.rate, torch.ones(9))
    assert torch.equal(scores.parent_fires, torch.zeros(9))
    assert torch.allclose(scores.cosine, torch.full((9,), 0.5**0.5), atol=1e-5)


def test_an_absorbed_parent_is_split_into_its_own_latent_and_its_childrens():
    count = splitting(absorbed_latents()[0], F)
    assert torch.equal(count, torch.where(torch.isin(torch.arange(20), TREE), 4, 1))


def test_a_parent_that_nobody_writes_is_missing_and_not_absorbed():
    z, _ = absorbed_latents()
    scores = absorption(z, F, D, D, PARENT)
    assert torch.equal(scores.parent_fires, torch.zeros(9))
    assert torch.equal(scores.rate, torch.zeros(9))


@pytest.mark.parametrize(("share", "rate"), [(0.39, 0.0), (0.41, 1.0)])
def test_a_latent_absorbs_from_two_fifths_of_the_parent_on(share, rate):
    z, W_dec = absorbed_latents()
    for child in CHILD:
        W_dec[child] = D[child] + share * D[TREE[child]]
    assert torch.equal(absorption(z, F, W_dec, D, PARENT).rate, torch.full((9,), rate))


def test_scores_equal_their_definition_in_loops_on_random_latents():
    g = generator(3)
    features = HierarchicalFeatures((-1, 0, 0, 1), (0.9, 0.5, 0.4, 0.6)).sample(200, g)[0]
    z = torch.randn(200, 5, generator=g).relu() * 2
    W_dec, truth = torch.randn(5, 4, generator=g), torch.randn(4, 4, generator=g)
    latent = match(W_dec, truth).latent.tolist()
    scores = absorption(z, features, W_dec, truth, (-1, 0, 0, 1))
    for edge, (child, parent) in enumerate([(1, 0), (2, 0), (3, 1)]):
        n_on = n_fires = n_absorbed = 0
        direction = truth[parent] / truth[parent].norm()
        for row, f in zip(z, features, strict=True):
            if f[child] > 0:
                n_on += 1
                n_fires += bool(row[latent[parent]] > 0)
                others = [row[j] * (W_dec[j] @ direction) for j in range(5) if j != latent[parent]]
                n_absorbed += bool(row[latent[parent]] == 0 and max(others) >= 0.4 * f[parent])
        assert scores.parent_fires[edge].item() == pytest.approx(n_fires / n_on)
        assert scores.rate[edge].item() == pytest.approx(n_absorbed / n_on)
        a, b = W_dec[latent[child]], W_dec[latent[parent]]
        cosine = torch.cosine_similarity(a, b, dim=0).abs().item()
        assert scores.cosine[edge].item() == pytest.approx(cosine, abs=1e-6)
    assert scores.rate.min() > 0 and scores.rate.max() < 1  # the loop has decided something


def test_splitting_equals_the_greedy_search_in_loops():
    g = generator(4)
    features = (torch.rand(300, 3, generator=g) < 0.3).float()
    part = torch.randint(3, (300, 1), generator=g)
    z = torch.cat([features[:, :1] * (part == i) for i in range(3)], dim=1)  # three parts
    z = torch.cat([z, features[:, 1:], torch.rand(300, 4, generator=g) < 0.2], dim=1).float()
    z = z * (torch.rand(z.shape, generator=g) < 0.9)
    z = torch.cat([z, z[:, :1] * (torch.rand(300, 1, generator=g) < 0.8)], dim=1)  # an overlap

    def f1(latents, on):
        active = (z[:, sorted(latents)] > 0).any(dim=1)
        return (2 * (active & on).sum() / (active.sum() + on.sum())).item()

    for i in range(3):
        on, chosen, best = features[:, i] > 0, set(), 0.0
        while len(chosen) < z.shape[1]:
            score, j = max((f1(chosen | {j}, on), j) for j in range(z.shape[1]))
            if score - best < 0.03:
                break
            chosen, best = chosen | {j}, score
        assert splitting(z, features)[i] == len(chosen)
    assert splitting(z, features).tolist() == [3, 1, 1]


def test_a_latent_that_adds_less_than_the_gain_is_no_part_of_the_feature():
    features = torch.ones(1000, 1)
    features[800:] = 0.0
    z = torch.zeros(1000, 3)
    z[:700, 0] = 1.0  # F1 = 1400 / 1500
    z[700:755, 1] = 1.0  # + 0.0356, then the third + 0.0180
    z[755:783, 2] = 1.0
    assert splitting(z, features).tolist() == [2]


def test_parts_that_overlap_are_counted_by_their_union():
    features, z = torch.zeros(1000, 1), torch.zeros(1000, 2)
    features[:800] = 1.0
    z[50:800, 0] = 1.0  # F1 = 1500 / 1550
    z[:700, 1] = 1.0  # together exact: + 0.032
    assert splitting(z, features).tolist() == [2]


def test_a_feature_no_latent_tells_of_splits_into_none_and_one_never_on_too():
    features = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    assert splitting(torch.zeros(2, 3), features).tolist() == [0, 0]


def test_rates_of_a_child_that_is_never_on_are_nan():
    features = torch.tensor([[1.0, 0.0, 1.0]]).expand(4, 3)
    scores = absorption(features, features, torch.eye(3), torch.eye(3), (-1, 0, 0))
    assert scores.rate.isnan().tolist() == scores.parent_fires.isnan().tolist() == [True, False]


def test_too_small_a_dictionary_leaves_edges_without_a_cosine_and_parents_silent():
    tree, truth = (-1, 0), torch.eye(2)
    features = torch.ones(4, 2)
    scores = absorption(features[:, 1:], features, truth[1:], truth, tree)
    assert scores.cosine.isnan().all() and scores.parent_fires.item() == 0


def test_conditional_orthogonality_is_the_cosine_across_each_edge_alone():
    assert conditional_orthogonality(D, PARENT).max() < 1e-6
    learned = absorbed_latents()[1]
    assert torch.allclose(
        conditional_orthogonality(-2 * learned, PARENT), torch.full((9,), 0.5**0.5), atol=1e-5
    )
    siblings = tree_dictionary(PARENT, 20, 0.9, generator(0))  # correlated siblings are allowed
    assert conditional_orthogonality(siblings, PARENT).max() < 1e-6


def test_scores_are_made_in_the_latents_precision_and_need_no_gradient():
    z, W_dec = absorbed_latents()
    scores = absorption(z.double(), F, W_dec.requires_grad_(), D, PARENT)
    assert scores.rate.eq(1).all() and scores.cosine.dtype == torch.float64
    assert not scores.cosine.requires_grad


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: absorption(F, F, D, D, (-1,) * 20), "parent has only roots"),
        (lambda: absorption(F, F, D, D, (-1, 0)), "parent has 2 entries; .* per feature, 20"),
        (lambda: absorption(F, F, D[:19], D, PARENT), r"W_dec has shape \[19, 20\]"),
        (lambda: absorption(F, F, D, D[:19], PARENT), r"dictionary has shape \[19, 20\]"),
        (lambda: absorption(F[:5], F, D, D, PARENT), r"features has shape \[3000, 20\]"),
        (lambda: splitting(F * float("nan"), F), "z has .* that are not allowed"),
        (lambda: conditional_orthogonality(D[:5], PARENT), "parent has 20 entries; .* feature, 5"),
    ],
)
def test_bad_arguments_are_named_with_their_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
