"""The whisper is what the read-out reads, and the gradient is that of its loss."""

import torch
import torch.nn.functional as F

from course_lib import runtime
from course_lib.data import QuietLabels


def test_the_gradient_is_that_of_the_read_outs_loss():
    world = QuietLabels(seed=2)
    x, gradient, label = world.sample_with_labels(50, runtime.generator(1))
    x = x.clone().requires_grad_()
    F.cross_entropy(world.logits(x), label, reduction="sum").backward()
    torch.testing.assert_close(x.grad, gradient)


def test_the_read_out_is_nearly_always_sure_and_right():
    world = QuietLabels()
    x, _, label = world.sample_with_labels(500, runtime.generator(1))
    assert (world.logits(x).softmax(dim=1).gather(1, label[:, None]) > 0.9).all()


def test_the_labels_are_a_small_part_of_the_variance():
    world = QuietLabels()
    x, _ = world.sample(5000, runtime.generator(1))
    variance = x.var(dim=0)
    assert variance[world.directions.any(dim=0)].sum() < 0.02 * variance.sum()
    torch.testing.assert_close(world.directions.norm(dim=1), torch.ones(8))


def test_one_seed_is_one_world():
    a, b, c = (QuietLabels(seed=seed).loud for seed in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)
    torch.testing.assert_close(a.norm(dim=1), torch.ones(56))
