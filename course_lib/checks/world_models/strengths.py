"""Exercise 5: find the bug in a choice of strength."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number

STRENGTHS, CASES = 8, 40
ATOL = 1e-5


@exercise("world_models.honest_success", "The best of eight", find_the_bug=True)
def make_cases(generator: Generator) -> list[Case]:
    def coins(share: float = 0.5) -> Tensor:
        return (torch.rand(STRENGTHS, CASES, generator=generator) < share).float()

    def half() -> Tensor:
        chosen = torch.zeros(CASES, dtype=torch.bool)
        chosen[torch.randperm(CASES, generator=generator)[: CASES // 4]] = True
        return chosen

    chosen = half()
    planted = coins(0.2)
    planted[5] = torch.maximum(chosen.float(), (torch.arange(CASES) % 5 > 0).float())
    misled = coins(0.3)
    misled[2, chosen], misled[6, ~chosen] = 1.0, 1.0  # the best here is not the best there
    graded = torch.rand(STRENGTHS, CASES, generator=generator)
    graded[3, chosen] += 1.0
    return [
        Case(
            "A strength that mostly works is found, and no more is said of it",
            {"success": planted, "chosen": chosen},
            _score,
            _judge,
            "Choose one strength for all cases: that with the highest mean over `chosen`.",
        ),
        Case(
            "On coins that are tossed nothing is found",
            {"success": coins(), "chosen": half()},
            _score,
            _judge,
            "The best of eight tosses for each case is nearly always heads. Which cases choose, "
            "and which are scored?",
        ),
        Case(
            "The cases that are scored have no say in the choice",
            {"success": misled, "chosen": chosen},
            _score,
            _judge,
            "Look at row 2 and row 6. Which is best on the cases that choose?",
        ),
        Case(
            "The cases that choose are not scored",
            {"success": graded, "chosen": chosen},
            _score,
            _judge,
            "The mean is over the other cases alone: `~chosen`.",
        ),
    ]


def _score(attempt: Callable, success: Tensor, chosen: Tensor) -> Any:
    return attempt(success, chosen)


def _judge(output: Any, success: Tensor, chosen: Tensor) -> str | None:
    if problem := not_a_number(output, "the success"):
        return problem
    rows, choose = success.tolist(), chosen.tolist()

    def mean(row: list[float], over: list[bool]) -> float:
        kept = [value for value, use in zip(row, over, strict=True) if use]
        return sum(kept) / len(kept)

    score = [not use for use in choose]
    everything = [True] * len(choose)
    best = max(range(len(rows)), key=lambda k: mean(rows[k], choose))
    peeked = max(range(len(rows)), key=lambda k: mean(rows[k], score))
    at_all = max(range(len(rows)), key=lambda k: mean(rows[k], everything))
    wanted, given = mean(rows[best], score), float(output)
    if abs(given - wanted) <= ATOL:
        return None
    columns = [max(column) for column in zip(*rows, strict=True)]
    mistakes = {
        "each case has a strength of its own, the best for it": mean(columns, everything),
        "each scored case has a strength of its own, the best for it": mean(columns, score),
        "the strength is the best on the scored cases": mean(rows[peeked], score),
        "the strength is the best on all cases, and all are scored": mean(rows[at_all], everything),
        "the strength is the best on all cases": mean(rows[at_all], score),
        "the cases that choose are scored as well": mean(rows[best], everything),
        "the cases that choose are scored alone": mean(rows[best], choose),
        "that is the mean over all strengths": sum(mean(row, score) for row in rows) / len(rows),
    }
    near = (f"; {why}" for why, value in mistakes.items() if abs(given - value) <= ATOL)
    return (
        f"strength {best} is the best on the cases that choose and succeeds on {wanted:.3f} of the "
        f"others; you say {given:.3f}" + next(near, "")
    )
