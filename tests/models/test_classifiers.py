"""Classifiers side by side learn as they would alone, and the attack stays in its box."""

import pytest
import torch

from course_lib.models.classifiers import Classifiers, cross_entropy, fit, one_hot_error, pgd
from course_lib.runtime import generator


def bits(draw, n=64):
    """Which of four bits is the only one set, with a bit of noise."""
    y = torch.randint(4, (n,), generator=draw)
    return 0.8 * torch.nn.functional.one_hot(y, 4) + 0.2 * torch.rand(n, 4, generator=draw), y


X, Y = bits(generator(1), 256)


def test_the_logits_are_what_the_equation_says():
    model = Classifiers(4, 3, 2, 2, activation="square", seed=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    for k in range(2):
        h = (X @ model.W_in[k] + model.b_in[k]) ** 2
        torch.testing.assert_close(model(X)[k], h @ model.W_out[k] + model.b_out[k])


def test_an_instance_learns_the_same_whatever_its_neighbours_do():
    two, rates = Classifiers(4, 8, 4, 2, seed=0), torch.tensor([0.0, 0.1])
    alone = Classifiers(4, 8, 4, 1)
    with torch.no_grad():
        for own, both in zip(alone.parameters(), two.parameters(), strict=True):
            own.copy_(both[:1])
    fit(two, bits, steps=20, lr=0.01, epsilon=rates, weight_decay=0.1)
    fit(alone, bits, steps=20, lr=0.01, weight_decay=0.1)
    for own, both in zip(alone.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(own[0], both[0])


def test_training_learns_and_adversarial_training_resists():
    model = Classifiers(4, 16, 4, 2, seed=0)
    fit(model, bits, steps=200, lr=0.02, epsilon=torch.tensor([0.0, 0.35]))
    assert (model.accuracy(X, Y) > 0.95).all()
    losses = cross_entropy(model(pgd(model, X, Y, 0.35, steps=5)), Y)
    assert losses[1] < losses[0]


def test_an_attack_never_leaves_its_box_and_hurts_more_than_noise_of_that_size():
    model = Classifiers(4, 16, 4, 3, seed=2)
    fit(model, bits, steps=100, lr=0.02)
    epsilon = torch.tensor([0.0, 0.1, 0.3])
    clean = cross_entropy(model(X), Y)
    for steps in (1, 5):
        attacked = pgd(model, X, Y, epsilon, steps)
        moved = (attacked - X).abs().amax(dim=(1, 2))
        assert (moved <= epsilon + 1e-6).all() and torch.equal(attacked[0], X)
        assert attacked.min() >= 0 and attacked.max() <= 1
        signs = torch.randint(2, X.shape, generator=generator(0)) * 2 - 1
        noisy = (X + epsilon[:, None, None] * signs).clamp(0, 1)
        harm = cross_entropy(model(attacked), Y) - clean
        assert (harm[1:] > (cross_entropy(model(noisy), Y) - clean)[1:]).all()


def test_dropout_silences_its_share_of_units_and_keeps_their_mean():
    model = Classifiers(2, 1000, 2, 3, dropout=[0.0, 0.5, 0.9])
    h = torch.ones(3, 20, 1000)
    dropped = model.drop(h, generator(0))
    assert torch.equal(dropped[0], h[0])
    share = (dropped == 0).float().mean(dim=(1, 2))
    torch.testing.assert_close(share, torch.tensor([0.0, 0.5, 0.9]), atol=0.02, rtol=0)
    torch.testing.assert_close(dropped.mean(dim=(1, 2)), torch.ones(3), atol=0.1, rtol=0)


def test_the_squared_error_is_to_the_one_hot_answer_and_can_be_trained_on():
    logits, y = torch.tensor([[[1.0, 0.0], [0.5, 0.5]]]), torch.tensor([0, 1])
    assert one_hot_error(logits, y).tolist() == [0.25]
    model = Classifiers(4, 16, 4, activation="square")
    fit(model, bits, steps=200, lr=0.01, loss=one_hot_error)
    assert model.accuracy(X, Y) > 0.95


def test_a_penalty_on_the_hidden_units_is_minimised_and_progress_is_told():
    seen = []
    quiet, loud = Classifiers(4, 8, 4), Classifiers(4, 8, 4)
    recipe = {"steps": 50, "lr": 0.01}
    fit(loud, bits, **recipe, after=seen.append)
    fit(quiet, bits, **recipe, penalty=lambda h: h.square().mean(dim=(1, 2)))
    assert quiet.hidden(X).square().mean() < loud.hidden(X).square().mean()
    assert seen == list(range(51))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"d_hidden": 0}, "d_hidden is 0"),
        ({"activation": "tanh"}, "activation is 'tanh'; it must be one of 'relu', 'square'"),
        ({"dropout": 1.0}, "dropout has 1 of 1 entries"),
        ({"dropout": [0.1, 0.2]}, r"dropout has shape \[2\]; it must be a number or 3 numbers"),
    ],
)
def test_a_bad_argument_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        Classifiers(**{"d_in": 2, "d_hidden": 3, "d_out": 2, "n_instances": 3} | change)
