"""The measures equal their definitions and obey the theory."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.runtime import generator
from course_lib.superposition import (
    dimensions_per_feature,
    feature_dimensionality,
    interference,
    mean_squared_overlap,
    mutual_coherence,
    represented_fraction,
    welch_bound,
)

weights = st.builds(
    lambda n, m, seed: torch.randn(
        n, m, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    ),
    st.integers(1, 8), st.integers(1, 5), st.integers(0, 2**31),
)  # fmt: skip


def polygon(corners: int) -> torch.Tensor:
    angle = torch.arange(corners, dtype=torch.float64) * 2 * math.pi / corners
    return torch.stack([angle.cos(), angle.sin()], dim=-1)


def tight_frame(n: int, m: int, scale: float, seed: int) -> torch.Tensor:
    """n rows in R^m with WᵀW = scale² I: m orthonormal columns in R^n."""
    columns = torch.randn(n, m, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return scale * torch.linalg.qr(columns).Q


@settings(max_examples=50, deadline=None)
@given(weights)
def test_measures_equal_their_definitions_in_loops(W):
    n = len(W)
    unit = [w / w.norm() for w in W]
    D, shared = feature_dimensionality(W), interference(W)
    for i in range(n):
        others = sum(float(unit[i] @ W[j]) ** 2 for j in range(n) if j != i)
        own = float(unit[i] @ W[i]) ** 2
        assert math.isclose(shared[i], others, rel_tol=1e-9, abs_tol=1e-12)
        assert math.isclose(D[i], float(W[i] @ W[i]) / (own + others), rel_tol=1e-9)
    if n > 1:
        cosines = [float(unit[i] @ unit[j]) ** 2 for i in range(n) for j in range(n) if i != j]
        assert math.isclose(mean_squared_overlap(W), sum(cosines) / len(cosines), rel_tol=1e-9)
    assert math.isclose(dimensions_per_feature(W), W.shape[1] / sum(float(w @ w) for w in W))
    norms = [float(w.norm()) > 0.5 for w in W]
    assert math.isclose(represented_fraction(W), sum(norms) / n, rel_tol=1e-6)


@settings(max_examples=100, deadline=None)
@given(weights)
def test_dimensionalities_never_exceed_leverage_scores_so_their_sum_never_exceeds_the_rank(W):
    leverage = (W @ torch.linalg.pinv(W)).diagonal()
    D = feature_dimensionality(W)
    assert (D - leverage <= 1e-9).all()
    assert D.sum() <= torch.linalg.matrix_rank(W).item() + 1e-9


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5), st.integers(0, 6), st.floats(0.1, 10), st.integers(0, 2**31))
def test_dimensionalities_of_a_tight_frame_sum_to_its_dimensions(m, extra, scale, seed):
    W = tight_frame(m + extra, m, scale, seed)
    assert torch.isclose(feature_dimensionality(W).sum(), torch.tensor(float(m)).double())


def test_orthogonal_groups_of_different_scale_sum_to_the_rank():
    W = torch.block_diag(tight_frame(5, 2, 3.0, 0), tight_frame(4, 3, 0.2, 1), torch.zeros(2, 2))
    assert torch.isclose(feature_dimensionality(W).sum(), torch.tensor(5.0).double())


@pytest.mark.parametrize(
    ("W", "dimensionality"),
    [
        (torch.eye(3), 1),
        (torch.tensor([[1.0], [-1.0]]), 1 / 2),
        (polygon(3), 2 / 3),
        (polygon(5), 2 / 5),
        (torch.tensor([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]), 3 / 4),
        (torch.tensor([[0.6, 0.8]]) * 7, 1),
    ],
)
def test_polytopes_have_their_known_dimensionality(W, dimensionality):
    D = feature_dimensionality(W)
    assert torch.allclose(D, torch.full_like(D, dimensionality))


def test_a_zero_row_has_no_dimensionality_and_no_direction():
    W = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 2.0]])
    assert torch.equal(feature_dimensionality(W), torch.tensor([1.0, 0.0, 1.0]))
    assert torch.equal(interference(W), torch.zeros(3))
    assert mean_squared_overlap(W) == 0
    assert mean_squared_overlap(W[:2]).isnan()


@settings(max_examples=25, deadline=None)
@given(weights, st.integers(0, 2**31))
def test_measures_do_not_depend_on_the_basis_nor_dimensionality_on_the_scale(W, seed):
    m = W.shape[1]
    Q = tight_frame(m, m, 1.0, seed)
    for measure in (feature_dimensionality, interference, mean_squared_overlap):
        assert torch.allclose(measure(W @ Q), measure(W), equal_nan=True)
    assert torch.allclose(feature_dimensionality(3 * W), feature_dimensionality(W))


def test_random_directions_overlap_by_one_over_the_dimension():
    W = torch.randn(2000, 16, generator=torch.Generator().manual_seed(0))
    assert mean_squared_overlap(W).item() == pytest.approx(1 / 16, rel=0.02)


def test_leading_axes_are_instances():
    W = torch.randn(2, 3, 5, 4)
    measures = (feature_dimensionality, interference, mean_squared_overlap, represented_fraction)
    for measure in (*measures, dimensions_per_feature):
        assert torch.allclose(measure(W)[1, 2], measure(W[1, 2]))


@pytest.mark.parametrize("W", [torch.ones(3), [[1.0]], torch.tensor([[1.0, math.nan]])])
def test_bad_weights_are_refused_by_name(W):
    with pytest.raises((TypeError, ValueError), match="W (is|has)"):
        feature_dimensionality(W)


def test_mutual_coherence_is_the_largest_cosine_of_a_pair_and_ignores_scale():
    W = torch.randn(3, 5, 4, generator=generator(0))
    by_hand = [
        max(
            abs(torch.cosine_similarity(w[i], w[j], dim=0).item())
            for i in range(5)
            for j in range(i)
        )
        for w in W
    ]
    assert mutual_coherence(W).tolist() == pytest.approx(by_hand, abs=1e-6)
    assert torch.allclose(mutual_coherence(-3 * W), mutual_coherence(W))
    assert mutual_coherence(W[:, :1]).tolist() == [0, 0, 0]


def test_the_welch_bound_is_met_by_tight_frames_and_beaten_by_none():
    triangle = torch.tensor([[1.0, 0.0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]])
    assert mutual_coherence(triangle).item() == pytest.approx(welch_bound(3, 2), abs=1e-6)
    assert welch_bound(4, 4) == welch_bound(1, 3) == 0.0
    for seed in range(20):
        W = torch.randn(9, 4, generator=generator(seed))
        assert mutual_coherence(W) >= welch_bound(9, 4)
