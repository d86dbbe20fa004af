"""Exercise 3: where the threshold of a JumpReLU settles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number

Point = tuple[float, float, float, float]


@exercise("sae_family.threshold_slope", "Where a threshold settles")
def make_cases(generator: Generator) -> list[Case]:
    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(6, generator=generator)

    p, c, l0 = draw(0.05, 0.3), draw(0.3, 0.5), draw(0.02, 0.08)
    return [
        Case(
            "Above the interference, the slope is that of the feature alone",
            {"theta": draw(0.55, 0.95), "p": p, "c": c, "l0_coefficient": l0},
            _values,
            _judge_slope,
            "Which inputs change when θ becomes θ + dθ? They had z = θ and have z = 0 now: say "
            "what that costs and what it saves, and how many of them there are.",
        ),
        Case(
            "Below it, interference that is cut off counts as well",
            {"theta": draw(0.05, 0.28), "p": p, "c": c, "l0_coefficient": l0},
            _values,
            _judge_slope,
            "Inputs without the feature have pre-activations there too. How dense are they in "
            "[0, c], and what does silencing one of them change?",
        ),
        Case(
            "Where the penalty is weak, the threshold settles at the end of the interference",
            {"theta": draw(0.1, 0.2), "p": p, "c": c, "l0_coefficient": l0},
            _values,
            _judge_best,
            "Look at the sign of the slope below c, then above it.",
        ),
        Case(
            "Where it is strong, the threshold goes on and silences weak features",
            {"theta": draw(0.1, 0.2), "p": p, "c": c, "l0_coefficient": draw(0.3, 0.9)},
            _values,
            _judge_best,
            "Above c the slope is 0 at one point. Which, and is it above c?",
        ),
    ]


def _values(attempt: Callable, **columns: Tensor) -> list:
    return [attempt(*point) for point in _points(**columns)]


def _points(theta: Tensor, p: Tensor, c: Tensor, l0_coefficient: Tensor) -> list[Point]:
    columns = (theta, p, c, l0_coefficient)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _loss(theta: Tensor, p: float, c: float, l0_coefficient: float, n: int) -> Tensor:
    """E (f - z)² + λ P(z > 0) for thresholds [k], by the midpoint rule with n points."""
    u = (torch.arange(n, dtype=torch.double) + 0.5) / n
    total = torch.zeros_like(theta)
    for chance, pre, truth in ((p, u, u), (1 - p, c * u, torch.zeros_like(u))):
        active = pre > theta[:, None]
        cost = torch.where(active, (truth - pre).square() + l0_coefficient, truth.square())
        total += chance * cost.mean(dim=1)
    return total


def _slope(theta: float, p: float, c: float, l0_coefficient: float) -> float:
    width = 0.005
    around = torch.tensor([theta - width, theta + width], dtype=torch.double)
    low, high = _loss(around, p, c, l0_coefficient, 100_000).tolist()
    return (high - low) / (2 * width)


def _malformed(outputs: Any) -> str | None:
    for output in outputs:
        if output is None:
            return "it returned None; does every path end in `return`?"
        if not hasattr(output, "__len__") or (isinstance(output, Tensor) and output.ndim == 0):
            return f"it returned a single {type(output).__name__}; return (slope, best)"
        if len(output) != 2:
            return f"it returned {len(output)} values; return two, (slope, best)"
        problem = not_a_number(output[0], "the slope") or not_a_number(output[1], "the best θ")
        if problem:
            return problem
    return None


def _judge_slope(outputs: Any, **columns: Tensor) -> str | None:
    if problem := _malformed(outputs):
        return problem
    points = _points(**columns)
    found = [float(output[0]) for output in outputs]
    wanted = [_slope(*point) for point in points]
    if _agree(found, wanted):
        return None
    k = max(range(len(points)), key=lambda k: abs(found[k] - wanted[k]))
    theta, p, c, l0_coefficient = points[k]
    message = (
        f"at θ = {theta:.2f}, p = {p:.2f}, c = {c:.2f}, λ = {l0_coefficient:.3f} your slope is "
        f"{found[k]:.4f}; the loss, integrated numerically, rises by {wanted[k]:.4f} per unit"
    )
    if _agree(found, [-value for value in wanted]):
        return f"{message}; the sign is turned round"
    without_penalty = [_slope(theta, p, c, 0.0) for theta, p, c, _ in points]
    if _agree(found, without_penalty):
        return f"{message}; the penalty is not in it"
    if _agree(found, [_slope(theta, p, 1e-6, rest) for theta, p, _, rest in points]):
        return f"{message}; the interference is not in it"
    if _agree([value / 2 for value in found], wanted):
        return f"{message}; yours is twice as steep"
    return message


def _agree(found: list[float], wanted: list[float]) -> bool:
    return all(
        math.isclose(f, w, rel_tol=0.01, abs_tol=5e-4) for f, w in zip(found, wanted, strict=True)
    )


def _judge_best(outputs: Any, **columns: Tensor) -> str | None:
    if problem := _malformed(outputs):
        return problem
    grid = torch.linspace(0, 1, 51, dtype=torch.double)
    for output, (_, p, c, l0_coefficient) in zip(outputs, _points(**columns), strict=True):
        best = float(output[1])
        given = f"for p = {p:.2f}, c = {c:.2f}, λ = {l0_coefficient:.3f} your best θ is {best:.3f}"
        if not -1e-6 <= best <= 1 + 1e-6:
            return f"{given}; pre-activations lie between 0 and 1"
        tried = torch.cat([grid, torch.tensor([best], dtype=torch.double)])
        losses = _loss(tried, p, c, l0_coefficient, 20_000)
        lowest = int(losses[:-1].argmin())
        if losses[-1] > losses[lowest] + 1e-4:
            return (
                f"{given}, where the loss is {losses[-1]:.4f}; at θ = {grid[lowest]:.2f} it is "
                f"{losses[lowest]:.4f}"
            )
    return None
