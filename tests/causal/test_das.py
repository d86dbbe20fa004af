"""The search finds what is there, each start by itself, and fast enough for many."""

import time

import pytest
import torch
from torch.nn import functional

from course_lib.causal import ThreeNeurons, cross_entropy, das, mean_squared_error, swap
from tests.steering.small import normal

D = 6
A = torch.linalg.qr(normal(D, D, seed=3, dtype=torch.float64)).Q
BASE = normal(80, D, dtype=torch.float64)
SOURCE = normal(80, D, seed=1, dtype=torch.float64)


def reads(k):
    """A read-out of k directions, and of all others: only the first k have the source's value."""
    target = BASE + (SOURCE - BASE) @ A[:k].T @ A[:k]
    return (lambda h: h), target


@pytest.mark.parametrize("k", [1, 2])
def test_the_planted_subspace_is_found_from_every_start(k):
    forward, target = reads(k)
    found = das(forward, BASE, SOURCE, target, k=k, restarts=6, steps=400, lr=0.05)
    assert found.bases.shape == (6, k, D) and found.history.shape == (400, 6)
    eye = torch.eye(k).double().expand(6, k, k)
    torch.testing.assert_close(found.bases @ found.bases.mT, eye)
    assert found.losses.max() < 1e-3 * found.history[0].min()
    overlap = (found.best @ A[:k].T).square().sum()
    assert overlap.item() == pytest.approx(k, abs=1e-2)
    assert found.losses[found.losses.argmin()] == found.losses.min()


def test_each_start_goes_its_own_way():
    forward, target = reads(1)
    start = normal(3, 1, D, seed=7, dtype=torch.float64)
    together = das(forward, BASE, SOURCE, target, restarts=3, steps=20, start=start)
    for i in range(3):
        alone = das(forward, BASE, SOURCE, target, restarts=1, steps=20, start=start[i : i + 1])
        torch.testing.assert_close(alone.bases[0], together.bases[i])
        torch.testing.assert_close(alone.losses[0], together.losses[i])


def test_the_steps_are_adams():
    forward, target = reads(1)
    start = normal(1, 1, D, seed=7, dtype=torch.float64)
    ours = das(forward, BASE, SOURCE, target, restarts=1, steps=30, start=start, lr=0.02)
    raw = start.clone().requires_grad_()
    adam = torch.optim.Adam([raw], lr=0.02)
    for _ in range(30):
        adam.zero_grad()
        v = functional.normalize(raw, dim=-1)
        mean_squared_error(swap(BASE, SOURCE, v), target).sum().backward()
        adam.step()
    torch.testing.assert_close(ours.bases, functional.normalize(raw, dim=-1).detach())


def test_swapping_takes_the_span_from_the_source():
    basis = A[:2][None]
    new = swap(BASE, SOURCE, basis)[0]
    torch.testing.assert_close(new @ A[:2].T, SOURCE @ A[:2].T)
    torch.testing.assert_close(new @ A[2:].T, BASE @ A[2:].T)
    torch.testing.assert_close(swap(BASE, SOURCE, A[:1]), swap(BASE, SOURCE, A[:1][None])[0])


def test_in_three_neurons_every_start_succeeds_and_few_find_the_neuron_that_works():
    model = ThreeNeurons()
    x, y = normal(64, dtype=torch.float64), normal(64, seed=1, dtype=torch.float64)
    started = time.process_time()
    found = das(model.output, model.hidden(x), model.hidden(y), y, restarts=200, steps=300)
    assert time.process_time() - started < 4  # half a second on a quiet machine
    assert (found.losses < 1e-3).all()
    v3 = found.bases[:, 0, 2].abs()
    assert 0.1 < (v3 > 0.95).double().mean() < 0.45
    assert 0.1 < (v3 < 0.1).double().mean() < 0.35
    torch.testing.assert_close(
        model.effect(found.bases[:, 0]), torch.ones(200).double(), atol=0.05, rtol=0
    )


def test_batches_are_drawn_and_classes_are_targets():
    logits_of = torch.tensor([[1.0, -1.0]]).double() * A[0][:, None]
    target = (SOURCE @ A[0] < 0).long()
    calls = []

    def forward(h, rows):
        calls.append(len(rows))
        return 5 * h @ logits_of

    found = das(
        forward, BASE, SOURCE, target, loss=cross_entropy, restarts=2, steps=150, batch_size=16,
        lr=0.05,
    )  # fmt: skip
    assert calls == [16] * 150 + [80]
    assert (found.best @ A[0]).abs() > 0.9
    logits = normal(2, 5, 3)
    expected = [functional.cross_entropy(part, torch.tensor([0, 1, 2, 0, 1])) for part in logits]
    torch.testing.assert_close(
        cross_entropy(logits, torch.tensor([0, 1, 2, 0, 1])), torch.stack(expected)
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": D}, "k is 6; it must be below d = 6"),
        ({"source": SOURCE[1:]}, "source has shape"),
        ({"target": BASE[1:]}, "target has 79 rows and there are 80 pairs"),
        ({"start": A}, "start has shape"),
        ({"base": BASE / 0}, "base has"),
        ({"steps": 0}, "steps is 0"),
    ],
)
def test_searches_that_cannot_be_are_errors(changes, message):
    told = {"base": BASE, "source": SOURCE, "target": BASE} | changes
    with pytest.raises(ValueError, match=message):
        das(lambda h: h, **told)


@pytest.mark.parametrize("given", [None, "x", torch.zeros(3, 3)])
def test_a_loss_that_is_not_one_number_for_each_restart_is_refused(given):
    h = normal(6, 4)
    with pytest.raises((TypeError, ValueError), match="what loss gives (is|has)"):
        das(lambda h: h, h, h + 1, h, loss=lambda output, target: given, restarts=2, steps=1)
