"""Exercise 2: what the penalty costs a feature that is alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number

WHAT = ("the shortfall", "the share that is missed", "the FVU")
RTOL = 0.01
Point = tuple[float, float, float]


@exercise("saes_from_zero.penalty_price", "What λ costs")
def make_cases(generator: Generator) -> list[Case]:
    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(4, generator=generator)

    m = draw(0.8, 2.0)
    inputs = {"l1": m * draw(0.3, 1.2), "p": draw(0.05, 0.5), "m": m}
    return [
        Case(
            "The shortfall is planted minus best code, of a feature that is seen at all",
            inputs,
            _points,
            lambda outputs, l1, p, m: _judge(outputs, 0, l1, p, m),
            "Differentiate (a - z)² + λ z with respect to z and set it to 0. The 2 of the square "
            "has no ½ in front of it to cancel.",
        ),
        Case(
            "Missed are the magnitudes whose best code is 0",
            inputs,
            _points,
            lambda outputs, l1, p, m: _judge(outputs, 1, l1, p, m),
            "Below which a would the best code be negative? Which part of [0, m] is that?",
        ),
        Case(
            "The FVU is the expected squared error over the variance",
            inputs,
            _points,
            lambda outputs, l1, p, m: _judge(outputs, 2, l1, p, m),
            "Two kinds of error: features below the threshold, and features above it. And the "
            "variance is about the mean, which is not 0.",
        ),
        Case(
            "Only λ / m matters for what is missed and unexplained",
            inputs,
            lambda attempt, l1, p, m: (
                _points(attempt, l1, p, m),
                _points(attempt, 2 * l1, p, 2 * m),
            ),
            _judge_units,
            "Measure everything in units twice as large: a, z, m and λ. Which results may change?",
        ),
    ]


def _points(attempt: Callable, l1: Tensor, p: Tensor, m: Tensor) -> list:
    return [attempt(*point) for point in _rows(l1, p, m)]


def _rows(*columns: Tensor) -> list[Point]:
    return [tuple(row) for row in torch.stack(columns, dim=-1).double().tolist()]


@cache
def by_search(l1: float, p: float, m: float) -> Point:
    """All three by trying every code on a fine grid, for every magnitude on another."""
    a = (torch.arange(600, dtype=torch.double) + 0.5) * m / 600
    codes = torch.arange(0, 1501, dtype=torch.double) * m / 1500
    cost = (a[:, None] - codes).square() + l1 * codes
    z = codes[cost.argmin(dim=1)]
    missed = (z == 0).double().mean()
    shortfall = (a - z)[z > 0].mean()
    variance = p * a.square().mean() - (p * a.mean()) ** 2
    return shortfall.item(), missed.item(), (p * (a - z).square().mean() / variance).item()


def _not_a_triple(output: Any) -> str | None:
    if output is None:
        return "it returned None; does every path end in `return`?"
    if not hasattr(output, "__len__") or isinstance(output, str):
        return f"it returned a {type(output).__name__}; return (shortfall, missed, fvu)"
    if (isinstance(output, Tensor) and output.ndim != 1) or len(output) != 3:
        return "it must return exactly three numbers, (shortfall, missed, fvu)"
    problems = (not_a_number(value, what) for value, what in zip(output, WHAT, strict=True))
    return next(filter(None, problems), None)


def _judge(outputs: Any, which: int, l1: Tensor, p: Tensor, m: Tensor) -> str | None:
    for output in outputs:
        if problem := _not_a_triple(output):
            return problem
    rows = _rows(l1, p, m)
    found = [float(output[which]) for output in outputs]
    wanted = [by_search(*row)[which] for row in rows]
    if _agree(found, wanted):
        return None
    k = max(range(len(rows)), key=lambda k: abs(found[k] - wanted[k]))
    message = (
        f"at λ = {rows[k][0]:.2f}, p = {rows[k][1]:.2f}, m = {rows[k][2]:.2f} {WHAT[which]} is "
        f"{found[k]:.4f} with you; a search over all codes gives {wanted[k]:.4f}"
    )
    for mistake, slip in SLIPS[which].items():
        if _agree(found, [slip(*row) for row in rows]):
            return f"{message}; {mistake}"
    return message


def _agree(found: list[float], wanted: list[float]) -> bool:
    return all(abs(f - w) <= RTOL * abs(w) + 2e-3 for f, w in zip(found, wanted, strict=True))


def _variance(p: float, m: float) -> float:
    return p * m**2 / 3 - (p * m / 2) ** 2


def _about_zero(l1: float, p: float, m: float) -> float:
    return by_search(l1, p, m)[2] * _variance(p, m) / (p * m**2 / 3)


def _error(l1: float, p: float, m: float) -> float:
    return by_search(l1, p, m)[2] * _variance(p, m)


SLIPS: list[dict[str, Callable[[float, float, float], float]]] = [
    {
        "you left out the 2 of the square's derivative": lambda l1, p, m: l1,
        "that is the best code's change, with the wrong sign": lambda l1, p, m: -l1 / 2,
    },
    {
        "that is a magnitude; the share of [0, m] is asked for": lambda l1, p, m: l1 / 2,
        "features that are off are not missed": lambda l1, p, m: p * l1 / (2 * m),
    },
    {
        "your denominator is the second moment, about 0 and not about the mean": _about_zero,
        "that is the error, not yet divided by the variance": _error,
    },
]  # fmt: skip


def _judge_units(outputs: Any, l1: Tensor, p: Tensor, m: Tensor) -> str | None:
    for output in (*outputs[0], *outputs[1]):
        if problem := _not_a_triple(output):
            return problem
    for once, twice in zip(*outputs, strict=True):
        for which in (1, 2):
            value, scaled = float(once[which]), float(twice[which])
            if value <= 0:
                return f"{WHAT[which]} is {value:.4g}; every λ above 0 costs something"
            if abs(value - scaled) > 1e-3 * value:
                return (
                    f"with λ and m both doubled, {WHAT[which]} goes from {value:.4f} to "
                    f"{scaled:.4f}; it has no unit, so it must stay"
                )
    return None
