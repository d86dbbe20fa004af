"""Vocabularies hold the directions that were planted, and correlate only where told to."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import FactorialVocabulary, TreeVocabulary, random_map
from course_lib.runtime import generator


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 12), st.floats(1.0, 1e4), st.integers(0, 2**20))
def test_maps_have_the_condition_number_and_the_rotations_of_their_seed(d, condition, seed):
    A = random_map(d, condition, generator(seed))
    size = torch.linalg.svdvals(A)
    expected = condition ** torch.linspace(0.5, -0.5, d, dtype=torch.float64)
    torch.testing.assert_close(size, expected)
    turn = random_map(d, 1.0, generator(seed))
    torch.testing.assert_close(turn @ turn.T, torch.eye(d, dtype=torch.float64))
    left, _, right = torch.linalg.svd(A)
    if condition > 1.5:
        torch.testing.assert_close(left @ right, turn, atol=1e-6, rtol=0)


def test_every_stem_has_a_word_for_every_combination_and_words_are_their_sums():
    world = FactorialVocabulary(3, 4, 7, condition=9.0)
    words = torch.cat([world.lexeme[:, None], world.concepts], dim=1)
    assert len(words.unique(dim=0)) == 48
    stems = world.W_U - world.concepts.double() @ world.directions
    for x in range(3):
        own = stems[world.lexeme == x]
        torch.testing.assert_close(own, own[:1].expand_as(own))
    off = world.correlation - torch.eye(4)
    assert off.abs().max() < 1e-12


def test_pairs_differ_in_their_concept_alone_and_are_all_there_are():
    for world in (
        FactorialVocabulary(3, 4, 7),
        FactorialVocabulary(3, 4, 7, correlate=(1, 3, 0.5)),
    ):
        for i in range(4):
            one, other = world.pairs(i).T
            change = torch.zeros(4, dtype=torch.long)
            change[i] = 1
            assert (world.concepts[other] - world.concepts[one] == change).all()
            assert (world.lexeme[one] == world.lexeme[other]).all()
    assert len(world.pairs(0)) < len(FactorialVocabulary(3, 4, 7).pairs(0)) == 24


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.59, 0.9])
def test_deleting_words_correlates_two_concepts_and_hardly_the_others(rho):
    world = FactorialVocabulary(8, 5, correlate=(1, 4, rho))
    found = world.correlation
    assert found[1, 4] == pytest.approx(rho, abs=0.02)
    found[[1, 4], [4, 1]] = 0
    assert (found - torch.eye(5)).abs().max() < 0.1
    assert world.concepts.double().mean(0)[[1, 4]].tolist() == pytest.approx([0.5, 0.5])


def test_noise_has_the_length_it_is_given_and_the_seed_decides_everything():
    clean, noisy = FactorialVocabulary(20, 5, 40), FactorialVocabulary(20, 5, 40, noise=2.0)
    assert (noisy.W_U - clean.W_U).norm(dim=1).mean() == pytest.approx(2.0, rel=0.05)
    assert torch.equal(noisy.W_U, FactorialVocabulary(20, 5, 40, noise=2.0).W_U)
    assert not torch.equal(noisy.W_U, FactorialVocabulary(20, 5, 40, noise=2.0, seed=1).W_U)
    assert torch.equal(noisy.directions, clean.directions)


def test_condition_turns_nothing_else():
    one, other = FactorialVocabulary(condition=1.0), FactorialVocabulary(condition=50.0)
    undone = other.W_U @ torch.linalg.inv(other.A).T @ one.A.T
    torch.testing.assert_close(undone, one.W_U)


@pytest.mark.parametrize("condition", [1.0, 10.0])
def test_a_tree_has_nested_members_and_orthogonal_simplices(condition):
    world = TreeVocabulary((2, 3, 4), 5, 40, scale=(1.0, 2.0, 0.5), noise=0.0, condition=condition)
    assert world.members.sum(1).tolist() == [60] * 2 + [20] * 6 + [5] * 24
    assert world.depth.tolist() == [0] * 2 + [1] * 6 + [2] * 24
    true = world.vectors @ torch.linalg.inv(world.A).T
    torch.testing.assert_close(world.W_U, world.vectors[world.leaf])
    for node, up in enumerate(world.parent.tolist()):
        part = true[node] - (true[up] if up >= 0 else 0)
        assert part.norm() == pytest.approx((1.0, 2.0, 0.5)[world.depth[node]])
        if up >= 0:
            assert abs(part @ true[up]) < 1e-12
            assert world.members[up][world.members[node]].all()
            siblings = (world.parent == up).nonzero()[:, 0]
            torch.testing.assert_close(true[siblings].mean(0), true[up])
    assert torch.linalg.matrix_rank(world.vectors) == 1 + 2 * 2 + 6 * 3


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: random_map(3, 0.5, generator(0)), ValueError, "condition is 0.5"),
        (lambda: random_map(0, 1.0, generator(0)), ValueError, "d is 0"),
        (lambda: FactorialVocabulary(0), ValueError, "n_lexemes is 0"),
        (lambda: FactorialVocabulary(n_concepts=2.5), TypeError, "n_concepts is 2.5"),
        (lambda: FactorialVocabulary(n_concepts=13), ValueError, "n_concepts is 13"),
        (lambda: FactorialVocabulary(noise=math.nan), ValueError, "noise is nan"),
        (lambda: FactorialVocabulary(correlate=(0, 0, 0.5)), ValueError, "two concepts"),
        (lambda: FactorialVocabulary(correlate=(0, 9, 0.5)), ValueError, "b is 9"),
        (lambda: FactorialVocabulary(correlate=(0, 1, 1.0)), ValueError, "rho is 1.0"),
        (lambda: FactorialVocabulary(correlate=(0, 1)), ValueError, "must be \\(a, b, rho\\)"),
        (lambda: FactorialVocabulary().pairs(5), ValueError, "concept is 5"),
        (lambda: TreeVocabulary((2, 1), scale=(1.0, 1.0)), ValueError, "branching is 1"),
        (lambda: TreeVocabulary((2, 3)), ValueError, "branching has 2 depths and scale 3"),
        (lambda: TreeVocabulary(d_model=22), ValueError, "d_model is 22; the simplices .* need 23"),
        (lambda: TreeVocabulary(noise=-1.0), ValueError, "noise is -1"),
    ],
)
def test_what_cannot_be_planted_is_named(build, error, message):
    with pytest.raises(error, match=message):
        build()
