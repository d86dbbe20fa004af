"""Exercise 2: what a line can make of an exclusive or."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number

ATOL = 1e-4
SIGNS = list(product((1.0, -1.0), repeat=2))  # of the four corners, p's rows and then its columns


@exercise("world_models.best_line", "Three corners of four")
def make_cases(generator: Generator) -> list[Case]:
    def drawn() -> Tensor:
        p = 0.1 + torch.rand(2, 2, generator=generator)
        p[0, 0] += 1
        return p / p.sum()

    even = torch.full((2, 2), 0.25)
    turn = torch.tensor([[0.35, 0.15], [0.35, 0.15]])
    rare = torch.tensor([[0.42, 0.3], [0.25, 0.03]])[torch.randperm(2, generator=generator)]
    return [
        Case(
            "The best line loses one corner of four",
            {"p": even},
            _find,
            _judge_share,
            "Draw the four corners of a square, two colours crosswise, and one line. How many "
            "corners are on their colour's side?",
        ),
        Case(
            "It loses the rarest",
            {"p": rare},
            _find,
            _judge_share,
            "Any single corner can be cut off by a line. Which one would you give up?",
        ),
        Case(
            "Four equal corners leave a least-squares line with nothing",
            {"p": even},
            _find,
            _judge_error,
            "The covariance of m t with m is the mean of t, when m and t are independent.",
        ),
        Case(
            "Its error is that of the fit, for any four shares",
            {"p": drawn()},
            _find,
            _judge_error,
            "What is left of m t is orthogonal, weighted by p, to 1, to m and to t. On four points "
            "that leaves one direction: m t / p.",
        ),
        Case(
            "One turn more often than the other is enough to be better than flat",
            {"p": turn},
            _find,
            _judge_error,
            "The error is 16 over the sum of something of p over the corners. At equal shares it "
            "must be 1.",
        ),
    ]


def _find(attempt: Callable, p: Tensor) -> Any:
    return attempt(p)


def _malformed(output: Any) -> str | None:
    if not isinstance(output, tuple | list) or len(output) != 2:
        got = "None" if output is None else f"a {type(output).__name__}"
        return f"it returned {got}; return two numbers, (share, error)"
    return not_a_number(output[0], "the share") or not_a_number(output[1], "the error")


def _by_trying(p: Tensor) -> float:
    """The best share over many lines, both ways round."""
    best = 0.0
    for a, b, c in product(torch.linspace(-2, 2, 9).tolist(), repeat=3):
        says = [1.0 if a * m + b * t + c > 0.1 else -1.0 for m, t in SIGNS]
        weight = p.flatten().tolist()
        right = sum(w for w, (m, t), s in zip(weight, SIGNS, says, strict=True) if s == m * t)
        best = max(best, right, 1 - right)
    return best


def _by_fitting(p: Tensor) -> float:
    """The mean squared error of m t fitted on 1, m and t, every corner weighted by its share."""
    root = p.flatten().double().sqrt()
    design = torch.tensor([[1.0, m, t] for m, t in SIGNS]).double() * root[:, None]
    target = torch.tensor([m * t for m, t in SIGNS]).double() * root
    left = target - design @ torch.linalg.lstsq(design, target[:, None]).solution[:, 0]
    return float(left @ left)


def _judge_share(output: Any, p: Tensor) -> str | None:
    if problem := _malformed(output):
        return problem
    share, wanted = float(output[0]), _by_trying(p)
    if abs(share - wanted) <= ATOL:
        return None
    mistakes = {
        "that is what always saying one colour gets": _one_colour(p),
        "that is one half, which is chance; a line does better": 0.5,
        "that gives up the commonest corner": float(1 - p.max()),
        "no line gets all four corners": 1.0,
        "that is the share that is lost": float(p.min()),
    }
    near = (f"; {why}" for why, value in mistakes.items() if abs(share - value) <= ATOL)
    return f"the best of many lines gets {wanted:.4f} right, and you say {share:.4f}" + next(
        near, ""
    )


def _one_colour(p: Tensor) -> float:
    black = float(p[0, 0] + p[1, 1])
    return max(black, 1 - black)


def _judge_error(output: Any, p: Tensor) -> str | None:
    if problem := _malformed(output):
        return problem
    error, wanted = float(output[1]), _by_fitting(p)
    if abs(error - wanted) <= ATOL:
        return None
    mean = float(p[0, 0] + p[1, 1] - p[0, 1] - p[1, 0])
    mistakes = {
        "it is never more than 1, and at other shares less": 1.0,
        "that is the variance of m t, so you have fitted the mean alone": 1 - mean**2,
        "that is the variance that the fit explains": 1 - wanted,
        "that is 4 over the sum of 1 / p; a term of the residual is (m t / p) squared": wanted / 4,
        "that is the smallest share times 4": float(4 * p.min()),
    }
    near = (f"; {why}" for why, value in mistakes.items() if abs(error - value) <= ATOL)
    return f"least squares leaves {wanted:.4f}, and you say {error:.4f}" + next(near, "")
