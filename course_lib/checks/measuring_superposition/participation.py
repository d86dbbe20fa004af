"""Exercise 2: participation ratio."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

AXES = "n_instances"


@exercise("measuring_superposition.participation_ratio", "Participation ratio")
def make_cases(generator: Generator) -> list[Case]:
    widths = torch.tensor([1.0, 2.0, 0.5, 0.1, 3.0])
    h = torch.randn(3, 40, 5, generator=generator) * widths
    line = torch.randn(2, 40, 1, generator=generator) * torch.randn(2, 1, 4, generator=generator)
    even = torch.cat([torch.eye(6), -torch.eye(6)]).expand(2, -1, -1).clone()
    return [
        Case(
            "Each instance has what the definition says",
            {"h": h},
            lambda attempt, h: attempt(h),
            _judge_values,
            "Make the covariance matrix of one instance and its eigenvalues λ. The numerator is "
            "the square of their sum, the denominator the sum of their squares.",
        ),
        Case(
            "An offset that all inputs share changes nothing",
            {"h": h, "offset": 5 * torch.randn(3, 1, 5, generator=generator)},
            lambda attempt, h, offset: (attempt(h), attempt(h + offset)),
            _judge_offset,
            "A covariance is taken about the mean of each dimension, over the inputs.",
        ),
        Case(
            "All inputs on a line make 1, six equal directions make 6",
            {"line": line, "even": even},
            lambda attempt, line, even: (attempt(line), attempt(even)),
            _judge_known,
            "On a line there is one eigenvalue λ: λ² / λ². With six equal ones: (6λ)² / 6λ².",
        ),
    ]


def by_definition(h: Tensor) -> Tensor:
    """With the covariance entry by entry, and its eigenvalues."""
    result = []
    for instance in h.double():
        centered = instance - instance.sum(0) / len(instance)
        d = instance.shape[1]
        C = torch.zeros(d, d, dtype=torch.double)
        for i in range(d):
            for j in range(d):
                C[i, j] = (centered[:, i] * centered[:, j]).sum() / len(instance)
        values = torch.linalg.eigvalsh(C)
        result.append(values.sum() ** 2 / values.square().sum())
    return torch.stack(result)


def _judge_values(PR: Any, h: Tensor) -> str | None:
    if problem := not_a_tensor(PR, h.shape[:1], AXES):
        return problem
    problem = differs(PR, by_definition(h), 1e-3)
    if problem is None:
        return None
    singular = torch.linalg.svdvals(h.double() - h.double().mean(1, keepdim=True))
    if differs(PR, singular.sum(-1) ** 2 / singular.square().sum(-1), 1e-3) is None:
        return f"{problem}; yours are made of singular values: an eigenvalue is a square of one"
    if differs(PR, 1 / by_definition(h), 1e-3) is None:
        return f"{problem}; yours is upside down"
    return problem


def _judge_offset(outputs: Any, h: Tensor, offset: Tensor) -> str | None:
    for PR in outputs:
        if problem := not_a_tensor(PR, h.shape[:1], AXES):
            return problem
    near, far = outputs
    if not near.any():
        return "every result is 0, although the inputs vary"
    if problem := differs(far, near, 2e-2, against="the result without the offset"):
        return f"with an offset added to all inputs, {problem}"
    return differs(far, by_definition(h), 2e-2)


def _judge_known(outputs: Any, line: Tensor, even: Tensor) -> str | None:
    for PR, what, wanted in zip(
        outputs, ("inputs on a line", "six equal directions"), (1.0, 6.0), strict=True
    ):
        if problem := not_a_tensor(PR, (2,), AXES):
            return problem
        worst = PR[(PR - wanted).abs().argmax()].item()
        if abs(worst - wanted) > 5e-3:
            return f"{what} get {worst:.3f} and not {wanted:.0f}"
    return None
