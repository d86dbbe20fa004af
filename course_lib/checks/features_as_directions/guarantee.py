"""Exercise 2: how low a bit that is on can read, how high one that is off."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number

NAMES = ("the lowest reading of a bit that is on", "the highest reading of a bit that is off",
         "the largest safe k")  # fmt: skip
TOLERANCE = 1e-4


@exercise("features_as_directions.guarantee", "Where the guarantee comes from")
def make_cases(generator: Generator) -> list[Case]:
    d = 4 + torch.randperm(5, generator=generator)[:4]
    k = torch.stack([torch.randint(2, int(n), (), generator=generator) for n in d])
    inputs = {"k": k, "mu": 1 / d.double()}
    return [
        Case(
            "The lowest reading of a bit that is on is that of the worst dictionary",
            inputs,
            _answers,
            lambda outputs, k, mu: _judge_reading(outputs, 0, k, mu),
            "The bit reads itself as 1. How many other bits are on, and how much can each take "
            "away?",
        ),
        Case(
            "The highest reading of a bit that is off is that of the worst dictionary",
            inputs,
            _answers,
            lambda outputs, k, mu: _judge_reading(outputs, 1, k, mu),
            "The bit itself adds nothing. How many bits are on, and how much can each add?",
        ),
        Case(
            "The largest safe k is the last one at which the two readings are apart",
            {"k": torch.tensor([1, 2, 3, 4]), "mu": 1 / torch.tensor([5.0, 4, 8, 6]).double()},
            _answers,
            _judge_safe,
            "Try k = 1, 2, 3, … for μ = 0.2. At which k is the lowest reading of a bit that is on "
            "no longer above the highest of one that is off? Equal is not apart.",
        ),
    ]


def _answers(attempt: Callable, k: Tensor, mu: Tensor) -> list:
    return [attempt(*pair) for pair in zip(k.tolist(), mu.tolist(), strict=True)]


@cache
def worst_readings(k: int, d: int) -> tuple[float, float]:
    """Lowest on and highest off over the simplex in d dimensions with every choice of signs.

    Its d + 1 corners have cosines of exactly ±1/d: no dictionary of that coherence is worse.
    """
    overlap = torch.full((d + 1, d + 1), -1 / d, dtype=torch.double).fill_diagonal_(1.0)
    signs = torch.tensor(list(product((-1.0, 1.0), repeat=d + 1)), dtype=torch.double)
    reading = signs * (signs[:, :k] @ overlap[:k])  # the first k bits are on
    return reading[:, :k].min().item(), reading[:, k:].max().item()


def _malformed(output: Any) -> str | None:
    if output is None:
        return "it returned None; does every path end in `return`?"
    if not hasattr(output, "__len__") or (isinstance(output, Tensor) and output.ndim == 0):
        return f"it returned a single {type(output).__name__}; return three numbers"
    if len(output) != 3:
        return f"it returned {len(output)} values; return three, (lowest on, highest off, safe k)"
    for value, name in zip(output, NAMES, strict=True):
        if problem := not_a_number(value, name):
            return problem
    return None


def _judge_reading(outputs: Any, which: int, k: Tensor, mu: Tensor) -> str | None:
    for output in outputs:
        if problem := _malformed(output):
            return problem
    for output, active, overlap in zip(outputs, k.tolist(), mu.tolist(), strict=True):
        found, wanted = float(output[which]), worst_readings(active, round(1 / overlap))[which]
        if abs(found - wanted) > TOLERANCE:
            return (
                f"at k = {active}, μ = {overlap:.3f} {NAMES[which]} is {found:.3f} in yours; over "
                f"all signs of a simplex of that coherence it is {wanted:.3f}"
            )
    return None


def _judge_safe(outputs: Any, k: Tensor, mu: Tensor) -> str | None:
    for output in outputs:
        if problem := _malformed(output):
            return problem
    for output, overlap in zip(outputs, mu.tolist(), strict=True):
        d, wanted = round(1 / overlap), 1
        while worst_readings(wanted + 1, d)[0] > worst_readings(wanted + 1, d)[1] + 1e-9:
            wanted += 1
        found = float(output[2])
        if found != wanted:
            on, off = worst_readings(wanted + 1, d)
            return (
                f"for μ = {overlap:.3f} your largest safe k is {found:g}; it is {wanted}: with "
                f"{wanted + 1} on, a bit that is on can read {on:.3f} and one that is off {off:.3f}"
            )
    return None
