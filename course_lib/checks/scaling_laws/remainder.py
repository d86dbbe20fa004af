"""Exercise 4: what is left out, and how it falls."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number

RTOL = 2e-3
MOMENT = sum(((i + 0.5) / 500) ** 2 for i in range(1000)) / 1000  # of U(0, 2), by the midpoint rule


@exercise("scaling_laws.left_out", "What is left out")
def make_cases(generator: Generator) -> list[Case]:
    stored = torch.randint(6, 60, (5,), generator=generator)
    total = torch.randint(300, 2000, (5,), generator=generator)
    nearly_all = stored + torch.randint(3, 9, (5,), generator=generator)
    alpha = 1.2 + torch.rand(5, generator=generator)
    return [
        Case(
            "The loss is what the features that are left out cost",
            {"k": stored, "n": total, "alpha": alpha},
            _all,
            _judge_loss,
            "A feature that is left out costs v² whenever it is on, else 0. Which values of "
            "i does the sum run over, and what makes all p_i add up to 1?",
        ),
        Case(
            "When nearly all are stored, the loss is that of the last few",
            {"k": stored, "n": nearly_all, "alpha": alpha},
            _all,
            _judge_loss,
            "Count: features 1 to k are stored, k + 1 to n are left out, and all n have a share in "
            "the sum that makes the p_i add up to 1.",
        ),
        Case(
            "The exponent is the slope of the loss on logarithmic axes",
            {"k": stored, "n": total, "alpha": alpha},
            _all,
            _judge_exponent,
            "Replace the sum from k to n by an integral, take its logarithm, and differentiate by "
            "log k. The upper end n stays.",
        ),
        Case(
            "With alpha = 1 the integral is a logarithm",
            {"k": stored, "n": total, "alpha": torch.ones(5)},
            _all,
            _judge_exponent,
            "The integral of 1/i from k to n is log(n / k). Differentiate its logarithm by log k.",
        ),
        Case(
            "With no end of features the exponent is alpha - 1",
            {"k": stored, "n": torch.tensor([100_000] * 5), "alpha": alpha + 1},
            _all,
            _judge_exponent,
            "For n → ∞ the term with n vanishes, and only then the textbook's exponent is left.",
        ),
    ]


def _all(attempt: Callable, k: Tensor, n: Tensor, alpha: Tensor) -> list:
    return [attempt(*point) for point in _points(k, n, alpha)]


def _points(*columns: Tensor) -> list[tuple]:
    return list(zip(*(column.tolist() for column in columns), strict=True))


def loss_by_sum(k: int, n: int, alpha: float) -> float:
    """Feature by feature."""
    weight = [i**-alpha for i in range(1, n + 1)]
    return MOMENT * sum(weight[k:]) / sum(weight)


def slope_by_quadrature(k: int, n: int, alpha: float) -> float:
    """-d log ∫_k^n i^-alpha di / d log k, from integrals over log i by the midpoint rule."""

    def mass(low: float) -> float:
        edges = torch.linspace(math.log(low), math.log(n), 20_001, dtype=torch.double)
        middle = (edges[1:] + edges[:-1]) / 2
        return ((1 - alpha) * middle).exp().mean().item() * math.log(n / low)

    step = 1e-3
    return -(math.log(mass(k * math.exp(step))) - math.log(mass(k * math.exp(-step)))) / (2 * step)


def _malformed(output: Any) -> str | None:
    if output is None:
        return "it returned None; does every path end in `return`?"
    if not hasattr(output, "__len__") or (isinstance(output, Tensor) and output.ndim == 0):
        return f"it returned a single {type(output).__name__}; return (loss, exponent)"
    if len(output) != 2:
        return f"it returned {len(output)} values; return two, (loss, exponent)"
    return not_a_number(output[0], "the loss") or not_a_number(output[1], "the exponent")


def _judge(outputs: Any, which: int, points: list, truth: Callable, mistakes: dict) -> str | None:
    for output in outputs:
        if problem := _malformed(output):
            return problem
    found = [float(output[which]) for output in outputs]

    def agree(value: Callable) -> bool:
        pairs = zip(found, (value(*point) for point in points), strict=True)
        return all(abs(f - v) <= RTOL * abs(v) + 1e-6 for f, v in pairs)

    if agree(truth):
        return None
    wanted = [truth(*point) for point in points]
    j = max(range(len(points)), key=lambda j: abs(found[j] / wanted[j] - 1))
    k, n, alpha = points[j]
    message = (
        f"with k = {k}, n = {n}, alpha = {alpha:.2f} your {('loss', 'exponent')[which]} is "
        f"{found[j]:.4f}; worked out numerically it is {wanted[j]:.4f}"
    )
    for mistake, value in mistakes.items():
        if agree(value):
            return f"{message}; {mistake}"
    return message


def _judge_loss(outputs: Any, k: Tensor, n: Tensor, alpha: Tensor) -> str | None:
    loss = loss_by_sum
    mistakes = {
        "E v² is not in it, or stands there as (E v)², which is 1": (
            lambda k, n, a: loss(k, n, a) / MOMENT
        ),
        "the magnitudes run from 0 to 2, not to 1": lambda k, n, a: loss(k, n, a) / 4,
        "that is what the stored features would cost": lambda k, n, a: MOMENT - loss(k, n, a),
        "that leaves feature k out as well": lambda k, n, a: loss(k - 1, n, a),
        "the probabilities do not add up to 1": (
            lambda k, n, a: loss(k, n, a) * sum(i**-a for i in range(1, n + 1))
        ),
    }
    return _judge(outputs, 0, _points(k, n, alpha), loss, mistakes)


def _judge_exponent(outputs: Any, k: Tensor, n: Tensor, alpha: Tensor) -> str | None:
    slope = slope_by_quadrature
    mistakes = {
        "that is the textbook's exponent, for infinitely many features": lambda k, n, a: a - 1,
        "that is the exponent of the frequencies": lambda k, n, a: a,
        "the sign is wrong: the exponent is positive where the loss falls": (
            lambda k, n, a: -slope(k, n, a)
        ),
    }
    return _judge(outputs, 1, _points(k, n, alpha), slope, mistakes)
