"""Features on a tree follow it, with the probabilities that they promise."""

import pytest
import torch
from scipy import stats

from course_lib.data import HierarchicalFeatures, tree_dictionary, tree_names
from course_lib.data.hierarchy import PARENT, PROBABILITY
from course_lib.runtime import generator

N = 40_000
SIGMAS = 4.5  # a right sampler fails one comparison in 150,000
DEEP = ((-1, 0, 0, 1, 1, -1), (0.5, 0.4, 0.6, 0.3, 0.5, 0.2))  # three levels and a single


def draw(world, n=N, seed=0):
    return world.sample(n, generator(seed))[0]


@pytest.mark.parametrize("exclusive_roots", [True, False])
def test_every_feature_is_active_with_the_product_of_the_probabilities_up_to_its_root(
    exclusive_roots,
):
    world = HierarchicalFeatures(*DEEP, exclusive_roots=exclusive_roots)
    expected = torch.tensor([0.5, 0.2, 0.3, 0.06, 0.1, 0.2])
    assert torch.allclose(world.probability, expected[None])
    error = (expected * (1 - expected) / N).sqrt() * SIGMAS
    assert ((draw(world) > 0).float().mean(0) - expected).abs().le(error).all()


@pytest.mark.parametrize("exclusive_roots", [True, False])
def test_a_child_is_never_active_without_its_parent_and_siblings_never_together(exclusive_roots):
    active = draw(HierarchicalFeatures(*DEEP, exclusive_roots=exclusive_roots)) > 0
    for child, parent in enumerate(DEEP[0]):
        if parent >= 0:
            assert not (active[:, child] & ~active[:, parent]).any()
    for a, b in ((1, 2), (3, 4)):
        assert not (active[:, a] & active[:, b]).any()
    together = (active[:, 0] & active[:, 5]).float().mean().item()
    assert together == 0 if exclusive_roots else abs(together - 0.1) < SIGMAS * (0.09 / N) ** 0.5


def test_free_roots_are_independent():
    active = draw(HierarchicalFeatures(*DEEP, exclusive_roots=False)) > 0
    table = [
        [((active[:, 0] == i) & (active[:, 5] == j)).sum().item() for j in (0, 1)] for i in (0, 1)
    ]
    assert stats.chi2_contingency(table).pvalue > 1e-4


def test_the_papers_tree_has_one_active_root_and_the_papers_l0():
    world = HierarchicalFeatures()
    active = draw(world) > 0
    roots = torch.tensor(PARENT) < 0
    assert (active[:, roots].sum(-1) == 1).all()
    assert world.probability.sum().item() == pytest.approx(1.36)
    l0 = active.sum(-1).float()
    assert abs(l0.mean() - 1.36) < SIGMAS * l0.std() / N**0.5
    assert (world.n_features, roots.sum()) == (20, 11)


def test_magnitudes_are_normal_and_active_means_positive():
    x = draw(HierarchicalFeatures())
    assert stats.kstest(x[x > 0].numpy(), stats.norm(1.5, 0.25).cdf).pvalue > 1e-4
    wide = draw(HierarchicalFeatures(mean=1.0, std=5.0))
    assert (wide >= 0).all() and torch.equal(wide > 0, x > 0)


def test_samples_are_repeatable():
    world = HierarchicalFeatures()
    assert torch.equal(draw(world, 9, seed=3), draw(world, 9, seed=3))
    assert world.sample(9, generator(3)).shape == (1, 9, 20)


@pytest.mark.parametrize("cosine", [0.0, 0.1, 0.4])
def test_siblings_have_the_cosine_and_a_child_is_orthogonal_to_its_parent(cosine):
    D = tree_dictionary(PARENT, 24, cosine, generator(0))
    parent = torch.tensor(PARENT)
    expected = cosine * (parent[:, None] == parent).float()
    expected.fill_diagonal_(1.0)
    assert torch.allclose(D @ D.T, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: HierarchicalFeatures((0,), (0.5,)), "parent of feature 0 is 0"),
        (lambda: HierarchicalFeatures((-1, 2, 0), (0.5,) * 3), "parent of feature 1 is 2"),
        (lambda: HierarchicalFeatures((-1, -2), (0.5,) * 2), "parent of feature 1 is -2"),
        (lambda: HierarchicalFeatures((), ()), r"parent has shape \[0\]"),
        (lambda: HierarchicalFeatures((-1, 0.5), (0.5,) * 2), "dtype torch.float32"),
        (lambda: HierarchicalFeatures((-1, 0), (0.5,)), r"probability has shape \[1\]"),
        (lambda: HierarchicalFeatures((-1, 0), (0.5, 1.2)), "the first is 1.2"),
        (lambda: HierarchicalFeatures((-1, 0, 0), (1, 0.7, 0.4)), "1.1 over the children of fea"),
        (lambda: HierarchicalFeatures((-1, -1), (0.7, 0.6)), "1.3 over the exclusive roots"),
        (lambda: HierarchicalFeatures(mean=0.0), "mean is 0.0"),
        (lambda: HierarchicalFeatures().sample(0, generator(0)), "batch_size is 0"),
        (lambda: tree_dictionary(PARENT, 19, 0.1, generator(0)), "d_in is 19; the tree's 20"),
        (lambda: tree_dictionary(PARENT, 20, 1.0, generator(0)), "cosine is 1.0"),
    ],
)
def test_bad_arguments_are_named_with_their_value(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_the_probabilities_of_the_papers_tree_are_those_of_its_table():
    assert [PROBABILITY[i] for i in (0, 1, 11, 12, 19)] == [0.2, 0.2, 0.2, 0.05, 0.05]


def test_names_say_who_is_whose_child():
    assert tree_names([-1, 0, 0, -1, -1, 4, 2]) == ["A", "A1", "A2", "s1", "B", "B1", "A21"]
