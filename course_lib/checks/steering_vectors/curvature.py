"""Exercise 4: what a small push costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

N, VOCAB, STEP = 5, 9, 1e-3


@exercise("steering_vectors.kl_curvature", "What a small push costs")
def make_cases(generator: Generator) -> list[Case]:
    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    sure = 1.5 * draw(N, VOCAB)
    sure[torch.arange(N), torch.randint(VOCAB, (N,), generator=generator)] += 4
    return [
        Case(
            "The divergence of a small push is c times the square of the strength",
            {"logits": 1.5 * draw(N, VOCAB), "slope": draw(N, VOCAB)},
            _curvature,
            _judge,
            "Expand the logarithm of the normaliser to second order; mind the factor of that term.",
        ),
        Case(
            "One number added to all slopes of a context changes no probability, and costs nothing",
            {"logits": draw(N, VOCAB), "slope": draw(N, VOCAB) + 4 * draw(N, 1)},
            _curvature,
            _judge,
            "Softmax does not see what all logits have in common. Is your answer as blind?",
        ),
        Case(
            "Words that will not come cost nothing, however far their logits move",
            {"logits": sure, "slope": 2 * draw(N, VOCAB)},
            _curvature,
            _judge,
            "Each word weighs as much as it is likely.",
        ),
        Case(
            "Twice the slope, four times the cost",
            {"logits": draw(N, VOCAB), "slope": draw(N, VOCAB)},
            _curvature_twice,
            _judge_twice,
            "The vector twice as long at half the strength is the same push.",
        ),
    ]


def _curvature(attempt: Callable, logits: Tensor, slope: Tensor) -> Any:
    return attempt(logits, slope)


def _curvature_twice(attempt: Callable, logits: Tensor, slope: Tensor) -> Any:
    return attempt(logits, slope), attempt(logits, 2 * slope)


def _measured(logits: Tensor, slope: Tensor) -> Tensor:
    """KL / s² at two small strengths, up and down, so that the cubic term cancels."""
    z, u = logits.double(), slope.double()
    log_p = z.log_softmax(-1)
    ends = [(z + sign * STEP * u).log_softmax(-1) for sign in (1, -1)]
    kl = [(log_p.exp() * (log_p - log_q)).sum(-1) for log_q in ends]
    return (kl[0] + kl[1]) / (2 * STEP**2)


def _mistakes(logits: Tensor, slope: Tensor) -> dict[str, Tensor]:
    z, u = logits.double(), slope.double()
    p, c = z.softmax(-1), _measured(logits, slope)
    mean = torch.einsum("nv,nv->n", p, u)
    return {
        "that is twice the cost: Taylor's second term has a factor": 2 * c,
        "that is half the cost": c / 2,
        "the mean of the slopes is not taken off": (p * u * u).sum(-1) / 2,
        "the mean of the slopes is not taken off, and the one half is missing": (p * u * u).sum(-1),
        "all words weigh the same with you": u.var(-1, correction=0) / 2,
        "all words weigh the same with you (and one is subtracted from their number)": (
            u.var(-1) / 2
        ),
        "all words weigh the same with you, and the one half is missing": u.var(-1, correction=0),
        "that is the square of the mean slope": mean * mean,
        "that is the mean slope, which the first-order terms cancel": mean,
        "that is half the squared length of the slope": u.square().sum(-1) / 2,
        "that is a square root: a standard deviation": (2 * c).clamp(min=0).sqrt(),
        "the sign is wrong; a divergence is never negative": -c,
        "that is the divergence at strength 1, not its curvature at 0": (
            p * (z.log_softmax(-1) - (z + u).log_softmax(-1))
        ).sum(-1),
        "the weights are those of softmax of the slope": (
            (u.softmax(-1) * u.square()).sum(-1) - (u.softmax(-1) * u).sum(-1).square()
        )
        / 2,
    }


def _judge(output: Any, logits: Tensor, slope: Tensor) -> str | None:
    if problem := not_a_tensor(output, (N,), "n"):
        return problem
    wanted = _measured(logits, slope)
    problem = differs(output, wanted, 1e-3 * float(wanted.max()), against="KL / s² at small s")
    if problem is None:
        return None
    found = output.detach().double()
    fits = (
        f"; {name}" for name, value in _mistakes(logits, slope).items()
        if torch.allclose(found, value, rtol=2e-3, atol=1e-4)
    )  # fmt: skip
    return problem + next(fits, "")


def _judge_twice(outputs: Any, logits: Tensor, slope: Tensor) -> str | None:
    once, twice = outputs
    for output in outputs:
        if problem := not_a_tensor(output, (N,), "n"):
            return problem
    if problem := differs(twice, 4 * once.detach(), 1e-3, against="four times the first"):
        return f"with twice the slope: {problem}"
    return _judge(once, logits, slope)
