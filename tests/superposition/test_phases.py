"""The three closed-form losses equal the losses of the models that they describe."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import SparseFeatures
from course_lib.models import ToyModel
from course_lib.runtime import generator
from course_lib.superposition import PHASES, analytic_losses, classify_phase, reconstruction_loss

STATES = {
    "first feature only": ((1.0, 0.0), lambda p: (0.0, p / 2)),
    "second feature only": ((0.0, 1.0), lambda p: (p / 2, 0.0)),
    "both, antipodal": ((1.0, -1.0), lambda p: (0.0, 0.0)),
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("p", [0.1, 0.6, 1.0])
def test_a_closed_form_equals_the_sampled_loss_of_its_state(phase, p):
    n_samples, r = 400_000, 0.7
    weights, bias = STATES[phase]
    model = ToyModel(2, 1)
    with torch.no_grad():
        model.W[0, :, 0] = torch.tensor(weights)
        model.b_dec[0] = torch.tensor(bias(p))
        x = SparseFeatures(2, p).sample(n_samples, generator(0))
        x_hat = model(x)
    importance = torch.tensor([1.0, r])
    losses = (importance * (x - x_hat).square()).sum(-1)[0]
    error = losses.std() / n_samples**0.5
    expected = analytic_losses(p, r)[PHASES.index(phase)]
    assert abs(losses.mean() - expected) < 4.5 * error + 1e-6
    assert torch.isclose(reconstruction_loss(x_hat, x, importance)[0], losses.mean())


@settings(max_examples=100, deadline=None)
@given(st.floats(0.001, 1), st.floats(0.001, 1))
def test_sharing_wins_exactly_below_the_stated_border(p, r):
    border = 4 * r / (2 + 5 * r)
    if abs(p - border) > 1e-4 * border:
        assert (analytic_losses(p, r).argmin() == 2) == (p < border)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.01, 1), st.floats(0.01, 10))
def test_exchanging_the_features_exchanges_the_states(p, r):
    first, second, both = analytic_losses(p, r)
    swapped = r * analytic_losses(p, 1 / r)
    assert torch.allclose(swapped, torch.stack([second, first, both]), rtol=1e-4)


def test_losses_broadcast_over_a_grid():
    p, r = torch.rand(4, 1), torch.rand(1, 3)
    assert analytic_losses(p, r).shape == (4, 3, 3)


def test_states_are_read_off_the_weights():
    W = torch.tensor([[0.9, 0.1], [-0.2, 1.1], [0.8, -0.9], [0.1, 0.2], [0.8, 0.9]])[..., None]
    assert classify_phase(W).tolist() == [0, 1, 2, -1, -1]


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="probability has"):
        analytic_losses(1.2, 1.0)
    with pytest.raises(ValueError, match="relative_importance has"):
        analytic_losses(0.5, -1.0)
    with pytest.raises(ValueError, match=r"W has shape \[3, 1\]"):
        classify_phase(torch.ones(3, 1))
