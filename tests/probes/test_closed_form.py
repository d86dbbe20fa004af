"""Mass-mean, LDA and ridge probes are their formulas, and change with x as the formulas do."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib import runtime
from course_lib.probes import fit, probe
from tests.probes.labelled import affine, gaussian, rotation


def test_the_mass_mean_direction_is_the_difference_of_means_with_the_threshold_half_way():
    x, y = gaussian()
    found = fit(x, y, "mass_mean")
    one, zero = x[y == 1].mean(0), x[y == 0].mean(0)
    assert torch.allclose(found.direction, one - zero)
    assert torch.allclose(
        found.scores(((one + zero) / 2)[None]), torch.zeros(1).double(), atol=1e-9
    )


@pytest.mark.parametrize("classes", [2, 3])
def test_whitened_mass_mean_and_lda_differ_by_the_classes_shares_alone(classes):
    x, y = gaussian(classes=classes)
    y[:50] = 0
    whitened, lda = fit(x, y, "mass_mean", whiten=True), fit(x, y, "lda", shrinkage=0.0)
    assert torch.allclose(whitened.direction, lda.direction)
    share = torch.stack([(y == k).double().mean() for k in range(classes)]).log()
    expected = share[1] - share[0] if classes == 2 else share
    assert torch.allclose(lda.bias - whitened.bias, expected)


def test_lda_is_the_formula():
    x, y = gaussian()
    centred = torch.cat([x[y == k] - x[y == k].mean(0) for k in range(2)])
    S = 0.8 * (S0 := centred.T @ centred / len(x)) + 0.2 * S0.trace() / 8 * torch.eye(8).double()
    expected = torch.linalg.solve(S, x[y == 1].mean(0) - x[y == 0].mean(0))
    assert torch.allclose(fit(x, y, "lda", shrinkage=0.2).direction, expected)


@pytest.mark.parametrize(
    ("method", "options"),
    [("mass_mean", {"whiten": True}), ("lda", {"shrinkage": 0.0}), ("logistic", {"C": 1e8})],
)
@pytest.mark.parametrize("classes", [2, 3])
def test_predictions_without_penalty_do_not_change_under_affine_maps(method, options, classes):
    x, y = gaussian(classes=classes)
    A, b = affine(8)
    before, after = fit(x, y, method, **options), fit(x @ A + b, y, method, **options)
    assert torch.allclose(before.scores(x), after.scores(x @ A + b), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("method", "options"),
    [("mass_mean", {}), ("lda", {}), ("logistic", {}), ("ridge", {})],
)
def test_all_linear_probes_turn_with_x(method, options):
    x, y = gaussian()
    y = y.double() if method == "ridge" else y
    R = rotation(8)
    before, after = fit(x, y, method, **options), fit(x @ R, y, method, **options)
    assert torch.allclose(before.scores(x), after.scores(x @ R), atol=1e-4)
    assert torch.allclose(before.direction @ R, after.direction, atol=1e-4)


def test_plain_mass_mean_turns_with_x_but_not_under_affine_maps():
    x, y = gaussian()
    A, b = affine(8)
    before, after = fit(x, y, "mass_mean"), fit(x @ A + b, y, "mass_mean")
    changed = (before.scores(x) > 0) != (after.scores(x @ A + b) > 0)
    assert changed.double().mean() > 0.05


@pytest.mark.parametrize("whiten", [False, True])
def test_mass_mean_does_not_change_with_the_unit_or_the_origin_of_x(whiten):
    x, y = gaussian()
    before = fit(x, y, "mass_mean", whiten=whiten).scores(x) > 0
    after = fit(1000 * x - 5, y, "mass_mean", whiten=whiten).scores(1000 * x - 5) > 0
    assert torch.equal(before, after)


@pytest.mark.parametrize("method", ["mass_mean", "lda", "ridge"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_batch_of_problems_is_each_problem_alone(method, dtype):
    x, _ = gaussian(dtype=dtype)
    x = torch.stack([x, x.flip(-1) + 1, x**2])[:, None]  # [3, 1, n, d]
    y = torch.stack([(x[0, 0, :, i] > 1).long() for i in range(4)])  # [4, n]
    y[:, :30] = 1
    y = y.to(dtype) if method == "ridge" else y
    y[1, 100:150] = float("nan") if method == "ridge" else -1
    many = fit(x, y, method)
    assert many.direction.shape == (3, 4, 8)
    for i in range(3):
        for j in range(4):
            there = torch.ones(400).bool() if j != 1 else (torch.arange(400) // 50 != 2)
            one = fit(x[i, 0, there], y[j, there], method)
            close = {"rtol": 1e-4, "atol": 1e-5}
            assert torch.allclose(many.direction[i, j], one.direction, **close)
            assert torch.allclose(many.bias[i, j], one.bias, **close)


def test_ridge_finds_a_linear_law_exactly_and_its_penalty_shrinks_it():
    x, _ = gaussian()
    w = torch.arange(8.0, dtype=torch.float64)
    y = x @ w + 3
    exact = fit(x, y, "ridge", alpha=0.0)
    assert torch.allclose(exact.direction, w) and abs(float(exact.bias) - 3) < 1e-6
    norms = [float(fit(x, y, "ridge", alpha=a).direction.norm()) for a in (0.0, 10.0, 1e4)]
    assert norms[0] > norms[1] > norms[2]


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["mass_mean", "whiten", "lda", "ridge", "logistic"]), st.integers(0, 99))
def test_constant_and_repeated_features_and_too_few_rows_give_finite_probes(method, seed):
    """A constant feature gets weight 0; a feature that stands twice carries its weight on both."""
    generator = runtime.generator(seed)
    n, d = 12, 20
    x = torch.randn(n, d, generator=generator, dtype=torch.float64)
    x[:, 3] = 7.0
    x[:, 5] = x[:, 4]
    y = (torch.arange(n) % 2).to(torch.float64 if method == "ridge" else torch.long)
    name, options = ("mass_mean", {"whiten": True}) if method == "whiten" else (method, {})
    found = fit(x, y, name, **options)
    assert found.direction.isfinite().all() and found.bias.isfinite()
    assert abs(float(found.direction[3])) < 1e-6
    assert torch.allclose(found.direction[4], found.direction[5], atol=1e-6)


def test_whitening_where_features_repeat_predicts_as_without_the_repetition():
    x, y = gaussian()
    twice = torch.cat([x, x[:, :3] - x[:, 3:6]], 1)
    once, again = fit(x, y, "mass_mean", whiten=True), fit(twice, y, "mass_mean", whiten=True)
    assert torch.allclose(once.scores(x), again.scores(twice), atol=1e-6)


def test_a_bayes_optimal_world_is_read_at_the_bayes_rate():
    """Two Gaussians of one covariance, sqrt(Δᵀ Σ⁻¹ Δ) = 2: accuracy Φ(1) = 0.841."""
    generator = runtime.generator(0)
    A, _ = affine(6)
    delta = torch.zeros(6, dtype=torch.float64)
    delta[0] = 2.0
    y = torch.randint(2, (40_000,), generator=generator)
    z = torch.randn(40_000, 6, generator=generator, dtype=torch.float64)
    x = (z + y[:, None] * delta) @ A
    for method, options in (("mass_mean", {"whiten": True}), ("lda", {}), ("logistic", {})):
        assert float(probe(x, y, method, **options).accuracy) == pytest.approx(0.8413, abs=0.01)
    assert float(probe(x, y, "mass_mean").accuracy) < 0.8


def test_options_out_of_range_are_refused():
    x, y = gaussian(n=20)
    for method, options in (
        ("lda", {"shrinkage": 2.0}),
        ("ridge", {"alpha": -1.0}),
        ("logistic", {"C": 0.0}),
    ):
        with pytest.raises(ValueError, match=next(iter(options))):
            fit(x, y.double() if method == "ridge" else y, method, **options)
    with pytest.raises(TypeError, match="whiten"):
        fit(x, y, "mass_mean", whiten=0.5)
