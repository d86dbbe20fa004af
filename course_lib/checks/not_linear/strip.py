"""Exercise 3: derive how much of a ring fits into a strip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number

N, ATOL = 400_000, 2e-4


@exercise("not_linear.ring_in_strip", "How much of a ring fits into a strip")
def make_cases(generator: Generator) -> list[Case]:
    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(5, generator=generator)

    narrow = draw(0.05, 0.1)
    return [
        Case(
            "A strip through the centre",
            {"middle": torch.zeros(5), "epsilon": draw(0.05, 0.4)},
            _call,
            _judge,
            "Across the strip a point has the coordinate cos θ, and θ is uniform. The mean of "
            "cos² is ½: how wide is the strip?",
        ),
        Case(
            "A strip off the centre is wider, because the mean square about its middle is larger",
            {"middle": draw(0.2, 0.6), "epsilon": draw(0.05, 0.2)},
            _call,
            _judge,
            "E(cos θ - m)² = ½ + m². The points inside are those whose angle lies between two arc "
            "cosines, above the axis and below it.",
        ),
        Case(
            "A strip that reaches over the edge of the ring",
            {"middle": draw(0.92, 1.0), "epsilon": draw(0.1, 0.2)},
            _call,
            _judge,
            "The arc cosine is defined up to 1. Where does the ring end?",
        ),
        Case(
            "A strip that has lost the ring holds nothing of it, one that has not holds its part",
            {"middle": torch.cat([draw(1.5, 2.0)[1:], draw(0.2, 0.6)[:1]]), "epsilon": narrow},
            _call,
            _judge,
            "Both ends lie beyond 1. What is the angle between them?",
        ),
    ]


def _call(attempt: Callable, middle: Tensor, epsilon: Tensor) -> list:
    return [attempt(m, e) for m, e in zip(middle.tolist(), epsilon.tolist(), strict=True)]


def _share(m: float, width: float) -> float:
    """By counting points of the ring, evenly spaced."""
    angle = (torch.arange(N, dtype=torch.double) + 0.5) * 2 * torch.pi / N
    return ((angle.cos() - m).abs() < width).double().mean().item()


def _judge(found: Any, middle: Tensor, epsilon: Tensor) -> str | None:
    for value, m, e in zip(found, middle.tolist(), epsilon.tolist(), strict=True):
        if problem := not_a_number(value, "the share"):
            return problem
        width = e * (0.5 + m * m) ** 0.5
        wanted = _share(m, width)
        if abs(float(value) - wanted) <= ATOL:
            continue
        message = (
            f"at middle {m:.3f} and epsilon {e:.3f} your share is {float(value):.4f}; of {N} "
            f"points on the ring {wanted:.4f} are in the strip"
        )
        mistakes = {
            "; your strip is as wide as if it went through the centre": _share(m, e * 0.5**0.5),
            "; your strip is epsilon wide, in units of the radius": _share(m, e),
            "; the coordinate is not uniform: the ring is dense near its edge": max(
                0.0, (min(m + width, 1) - max(m - width, -1)) / 2
            ),
            "; you count one half of the ring only": wanted / 2,
            "; your strip is half as wide": _share(m, width / 2),
        }
        for word, other in mistakes.items():
            if abs(float(value) - other) <= ATOL:
                return message + word
        return message
    return None
