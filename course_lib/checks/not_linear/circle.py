"""Exercise 2: the circle that comes nearest to the places of a calendar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor
from course_lib.checks.not_linear.worlds import axes, turned


@exercise("not_linear.fitted_circle", "The nearest circle")
def make_cases(generator: Generator) -> list[Case]:
    planted = 3 + turned(7, 2) @ axes(5, generator, 1.5)
    stretched = turned(12, 1) @ (torch.tensor([[2.0], [0.5]]) * axes(5, generator))
    rough = torch.randn(7, 5, generator=generator)
    return [
        Case(
            "Of two circles in the same places, the one asked for is given back",
            {"means": planted + turned(7, 1) @ axes(5, generator, 0.5), "frequency": 2},
            _call,
            _judge,
            "Try it by hand for the centre first: subtract it, fit, and add it again.",
        ),
        Case(
            "An ellipse stays one: cosine and sine have axes of their own",
            {"means": stretched + turned(12, 5) @ axes(5, generator, 0.3), "frequency": 1},
            _call,
            _judge,
            "u is what the cosine is multiplied with, w what the sine is. They are two vectors of "
            "d numbers each, fitted independently of each other.",
        ),
        Case(
            "Of places in no order it is the least-squares fit at that frequency",
            {"means": rough, "frequency": 3},
            _call,
            _judge,
            "The cosines of n places, squared, add up to n/2. That is where the 2/n comes from.",
        ),
        Case(
            "Starting the calendar on another day turns the circle with it",
            {"means": rough.roll(2, 0), "frequency": 1},
            _call,
            _judge,
            "Point j belongs to place j, whatever its name.",
        ),
    ]


def _call(attempt: Callable, means: Tensor, frequency: int) -> Any:
    return attempt(means, frequency)


def _judge(found: Any, means: Tensor, frequency: int) -> str | None:
    if problem := not_a_tensor(found, means.shape, "n_places, d"):
        return problem
    basis = turned(len(means), frequency).double()
    centre = means.double().mean(0)
    wave = basis @ torch.linalg.pinv(basis) @ (means.double() - centre)
    problem = differs(found, centre + wave, 1e-4)
    if problem is None:
        return None
    first = turned(len(means), 1).double()
    mistakes = {
        "; the centre is missing": wave,
        "; yours is half as large around the centre as the fit: the cosines squared add up to n/2, "
        "not n": centre + wave / 2,
        "; yours is n/2 times as large: divide by n/2": centre + wave * len(means) / 2,
        "; yours is the circle of frequency 1": centre
        + first @ torch.linalg.pinv(first) @ (means.double() - centre),
        "; you give the places back as they were": means,
    }
    for word, values in mistakes.items():
        if differs(found, values, 1e-4) is None:
            return problem + word
    return problem
