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
Loss = Callable[[float, float, float], float]  # of p_1, p_2 and r


@exercise("toy_models.pair_losses", "What an antipodal pair costs")
def make_cases(generator: Generator) -> list[Case]:
    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(8, generator=generator)

    p_1, p_2 = draw(0.4, 0.9), draw(0.1, 0.3)
    return [
        Case(
            "The antipodal loss is the expected loss of W = (1, -1), b = 0",
            {"p_1": p_1, "p_2": p_2, "r": draw(0.4, 1.6)},
            _pairs,
            _judge_antipodal,
            "Go through the four cases: none active, only the first, only the second, both. Which "
            "of them leave an error, how large is it, and in which output?",
        ),
        Case(
            "The antipodal pair pays only when both features are active",
            {"p_1": torch.stack([p_1, p_1 / 2]), "p_2": p_2, "r": draw(0.4, 1.6)},
            lambda attempt, p_1, p_2, r: [_pairs(attempt, row, p_2, r) for row in p_1],
            _judge_halves,
            "Check the loss when only one feature is active: what does the other output see before "
            "its ReLU? And how likely is it that both are active?",
        ),
        Case(
            "The dedicated loss is that of leaving out a feature that is rare and unimportant",
            {"p_1": p_1, "p_2": p_2, "r": draw(0.3, 0.7)},
            _pairs,
            _judge_dedicated,
            "The output of the feature that is left out is a constant. Find the constant with the "
            "smallest expected squared error, active or not, and that error.",
        ),
        Case(
            "A feature may be left out because it is rare, although it is the more important one",
            {"p_1": draw(0.05, 0.15), "p_2": draw(0.5, 0.7), "r": draw(0.7, 0.95)},
            _pairs,
            _judge_dedicated,
            "There are two dedicated states. Work out the loss of both; the better one counts.",
        ),
    ]


def _pairs(attempt: Callable, p_1: Tensor, p_2: Tensor, r: Tensor) -> list:
    return [attempt(*point) for point in _points(p_1, p_2, r)]


def _points(*columns: Tensor) -> list[tuple[float, ...]]:
    return list(zip(*(column.tolist() for column in columns), strict=True))


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
def _errors_left_out() -> Tensor:
    """`_errors` [bias, pattern, feature] with the second feature left out, for biases 0 to 1."""
    return torch.stack([_errors((1.0, 0.0), (0.0, k / 100)) for k in range(101)])


def _loss(errors: Tensor, p: tuple[float, float], importance: tuple[float, float]) -> float:
    """The smallest expected loss among the tables `errors` [..., pattern, feature]."""
    chance = [
        (p[0] if first else 1 - p[0]) * (p[1] if second else 1 - p[1]) for first, second in PATTERNS
    ]
    weighted = errors @ torch.tensor(importance, dtype=torch.double)
    return (weighted @ torch.tensor(chance, dtype=torch.double)).min().item()


def _judge_antipodal(outputs: Any, p_1: Tensor, p_2: Tensor, r: Tensor) -> str | None:
    def pair(p: tuple[float, float], importance: tuple[float, float]) -> float:
        return _loss(_errors((1.0, -1.0), (0.0, 0.0)), p, importance)

    mistakes: dict[str, Loss] = {
        "that is the error of the first output alone": lambda p, q, r: pair((p, q), (1, 0)),
        "that is the error of the second output alone": lambda p, q, r: pair((p, q), (0, r)),
        "that is the loss without the importance r": lambda p, q, r: pair((p, q), (1, 1)),
        "that is the loss given that both are active": lambda p, q, r: pair((1, 1), (1, r)),
        "that is the loss of two features that both have the mean of the two probabilities": (
            lambda p, q, r: pair(((p + q) / 2, (p + q) / 2), (1, r))
        ),
    }
    points = _points(p_1, p_2, r)
    return _judge(outputs, 0, points, lambda p, q, r: pair((p, q), (1, r)), mistakes)


def _judge_dedicated(outputs: Any, p_1: Tensor, p_2: Tensor, r: Tensor) -> str | None:
    tables = _errors_left_out()

    def without_second(p: float, q: float, r: float, tables: Tensor = tables) -> float:
        return _loss(tables, (p, q), (1, r))

    def without_first(p: float, q: float, r: float, tables: Tensor = tables) -> float:
        return _loss(tables, (q, p), (r, 1))

    def better(*arguments: Any) -> float:
        return min(without_second(*arguments), without_first(*arguments))

    mistakes: dict[str, Loss] = {
        "that is the loss with a bias of 0; another constant does better": (
            lambda *point: better(*point, tables[0])
        ),
        "that is the loss without the first feature, and leaving out the second costs less": (
            without_first
        ),
        "that is the loss without the second feature, and leaving out the first costs less": (
            without_second
        ),
        "the importance is not in it": lambda p, q, r: better(p, q, 1.0),
        "no constant does as well: the output cannot know when the feature is active": (
            lambda p, q, r: min(q * without_second(1, 1, r), p * without_first(1, 1, r))
        ),
    }
    return _judge(outputs, 1, _points(p_1, p_2, r), better, mistakes)


def _judge(
    outputs: Any, which: int, points: list, loss: Loss, mistakes: dict[str, Loss]
) -> str | None:
    """Compare entry `which` of every pair with `loss`, and name a mistake that fits all."""
    for output in outputs:
        if problem := _not_a_pair(output):
            return problem
    found = [float(output[which]) for output in outputs]
    wanted = [loss(*point) for point in points]
    if _agree(found, wanted):
        return None
    k = max(range(len(points)), key=lambda k: abs(found[k] - wanted[k]))
    p_1, p_2, r = points[k]
    message = (
        f"at p_1 = {p_1:.2f}, p_2 = {p_2:.2f}, r = {r:.2f} your {('antipodal', 'dedicated')[which]}"
        f" loss is {found[k]:.4f}; the definition, integrated numerically, gives {wanted[k]:.4f}"
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


def _judge_halves(outputs: Any, p_1: Tensor, p_2: Tensor, r: Tensor) -> str | None:
    for row in outputs:
        for output in row:
            if problem := _not_a_pair(output):
                return problem
    at_p, at_half = ([float(output[0]) for output in row] for row in outputs)
    for whole, half in zip(at_p, at_half, strict=True):
        if whole <= 0 or half <= 0:
            return f"your antipodal loss is {min(whole, half):.4g}; it is above 0 for all p > 0"
        if abs(whole / half - 2) > 0.01:
            return (
                f"halving p_1 alone divides your antipodal loss by {whole / half:.2f}; an error "
                "that needs both features at once becomes exactly half as frequent"
            )
    return None
