"""The step for rare inputs is the ordinary one, and so is what is trained with it."""

import pytest
import torch

from course_lib.data import RareFeatures
from course_lib.models import ToyModel
from course_lib.runtime import generator
from course_lib.superposition import Trainer, reconstruction_loss, training
from course_lib.superposition.gradient import BufferPool, GradientStep
from course_lib.superposition.rare import RareGradientStep

P = torch.tensor([[0.9, 0.5, 0.2, 0.05, 0.01, 0.0, 0.3]] * 3 + [[0.0] * 7])


def model_and_features(p=P):
    model = ToyModel(7, 3, 4, seed=1)
    torch.manual_seed(0)
    torch.nn.init.normal_(model.b_dec)
    return model, RareFeatures(7, p, 4, low=-1.0, high=2.0)


@pytest.mark.parametrize("p", [P, 0.1 * P, 0 * P], ids=["dense", "rare", "never on"])
@pytest.mark.parametrize("some", [slice(0, 4), slice(1, 3), slice(2, 4)])
def test_the_gradient_by_hand_is_autograds(p, some):
    model, features = model_and_features(p)
    size = some.stop - some.start
    pool = BufferPool(model, size, batch_size=32)
    step = RareGradientStep(model, features, torch.ones(4, 1, 7), None, pool, some, seed=3)
    for _ in range(2):  # the second time on used buffers
        losses = step()
    by_hand = [parameter.grad[some].clone() for parameter in model.parameters()]

    draw = generator(3)
    features.sample(32, draw, some)
    x = features.sample(32, draw, some)
    model.zero_grad()
    expected = reconstruction_loss(model(x, some), x)
    expected.sum().backward()
    torch.testing.assert_close(losses, expected, atol=1e-6, rtol=1e-5)
    for grad, parameter in zip(by_hand, model.parameters(), strict=True):
        torch.testing.assert_close(grad, parameter.grad[some], atol=1e-6, rtol=1e-5)


def steps_of(features=None, model=None, **settings):
    default_model, default_features = model_and_features()
    features, model = features or default_features, model or default_model
    return Trainer(model, features, steps=2, batch_size=8, **settings)._gradient_steps


def test_only_what_the_step_is_made_for_takes_it():
    assert all(type(step) is RareGradientStep for step in steps_of())
    others = [
        {"importance": 0.5},
        {"target": torch.abs},
        {"model": ToyModel(7, 3, 4, output="linear")},
        {"model": ToyModel(7, 3, 4, hidden="relu")},
        {"model": ToyModel(7, 3, 4, tied=False)},
    ]
    for settings in others:
        assert all(type(step) is GradientStep for step in steps_of(**settings)), settings


def test_groups_are_of_about_one_size_and_hold_every_instance(monkeypatch):
    monkeypatch.setattr(training, "RARE_ENTRIES", 8 * 7 * 3)
    groups = [step.instances for step in steps_of()]
    assert [(g.start, g.stop) for g in groups] == [(0, 2), (2, 4)]


def test_rare_features_are_learnt():
    model = ToyModel(20, 5, 3)
    features = RareFeatures(20, 0.05, 3, high=2.0)
    losses = Trainer(model, features, steps=300, batch_size=128, lr=0.02).fit()
    assert (losses[-30:].mean(0) < 0.8 * losses[:30].mean(0)).all()
