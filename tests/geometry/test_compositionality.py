"""Sums of concepts are found, scored and read out where they were planted, and nowhere else."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import random_map
from course_lib.geometry import (
    additive_r2,
    combination_split,
    dimension_bound,
    factor_orthogonality,
    factorise,
    unseen_accuracy,
)
from course_lib.runtime import generator

SIZES = (4, 3, 4)
ALL = torch.cartesian_prod(*[torch.arange(n) for n in SIZES])
seeds = st.integers(0, 2**20)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def additive(d: int = 12, seed: int = 0, orthogonal: bool = True) -> torch.Tensor:
    """A sum of a part for each value, of every combination, around a mean that is not 0."""
    parts = [normal(n, d, seed=seed + i) for i, n in enumerate(SIZES)]
    if orthogonal:
        axes = random_map(d, 1.0, generator(seed))
        starts = (0, 3, 5)
        parts = [
            p[:, : n - 1] @ axes[s : s + n - 1]
            for p, n, s in zip(parts, SIZES, starts, strict=True)
        ]
    return sum(part[values] for part, values in zip(parts, ALL.T, strict=True)) + normal(
        d, seed=seed + 9
    )


# --- factorisation ------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 12), seeds)
def test_a_sum_is_found_to_the_last_digit(d, seed):
    H = additive(d, seed, orthogonal=False)
    found = factorise(H, ALL)
    torch.testing.assert_close(found.predict(ALL), H)
    torch.testing.assert_close(found.intercept, H.mean(0))
    for effect, n in zip(found.effects, SIZES, strict=True):
        assert effect.shape == (n, d) and effect.sum(0).abs().max() < 1e-9
    assert additive_r2(H, ALL, whiten=False) == pytest.approx(1.0)


def test_on_all_combinations_effects_are_means_and_the_share_that_of_analysis_of_variance():
    H = normal(len(ALL), 5)
    found, grand = factorise(H, ALL), H.mean(0)
    explained = 0.0
    for i, effect in enumerate(found.effects):
        for value, row in enumerate(effect):
            torch.testing.assert_close(row, H[ALL[:, i] == value].mean(0) - grand)
        explained += effect[ALL[:, i]].pow(2).sum()
    share = explained / (H - grand).pow(2).sum()
    assert additive_r2(H, ALL, whiten=False) == pytest.approx(share.item())


def test_a_cross_of_combinations_predicts_all_others():
    H = additive()
    seen = combination_split(SIZES, 9, generator(0))[tuple(ALL.T)]
    torch.testing.assert_close(factorise(H[seen], ALL[seen]).predict(ALL), H)


def test_two_concepts_that_always_go_together_share_their_part():
    values = torch.arange(4).repeat(3)
    H = normal(4, 6)[values]
    found = factorise(H, torch.stack([values, values], 1))
    torch.testing.assert_close(found.predict(torch.stack([values, values], 1)), H)
    torch.testing.assert_close(*found.effects)


@settings(max_examples=15, deadline=None)
@given(st.floats(1.0, 100.0), seeds)
def test_the_whitened_share_is_the_same_after_any_map_and_the_plain_one_after_rotations(
    kappa, seed
):
    H = additive(6, seed, orthogonal=False) + normal(len(ALL), 6, seed=seed + 5)
    A, Q = random_map(6, kappa, generator(seed)), random_map(6, 1.0, generator(seed + 1))
    assert additive_r2(H @ A.T + 3, ALL) == pytest.approx(additive_r2(H, ALL), abs=1e-8)
    turned = 5 * H @ Q.T - 1
    assert additive_r2(turned, ALL, whiten=False) == pytest.approx(
        additive_r2(H, ALL, whiten=False), abs=1e-9
    )


def test_a_stretch_changes_the_plain_share():
    H = additive(6, orthogonal=False) + normal(len(ALL), 6, seed=5)
    A = random_map(6, 50.0, generator(1))
    assert abs(additive_r2(H @ A.T, ALL, False) - additive_r2(H, ALL, False)) > 0.02


def test_random_codes_score_what_the_documentation_says():
    shares = [additive_r2(normal(48, 200, seed=s), ALL, whiten=False) for s in range(20)]
    assert sum(shares) / 20 == pytest.approx(8 / 47, abs=0.01)


# --- orthogonality ------------------------------------------------------------------------------


def test_concepts_in_subspaces_of_their_own_do_not_overlap():
    H = additive()
    table = factor_orthogonality(factorise(H, ALL).effects)
    torch.testing.assert_close(table, torch.eye(3, dtype=torch.float64), atol=1e-12, rtol=0)
    bent = H @ random_map(12, 30.0, generator(1)).T
    overlap = factor_orthogonality(factorise(bent, ALL).effects)
    assert overlap[0, 1] > 0.1
    torch.testing.assert_close(overlap, overlap.T)


def test_a_line_in_a_plane_overlaps_wholly_and_random_subspaces_as_the_documentation_says():
    plane = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [-1.0, -1.0, 0]])
    line, half = torch.tensor([[1.0, 1, 0], [-1, -1, 0]]), torch.tensor([[1.0, 0, 1], [-1, 0, -1]])
    table = factor_orthogonality([plane, line, half])
    assert table[0, 1] == pytest.approx(1.0) and table[0, 2] == pytest.approx(0.5)
    many = [
        factor_orthogonality([normal(3, 20, seed=s), normal(5, 20, seed=s + 99)])[0, 1]
        for s in range(99)
    ]
    assert torch.stack(many).mean() == pytest.approx(4 / 20, abs=0.02)


# --- splits and read-outs -----------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(2, 4), min_size=2, max_size=3), st.integers(0, 20), seeds)
def test_splits_show_every_value_and_identify_an_additive_code(sizes, more, seed):
    _, freedom = dimension_bound(sizes)
    n = min(freedom + 1 + more, math.prod(sizes) - 1)
    seen = combination_split(sizes, n, generator(seed))
    assert seen.shape == tuple(sizes) and seen.sum() == n
    combinations = seen.nonzero()
    one_hot = [
        torch.nn.functional.one_hot(v, k) for v, k in zip(combinations.T, sizes, strict=True)
    ]
    assert all(each.sum(0).min() > 0 for each in one_hot)
    assert torch.linalg.matrix_rank(torch.cat(one_hot, 1).double()) == freedom + 1


def test_an_orthogonal_sum_is_read_on_every_unseen_combination_from_a_cross():
    for seed in range(5):
        seen = combination_split(SIZES, 9, generator(seed))[tuple(ALL.T)]
        code = torch.cat([torch.eye(n).double()[v] for n, v in zip(SIZES, ALL.T, strict=True)], 1)
        H = code @ random_map(11, 5.0, generator(seed)).T
        assert unseen_accuracy(H, ALL, seen).tolist() == [1.0] * 3


def test_a_random_code_per_combination_is_separable_and_at_chance_on_what_was_not_seen():
    H, found = normal(len(ALL), 64), []
    for seed in range(8):
        seen = combination_split(SIZES, 36, generator(seed))[tuple(ALL.T)]
        found.append(unseen_accuracy(H, ALL, seen))
        fitted = torch.cat([H[seen], H[seen]]), torch.cat([ALL[seen], ALL[seen]])
        again = torch.arange(72) < 36
        assert unseen_accuracy(*fitted, again).tolist() == [1.0] * 3
    assert torch.stack(found).mean(0).tolist() == pytest.approx([1 / 4, 1 / 3, 1 / 4], abs=0.17)


def test_what_is_read_does_not_depend_on_where_the_codes_lie_or_how_they_are_turned():
    H = additive() + normal(len(ALL), 12, seed=50)
    seen = combination_split(SIZES, 14, generator(0))[tuple(ALL.T)]
    moved = 3 * H @ random_map(12, 1.0, generator(1)).T + 1000 * normal(12, seed=2)
    before, after = unseen_accuracy(H, ALL, seen, 0.1), unseen_accuracy(moved, ALL, seen, 0.1)
    assert before.max() < 1 and before.tolist() == after.tolist()


def test_an_interaction_lowers_what_is_known_of_unseen_combinations():
    H, bend = additive(), normal(len(ALL), 12, seed=50)
    seen = combination_split(SIZES, 12, generator(0))[tuple(ALL.T)]
    clean, bent = (unseen_accuracy(H + s * bend, ALL, seen).mean() for s in (0.0, 1.5))
    assert clean > bent + 0.15


@pytest.mark.parametrize(
    ("n_values", "bound"), [([2], (1, 1)), ([2, 2, 2], (3, 3)), ([4, 4, 4], (3, 9))]
)
def test_bounds_count_concepts_and_their_values(n_values, bound):
    assert dimension_bound(n_values) == bound


# --- bad input ----------------------------------------------------------------------------------

H4 = normal(4, 3)
F4 = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
SEEN = torch.tensor([True, True, True, False])


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: factorise(H4, F4.float()), TypeError, "factors has dtype torch.float32"),
        (lambda: factorise(H4, F4[:3]), ValueError, r"factors has shape \[3, 2\]"),
        (lambda: factorise(H4, 2 * F4), ValueError, r"values \[0, 2\] of concept 0"),
        (lambda: factorise(H4, 0 * F4), ValueError, r"values \[0\] of concept 0"),
        (lambda: factorise(H4, F4 - 1), ValueError, r"values \[-1, 0\]"),
        (lambda: factorise(H4 * math.nan, F4), ValueError, "H has 12 of 12 entries"),
        (lambda: additive_r2(torch.ones(4, 3), F4), ValueError, "rows of H are all alike"),
        (lambda: additive_r2(H4, F4), ValueError, "H has 4 rows, which vary in 3.*whiten=False"),
        (lambda: factor_orthogonality([H4, 0 * H4]), ValueError, "concept 1 has the same code"),
        (lambda: dimension_bound([]), ValueError, "n_values is empty"),
        (lambda: dimension_bound([1, 2]), ValueError, "n_values is 1"),
        (lambda: combination_split([2, 2], 2, generator(0)), ValueError, "from 3.*to 3"),
        (lambda: combination_split([2, 2], 4, generator(0)), ValueError, "n_support is 4"),
        (lambda: unseen_accuracy(H4, F4, SEEN.int()), TypeError, "seen must be"),
        (lambda: unseen_accuracy(H4, F4, SEEN | True), ValueError, "both True"),
        (lambda: unseen_accuracy(H4, F4, F4[:, 0] == 0), ValueError, "no row with value 1 of 0"),
        (lambda: unseen_accuracy(H4, F4, SEEN, ridge=-1.0), ValueError, "ridge is -1"),
    ],
)
def test_what_is_no_code_of_combinations_is_named(act, error, message):
    with pytest.raises(error, match=message):
        act()
