"""Sparsity and reconstruction: definitions, and the errors the field has made with them."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import r2_score

from course_lib.runtime import generator
from course_lib.sae import (
    dead_share,
    density,
    density_histogram,
    fvu,
    l0,
    reconstruction_bias,
)

DTYPES = [torch.float32, torch.float64]


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=generator(seed), dtype=dtype)


def sparse(*shape, seed=0):
    return randn(*shape, seed=seed).sub(1).relu()


# --- the fraction of variance unexplained -------------------------------------------------------


def test_fvu_is_measured_about_the_mean_of_x_not_about_zero():
    x = 10 + randn(1000, 8)  # activations have a large mean, and predicting it is no achievement
    mean = x.mean(dim=0).expand_as(x)
    assert fvu(x, mean).item() == pytest.approx(1.0)
    about_zero = (x - mean).square().sum() / x.square().sum()
    assert about_zero < 0.02  # what the wrong definition would have called 98 % explained


def test_fvu_is_a_ratio_of_sums_not_a_mean_of_ratios():
    x = torch.cat([randn(500, 4), 0.01 * randn(500, 4, seed=1)])
    x_hat = torch.cat([x[:500], torch.zeros(500, 4)])  # only the tiny inputs are rebuilt badly
    centred = x - x.mean(dim=0)
    mean_of_ratios = ((x - x_hat).square().sum(-1) / centred.square().sum(-1)).mean()
    assert fvu(x, x_hat) < 2e-4
    assert mean_of_ratios > 0.05


def test_a_second_batch_axis_is_pooled_and_not_taken_for_instances():
    x, x_hat = randn(6, 7, 4), randn(6, 7, 4, seed=1)
    x += randn(6, 1, 4, seed=2)  # sequences with means of their own
    flat = fvu(x.flatten(0, 1), x_hat.flatten(0, 1))
    assert fvu(x, x_hat).shape == () and torch.isclose(fvu(x, x_hat), flat)
    assert not torch.isclose(fvu(x, x_hat, per_instance=True).mean(), flat, rtol=0.05)
    z = sparse(6, 7, 9)
    assert l0(z).shape == dead_share(z).shape == () and density(z).shape == (9,)


@pytest.mark.parametrize("dtype", DTYPES)
def test_fvu_is_one_minus_the_variance_weighted_r2_of_scikit_learn(dtype):
    x = randn(200, 5, dtype=dtype) * torch.tensor([0.1, 1, 3, 0.5, 2], dtype=dtype) + 4
    x_hat = x + randn(200, 5, seed=1, dtype=dtype) * 0.5
    r2 = r2_score(x.numpy(), x_hat.numpy(), multioutput="variance_weighted")
    assert fvu(x, x_hat).dtype == dtype
    assert 1 - fvu(x, x_hat).item() == pytest.approx(r2, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(2, 9), st.integers(1, 5), st.floats(0.01, 100), st.floats(-100, 100),
    st.integers(0, 2**31),
)  # fmt: skip
def test_fvu_is_its_definition_and_does_not_depend_on_scale_and_offset(batch, d_in, a, b, seed):
    x, x_hat = randn(batch, d_in, seed=seed), randn(batch, d_in, seed=seed + 1)
    mean = [sum(x[r, c].item() for r in range(batch)) / batch for c in range(d_in)]
    cells = [(r, c) for r in range(batch) for c in range(d_in)]
    error = sum((x[r, c] - x_hat[r, c]).item() ** 2 for r, c in cells)
    variance = sum((x[r, c].item() - mean[c]) ** 2 for r, c in cells)
    assert fvu(x, x_hat).item() == pytest.approx(error / variance, rel=1e-9)
    assert fvu(a * x + b, a * x_hat + b).item() == pytest.approx(error / variance, rel=1e-6)


def test_every_instance_has_its_own_fvu_of_a_shared_or_an_own_input():
    x, x_hat = randn(50, 4), randn(3, 50, 4, seed=1)
    each = torch.stack([fvu(x, one) for one in x_hat])
    assert torch.allclose(fvu(x, x_hat, per_instance=True), each)
    assert torch.allclose(fvu(x.expand(3, -1, -1), x_hat, per_instance=True), each)
    assert fvu(x, x).item() == 0.0


def test_half_precision_is_summed_in_single():
    x = randn(4096, 32, dtype=torch.float32)
    x_hat = x + 0.1 * randn(4096, 32, seed=1, dtype=torch.float32)
    half = fvu(x.bfloat16(), x_hat.bfloat16())
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(fvu(x, x_hat).item(), rel=0.01)


@pytest.mark.parametrize("constant", [0.0, 3.1, 1e6])
@pytest.mark.parametrize("dtype", DTYPES)
def test_constant_inputs_have_no_variance_to_explain(constant, dtype):
    x = torch.full((7, 3), constant, dtype=dtype)
    with pytest.raises(ValueError, match="x is the same in all 7 inputs"):
        fvu(x, x)


def test_small_variance_on_a_large_mean_is_variance():
    x = 1000 + 0.01 * randn(100, 3)
    assert fvu(x.float(), x.mean(dim=0).float().expand(100, 3)).item() == pytest.approx(1, abs=0.01)


def test_reconstruction_bias_is_the_factor_that_the_reconstructions_are_off_by():
    x = randn(300, 6)
    assert reconstruction_bias(x, 0.7 * x).item() == pytest.approx(0.7)
    x_hat = 0.8 * x + 0.1 * randn(300, 6, seed=1)
    gamma = reconstruction_bias(x, x_hat)
    error = [(x - x_hat / (gamma * s)).square().sum() for s in (0.99, 1.0, 1.01)]
    assert error[1] < error[0] and error[1] < error[2]  # the best rescaling, as the paper has it


# --- sparsity -----------------------------------------------------------------------------------


def test_l0_density_and_dead_share_count_what_is_not_zero():
    z = torch.tensor([[0.0, 2.0, 0.0, -1.0], [0.0, 1e-30, 0.0, 0.0], [0.0, 3.0, 0.0, 0.0]])
    assert l0(z).item() == pytest.approx(4 / 3)
    assert density(z).tolist() == pytest.approx([0, 1, 0, 1 / 3])
    assert dead_share(z).item() == 0.5


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**31))
def test_every_instance_is_counted_alone_and_the_three_counts_agree(n, batch, d_sae, seed):
    z = sparse(n, batch, d_sae, seed=seed)
    for measure in (l0, density, dead_share):
        each = torch.stack([measure(one) for one in z])
        assert torch.equal(measure(z, per_instance=True), each)
    assert torch.allclose(density(z).sum(), l0(z), atol=1e-6)
    assert torch.equal(dead_share(z), (density(z) == 0).float().mean())


def test_the_histogram_counts_every_living_latent_once_by_its_decade():
    shares = torch.tensor([0.0, 0.0, 1e-9, 2e-4, 5e-4, 0.02, 1.0])
    counts, edges = density_histogram(shares, low=-4.0, bins=4)
    assert counts.tolist() == [3, 0, 1, 1]
    assert edges.tolist() == [-4, -3, -2, -1, 0]


# --- what is refused ----------------------------------------------------------------------------

X = torch.arange(12.0).view(4, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fvu(X, X[:, :2]), r"x_hat has shape \[4, 2\]; it must have x's shape \[4, 3\]"),
        (lambda: fvu(X, torch.stack([X, X])), "or per_instance=True"),
        (lambda: fvu(X, X * math.nan), "x_hat has 12 of 12 entries"),
        (lambda: fvu(X / 0, X), "x has 12 of 12 entries"),
        (lambda: fvu(X[0], X[0]), r"x is \[3\]; it must be a tensor \[batch, d\]"),
        (lambda: fvu(X[:0], X[:0]), "not empty"),
        (lambda: fvu(X, X, per_instance=True), r"\[n_instances, batch, d\]"),
        (lambda: l0(X * math.nan), "z has 12 of 12 entries"),
        (lambda: l0([[1.0]]), "z is list"),
        (lambda: reconstruction_bias(X, X[:2]), r"x_hat has shape \[2, 3\]"),
        (lambda: density_histogram(torch.tensor([0.5, 1.5])), "the first is 1.5"),
        (lambda: density_histogram(torch.tensor([0.5]), low=0.0), "low is 0.0"),
    ],
)
def test_bad_arguments_are_named_with_their_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
