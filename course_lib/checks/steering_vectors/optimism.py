"""Exercise 5: the gain of the best strength, as it is told and as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number

STRENGTHS = 9


@exercise("steering_vectors.told_and_honest", "The best of nine strengths")
def make_cases(generator: Generator) -> list[Case]:
    def world(shares: list[float], n: int, in_first: int) -> dict[str, Tensor]:
        right = torch.rand(len(shares), n, generator=generator) < torch.tensor(shares)[:, None]
        half = torch.arange(n) < in_first
        return {"right": right, "half": half[torch.randperm(n, generator=generator)]}

    def equals() -> dict[str, Tensor]:
        """Two strengths are best on one half, and only the first of them is good on the other."""
        made = world([0.4, 0.8, 0.4, 0.1], 24, 12)
        right, half = made["right"], made["half"]
        right[2, half] = right[1, half].roll(1)
        return made

    null = _until(lambda: world([0.6] * STRENGTHS, 40, 20), _tells_apart)
    uneven = _until(lambda: world([0.5] * STRENGTHS, 41, 11), _tells_apart)
    helps = world([0.5, 0.55, 0.6, 0.7, 0.95, 0.7, 0.5, 0.3, 0.1], 60, 30)
    ties = _until(equals, lambda right, half: _cross_last(right, half) != _wanted(right, half)[1])
    harms = world([0.9, 0.5, 0.4, 0.3], 30, 15)
    return [
        Case(
            "Strengths that do nothing: what is told flatters, and the honest gain does not",
            null,
            _gains,
            _judge,
            "Each question is counted at a strength that was chosen without it.",
        ),
        Case(
            "Halves of unequal size: every question counts once",
            uneven,
            _gains,
            _judge,
            "The gains of the two halves are shares of different numbers of questions.",
        ),
        Case(
            "A strength that helps, among eight others: both numbers say so",
            helps,
            _gains,
            _judge,
            "Where one strength is far better than the others, both halves choose it.",
        ),
        Case(
            "Of strengths that are equally good, the smallest",
            ties,
            _gains,
            _judge,
            "argmax gives the first of several largest entries.",
        ),
        Case(
            "A vector that only harms is left out, and gains nothing; one that helps again gains",
            {**harms, "again": world([0.3, 0.4, 0.9], 30, 15)["right"]},
            _gains_twice,
            _judge_twice,
            "Row 0 takes part in the choice.",
        ),
    ]


def _until(draw: Callable, fits: Callable[..., bool]) -> dict[str, Tensor]:
    """The first draw that fits."""
    while True:
        made = draw()
        if fits(**made):
            return made


def _tells_apart(right: Tensor, half: Tensor) -> bool:
    """Whether optimism shows, and ways to choose and to count come to different numbers."""
    told, honest = _wanted(right, half)
    named = {round(value, 6) for _, value in _mistakes(right, half).values()}
    return told > honest + 0.02 and len(named) >= 10


def _gains(attempt: Callable, right: Tensor, half: Tensor) -> Any:
    return attempt(right, half)


def _gains_twice(attempt: Callable, right: Tensor, half: Tensor, again: Tensor) -> Any:
    return attempt(right, half), attempt(again, half)


def _best(rows: list[list[bool]], questions: list[int]) -> int:
    """The first strength with the most right answers to these questions."""
    counts = [sum(row[q] for q in questions) for row in rows]
    return counts.index(max(counts))


def _parts(half: Tensor) -> tuple[list[int], list[int]]:
    return half.nonzero()[:, 0].tolist(), (~half).nonzero()[:, 0].tolist()


def _counted(right: Tensor, half: Tensor, crossed: bool = True) -> list[float]:
    """For either half, how many more are right at a strength that one of the halves chose."""
    rows, parts = right.tolist(), _parts(half)
    gained = []
    for asked, other in (parts, parts[::-1]):
        row = rows[_best(rows, other if crossed else asked)]
        gained.append(sum(row[q] - rows[0][q] for q in asked))
    return gained


def _wanted(right: Tensor, half: Tensor) -> tuple[float, float]:
    counts, n = right.sum(1).tolist(), right.shape[1]
    return (max(counts) - counts[0]) / n, sum(_counted(right, half)) / n


def _mistakes(right: Tensor, half: Tensor) -> dict[str, tuple[float, float]]:
    told, honest = _wanted(right, half)
    n, parts, share = right.shape[1], _parts(half), right.double().mean(1)
    crossed, same = _counted(right, half), _counted(right, half, crossed=False)
    sizes = [len(part) for part in parts]
    best = int(share.argmax())
    without = right[1:]
    return {
        "the two numbers are exchanged": (honest, told),
        "the strength was chosen on the half that it is reported on": (told, sum(same) / n),
        "the strength was chosen on all questions": (
            told,
            float((right[best] & half).sum() - (right[0] & half).sum()) / sizes[0],
        ),
        "that counts one half alone": (told, crossed[0] / sizes[0]),
        "that counts the other half alone": (told, crossed[1] / sizes[1]),
        "the mean of the two halves' gains counts questions of the smaller half more": (
            told,
            (crossed[0] / sizes[0] + crossed[1] / sizes[1]) / 2,
        ),
        "those are shares answered right, not gains": (
            told + float(share[0]),
            honest + float(share[0]),
        ),
        "that picks a strength for each single question": (
            told,
            float(right.any(0).double().mean() - share[0]),
        ),
        "that is the mean over the strengths": (told, float(share.mean() - share[0])),
        "strength 0 does not take part in the choice": (
            float(without.double().mean(1).max() - share[0]),
            _cross_without(right, half),
        ),
        "the last of several equally good strengths is chosen": (told, _cross_last(right, half)),
        "those are numbers of questions, not shares": (told * n, honest * n),
    }


def _cross_without(right: Tensor, half: Tensor) -> float:
    rows, parts, gained = right.tolist(), _parts(half), 0
    for asked, other in (parts, parts[::-1]):
        row = rows[1 + _best(rows[1:], other)]
        gained += sum(row[q] - rows[0][q] for q in asked)
    return gained / right.shape[1]


def _cross_last(right: Tensor, half: Tensor) -> float:
    rows, parts, gained = right.tolist(), _parts(half), 0
    for asked, other in (parts, parts[::-1]):
        row = rows[::-1][_best(rows[::-1], other)]
        gained += sum(row[q] - rows[0][q] for q in asked)
    return gained / right.shape[1]


def _judge(output: Any, right: Tensor, half: Tensor) -> str | None:
    if not isinstance(output, (tuple, list)) or len(output) != 2:
        kind = type(output).__name__
        return f"it returned a {kind}; two numbers are needed, the gain that is told and the honest"
    for value, name in zip(output, ("the gain that is told", "the honest gain"), strict=True):
        if problem := not_a_number(value, name):
            return problem
    found, wanted = tuple(map(float, output)), _wanted(right, half)

    def close(numbers: tuple[float, float]) -> bool:
        return all(abs(a - b) < 1e-4 for a, b in zip(found, numbers, strict=True))

    if close(wanted):
        return None
    mistakes = _mistakes(right, half)
    fits = (f"; {name}" for name, numbers in mistakes.items() if close(numbers))
    return (
        f"you have {found[0]:+.4f} told and {found[1]:+.4f} honest; they are {wanted[0]:+.4f} and "
        f"{wanted[1]:+.4f}" + next(fits, "")
    )


def _judge_twice(outputs: Any, right: Tensor, half: Tensor, again: Tensor) -> str | None:
    harmful, helpful = outputs
    if problem := _judge(harmful, right, half):
        return f"for the one that harms: {problem}"
    problem = _judge(helpful, again, half)
    return problem and f"for the one that helps: {problem}"
