"""Exercise 3: feature dimensionality."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

AXES = "n_instances, n_features"


@exercise("toy_models.feature_dimensionality", "Feature dimensionality")
def make_cases(generator: Generator) -> list[Case]:
    W = torch.randn(2, 5, 3, generator=generator)
    ignored = W.clone()
    ignored[0, 2], ignored[1, 0], ignored[1, 4] = 0, 0, 0
    angle = 2 * math.pi * torch.rand((), generator=generator).item()
    return [
        Case(
            "Every entry is what the definition says",
            {"W": W},
            lambda attempt, W: attempt(W),
            _judge_values,
            "Write the sum over j for one feature with a loop and compare. It runs over all "
            "features of the same instance, feature i among them, and only Ŵ_i has length 1.",
        ),
        Case(
            "An ignored feature, a row of zeros, has dimensionality 0",
            {"W": ignored},
            lambda attempt, W: attempt(W),
            _judge_ignored,
            "A row of zeros has no direction: 0/0. Decide what to divide by where the length is 0.",
        ),
        Case(
            "Two features at 180° own half a dimension each, a pentagon's own 2/5",
            {"W": _shapes(angle)},
            lambda attempt, W: attempt(W),
            _judge_shapes,
            "Work the antipodal pair out by hand: W_1 = (1, 0), W_2 = (-1, 0).",
        ),
        Case(
            "Making all weights larger changes nothing",
            {"W": W, "scales": torch.tensor([0.2, 1.0, 5.0])},
            lambda attempt, W, scales: tuple(attempt(scale * W) for scale in scales),
            _judge_scale,
            "Numerator and denominator must both grow with the square of the weights, and nothing "
            "fixed may be added to either.",
        ),
    ]


def by_definition(W: Tensor) -> Tensor:
    """Term by term; 0 for a row of zeros."""
    W = W.double()
    D = torch.zeros(W.shape[:2], dtype=torch.double)
    for n in range(W.shape[0]):
        for i in range(W.shape[1]):
            length = math.sqrt(sum(w**2 for w in W[n, i].tolist()))
            if length == 0:
                continue
            shared = 0.0
            for j in range(W.shape[1]):
                shared += (sum((W[n, i] * W[n, j]).tolist()) / length) ** 2
            D[n, i] = length**2 / shared
    return D


def _shapes(angle: float) -> Tensor:
    """Instance 0: an antipodal pair and three features far from it; instance 1: a pentagon."""
    pair = torch.tensor([[1.5, 0, 0, 0], [-1.5, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    turns = angle + 2 * math.pi * torch.arange(5) / 5
    pentagon = torch.stack([turns.cos(), turns.sin(), *torch.zeros(2, 5)], dim=1)
    return torch.stack([pair, pentagon])


def _judge_values(D: Any, W: Tensor) -> str | None:
    if problem := not_a_tensor(D, W.shape[:2], AXES):
        return problem
    problem = differs(D, by_definition(W), 1e-3)
    if problem and D.max() > 1.001:
        problem += "; some of yours are above 1, and no feature owns more than a dimension"
    return problem


def _judge_ignored(D: Any, W: Tensor) -> str | None:
    expected = by_definition(W)
    if isinstance(D, Tensor) and D.shape == expected.shape:
        rows = D[W.norm(dim=-1) == 0]
        if rows.isnan().any():
            return "a row of zeros gets NaN; it must get 0"
        if rows.any():
            return f"a row of zeros gets {rows.abs().max().item():.3g}; it must get 0"
    return not_a_tensor(D, expected.shape, AXES) or differs(D, expected, 1e-3)


def _judge_shapes(D: Any, W: Tensor) -> str | None:
    if problem := not_a_tensor(D, W.shape[:2], AXES):
        return problem
    for what, found, wanted in (
        ("a feature of the antipodal pair", D[0, :2], 1 / 2),
        ("a feature with a dimension of its own", D[0, 2:], 1.0),
        ("a feature of the pentagon", D[1], 2 / 5),
    ):
        if (found - wanted).abs().max() > 1e-3:
            value = found[(found - wanted).abs().argmax()].item()
            return f"{what} has dimensionality {value:.3f}; it must be {wanted:.3f}"
    return None


def _judge_scale(outputs: Any, W: Tensor, scales: Tensor) -> str | None:
    for D in outputs:
        if problem := not_a_tensor(D, W.shape[:2], AXES):
            return problem
    small, base, large = outputs
    if not base.any():
        return "every dimensionality is 0, and no row is"
    for scale, D in ((scales[0], small), (scales[2], large)):
        if problem := differs(D, base, 1e-3, against="the result for the unscaled weights"):
            return f"with all weights times {scale:g}, {problem}"
    return None
