"""Exercise 4: derive when a dormant neuron makes an illusion possible."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise

N, ATOL, SAME = 100_001, 1e-3, 1e-2


@exercise("causal_tests.illusory_directions", "How strong must the sleeper be?")
def make_cases(generator: Generator) -> list[Case]:
    def draw(low: float, high: float, n: int) -> tuple[Tensor, Tensor]:
        """Strengths whose products lie between low and high."""
        product, first = (torch.rand(n, generator=generator) for _ in range(2))
        first = 0.5 + 1.5 * first
        return first, (low + (high - low) * product) / first

    strong = draw(2.5, 6.0, 4)
    weak = draw(0.4, 1.7, 2), draw(-1.7, -0.4, 1), draw(2.5, 6.0, 1)
    mixed = [torch.cat(parts) for parts in zip(*weak, strict=True)]
    opposed = [torch.cat(pair) for pair in zip(draw(-6, -2.5, 3), draw(2.5, 6.0, 1), strict=True)]
    return [
        Case(
            "The chapter's three neurons, and others that are just strong enough",
            {"follows": torch.tensor([1.0, 2.0, 4.0]), "reads": torch.tensor([2.0, 1.0, 0.5])},
            _call,
            _judge,
            "Two unknowns and two equations: the patch recovers 1, and v has norm 1. Write v as "
            "(cos θ, sin θ).",
        ),
        Case(
            "Stronger neurons have more than one illusory direction",
            {"follows": strong[0], "reads": strong[1]},
            _call,
            _judge,
            "sin 2θ takes every value below 1 twice while θ goes from 0 to 90 degrees.",
        ),
        Case(
            "Where they are too weak there is none",
            {"follows": mixed[0], "reads": mixed[1]},
            _call,
            _judge,
            "What is the largest that v1 v2 can be when v has norm 1?",
        ),
        Case(
            "A neuron that is read with the opposite sign makes illusions, too",
            {"follows": opposed[0], "reads": opposed[1]},
            _call,
            _judge,
            "v1 is positive by agreement, v2 may be negative.",
        ),
    ]


def _call(attempt: Callable, follows: Tensor, reads: Tensor) -> list:
    return [attempt(b, a) for b, a in zip(follows.tolist(), reads.tolist(), strict=True)]


def _solutions(follows: float, reads: float) -> list[tuple[float, float]]:
    """By looking at every angle from -90 to 90 degrees."""
    angle = (torch.arange(N, dtype=torch.double) / (N - 1) - 0.5) * torch.pi
    over = follows * angle.cos() * reads * angle.sin() - 1
    crossed = (over[1:] > 0) != (over[:-1] > 0)
    found = angle[1:][crossed]
    if len(found) < 2:  # none, or one that touches
        found = angle[over.abs() < 1e-8][:1]
    return [(math.cos(t), math.sin(t)) for t in found.tolist()]


def _rows(found: Any) -> tuple[list[tuple[float, float]], str | None]:
    if found is None:
        return [], "it returned None; does every path end in `return`?"
    try:
        values = torch.as_tensor(found)
    except (TypeError, ValueError, RuntimeError):
        return [], f"it returned a {type(found).__name__}; rows of (v1, v2) are needed, [m, 2]"
    if values.shape in ((0,), (0, 2)):
        return [], None
    if values.ndim != 2 or values.shape[1] != 2:
        return [], f"it returned the shape {list(values.shape)}; it must be [m, 2]"
    if not values.is_floating_point() or not values.isfinite().all():
        return [], "it holds something else than finite floating-point numbers"
    return [tuple(row) for row in values.detach().double().tolist()], None


def _judge(found: list, follows: Tensor, reads: Tensor) -> str | None:
    for answer, b, a in zip(found, follows.tolist(), reads.tolist(), strict=True):
        rows, problem = _rows(answer)
        if problem:
            return problem
        where = f"for follows = {b:.2f} and reads = {a:.2f}"
        for v1, v2 in rows:
            shown = f"({v1:.3f}, {v2:.3f})"
            if abs(math.hypot(v1, v2) - 1) > ATOL:
                return f"{where}, {shown} has the norm {math.hypot(v1, v2):.3f}; it must be 1"
            if v1 <= 0:
                return f"{where}, {shown} has no positive v1; v and -v are one and the same patch"
            effect = b * v1 * a * v2
            if abs(effect - 1) > ATOL * 5:
                return f"{where}, patching along {shown} recovers {effect:.3f}, not 1"
        distinct = [r for i, r in enumerate(rows) if all(math.dist(r, s) > SAME for s in rows[:i])]
        wanted = _solutions(b, a)
        if len(distinct) != len(wanted):
            known = ", ".join(f"{math.degrees(math.atan2(y, x)):.0f}" for x, y in wanted)
            at = f": at {known} degrees from e1" if wanted else ""
            return (
                f"{where} you give {len(distinct)} direction(s); a search over all angles finds "
                f"{len(wanted)}{at}"
            )
    return None
