"""Exercise 4: find the bug in the fraction of variance unexplained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number


@exercise("saes_from_zero.unexplained", "A remarkable improvement", find_the_bug=True)
def make_cases(generator: Generator) -> list[Case]:
    size = torch.logspace(-1, 1, 40)[:, None]
    x = size * torch.randn(40, 5, generator=generator) + torch.randn(5, generator=generator)
    x_hat = x + 0.3 * torch.randn(40, 5, generator=generator)
    far = 10 * torch.randn(5, generator=generator)
    silent = x.clone()
    silent[3] = 0.0
    return [
        Case(
            "Answering every input with the mean leaves all of the variance unexplained",
            {"x": x, "x_hat": x.mean(dim=0).expand_as(x).clone()},
            _call,
            lambda output, x, x_hat: _judge(output, 1.0),
            "Whoever knows nothing but the mean has explained no variance: the FVU must be 1. What "
            "is the variance measured from in this code?",
        ),
        Case(
            "Moving inputs and reconstructions by the same vector changes nothing",
            {"x": x + far, "x_hat": x_hat + far},
            _call,
            lambda output, x, x_hat: _judge(output, by_definition(x, x_hat)),
            "Errors stay as they are under such a move. Which number in this code does not?",
        ),
        Case(
            "It is a ratio of sums over all inputs, not a mean of ratios",
            {"x": x, "x_hat": x_hat},
            _call,
            lambda output, x, x_hat: _judge(output, by_definition(x, x_hat)),
            "An input close to the mean has next to no variance of its own. What does its ratio do "
            "to a mean of ratios?",
        ),
        Case(
            "An input that is all zeros is an input like any other",
            {"x": silent, "x_hat": x_hat},
            _call,
            lambda output, x, x_hat: _judge(output, by_definition(x, x_hat)),
            "Nothing may be divided by what a single input has.",
        ),
    ]


def by_definition(x: Tensor, x_hat: Tensor) -> float:
    """Entry by entry."""
    left = spread = 0.0
    for column, built in zip(x.double().T.tolist(), x_hat.double().T.tolist(), strict=True):
        mean = sum(column) / len(column)
        for value, rebuilt in zip(column, built, strict=True):
            left += (value - rebuilt) ** 2
            spread += (value - mean) ** 2
    return left / spread


def _call(attempt: Callable, x: Tensor, x_hat: Tensor) -> Any:
    return attempt(x, x_hat)


def _judge(output: Any, wanted: float) -> str | None:
    if problem := not_a_number(output, "the FVU"):
        return problem
    if abs(float(output) - wanted) < 1e-3 * wanted:
        return None
    return f"your FVU is {float(output):.4g}; the definition gives {wanted:.4g}"
