"""Exactly k inputs reach the answer, and scores rise where an input would have helped."""

import pytest
import torch

from course_lib.models import TopKAttention
from course_lib.runtime import generator

K = torch.tensor([1, 3, 6])


def model(**changes):
    net = TopKAttention(6, 4, K, d_hidden=8, **changes)
    with torch.no_grad():
        net.scores.normal_(generator=generator(0))
    return net


def batch(n=20):
    draw = generator(1)
    return torch.randn(3, n, 6, generator=draw), torch.randint(4, (3, n), generator=draw)


def test_the_mask_holds_the_k_highest_scores_of_the_question():
    net, (_, question) = model(), batch()
    mask = net.mask(question)
    for i, k in enumerate(K.tolist()):
        for m, q in zip(mask[i], question[i], strict=True):
            assert set(m.nonzero()[:, 0].tolist()) == set(net.scores[i, q].topk(k).indices.tolist())
            torch.testing.assert_close(m[m > 0.5], torch.ones(k))


def test_inputs_that_are_not_picked_change_nothing_and_picked_ones_do():
    net, (x, question) = model(), batch()
    picked = net.mask(question) > 0.5
    other = x + torch.randn(x.shape, generator=generator(5))
    torch.testing.assert_close(net(torch.where(picked, x, other), question), net(x, question))
    assert ((net(torch.where(picked, other, x), question) - net(x, question)).abs() > 1e-6).any()


def test_forward_is_the_equation():
    net, (x, question) = model(), batch(5)
    seen = x * (net.mask(question) > 0.5)
    for i in range(3):
        for s in range(5):
            h = torch.relu(seen[i, s] @ net.W_in[i] + net.b_in[i, question[i, s]])
            value = h @ net.W_out[i, :, 0] + net.b_out[i, 0, 0]
            torch.testing.assert_close(net(x, question)[i, s], value)


def test_the_gradient_of_a_score_is_that_of_letting_the_input_in():
    net, (x, question) = model(), batch(1)
    net(x, question).sum().backward()
    i, q = 0, int(question[0, 0])
    strength = net.scores[i, q].sigmoid() * (1 - net.scores[i, q].sigmoid())
    gate = (net.mask(question)[i, 0]).detach().requires_grad_()
    h = torch.relu((x[i, 0] * gate) @ net.W_in[i] + net.b_in[i, q])
    (h @ net.W_out[i, :, 0]).backward()
    torch.testing.assert_close(net.scores.grad[i, q], (gate.grad * strength).detach())


def test_noise_tries_other_inputs_and_a_seed_repeats_the_trial():
    net, (_, question) = model(), batch(200)
    cold, hot = net.mask(question), net.mask(question, 2.0, generator(3))
    assert ((hot > 0.5).sum(-1) == K[:, None]).all()
    assert not torch.equal(cold > 0.5, hot > 0.5)
    assert torch.equal(hot, net.mask(question, 2.0, generator(3)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": torch.tensor([7])}, "k has 1 of 1 entries.*the first is 7"),
        ({"k": torch.tensor([0])}, "k has 1 of 1 entries"),
        ({"k": torch.tensor(2)}, r"k has shape \[\]"),
        ({"n_questions": 0}, "n_questions is 0"),
        ({"d_hidden": 0}, "d_hidden is 0"),
    ],
)
def test_a_bad_argument_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        TopKAttention(**({"n_inputs": 6, "n_questions": 4, "k": K} | change))
