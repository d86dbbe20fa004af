"""Categories are found as vectors, simplices are judged, and the controls fail as they should."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import TreeVocabulary, random_map
from course_lib.geometry import (
    CausalInnerProduct,
    concept_vectors,
    hierarchy_orthogonality,
    shuffled_parents,
    shuffled_tokens,
    simplex_regularity,
)
from course_lib.runtime import generator

seeds = st.integers(0, 2**20)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def whitened(world: TreeVocabulary) -> torch.Tensor:
    product = CausalInnerProduct.from_unembedding(world.W_U)
    return product.whiten(world.W_U - product.mean)


# --- the planted tree ---------------------------------------------------------------------------


@pytest.mark.parametrize("condition", [1.0, 30.0])
def test_without_noise_parents_are_exactly_orthogonal_to_what_children_add(condition):
    world = TreeVocabulary(noise=0.0, condition=condition)
    found = concept_vectors(whitened(world), world.members)
    edges = hierarchy_orthogonality(found, world.parent)
    assert len(edges.cosine) == 30 and edges.cosine.abs().max() < 1e-9
    for up in (0, 2):
        assert simplex_regularity(found[world.parent == up]).deviation < 1e-9


def test_in_coordinates_that_a_map_has_bent_they_are_not():
    world = TreeVocabulary(noise=0.0, condition=30.0)
    bent = hierarchy_orthogonality(world.vectors, world.parent)
    assert bent.cosine.abs().mean() > 0.1
    assert simplex_regularity(world.vectors[world.parent == 0]).deviation > 0.1


def test_held_out_words_are_on_their_category_and_wrong_parents_are_not_orthogonal():
    world = TreeVocabulary(words_per_leaf=16, noise=1.0, condition=10.0)
    g, fit = whitened(world), torch.arange(len(world.W_U)) % 2 == 0
    found = concept_vectors(g[fit], world.members[:, fit])
    scores, members = g[~fit] @ found.T, world.members[:, ~fit].T
    for w in range(len(found)):
        inside, outside = scores[members[:, w], w], scores[~members[:, w], w]
        assert (inside[:, None] > outside).double().mean() > 0.9  # the area under the ROC curve
    right = hierarchy_orthogonality(found, world.parent).cosine.abs().mean()
    wrong = hierarchy_orthogonality(found, shuffled_parents(world.parent, generator(0)))
    assert right < 0.25 < 0.4 < wrong.cosine.abs().mean()


def test_nested_sets_of_unrelated_tokens_are_nearly_orthogonal_too():
    world, g = TreeVocabulary(), normal(192, 64)
    g = g - g.mean(0)
    nested = shuffled_tokens(world.members, generator(1))
    means = concept_vectors(g, nested, shrinkage=1.0)
    assert hierarchy_orthogonality(means, world.parent).cosine.abs().mean() < 0.15


# --- definitions --------------------------------------------------------------------------------


def test_the_vector_has_the_direction_of_linear_discriminants_and_the_size_of_the_projection():
    own = normal(50, 4) @ normal(4, 4, seed=1) + normal(4, seed=2)
    found = concept_vectors(own, torch.ones(1, 50, dtype=torch.bool), shrinkage=0.0)[0]
    expected = torch.linalg.solve(torch.cov(own.T), own.mean(0))
    assert torch.cosine_similarity(found, expected, dim=0) == pytest.approx(1.0)
    assert found.norm() == pytest.approx((own @ found / found.norm()).mean().item())
    mean = concept_vectors(own, torch.ones(1, 50, dtype=torch.bool), shrinkage=1.0)[0]
    torch.testing.assert_close(mean, own.mean(0))


@pytest.mark.parametrize("n", [1, 3])
def test_members_that_are_alike_have_their_mean(n):
    g = torch.ones(n, 4)
    members = torch.ones(1, n, dtype=torch.bool)
    torch.testing.assert_close(concept_vectors(g, members)[0], torch.ones(4))


def test_rotations_turn_concepts_with_the_tokens_and_scale_scales_them():
    world, g = TreeVocabulary((2, 3), 6, 12, scale=(1.0, 1.0), noise=1.0), None
    g = world.W_U
    Q = 3.0 * random_map(12, 1.0, generator(1))
    torch.testing.assert_close(
        concept_vectors(g @ Q.T, world.members), concept_vectors(g, world.members) @ Q.T
    )
    torch.testing.assert_close(
        hierarchy_orthogonality(world.vectors @ Q.T, world.parent).cosine,
        hierarchy_orthogonality(world.vectors, world.parent).cosine,
    )
    few = world.vectors[:3]
    torch.testing.assert_close(
        simplex_regularity(few @ Q.T).cosines, simplex_regularity(few + 5.0).cosines
    )
    torch.testing.assert_close(
        simplex_regularity(few @ Q.T).edges, 3 * simplex_regularity(few).edges
    )


def test_a_parent_and_its_child_at_a_known_angle():
    vectors = torch.tensor([[2.0, 0.0], [3.0, 1.0], [2.0, 5.0]])
    edges = hierarchy_orthogonality(vectors, torch.tensor([-1, 0, 0]))
    assert edges.cosine.tolist() == pytest.approx([0.5**0.5, 0.0])
    assert edges.child.tolist() == [1, 2] and edges.parent.tolist() == [0, 0]


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 8), st.integers(0, 6), seeds)
def test_the_corners_of_a_regular_simplex_are_regular_wherever_it_lies(k, more, seed):
    corners = torch.eye(k).double() @ random_map(k + more, 1.0, generator(seed))[:k]
    found = simplex_regularity(4 * corners + normal(k + more, seed=seed))
    assert found.deviation < 1e-9 and found.spread < 1e-9
    assert found.target == pytest.approx(-1 / (k - 1))
    assert found.edges.tolist() == pytest.approx([4 * 2**0.5] * (k * (k - 1) // 2))


def test_a_square_is_no_simplex():
    found = simplex_regularity(torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]]))
    assert sorted(found.cosines.tolist()) == pytest.approx([-1, -1, 0, 0, 0, 0], abs=1e-6)
    assert found.deviation == pytest.approx(2 / 3)
    assert found.spread == pytest.approx(
        torch.tensor([2**0.5] * 4 + [2.0] * 2).std(correction=0).item() / ((4 * 2**0.5 + 4) / 6)
    )


# --- controls -----------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(2, 3), min_size=2, max_size=3), seeds)
def test_wrong_parents_are_wrong_and_at_the_same_depth(branching, seed):
    world = TreeVocabulary(branching, 1, 64, scale=[1.0] * len(branching))
    wrong = shuffled_parents(world.parent, generator(seed))
    child = world.parent >= 0
    assert (wrong[child] != world.parent[child]).all() and (wrong[~child] == -1).all()
    assert torch.equal(world.depth[wrong[child]], world.depth[world.parent[child]])


def test_other_tokens_keep_sizes_nesting_and_what_is_in_no_category():
    members = torch.cat(
        [
            TreeVocabulary((2, 3), 4, 9, scale=(1.0, 1.0)).members,
            torch.zeros(8, 5, dtype=torch.bool),
        ],
        1,
    )
    found = shuffled_tokens(members, generator(0))
    assert torch.equal(found.sum(1), members.sum(1)) and not found[:, -5:].any()
    assert torch.equal(found[0], found[2] | found[3] | found[4])
    assert not torch.equal(found, members)


# --- bad input ----------------------------------------------------------------------------------

SOME = torch.ones(1, 6, dtype=torch.bool)
LINE = torch.tensor([-1, 0])


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: concept_vectors(normal(6, 3), ~SOME), ValueError, "no token in concept 0"),
        (lambda: concept_vectors(normal(6, 3), SOME.int()), TypeError, "torch.int32"),
        (lambda: concept_vectors(normal(7, 3), SOME), ValueError, r"\[1, 6\]; it must be .*7"),
        (lambda: concept_vectors(normal(6, 9), SOME, 0.0), ValueError, "varies in 5 of 9"),
        (lambda: concept_vectors(torch.zeros(6, 3), SOME), ValueError, "concept 0 have mean 0"),
        (lambda: concept_vectors(normal(6, 3) * math.nan, SOME), ValueError, "g has 18 of 18"),
        (lambda: hierarchy_orthogonality(normal(2, 3), torch.tensor([-1, 7])), ValueError, "is 7"),
        (lambda: hierarchy_orthogonality(normal(2, 3), torch.tensor([0, 0])), ValueError, "is 0;"),
        (
            lambda: hierarchy_orthogonality(normal(2, 3), torch.tensor([-1, -1])),
            ValueError,
            "at le",
        ),
        (lambda: hierarchy_orthogonality(normal(3, 3), LINE), ValueError, r"must be \[3\]"),
        (lambda: hierarchy_orthogonality(torch.ones(2, 3), LINE), ValueError, "adds to its parent"),
        (lambda: hierarchy_orthogonality(torch.zeros(2, 3), LINE), ValueError, "parent's vector"),
        (lambda: shuffled_parents(LINE, generator(0)), ValueError, "only 0 at depth 0"),
        (lambda: simplex_regularity(normal(1, 3)), ValueError, "must be 2 at least"),
        (lambda: simplex_regularity(torch.ones(3, 3)), ValueError, "mean of all"),
        (lambda: simplex_regularity(normal(3)), ValueError, r"must be \[k, d\]"),
    ],
)
def test_what_is_no_category_is_named(act, error, message):
    with pytest.raises(error, match=message):
        act()
