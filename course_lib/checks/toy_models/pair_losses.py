"""Exercise 4: what two features in one dimension cost."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number

ATOL, RTOL = 2e-5, 1e-3
PATTERNS = ((0, 0), (1, 0), (0, 1), (1, 1))  # which of the two features are active


@exercise("toy_models.pair_losses", "The price of sharing a dimension")
def make_cases(generator: Generator) -> list[Case]:
    p = 0.2 + 0.7 * torch.rand(8, generator=generator)
    below = 0.2 + 0.6 * torch.rand(8, generator=generator)
    return [
        Case(
            "The antipodal loss is the expected loss of W = (1, -1), b = 0",
            {"p": p, "r": 2 * below},
            _pairs,
            _judge_antipodal,
            "Go through the four cases: none active, only the first, only the second, both. Which "
            "of them leave an error, how large is it, and in which output?",
        ),
        Case(
            "The antipodal pair pays only when both features are active",
            {"p": torch.stack([p, p / 2]), "r": below},
            lambda attempt, p, r: [_pairs(attempt, row, r) for row in p],
            _judge_power,
            "Both are active with probability p². Check the loss when only one of them is active: "
            "what does the other output see before its ReLU?",
        ),
        Case(
            "With r < 1, the dedicated loss is that of leaving out the second feature",
            {"p": p, "r": below},
            _pairs,
            _judge_dedicated,
            "The output of the feature that is left out is a constant. Find the constant with the "
            "smallest expected squared error, active or not, and that error.",
        ),
        Case(
            "With r > 1, the dedicated loss is that of leaving out the first feature",
            {"p": p, "r": 1 / below},
            _pairs,
            _judge_dedicated,
            "The better of the two states leaves out the less important feature.",
        ),
    ]


def _pairs(attempt: Callable, p: Tensor, r: Tensor) -> list:
    return [attempt(*point) for point in zip(p.tolist(), r.tolist(), strict=True)]


@cache
def _errors(W: tuple[float, float], b: tuple[float, float]) -> Tensor:
    """Mean squared error [pattern, feature] of ReLU(x W Wᵀ + b), by the midpoint rule."""
    t = (torch.arange(80, dtype=torch.double) + 0.5) / 80
    magnitudes = torch.cartesian_prod(t, t)
    weights, bias = torch.tensor([W]).double().T, torch.tensor(b).double()
    rows = []
    for pattern in PATTERNS:
        x = magnitudes * torch.tensor(pattern)
        x_hat = (x @ weights @ weights.T + bias).clamp(min=0)
        rows.append((x - x_hat).square().mean(dim=0))
    return torch.stack(rows)


@cache
def _dedicated_errors() -> Tensor:
    """`_errors` [bias, pattern, feature] with the second feature left out, for biases 0 to 1."""
    return torch.stack([_errors((1.0, 0.0), (0.0, k / 100)) for k in range(101)])


def _loss(errors: Tensor, p: float, importance: tuple[float, float]) -> float:
    """The smallest expected loss among the tables `errors` [..., pattern, feature]."""
    chance = torch.tensor([p ** sum(on) * (1 - p) ** (2 - sum(on)) for on in PATTERNS])
    return (errors @ torch.tensor(importance).double() @ chance.double()).min().item()


def _judge_antipodal(outputs: Any, p: Tensor, r: Tensor) -> str | None:
    errors = _errors((1.0, -1.0), (0.0, 0.0))
    mistakes = {
        "that is the error of the first output alone": lambda p, r: _loss(errors, p, (1, 0)),
        "that is the error of the second output alone": lambda p, r: _loss(errors, p, (0, r)),
        "that is the loss without the importance r": lambda p, r: _loss(errors, p, (1, 1)),
        "that is the loss given that both are active": lambda p, r: _loss(errors, 1.0, (1, r)),
    }
    return _judge(outputs, 0, p, r, lambda p, r: _loss(errors, p, (1, r)), mistakes)


def _judge_dedicated(outputs: Any, p: Tensor, r: Tensor) -> str | None:
    def best(p: float, ignored: float) -> float:
        return _loss(_dedicated_errors(), p, (1, ignored))

    mistakes = {
        "that is the loss with a bias of 0; a bias can do better": lambda p, r: _loss(
            _errors((1.0, 0.0), (0.0, 0.0)), p, (1, min(1, r))
        ),
        "that is the cost of the more important feature": lambda p, r: best(p, max(1, r)),
        "the importance is not in it": lambda p, r: best(p, 1.0),
        "no constant does as well: the output cannot know when the feature is active": (
            lambda p, r: p * best(1.0, min(1, r))
        ),
    }
    return _judge(outputs, 1, p, r, lambda p, r: best(p, min(1, r)), mistakes)


def _judge(
    outputs: Any, which: int, p: Tensor, r: Tensor, loss: Callable, mistakes: dict[str, Callable]
) -> str | None:
    """Compare entry `which` of every pair with `loss(p, r)`, and name a mistake that fits all."""
    points = list(zip(p.tolist(), r.tolist(), strict=True))
    for output in outputs:
        if problem := _not_a_pair(output):
            return problem
    found = [float(output[which]) for output in outputs]
    wanted = [loss(*point) for point in points]
    if _agree(found, wanted):
        return None
    k = max(range(len(points)), key=lambda k: abs(found[k] - wanted[k]))
    name = ("antipodal", "dedicated")[which]
    message = (
        f"at p = {points[k][0]:.2f}, r = {points[k][1]:.2f} your {name} loss is {found[k]:.4f}, "
        f"and the definition, integrated numerically, gives {wanted[k]:.4f}"
    )
    for mistake, value in mistakes.items():
        if _agree(found, [value(*point) for point in points]):
            return f"{message}; {mistake}"
    return message


def _agree(found: list[float], wanted: list[float]) -> bool:
    return all(abs(f - w) <= ATOL + RTOL * w for f, w in zip(found, wanted, strict=True))


def _not_a_pair(output: Any) -> str | None:
    if output is None:
        return "it returned None; does every path end in `return`?"
    if not hasattr(output, "__len__") or (isinstance(output, Tensor) and output.ndim == 0):
        return f"it returned a single {type(output).__name__}; return (antipodal, dedicated)"
    if len(output) != 2:
        return f"it returned {len(output)} values; return two, (antipodal, dedicated)"
    return not_a_number(output[0], "the antipodal loss") or not_a_number(
        output[1], "the dedicated loss"
    )


def _judge_power(outputs: Any, p: Tensor, r: Tensor) -> str | None:
    for row in outputs:
        for output in row:
            if problem := _not_a_pair(output):
                return problem
    at_p, at_half = ([float(output[0]) for output in row] for row in outputs)
    for whole, half in zip(at_p, at_half, strict=True):
        if whole <= 0 or half <= 0:
            return f"your antipodal loss is {min(whole, half):.4g}; it is above 0 for every p > 0"
        if abs(whole / half - 4) > 0.02:
            return (
                f"halving p divides your antipodal loss by {whole / half:.2f}; an error that "
                "needs both features at once becomes 4 times rarer"
            )
    return None
