"""Exercise 1: mutual coherence."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

AXES = "n_instances"


@exercise("features_as_directions.mutual_coherence", "Mutual coherence")
def make_cases(generator: Generator) -> list[Case]:
    W = torch.randn(3, 6, 4, generator=generator)
    lengths = 0.2 + 3 * torch.rand(3, 6, 1, generator=generator)
    return [
        Case(
            "Every entry is what the definition says",
            {"W": W},
            lambda attempt, W: attempt(W),
            _judge_values,
            "Write two loops over the rows of one instance and compare: the largest |cosine| of "
            "two different rows.",
        ),
        Case(
            "Directions that point away from each other overlap, too",
            {"W": _opposites(generator)},
            lambda attempt, W: attempt(W),
            _judge_values,
            "Here the largest overlaps are negative. A cosine of -0.9 is as bad as one of 0.9.",
        ),
        Case(
            "The length of a row does not matter",
            {"W": W, "lengths": lengths},
            lambda attempt, W, lengths: (attempt(W), attempt(lengths * W)),
            _judge_lengths,
            "The cosine of two rows is their product divided by both lengths.",
        ),
        Case(
            "Right angles give 0, and a tetrahedron gives 1/3",
            {"W": _shapes()},
            lambda attempt, W: attempt(W),
            _judge_shapes,
            "A direction has cosine 1 with itself: that does not count. What stands on the "
            "diagonal of the table of overlaps?",
        ),
    ]


def by_definition(W: Tensor) -> Tensor:
    """The largest |cosine| of two different rows, pair by pair."""
    W = W.double()
    largest = torch.zeros(len(W), dtype=torch.double)
    for n, rows in enumerate(W):
        for i in range(len(rows)):
            for j in range(i):
                product = sum((rows[i] * rows[j]).tolist())
                length = math.sqrt(sum((rows[i] ** 2).tolist()) * sum((rows[j] ** 2).tolist()))
                largest[n] = max(largest[n].item(), abs(product) / length)
    return largest


def _opposites(generator: Generator) -> Tensor:
    """Two instances in which one pair stands at a cosine of about -0.95, all others at less."""
    e = torch.diag(torch.ones(4))
    instances = []
    for tilt in (0.1 * torch.rand(2, generator=generator)).tolist():
        instances.append(torch.stack([e[0], e[1], e[2], -e[0] + 0.3 * e[3] + tilt * e[1]]))
    return torch.stack(instances)


def _shapes() -> Tensor:
    """Three rows at right angles, and three corners of a tetrahedron."""
    corners = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1]])
    return torch.stack([torch.eye(3), corners])


def _judge_values(mu: Any, W: Tensor) -> str | None:
    if problem := not_a_tensor(mu, W.shape[:1], AXES):
        return problem
    problem = differs(mu, by_definition(W), 1e-4)
    if problem and mu.max() > 1.001:
        problem += "; some of yours are above 1, which no cosine is"
    elif problem and (mu > 0.999).all():
        problem += "; all of yours are 1, the cosine of a row with itself"
    return problem


def _judge_lengths(outputs: Any, W: Tensor, lengths: Tensor) -> str | None:
    for mu in outputs:
        if problem := not_a_tensor(mu, W.shape[:1], AXES):
            return problem
    plain, stretched = outputs
    if not plain.any():
        return "every coherence is 0, and no two rows stand at right angles"
    problem = differs(stretched, plain, 1e-4, against="the result for the rows as they were")
    return problem and f"with every row at another length, {problem}"


def _judge_shapes(mu: Any, W: Tensor) -> str | None:
    if problem := not_a_tensor(mu, W.shape[:1], AXES):
        return problem
    shapes = {"rows at right angles": 0.0, "the corners of a tetrahedron": 1 / 3}
    for (what, wanted), found in zip(shapes.items(), mu, strict=True):
        if abs(found.item() - wanted) > 1e-4:
            return f"{what} have coherence {found.item():.3f}; it must be {wanted:.3f}"
    return None
