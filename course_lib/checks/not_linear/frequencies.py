"""Exercise 1: how much of a calendar is a circle, frequency by frequency."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor
from course_lib.checks.not_linear.worlds import axes, shares, turned


@exercise("not_linear.frequency_shares", "The frequencies of a calendar")
def make_cases(generator: Generator) -> list[Case]:
    def random(n: int) -> Tensor:
        return torch.randn(n, 6, generator=generator)

    multiplied = 5 + turned(7, 3) @ axes(6, generator, 2.0)
    return [
        Case(
            "A circle that is multiplied by 3 has all its variance at frequency 3",
            {"means": multiplied},
            _call,
            _judge,
            "Print the size of each entry of the transform. Which one is the mean of all places?",
        ),
        Case(
            "Shares of seven places are those of the best cosine and sine of each frequency",
            {"means": random(7)},
            _call,
            _judge,
            "Size means squared length: |F_k|² summed over d, then divided by the sum over k.",
        ),
        Case(
            "Of an even number of places, the last frequency has a cosine and no sine",
            {"means": random(12)},
            _call,
            _judge,
            "`rfft` drops the second half of the spectrum, because it mirrors the first. Each of "
            "its terms stands for two, but for the mean and, when n is even, for the last.",
        ),
        Case(
            "Moving all places together changes nothing, and shares add up to 1",
            {"means": random(9) + 100},
            _call,
            _judge_sum,
            "The mean of the places is frequency 0. It is no circle.",
        ),
    ]


def _call(attempt: Callable, means: Tensor) -> Any:
    return attempt(means)


def _judge(found: Any, means: Tensor) -> str | None:
    n = len(means)
    if isinstance(found, Tensor) and found.shape == (n // 2 + 1,):
        return (
            f"it returned {n // 2 + 1} shares; frequencies go from 1 to {n // 2}, and frequency 0 "
            "is the mean"
        )
    if problem := not_a_tensor(found, (n // 2,), "frequencies"):
        return problem
    wanted = torch.tensor(shares(means))
    problem = differs(found, wanted, 1e-4)
    if problem is None:
        return None
    spectrum = torch.fft.rfft((means - means.mean(0)).double(), dim=0)[1:]
    power = (spectrum.real**2 + spectrum.imag**2).sum(1)
    mistakes = {
        "; that is right if the last frequency stood for two terms, as the others do": power
        / power.sum(),
        "; those are shares of lengths, and shares of variance need their squares": power.sqrt()
        / power.sqrt().sum(),
        "; these are not divided by their sum": power,
        "; you add up over d first, so that directions cancel": spectrum.sum(1).abs().square()
        / spectrum.sum(1).abs().square().sum(),
    }
    for word, values in mistakes.items():
        if differs(found, values, 1e-4) is None:
            return problem + word
    return problem


def _judge_sum(found: Any, means: Tensor) -> str | None:
    if problem := _judge(found, means):
        return problem
    total = found.detach().double().sum().item()
    return None if abs(total - 1) < 1e-3 else f"the shares add up to {total:.3f}; they must be 1"
