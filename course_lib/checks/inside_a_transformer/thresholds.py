"""Exercise 1: the threshold at which a unit detects a concept best."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number

UNITS, TOKENS = 6, 40
ATOL = 1e-4


@exercise("inside_a_transformer.best_threshold", "The best threshold")
def make_cases(generator: Generator) -> list[Case]:
    def noise() -> Tensor:
        return torch.randn(UNITS, TOKENS, generator=generator)

    def labels(share: float) -> Tensor:
        drawn = torch.rand(UNITS, TOKENS, generator=generator) < share
        drawn[:, :2] = torch.tensor([True, False])  # neither always nor never
        return drawn

    half, third, most = labels(0.5), labels(0.35), labels(0.9)
    graded = (1.5 * noise() + third).round().clamp(-2, 3)
    graded[:, :2] = torch.tensor([1.0, 1.0])  # equal values, once with the concept and once without
    late = labels(0.2)
    shifted = 4 + noise() + 3 * late
    extreme = noise()
    extreme[:, 0] = 9.0  # the one token with the concept, and the highest of all
    alone = torch.zeros(UNITS, TOKENS, dtype=torch.bool)
    alone[:, 0] = True
    return [
        Case(
            "The F1 is that of the threshold, and no other threshold has a better one",
            {"unit": noise() + 0.8 * half, "present": half},
            _search,
            _judge,
            "Only the order of the values counts. Sort them: each threshold says yes to the "
            "highest few. How many hits have the highest m?",
        ),
        Case(
            "Equal values are on the same side of every threshold",
            {"unit": graded, "present": third},
            _search,
            _judge,
            "Values that are equal cannot be told apart, however sorting has ordered them. Which "
            "numbers of highest values can no threshold cut off?",
        ),
        Case(
            "The best threshold may be far from 0",
            {"unit": shifted, "present": late},
            _search,
            _judge,
            "Above 0 is one threshold of many. Here every value is above it, or nearly.",
        ),
        Case(
            "A threshold that a single token passes is tried as well",
            {"unit": extreme, "present": alone},
            _search,
            _judge,
            "The candidates begin with the one that only the highest value passes.",
        ),
        Case(
            "Every threshold leaves some token out, also where always yes would score better",
            {"unit": noise() - 2 * most, "present": most},
            _search,
            _judge,
            "The lowest value itself is the lowest threshold: `unit > threshold` leaves it out.",
        ),
    ]


def _search(attempt: Callable, unit: Tensor, present: Tensor) -> list:
    return [attempt(u, p) for u, p in zip(unit, present, strict=True)]


def _counts(says: list[bool], present: list[bool]) -> tuple[int, int, int]:
    """Hits, how often the unit says yes, how often the concept is present."""
    hits = sum(s and p for s, p in zip(says, present, strict=True))
    return hits, sum(says), sum(present)


def _f1(says: list[bool], present: list[bool]) -> float:
    hits, said, there = _counts(says, present)
    return 2 * hits / (said + there)


def _best(unit: list[float], present: list[bool]) -> tuple[float, float]:
    """Threshold and F1, by trying every value as a threshold."""
    tried = {t: _f1([u > t for u in unit], present) for t in unit}
    threshold = max(tried, key=tried.__getitem__)
    return threshold, tried[threshold]


def _judge(outputs: Any, unit: Tensor, present: Tensor) -> str | None:
    for output in outputs:
        if problem := _not_a_pair(output):
            return problem
    rows = zip(outputs, unit.tolist(), present.tolist(), strict=True)
    problems = [_judge_one(float(t), float(f), u, p) for (t, f), u, p in rows]
    return next((problem for problem in problems if problem), None)


def _not_a_pair(output: Any) -> str | None:
    if output is None:
        return "it returned None; does every path end in `return`?"
    if not isinstance(output, tuple | list) or len(output) != 2:
        return f"it returned a {type(output).__name__}; return two numbers, (threshold, f1)"
    return not_a_number(output[0], "the threshold") or not_a_number(output[1], "the F1")


def _judge_one(threshold: float, f1: float, unit: list[float], present: list[bool]) -> str | None:
    says = [u > threshold for u in unit]
    if all(says):
        return f"all {len(unit)} values are above your threshold {threshold:.3f}; leave some out"
    counted = _f1(says, present)
    hits, said, there = _counts(says, present)
    if abs(f1 - counted) > ATOL:
        return (
            f"at your threshold {threshold:.3f} the unit says yes {said} times, {hits} times "
            f"rightly, and the concept is there {there} times: an F1 of {counted:.4f}, and you "
            f"have {f1:.4f}" + _named(f1, threshold, unit, present)
        )
    best, most = _best(unit, present)
    if counted < most - ATOL:
        return (
            f"your threshold {threshold:.3f} has F1 {counted:.4f}; the threshold {best:.3f} has "
            f"{most:.4f}"
        )
    return None


def _named(f1: float, threshold: float, unit: list[float], present: list[bool]) -> str:
    """The mistake that gives this number, as the end of a sentence."""
    says = [u > threshold for u in unit]
    hits, said, there = _counts(says, present)
    right = sum(s == p for s, p in zip(says, present, strict=True))
    mistakes = {
        "that is what `unit >= threshold` gives": _f1([u >= threshold for u in unit], present),
        "that is the accuracy": right / len(unit),
        "that is the precision": hits / max(said, 1),
        "that is the recall": hits / there,
        "the 2 is missing": hits / (said + there),
    }
    return next((f"; {w}" for w, value in mistakes.items() if abs(f1 - value) <= ATOL), "")
