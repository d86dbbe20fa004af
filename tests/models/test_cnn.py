"""The convolutional network classifies pictures and predicts fields."""

import pytest
import torch
import torch.nn.functional as F

from course_lib.models.cnn import CNN, CNNConfig
from course_lib.runtime import generator

PICTURES = CNNConfig(1, 8, channels=(3, 4))
FIELD = CNNConfig(2, 16, classes=(), dimensions=1, channels=(4, 4), kernel=5, ring=True)


def noise(*shape, seed=0):
    return torch.randn(shape, generator=generator(seed))


def changed(model):
    """With a read-out that is not at its start."""
    torch.nn.init.normal_(model.readout.weight, generator=generator(1))
    return model


def test_a_classifier_is_convolution_relu_halving_and_a_linear_map():
    model, x = CNN(PICTURES), noise(5, 1, 8, 8)
    h = x
    for layer in model.layers:
        h = F.conv2d(h, layer.conv.weight, layer.conv.bias, padding=1).clamp(min=0)
        h = h.unfold(2, 2, 2).unfold(3, 2, 2).amax(dim=(-1, -2))
    assert h.shape == (5, 4, 2, 2)
    expected = h.reshape(5, 16) @ model.readout.weight.T + model.readout.bias
    torch.testing.assert_close(model(x), expected)


def test_activations_are_modules_outputs():
    model, seen = CNN(PICTURES), []
    model.layers[0].act.register_forward_hook(lambda *args: seen.append(args[2]))
    model(noise(5, 1, 8, 8))
    assert seen[0].shape == (5, 3, 8, 8) and (seen[0] >= 0).all()


def test_a_field_on_a_ring_has_no_place_of_its_own():
    model, x = changed(CNN(FIELD)), noise(3, 2, 16)
    out = model(x)
    assert out.shape == (3, 1, 16)
    torch.testing.assert_close(model(x.roll(5, -1)), out.roll(5, -1))
    line = changed(CNN(CNNConfig(2, 16, (), 1, (4, 4), 5)))
    assert not torch.allclose(line(x.roll(5, -1)), line(x).roll(5, -1), atol=1e-3)


def test_a_field_is_thought_to_stay_until_training_says_otherwise():
    x = noise(3, 2, 16)
    assert torch.equal(CNN(FIELD)(x), x[:, 1:])


def test_each_label_has_a_loss_of_its_own_and_they_add_up():
    model = CNN(CNNConfig(3, 12, classes=(4, 2)))
    x, target = noise(6, 3, 12, 12), torch.tensor([[0, 1]] * 3 + [[3, 0]] * 3)
    log_p = [part.log_softmax(1) for part in model(x).split([4, 2], dim=1)]
    parts = [-p[torch.arange(6), target[:, i]].mean() for i, p in enumerate(log_p)]
    torch.testing.assert_close(model.loss(x, target), parts[0] + parts[1])
    one = CNN(PICTURES)
    y = torch.arange(6)
    x = noise(6, 1, 8, 8)
    assert torch.equal(one.loss(x, y), one.loss(x, y[:, None]))


def test_the_loss_of_a_field_is_its_mean_squared_error():
    model, x, target = changed(CNN(FIELD)), noise(3, 2, 16), noise(3, 1, 16, seed=2)
    expected = (model(x) - target).square().mean()
    torch.testing.assert_close(model.loss(x, target), expected)


def test_the_seed_gives_the_weights():
    one, same, other = (CNN(PICTURES, seed=seed) for seed in (0, 0, 1))
    weights = [[m.conv.weight for m in model.layers] for model in (one, same, other)]
    assert all(map(torch.equal, weights[0], weights[1]))
    assert not any(map(torch.equal, weights[0], weights[2]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: CNNConfig(0, 8), "n_in is 0"),
        (lambda: CNNConfig(1, 8, channels=()), r"channels is \(\)"),
        (lambda: CNNConfig(1, 8, channels=(2, -1)), "an entry of channels is -1"),
        (lambda: CNNConfig(1, 8, dimensions=3), "dimensions is 3; it must be 1 or 2"),
        (lambda: CNNConfig(1, 8, kernel=4), "kernel is 4; it must be odd"),
        (lambda: CNNConfig(1, 8, channels=(2, 2, 2, 2)), "each halves the picture of 8 pixels"),
        (lambda: CNN(PICTURES)(noise(2, 8, 8)), r"x has shape \[2, 8, 8\]; it must be \[batch, 1"),
        (lambda: CNN(PICTURES).loss(noise(2, 1, 8, 8), torch.zeros(2, 2)), r"target has shape"),
    ],
)
def test_bad_arguments_are_named_with_their_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
