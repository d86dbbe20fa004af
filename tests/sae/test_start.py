"""The geometric median is the point of least mean distance; the scale brings norms to sqrt(d)."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from course_lib.runtime import generator
from course_lib.sae.start import activation_scale, center, geometric_median


@settings(deadline=None)
@given(seed=st.integers(0, 1000), rows=st.integers(3, 30))
def test_no_point_that_scipy_finds_is_closer_to_all_rows(seed, rows):
    x = torch.randn(rows, 3, dtype=torch.float64, generator=generator(seed)) ** 3

    def distance(point):
        return (x - torch.as_tensor(point)).norm(dim=-1).mean().item()

    best = minimize(distance, x.mean(0).numpy(), method="Nelder-Mead", options={"xatol": 1e-8})
    assert distance(geometric_median(x, tolerance=1e-9, max_steps=5000)) <= best.fun * (1 + 1e-5)


def test_a_median_on_one_of_the_rows_is_finite():
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert torch.allclose(geometric_median(x), torch.zeros(2), atol=1e-5)
    assert torch.equal(geometric_median(torch.ones(4, 2)), torch.ones(2))


def test_one_outlier_moves_the_mean_and_not_the_median():
    x = torch.randn(999, 4, generator=generator(0))
    x = torch.cat([x, torch.full((1, 4), 1e5)])
    assert center(x, "mean").norm() > 100
    assert center(x, "geometric_median").norm() < 0.3
    assert center(x, "zero").norm() == 0


def test_scaled_activations_have_mean_norm_sqrt_d():
    x = 7 * torch.randn(50, 9, generator=generator(0))
    assert (activation_scale(x) * x).norm(dim=-1).mean().item() == pytest.approx(3.0, rel=1e-6)


def test_zeros_cannot_be_scaled():
    with pytest.raises(ValueError, match="all zero"):
        activation_scale(torch.zeros(4, 3))
