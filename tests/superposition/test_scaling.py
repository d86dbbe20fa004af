"""Decays set norms, fits find planted laws, and the mass left out is what it is defined to be."""

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from course_lib.data import RareFeatures
from course_lib.models import ToyModel
from course_lib.superposition import (
    Trainer,
    fit_power_law,
    mean_squared_overlap,
    represented_fraction,
    signed_decay_,
    unrepresented_mass,
)

SIZES = torch.tensor([8.0, 12.0, 18.0, 27.0, 40.0])


@settings(max_examples=40, deadline=None)
@given(st.floats(-5, 5), st.floats(0.001, 0.2), st.integers(0, 1000))
@example(decay=4.540205747661162, lr=0.1953125, seed=0)
def test_decay_changes_lengths_by_its_rule_and_turns_no_row(decay, lr, seed):
    torch.manual_seed(seed)
    W = torch.randn(6, 3, dtype=torch.double) * torch.rand(6, 1, dtype=torch.double) * 3
    before = W.clone()
    after = signed_decay_(W, decay, lr)
    assert after is W
    old, new = before.norm(dim=-1), W.norm(dim=-1)
    wanted = (1 - lr * decay) * old if decay >= 0 else old + lr * -decay * (1 - old)
    torch.testing.assert_close(new, wanted)
    torch.testing.assert_close(W / new[:, None], before / old[:, None])


def test_each_instance_has_its_decay_and_a_row_of_zeros_stays():
    W = torch.ones(3, 2, 4)
    W[:, 0] = 0
    signed_decay_(W, torch.tensor([-1.0, 0.0, 1.0]), 0.1)
    assert (W[:, 0] == 0).all()
    torch.testing.assert_close(W[:, 1].norm(dim=-1), torch.tensor([1.9, 2.0, 1.8]))


def test_a_step_that_would_overshoot_is_refused():
    with pytest.raises(ValueError, match=r"decay is 20 in size; at lr = 0.1 it must be at most 10"):
        signed_decay_(torch.ones(2, 2), -20.0, 0.1)


def test_the_trainer_decays_each_instance_by_its_own_strength():
    n, m = 40, 4
    model = ToyModel(n, m, 3)
    decay = torch.tensor([-1.0, 0.0, 3.0])
    features = RareFeatures(n, 1 / n, 3, high=2.0)
    trainer = Trainer(model, features, steps=150, batch_size=64, lr=0.02, weight_decay=decay)
    trainer.fit()
    strong, none, weak = represented_fraction(model.W.detach()).tolist()
    assert strong > 0.9 and strong >= none > weak
    with pytest.raises(ValueError, match=r"weight_decay has shape \[2\]; it must be \[3\]"):
        Trainer(model, features, steps=1, weight_decay=torch.ones(2))


@settings(max_examples=40, deadline=None)
@given(st.floats(-2, 2), st.floats(1e-3, 1e3))
def test_a_planted_law_comes_back_exactly(exponent, scale):
    fit = fit_power_law(SIZES, scale * SIZES.double() ** -exponent)
    assert fit.exponent.item() == pytest.approx(exponent, abs=1e-6)
    assert fit.scale.item() == pytest.approx(scale, rel=1e-5)
    assert fit.margin.item() == pytest.approx(0, abs=1e-5)
    if abs(exponent) > 0.01:
        assert fit.r2.item() == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(fit(SIZES), scale * SIZES.double() ** -exponent, rtol=1e-5, atol=0)


def test_a_fit_of_many_curves_is_scipys_of_each():
    torch.manual_seed(0)
    loss = SIZES**-0.8 * (0.3 * torch.randn(2, 3, 5)).exp()
    fit = fit_power_law(SIZES, loss, confidence=0.9)
    assert fit.exponent.shape == fit.r2.shape == fit.margin.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        line = stats.linregress(np.log(SIZES.numpy()), np.log(loss[i, j].numpy()))
        assert fit.exponent[i, j].item() == pytest.approx(-line.slope, abs=1e-5)
        assert fit.r2[i, j].item() == pytest.approx(line.rvalue**2, abs=1e-5)
        assert fit.scale[i, j].item() == pytest.approx(math.exp(line.intercept), rel=1e-4)
        margin = stats.t.ppf(0.95, 3) * line.stderr
        assert fit.margin[i, j].item() == pytest.approx(margin, rel=1e-4)


def test_interval_and_band_hold_the_truth_as_often_as_they_say():
    torch.manual_seed(1)
    truth = 3 * SIZES.double() ** -0.9
    fit = fit_power_law(SIZES, truth * (0.2 * torch.randn(4000, 5, dtype=torch.double)).exp())
    inside = ((fit.exponent - 0.9).abs() <= fit.margin).double().mean().item()
    assert inside == pytest.approx(0.95, abs=0.016)  # 4.5 standard errors of 4,000 draws
    low, high = fit.band(SIZES)
    covered = ((low <= truth) & (truth <= high)).double().mean(dim=0)
    assert (covered - 0.95).abs().max() < 0.016
    width = (high / low).log().mean(dim=0)
    assert width.argmin() in (2, 3) and width[0] > 1.2 * width[2]


@pytest.mark.parametrize(
    ("sizes", "loss", "message"),
    [
        ([1.0, 2.0], [1.0, 2.0], "give at least 3, all different"),
        ([1.0, 2.0, 2.0], [1.0, 2.0, 3.0], "give at least 3, all different"),
        ([1.0, 2.0, 3.0], [1.0, 2.0], r"loss has shape \[2\]; it must end in 3"),
        ([1.0, 2.0, 3.0], [1.0, 0.0, 3.0], "loss has an entry of 0; every entry must be above 0"),
        ([-1.0, 2.0, 3.0], [1.0, 1.0, 3.0], "sizes has an entry of -1"),
        ([1.0, 2.0, 3.0], [1.0, math.nan, 3.0], "loss has 1 of 3 entries"),
    ],
)
def test_what_cannot_be_fitted_is_refused_by_name(sizes, loss, message):
    with pytest.raises(ValueError, match=message):
        fit_power_law(torch.tensor(sizes), torch.tensor(loss))
    with pytest.raises(ValueError, match="confidence is 1.0"):
        fit_power_law(SIZES, SIZES, confidence=1.0)


def test_the_mass_left_out_adds_the_frequencies_of_short_rows():
    W = torch.tensor([[1.0, 0.0], [0.0, 0.4], [0.3, 0.3], [0.0, 0.6]])
    p = torch.tensor([0.5, 0.25, 0.125, 0.0625])
    assert unrepresented_mass(W, p).item() == pytest.approx(0.375)
    both = unrepresented_mass(torch.stack([W, torch.zeros(4, 2)]), p)
    torch.testing.assert_close(both, torch.tensor([0.375, 0.9375]))
    assert unrepresented_mass(W, p, threshold=0.7).item() == pytest.approx(0.4375)


def test_the_mean_overlap_is_that_of_all_pairs_and_1_over_m_for_random_directions():
    torch.manual_seed(2)
    W = torch.randn(3, 9, 4, dtype=torch.double)
    W[1, 2] = 0
    for rows, found in zip(W, mean_squared_overlap(W), strict=True):
        rows = [row for row in rows if row.any()]
        pairs = [(a @ b / a.norm() / b.norm()) ** 2 for a in rows for b in rows if a is not b]
        assert found.item() == pytest.approx(torch.stack(pairs).mean().item())
    many = mean_squared_overlap(torch.randn(400, 16))
    assert 16 * many.item() == pytest.approx(1, abs=0.03)
