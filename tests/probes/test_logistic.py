"""Logistic probes stand at the minimum of their loss, however many are solved at once."""

import pytest
import torch
import torch.nn.functional as F

from course_lib import runtime
from course_lib.probes import fit
from course_lib.probes import logistic as solver
from tests.probes.labelled import gaussian


def objective(W, b, x, y, C):
    """The loss of the docstring, by autograd's own functions; W [k, d] or [d]."""
    there = y != -1
    scores = x[there] @ (W if W.ndim == 1 else W.T) + b
    if W.ndim == 1:
        nats = F.binary_cross_entropy_with_logits(scores, y[there].to(x), reduction="sum")
    else:
        nats = F.cross_entropy(scores, y[there], reduction="sum")
    return (W**2).sum() / 2 + C * nats


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("m", [(), (4,)])
def test_the_gradient_of_the_loss_is_zero_at_the_fit(classes, missing, m):
    x, y = gaussian(m=m, classes=classes)
    if missing:
        y[..., torch.rand(y.shape, generator=runtime.generator(1)) < 0.3] = -1 if not m else 0
        y = y.where(torch.rand(y.shape, generator=runtime.generator(2)) > 0.3, -1)
    found = fit(x, y, C=0.7)
    for i in range(len(y) if m else 1):
        here = (i,) if m else ()
        W, b = (t[here].clone().requires_grad_() for t in (found.direction, found.bias))
        slopes = torch.autograd.grad(objective(W, b, x, y[here], 0.7), (W, b))
        start = [torch.zeros_like(t, requires_grad=True) for t in (W, b)]
        first = torch.autograd.grad(objective(*start, x, y[here], 0.7), start)
        for slope, scale in zip(slopes, first, strict=True):
            assert float(slope.abs().max()) < 1e-3 * float(1 + scale.abs().max())


@pytest.mark.parametrize("classes", [2, 3])
def test_problems_solved_in_chunks_are_the_problems_solved_at_once(classes, monkeypatch):
    x, y = gaussian(m=(7,), classes=classes)
    x = torch.stack([x, x * 3])[:, None]
    whole = fit(x, y)
    monkeypatch.setattr(solver, "CHUNK", 400 * 2 * classes)
    parts = fit(x, y)
    assert torch.allclose(whole.direction, parts.direction, atol=1e-5)
    assert torch.allclose(whole.bias, parts.bias, atol=1e-5)


def test_separable_rows_and_labels_of_chance_are_solved_side_by_side():
    generator = runtime.generator(0)
    x = torch.randn(60, 100, generator=generator)
    y = torch.stack([(x[:, 0] > 0).long(), torch.arange(60) % 2, (torch.arange(60) < 2).long()])
    found = fit(x, y, C=10.0)
    assert torch.equal((found.scores(x) > 0).long(), y)


def test_a_rare_class_and_a_large_offset_are_no_trouble():
    x, y = gaussian(n=2000, d=5, m=(3,))
    y = y * (torch.arange(2000) % 40 == 0)
    near, far = fit(x, y), fit(x + 1e4, y)
    assert torch.allclose(near.direction, far.direction, atol=1e-4)
    assert torch.allclose(near.scores(x), far.scores(x + 1e4), atol=1e-3)


def test_a_weaker_penalty_gives_longer_directions():
    x, y = gaussian(m=(3,))
    norms = torch.stack([fit(x, y, C=C).direction.norm(dim=-1) for C in (1e-3, 1e-2, 1.0, 100.0)])
    assert (norms.diff(dim=0) > 0).all()


def test_a_fit_that_is_not_at_its_optimum_says_so(monkeypatch):
    x, y = gaussian(m=(3,))
    monkeypatch.setattr(solver, "MAX_STEPS", 2)
    with pytest.warns(UserWarning, match="3 of 3 probes stopped before their optimum"):
        fit(x, y)
