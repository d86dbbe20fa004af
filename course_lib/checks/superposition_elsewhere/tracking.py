"""Exercise 6: find the bug in a density that is tracked along a path."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

STD, N, STEPS = 0.6, 300, 160


@exercise("superposition_elsewhere.track", "A density that drifts away", find_the_bug=True)
def make_cases(generator: Generator) -> list[Case]:
    line, space = torch.ones(1), torch.tensor([1.0, -0.5, 0.3])
    seed = int(torch.randint(10**6, (), generator=generator))
    return [
        Case(
            "On a line the tracked log-density is the true one, on average over paths",
            {"mean": line, "path": _paths(line, seed)},
            _call,
            _judge_mean,
            "Itô's formula multiplies dx with the score at the point and time *before* the step. "
            "What is E⟨dx, s⟩ when s is taken afterwards?",
        ),
        Case(
            "So it is in three dimensions",
            {"mean": space, "path": _paths(space, seed)},
            _call,
            _judge_mean,
            "f = -½ β x has one component per dimension. What is its divergence?",
        ),
        Case(
            "With smaller steps the error gets smaller",
            {"mean": space, "path": _paths(space, seed + 1)},
            _call_coarse_and_fine,
            _judge_smaller,
            "An error that does not shrink with the step is a term that is missing or one too "
            "many. Which terms are of the order of dt?",
        ),
        Case(
            "At rest, under a constant score, only divergence and noise add up",
            {"log_q": torch.randn(4, generator=generator), "slope": space},
            _call_at_rest,
            _judge_at_rest,
            "With x = 0 all the time, ⟨dx, s⟩ and ⟨f, s⟩ are 0. What is left, in each of the "
            "steps, and how many steps has a path of 9 points?",
        ),
    ]


def _beta(t: float) -> float:
    return 0.1 + 19.9 * t


def _law(t: float) -> tuple[float, float]:
    """What is left of the mean, and the variance, of the noised Gaussian at time t."""
    left = math.exp(-0.05 * t - 4.975 * t * t)
    return left, left * left * STD * STD + 1 - left * left


def _score(mean: Tensor, x: Tensor, t: float) -> Tensor:
    left, variance = _law(t)
    return (left * mean - x) / variance


def _log_density(mean: Tensor, x: Tensor, t: float) -> Tensor:
    left, variance = _law(t)
    square = (x - left * mean).square().sum(dim=-1)
    return -0.5 * square / variance - 0.5 * len(mean) * math.log(2 * math.pi * variance)


def _paths(mean: Tensor, seed: int) -> Tensor:
    """Denoising paths [steps + 1, n, d] from t = 1 to t = 0."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(N, len(mean), generator=generator)
    path, h = [x], 1 / STEPS
    for k in range(STEPS):
        t = 1 - k * h
        noise = torch.randn(x.shape, generator=generator) * (_beta(t) * h) ** 0.5
        x = x + _beta(t) * h * (0.5 * x + _score(mean, x, t)) + noise
        path.append(x)
    return torch.stack(path)


def _call(attempt: Any, mean: Tensor, path: Tensor) -> Any:
    start = _log_density(mean, path[0], 1.0)
    return attempt(start, path, lambda x, t: _score(mean, x, t))


def _call_coarse_and_fine(attempt: Any, mean: Tensor, path: Tensor) -> Any:
    return _call(attempt, mean, path[::4].contiguous()), _call(attempt, mean, path)


def _call_at_rest(attempt: Any, log_q: Tensor, slope: Tensor) -> Any:
    path = torch.zeros(9, len(log_q), len(slope))
    return attempt(log_q, path, lambda x, t: slope.expand_as(x))


def _judge_at_rest(output: Any, log_q: Tensor, slope: Tensor) -> str | None:
    noise = sum(_beta(k / 8) for k in range(1, 9)) / 8
    expected = log_q - (len(slope) + slope.square().sum()) * noise / 2
    return not_a_tensor(output, tuple(log_q.shape), "n") or differs(output, expected, 1e-4)


def _errors(output: Any, mean: Tensor, path: Tensor) -> Tensor:
    return output.detach() - _log_density(mean, path[-1], 0.0)


def _judge_mean(output: Any, mean: Tensor, path: Tensor) -> str | None:
    if problem := not_a_tensor(output, (N,), "n"):
        return problem
    error = _errors(output, mean, path)
    # The bias of 160 steps is a fifth of a nat per dimension; six standard errors on top.
    allowed = 0.3 * len(mean) + 6 * _spread(mean) / N**0.5
    if error.mean().abs() < allowed and error.std() < 2 * _spread(mean):
        return None
    return (
        f"after {STEPS} steps your log-density is off by {error.mean():+.2f} nats on average, and "
        f"by {error.std():.2f} from path to path; {allowed:.2f} and {2 * _spread(mean):.2f} would "
        "be due to the size of the steps"
    )


def _spread(mean: Tensor) -> float:
    """About the standard deviation of the error of one path after 160 steps."""
    return 0.6 * len(mean) ** 0.5


def _judge_smaller(outputs: Any, mean: Tensor, path: Tensor) -> str | None:
    for output in outputs:
        if problem := not_a_tensor(output, (N,), "n"):
            return problem
    coarse, fine = (_errors(output, mean, path).abs().mean().item() for output in outputs)
    if fine < 0.75 * coarse and fine < 2 * _spread(mean):
        return None
    return (
        f"with {STEPS // 4} steps the mean size of your error is {coarse:.2f} nats, with {STEPS} "
        f"steps {fine:.2f}; it must go to 0 with the step"
    )
