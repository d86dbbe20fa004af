"""Exercise 4: the score of a mixture from the scores of its parts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

AXES = "n, d"


@exercise("superposition_elsewhere.mixture_score", "The score of a mixture")
def make_cases(generator: Generator) -> list[Case]:
    means = torch.randn(3, 2, generator=generator)
    x = torch.randn(9, 2, generator=generator)
    level = torch.zeros(3)
    prior = 1.5 * torch.randn(3, generator=generator)
    away = 60 + 5 * torch.rand(9, 2, generator=generator)
    return [
        Case(
            "With equal weights it is the gradient of log Σ q_i",
            {"x": x, "means": means, "log_weights": level},
            _call,
            _judge,
            "Differentiate log Σ_i q_i, with ∇ q_i = q_i ∇ log q_i. Whose share multiplies whose "
            "score?",
        ),
        Case(
            "With unequal weights it is the gradient of log Σ w_i q_i",
            {"x": x, "means": means, "log_weights": prior},
            _call,
            _judge,
            "The weight belongs inside: w_i q_i = exp(log q_i + log w_i). The shares must still "
            "add up to 1.",
        ),
        Case(
            "Far from all modes, where every density rounds to 0, it is still right",
            {"x": away, "means": means, "log_weights": level},
            _call,
            _judge,
            "exp(-1000) is 0 in floating point, and 0 / 0 is NaN. Shares depend on differences of "
            "log-densities alone.",
        ),
    ]


def _log_q(x: Tensor, means: Tensor) -> Tensor:
    """Log-densities [model, n] of Gaussians of width 0.8, up to a constant that they share."""
    return -0.5 * (x - means[:, None]).square().sum(dim=-1) / 0.64


def _call(attempt: Any, x: Tensor, means: Tensor, log_weights: Tensor) -> Any:
    return attempt((means[:, None] - x) / 0.64, _log_q(x, means), log_weights)


def _gradient(x: Tensor, means: Tensor, log_weights: Tensor) -> Tensor:
    """By central differences of the log of the sum, in double precision."""
    x, means, log_weights = x.double(), means.double(), log_weights.double()
    columns = []
    for axis in torch.eye(x.shape[1], dtype=torch.double):
        up, down = (
            (_log_q(x + step * axis, means) + log_weights[:, None]).logsumexp(dim=0)
            for step in (1e-4, -1e-4)
        )
        columns.append((up - down) / 2e-4)
    return torch.stack(columns, dim=1)


def _judge(output: Any, x: Tensor, means: Tensor, log_weights: Tensor) -> str | None:
    if problem := not_a_tensor(output, x.shape, AXES):
        return problem
    wanted = _gradient(x, means, log_weights)
    problem = differs(output, wanted, 2e-3, against="the gradient of the log of the mixture")
    if problem is None:
        return None
    scores = (means[:, None] - x) / 0.64
    if differs(output, scores.sum(dim=0) / len(scores), 1e-3) is None:
        return f"{problem}; that is the average of the scores"
    if differs(output, _gradient(x, means, 0 * log_weights), 2e-3) is None:
        return f"{problem}; that is the mixture with equal weights"
    return problem
