"""Exercise 4: a read-out that is 99 % right."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number

TOLERANCE = 2e-3


@exercise(
    "features_as_directions.readout_score", "A read-out that is 99 % right", find_the_bug=True
)
def make_cases(generator: Generator) -> list[Case]:
    crowded = torch.nn.functional.normalize(torch.randn(60, 12, generator=generator), dim=1)
    lengths = 0.3 + 1.5 * torch.rand(60, 1, generator=generator)
    turned = torch.linalg.qr(torch.randn(8, 8, generator=generator))[0]
    return [
        Case(
            "The score is the mean of the share of on-bits and the share of off-bits read rightly",
            {"W": crowded, "bits": _bits(60, 4, generator)},
            lambda attempt, W, bits: attempt(W, bits),
            _judge,
            "Only 4 of 60 bits are on. What does a reader score that always says off?",
        ),
        Case(
            "Directions of any length are read on their own scale",
            {"W": lengths * crowded, "bits": _bits(60, 4, generator)},
            lambda attempt, W, bits: attempt(W, bits),
            _judge,
            "A bit that is on alone reads as |w|², not as 1. Print what every bit reads alone.",
        ),
        Case(
            "At right angles every bit is read rightly, however short its direction",
            {"W": torch.linspace(0.2, 2, 8)[:, None] * turned, "bits": _bits(8, 2, generator)},
            lambda attempt, W, bits: attempt(W, bits),
            _judge_right_angles,
            "Nothing overlaps here, so the score must be 1. Which bits are lost?",
        ),
        Case(
            "A read-out that cannot tell any two bits apart scores one half",
            {"W": torch.ones(20, 1), "bits": _bits(20, 1, generator)},
            lambda attempt, W, bits: attempt(W, bits),
            _judge_blind,
            "All directions are one. Every bit reads as 1 whenever any bit is on.",
        ),
    ]


def _bits(n: int, k: int, generator: Generator) -> Tensor:
    """Exactly k of n bits on in each of 200 rows."""
    rank = torch.rand(200, n, generator=generator).argsort(dim=1).argsort(dim=1)
    return rank < k


def by_definition(W: Tensor, bits: Tensor) -> tuple[float, float]:
    """The score, (hits / on + rejections / off) / 2, and the share of all bits that are right."""
    W, x = W.double(), bits.double() @ W.double()
    hits = rejections = 0
    for i, direction in enumerate(W):
        read = x @ direction / (direction @ direction) > 0.5
        hits += int((read & bits[:, i]).sum())
        rejections += int((~read & ~bits[:, i]).sum())
    n_on = int(bits.sum())
    share = (hits + rejections) / bits.numel()
    return (hits / n_on + rejections / (bits.numel() - n_on)) / 2, share


def _judge(score: Any, W: Tensor, bits: Tensor) -> str | None:
    if problem := not_a_number(score, "the score"):
        return problem
    wanted, share = by_definition(W, bits)
    if abs(float(score) - wanted) <= TOLERANCE:
        return None
    message = f"your score is {float(score):.3f}; counted bit by bit it is {wanted:.3f}"
    if abs(float(score) - share) <= TOLERANCE:
        always_off = 1 - bits.float().mean().item()
        message += (
            f". Yours is the share of all bits that are right, and a reader that says off to "
            f"every bit gets {always_off:.3f} of them right"
        )
    return message


def _judge_right_angles(score: Any, W: Tensor, bits: Tensor) -> str | None:
    if problem := not_a_number(score, "the score"):
        return problem
    if abs(float(score) - 1) > TOLERANCE:
        return f"your score is {float(score):.3f}; without any overlap it must be 1"
    return None


def _judge_blind(score: Any, W: Tensor, bits: Tensor) -> str | None:
    if problem := not_a_number(score, "the score"):
        return problem
    if abs(float(score) - 0.5) > TOLERANCE:
        return f"your score is {float(score):.3f}; nothing can be told apart, so it must be 0.5"
    return None
