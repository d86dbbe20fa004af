"""Exercise 2: two concepts that go together, derived."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number
from course_lib.checks.linear_representations.worlds import normal, random_map

ATOL = 1e-3
NAMES = ("cosine of the pair directions", "cosine of the differences of means", "leakage")


@exercise("linear_representations.two_concepts", "Two concepts that go together")
def make_cases(generator: Generator) -> list[Case]:
    laws = torch.rand(5, 2, 2, generator=generator) + 0.15
    laws[:, 0, 0] += 1.0  # together more often than not, by a different amount each
    laws[2:, 0, 0] -= 1.0
    laws[2:, 1, 0] += 1.0
    laws = laws / laws.sum((1, 2), keepdim=True)
    world = {
        "laws": laws,
        "directions": normal(generator, 2, 6),
        "stems": normal(generator, 4, 6),
        "A": random_map(generator, 6, 20.0),
    }
    return [
        Case(
            "The causal cosine of the two pair directions",
            world,
            _all,
            _judge_first,
            "In the span of the two directions Cov(γ) is B D Bᵀ, with D the 2 x 2 covariance of "
            "the concepts. What is Bᵀ (B D Bᵀ)⁻¹ B?",
        ),
        Case(
            "The causal cosine of the two differences of means",
            world,
            _all,
            _judge_second,
            "A word with concept 1 has concept 2 more often than one without: by how much? So the "
            "difference of means is d₁ plus a multiple of d₂.",
        ),
        Case(
            "The leakage onto concept 2 when concept 1 is steered",
            world,
            _all,
            _judge_third,
            "s = Cov(γ)⁻¹ d₁ moves the log-odds of concept j by sᵀ d_j. Two entries of D⁻¹, and "
            "the one on the diagonal divides.",
        ),
    ]


def _all(attempt: Callable, laws: Tensor, directions: Tensor, stems: Tensor, A: Tensor) -> list:
    return [attempt(law) for law in laws]


def by_building_it(law: Tensor, directions: Tensor, stems: Tensor, A: Tensor) -> list[float]:
    """All three from a vocabulary that has these shares, word by word."""
    words, shares = [], []
    for stem in stems:
        for a in (0, 1):
            for b in (0, 1):
                words.append(A @ (stem + a * directions[0] + b * directions[1]))
                shares.append(float(law[a, b]) / len(stems))
    gamma, share = torch.stack(words), torch.tensor(shares).double()
    centred = gamma - share @ gamma
    inverse = torch.linalg.pinv((centred.T * share) @ centred, rtol=1e-12)
    pair = directions @ A.T
    has = torch.tensor([[a, b] for _ in stems for a in (0, 1) for b in (0, 1)]).double()
    means = torch.stack(
        [
            (share * c) @ gamma / (share @ c) - (share * (1 - c)) @ gamma / (share @ (1 - c))
            for c in has.T
        ]
    )

    def cosine(a: Tensor, b: Tensor) -> float:
        return float(a @ inverse @ b / ((a @ inverse @ a) * (b @ inverse @ b)).sqrt())

    leak = float(pair[0] @ inverse @ pair[1] / (pair[0] @ inverse @ pair[0]))
    return [cosine(*pair), cosine(*means), leak]


def _malformed(output: Any) -> str | None:
    if output is None:
        return "it returned None; does every path end in `return`?"
    if not hasattr(output, "__len__") or (isinstance(output, Tensor) and output.ndim == 0):
        return f"it returned a single {type(output).__name__}; return three numbers"
    if isinstance(output, str) or len(output) != 3:
        return f"it returned {len(output)} values; return three numbers, two cosines and a leakage"
    for value, name in zip(output, NAMES, strict=True):
        if problem := not_a_number(value, f"the {name}"):
            return problem
    return None


def _judge(outputs: Any, which: int, laws: Tensor, world: dict, mistakes: dict) -> str | None:
    for output in outputs:
        if problem := _malformed(output):
            return problem
    found = [float(output[which]) for output in outputs]
    truth = [by_building_it(law, **world)[which] for law in laws]
    if all(abs(f - t) <= ATOL for f, t in zip(found, truth, strict=True)):
        return None
    j = max(range(len(truth)), key=lambda j: abs(found[j] - truth[j]))
    (a, b), (c, d) = laws[j].tolist()
    message = (
        f"with shares [[{a:.2f}, {b:.2f}], [{c:.2f}, {d:.2f}]] your {NAMES[which]} is "
        f"{found[j]:.4f}; in a vocabulary built word by word it is {truth[j]:.4f}"
    )
    for mistake, value in mistakes.items():
        wrong = [value(law, by_building_it(law, **world)) for law in laws]
        if all(abs(f - w) <= ATOL for f, w in zip(found, wrong, strict=True)):
            return f"{message}; {mistake}"
    return message


def _judge_first(outputs: Any, laws: Tensor, **world: Tensor) -> str | None:
    mistakes = {
        "the sign: concepts that go together end up on opposite sides": lambda p, t: -t[0],
        "that would be so of independent concepts": lambda p, t: 0.0,
        "that is a covariance and no correlation": lambda p, t: -_covariance(p),
    }
    return _judge(outputs, 0, laws, world, mistakes)


def _judge_second(outputs: Any, laws: Tensor, **world: Tensor) -> str | None:
    mistakes = {
        "that is the cosine of the pair directions": lambda p, t: t[0],
        "that would be so of independent concepts": lambda p, t: 0.0,
        "that is a covariance and no correlation": lambda p, t: _covariance(p),
    }
    return _judge(outputs, 1, laws, world, mistakes)


def _judge_third(outputs: Any, laws: Tensor, **world: Tensor) -> str | None:
    mistakes = {
        "that is the cosine; the leakage is not symmetric": lambda p, t: t[0],
        "that is the leakage onto concept 1 of steering concept 2": lambda p, t: t[0] ** 2 / t[2],
        "the sign: what goes together with concept 1 is pushed the other way": lambda p, t: -t[2],
        "that would be so of independent concepts": lambda p, t: 0.0,
    }
    return _judge(outputs, 2, laws, world, mistakes)


def _covariance(law: Tensor) -> float:
    return float(law[1, 1] - law[1].sum() * law[:, 1].sum())
