"""Exercise 1: a pair held against the direction of all other pairs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor
from course_lib.checks.linear_representations.worlds import normal, random_map

ATOL = 1e-4


@exercise("linear_representations.held_out_cosines", "A pair that is held out")
def make_cases(generator: Generator) -> list[Case]:
    A = random_map(generator, 6, 9.0)
    product = (A @ A.T).float()
    concept = normal(generator, 6).float()
    pairs = concept + normal(generator, 9, 6).float()
    backwards = torch.ones(9, 1)
    backwards[int(torch.randint(9, (), generator=generator))] = -1
    noise = normal(generator, 16, 300).float()
    return [
        Case(
            "Each cosine is that of one pair and the mean of all other pairs",
            {"differences": pairs, "precision": product},
            lambda attempt, differences, precision: attempt(differences, precision),
            _judge,
            "Three pairs, by hand: of the first, the direction is the mean of the second and the "
            "third. The product of a and b is aᵀ M b, also in the lengths.",
        ),
        Case(
            "Pairs that have nothing in common get cosines around 0",
            {"differences": noise, "precision": torch.eye(300)},
            lambda attempt, differences, precision: attempt(differences, precision),
            _judge_noise,
            "Sixteen unrelated differences: a mean that holds the pair itself has a cosine of "
            "about 1/√16 with it.",
        ),
        Case(
            "A pair that runs backwards gets a negative cosine",
            {"differences": backwards * (concept + 0.1 * (pairs - concept)), "precision": product},
            lambda attempt, differences, precision: attempt(differences, precision),
            _judge,
            "The sign is the point: such a pair has its words in the wrong order, or is none of "
            "this concept.",
        ),
        Case(
            "Other coordinates change nothing",
            {"differences": pairs, "precision": product, "A": A.float()},
            _in_two_coordinates,
            _judge_coordinates,
            "With γ → Aγ the differences become A δ and the product A⁻ᵀ M A⁻¹. What you compute "
            "must not use any product but M.",
        ),
    ]


def _in_two_coordinates(attempt: Any, differences: Tensor, precision: Tensor, A: Tensor) -> tuple:
    inverse = torch.linalg.inv(A)
    moved = attempt(differences @ A.T, inverse.T @ precision @ inverse)
    return attempt(differences, precision), moved


def by_definition(differences: Tensor, precision: Tensor, left_out: bool = True) -> Tensor:
    """Pair by pair, number by number."""
    rows, M = differences.double(), precision.double()
    cosines = []
    for i, own in enumerate(rows):
        others = [row for j, row in enumerate(rows) if j != i or not left_out]
        mean = sum(others) / len(others)
        inner = [float(a @ M @ b) for a, b in ((own, mean), (own, own), (mean, mean))]
        cosines.append(inner[0] / (inner[1] * inner[2]) ** 0.5)
    return torch.tensor(cosines)


def _judge(found: Any, differences: Tensor, precision: Tensor) -> str | None:
    if problem := not_a_tensor(found, differences.shape[:1], "n"):
        return problem
    expected = by_definition(differences, precision)
    problem = differs(found, expected, ATOL)
    plain = torch.eye(len(precision))
    mistakes = {
        "that pair itself is in its direction": by_definition(differences, precision, False),
        "that is the Euclidean cosine": by_definition(differences, plain),
        "the sign is lost": expected.abs(),
    }
    for mistake, value in mistakes.items():
        if problem and differs(found, value, ATOL) is None:
            return f"{problem}; {mistake}"
    return problem


def _judge_noise(found: Any, differences: Tensor, precision: Tensor) -> str | None:
    problem = _judge(found, differences, precision)
    if problem and not not_a_tensor(found, differences.shape[:1], "n"):
        return f"unrelated pairs get a mean of {found.double().mean().item():.3f}: {problem}"
    return problem


def _judge_coordinates(
    outputs: Any, differences: Tensor, precision: Tensor, A: Tensor
) -> str | None:
    before, after = outputs
    if problem := _judge(before, differences, precision):
        return f"before any change of coordinates, {problem}"
    if problem := not_a_tensor(after, differences.shape[:1], "n"):
        return problem
    if problem := differs(after, before, 1e-3, "those before"):
        return f"in other coordinates of the same model, {problem}"
    return None
