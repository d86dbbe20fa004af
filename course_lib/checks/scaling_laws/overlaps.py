"""Exercise 5: find the bug in a measure of overlap."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

AXES = "n_instances"


@exercise("scaling_laws.overlap_product", "Overlaps that are too large", find_the_bug=True)
def make_cases(generator: Generator) -> list[Case]:
    W = torch.randn(3, 7, 4, generator=generator)
    unit = torch.nn.functional.normalize(W, dim=-1)
    length = 0.5 + torch.rand(3, 7, 1, generator=generator)
    basis = torch.linalg.qr(torch.randn(5, 5, generator=generator))[0]
    signs = torch.tensor([[1.0], [-1.0], [1.0], [1.0], [-1.0]])
    extremes = torch.stack([basis, signs * basis[:1]])
    return [
        Case(
            "Rows at right angles do not overlap at all, rows in line overlap fully",
            {"W": extremes},
            lambda attempt, W: attempt(W),
            _judge_extremes,
            "Five orthonormal rows: every pair of different ones has cosine 0. Which pairs does "
            "the mean run over?",
        ),
        Case(
            "Only directions count: longer rows change nothing",
            {"W": unit, "length": length},
            lambda attempt, W, length: (attempt(W), attempt(W * length)),
            _judge_length,
            "A cosine is taken between vectors of length 1.",
        ),
        Case(
            "The value is m times the mean of cos² over all pairs of different features",
            {"W": W},
            lambda attempt, W: attempt(W),
            _judge_value,
            "Work it out for three features with a double loop, leaving out i = j, and compare.",
        ),
    ]


def by_definition(W: Tensor) -> Tensor:
    """Pair by pair."""
    means = []
    for rows in W.double():
        squares = []
        for i, a in enumerate(rows):
            for j, b in enumerate(rows):
                if i != j:
                    inner = sum((a * b).tolist())
                    squares.append(inner**2 / (sum((a * a).tolist()) * sum((b * b).tolist())))
        means.append(W.shape[-1] * math.fsum(squares) / len(squares))
    return torch.tensor(means)


def _judge_extremes(found: Any, W: Tensor) -> str | None:
    if problem := not_a_tensor(found, W.shape[:1], AXES):
        return problem
    apart, in_line = found.tolist()
    if abs(apart) > 1e-3:
        return (
            f"for five orthonormal rows it is {apart:.3f}; no two of them overlap, so it must be "
            "0. Is each feature compared with itself?"
        )
    if abs(in_line - W.shape[-1]) > 1e-3:
        return (
            f"for five rows in one line it is {in_line:.3f}; every cos² is 1, so it must be m, "
            f"which is {W.shape[-1]}"
        )
    return None


def _judge_length(outputs: Any, W: Tensor, length: Tensor) -> str | None:
    for found in outputs:
        if problem := not_a_tensor(found, W.shape[:1], AXES):
            return problem
    before, after = outputs
    if not before.any():
        return "it is 0 for seven directions in four dimensions, which must overlap"
    if problem := differs(after, before, 1e-3, "the value for rows of length 1"):
        return f"with rows of other lengths in the same directions, {problem}"
    return None


def _judge_value(found: Any, W: Tensor) -> str | None:
    if problem := not_a_tensor(found, W.shape[:1], AXES):
        return problem
    expected = by_definition(W)
    problem = differs(found, expected, 1e-3)
    n, m = W.shape[1:]
    if problem and torch.allclose(found.double(), expected.double() / m, atol=1e-3):
        problem += "; the factor m is missing"
    elif problem and torch.allclose(found.double(), expected.double() * (n - 1) / n, atol=1e-3):
        problem += "; you leave i = j out of the sum and count it in the number of pairs"
    return problem
