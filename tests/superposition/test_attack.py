"""The closed-form attack is optimal, and vulnerability is what it says."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.models import ToyModel
from course_lib.superposition import (
    attack_gain,
    feature_dimensionality,
    optimal_l2_attack,
    vulnerability,
)


def randomized(n=6, m=3, instances=2, seed=0, **kwargs) -> ToyModel:
    model = ToyModel(n, m, instances, **kwargs)
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    return model.requires_grad_(False)


def ball(shape, epsilon, seed=0):
    delta = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return epsilon * delta / delta.norm(dim=-1, keepdim=True)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(["relu", "linear"]), st.booleans(), st.floats(0, 2))
def test_no_perturbation_of_the_same_norm_does_better(seed, output, tied, epsilon):
    model = randomized(seed=seed, output=output, tied=tied)
    x = torch.rand(2, 4, 6, generator=torch.Generator().manual_seed(seed))
    for feature in range(6):
        delta = optimal_l2_attack(model, x, feature, epsilon)
        assert torch.allclose(delta.norm(dim=-1), torch.tensor(epsilon), rtol=1e-4)

        def error(delta, feature=feature):
            return (model(x + delta)[..., feature] - x[..., feature]).abs()

        for k in range(30):
            assert (error(ball(x.shape, epsilon, seed + k)) <= error(delta) + 1e-5).all()


def test_gradient_ascent_from_many_starts_finds_nothing_better():
    model, epsilon, feature = randomized(seed=3), 0.5, 2
    x = torch.rand(2, 16, 6, generator=torch.Generator().manual_seed(1))
    best = (model(x + optimal_l2_attack(model, x, feature, epsilon)) - x)[..., feature].abs()
    for start in range(10):
        delta = ball(x.shape, epsilon, start).requires_grad_()
        for _ in range(50):
            (model(x + delta) - x)[..., feature].square().sum().backward()
            with torch.no_grad():
                delta += delta.grad
                delta *= epsilon / delta.norm(dim=-1, keepdim=True)
                delta.grad = None
        assert ((model(x + delta) - x)[..., feature].abs() <= best + 1e-4).all()


def test_gain_follows_from_norm_and_dimensionality():
    model = randomized(seed=1)
    W = model.W
    expected = W.square().sum(-1) / feature_dimensionality(W).sqrt()
    assert torch.allclose(attack_gain(model), expected, rtol=1e-4)


def test_vulnerability_takes_the_worst_attack_for_each_sample():
    model, epsilon = randomized(seed=2), 0.1
    x = torch.rand(2, 8, 6, generator=torch.Generator().manual_seed(2))
    loss = lambda z: (model(z) - x).square().sum(-1)  # noqa: E731
    attacked = torch.stack([loss(x + optimal_l2_attack(model, x, i, epsilon)) for i in range(6)])
    expected = (attacked.amax(0).mean(-1) - loss(x).mean(-1)) / epsilon**2
    assert torch.allclose(vulnerability(model, x, epsilon), expected, rtol=1e-3)


def test_an_exact_model_without_superposition_has_vulnerability_one():
    model = ToyModel(3, 3, output="linear").requires_grad_(False)
    model.W[0] = torch.eye(3)
    x = torch.rand(1, 5, 3)
    assert torch.allclose(vulnerability(model, x, 0.2), torch.ones(1), atol=1e-3)


def test_an_output_that_listens_to_nothing_is_not_attacked():
    model = randomized()
    model.W[:, 1] = 0
    assert not optimal_l2_attack(model, torch.rand(2, 4, 6), 1, 1.0).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.rand(2, 4, 6), 6, 0.1), "feature is 6; it must be below 6"),
        ((torch.rand(2, 4, 6), 0, -0.1), "epsilon is -0.1"),
        ((torch.rand(4, 6), 0, 0.1), r"x has shape \[4, 6\]"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        optimal_l2_attack(randomized(), *arguments)


def test_a_hidden_relu_and_a_zero_epsilon_are_refused():
    with pytest.raises(ValueError, match="model has hidden='relu'"):
        attack_gain(randomized(hidden="relu"))
    with pytest.raises(ValueError, match="epsilon is 0"):
        vulnerability(randomized(), torch.rand(2, 4, 6), 0.0)
