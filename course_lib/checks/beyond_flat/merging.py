"""Exercise 2: what the L1 penalty pays for a child that has swallowed its parent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number

ATOL = 1e-3


@exercise("beyond_flat.merged_child", "A child that swallows its parent")
def make_cases(generator: Generator) -> list[Case]:
    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(6, generator=generator)

    a, b = draw(0.8, 2.0), draw(0.8, 2.0)
    faithful = {"a": a, "b": b, "share": torch.zeros(6)}
    return [
        Case(
            "A child that holds nothing of its parent costs both magnitudes",
            faithful,
            _costs,
            _judge_cost,
            "With cosine 0 the two directions are orthogonal: what does each latent have to be?",
        ),
        Case(
            "The cost is the sum of the codes that rebuild the input exactly",
            {"a": a, "b": b, "share": draw(0.2, 0.95)},
            _costs,
            _judge_cost,
            "Write x = z_p p + z_d d along p and along c: two equations. The one along c gives z_d "
            "alone. What has d already written along p by then?",
        ),
        Case(
            "The largest cosine is where the parent's latent would turn negative",
            {"a": a, "b": b, "share": draw(0.2, 0.9)},
            _costs,
            _judge_largest,
            "z_p falls as the cosine grows. At which cosine is it 0? Draw x, p and d: where does d "
            "point then?",
        ),
        Case(
            "Where the parent has been swallowed whole, the cost is that of one latent",
            {"a": a, "b": b, "share": torch.ones(6)},
            _costs,
            _judge_cost,
            "Put the largest cosine into your cost. One latent is left, and it writes x alone.",
        ),
    ]


def _cosines(a: Tensor, b: Tensor, share: Tensor) -> list[float]:
    """Cosines at that share of the way to the largest."""
    return [
        s * _largest(p, c) for p, c, s in zip(a.tolist(), b.tolist(), share.tolist(), strict=True)
    ]


def _costs(attempt: Callable, a: Tensor, b: Tensor, share: Tensor) -> list:
    points = zip(a.tolist(), b.tolist(), _cosines(a, b, share), strict=True)
    return [attempt(*point) for point in points]


def _codes(a: float, b: float, cosine: float) -> tuple[float, float]:
    """z of the parent and of the child: x = z_p p + z_d d, solved by Cramer's rule."""
    x, p, d = (a, b), (1.0, 0.0), (cosine, (1 - cosine**2) ** 0.5)
    whole = _area(p, d)
    return _area(x, d) / whole, _area(p, x) / whole


def _area(u: tuple[float, float], v: tuple[float, float]) -> float:
    return u[0] * v[1] - u[1] * v[0]


def _largest(a: float, b: float) -> float:
    """By halving: the cosine where the code of the parent reaches 0."""
    low, high = 0.0, 1 - 1e-9
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _codes(a, b, middle)[0] > 0 else (low, middle)
    return low


def _not_a_pair(output: Any) -> str | None:
    if output is None:
        return "it returned None; does every path end in `return`?"
    if not hasattr(output, "__len__") or (isinstance(output, Tensor) and output.ndim == 0):
        return f"it returned a single {type(output).__name__}; return (cost, largest)"
    if len(output) != 2:
        return f"it returned {len(output)} values; return two, (cost, largest)"
    return not_a_number(output[0], "the cost") or not_a_number(output[1], "the largest cosine")


def _judge_cost(outputs: Any, a: Tensor, b: Tensor, share: Tensor) -> str | None:
    points = list(zip(a.tolist(), b.tolist(), _cosines(a, b, share), strict=True))
    for output in outputs:
        if problem := _not_a_pair(output):
            return problem
    wanted = [sum(map(abs, _codes(*point))) for point in points]
    found = [float(output[0]) for output in outputs]
    k = max(range(len(points)), key=lambda k: abs(found[k] - wanted[k]))
    if abs(found[k] - wanted[k]) <= ATOL:
        return None
    a_k, b_k, cosine = points[k]
    z_p, z_d = _codes(*points[k])
    message = (
        f"at a = {a_k:.2f}, b = {b_k:.2f} and cosine {cosine:.2f} your cost is {found[k]:.3f}; the "
        f"codes that rebuild x exactly add up to {wanted[k]:.3f}"
    )
    mistakes = {
        "you count the parent in full, although the child has written some of it": a_k + z_d,
        "the child's latent has to grow when its direction turns away from c": z_p + b_k,
        "that is the Euclidean length of the codes, and L1 is their sum": (z_p**2 + z_d**2) ** 0.5,
        "those are the products of x with the directions; they overlap, so that x would be "
        "overshot": a_k + a_k * cosine + b_k * (1 - cosine**2) ** 0.5,
    }
    for mistake, value in mistakes.items():
        if abs(found[k] - value) <= ATOL:
            return f"{message}; {mistake}"
    return message


def _judge_largest(outputs: Any, a: Tensor, b: Tensor, share: Tensor) -> str | None:
    for output in outputs:
        if problem := _not_a_pair(output):
            return problem
    for output, a_k, b_k in zip(outputs, a.tolist(), b.tolist(), strict=True):
        found, wanted = float(output[1]), _largest(a_k, b_k)
        if abs(found - wanted) > ATOL:
            at = f"at a = {a_k:.2f}, b = {b_k:.2f} your largest cosine is {found:.3f}"
            if not 0 <= found < 1:
                return f"{at}; a cosine below 1 is needed"
            z_p = _codes(a_k, b_k, found)[0]
            sign = "already negative" if z_p < 0 else "still positive"
            return f"{at}, where the exact code of the parent is {sign}: {z_p:.3f}"
    return None
