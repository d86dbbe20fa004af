"""Exercise 3: how much two random directions overlap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number

RTOL = 1e-3


@exercise("scaling_laws.random_overlap", "Two random directions")
def make_cases(generator: Generator) -> list[Case]:
    sizes = torch.randperm(60, generator=generator)[:5] + 3
    return [
        Case(
            "The mean of cos² is that over all directions",
            {"sizes": sizes},
            _all,
            _judge_mean,
            "Turn the axes so that one direction is the first axis. Then cos² is the square of one "
            "coordinate of a vector of length 1. What do the squares of all m of them add up to?",
        ),
        Case(
            "The standard deviation of cos² is that over all directions",
            {"sizes": sizes},
            _all,
            _judge_deviation,
            "The variance of cos² is E cos⁴ - (E cos²)². For E cos⁴ write a random direction as a "
            "Gaussian vector over its length; the two are independent.",
        ),
        Case(
            "In one dimension two directions lie in line, always",
            {"sizes": sizes[:0]},
            lambda attempt, sizes: [attempt(1)],
            lambda outputs, sizes: _judge_line(outputs[0]),
            "With m = 1, cos² is 1 whatever is drawn.",
        ),
    ]


def _all(attempt: Callable, sizes: Tensor) -> list:
    return [attempt(m) for m in sizes.tolist()]


def by_integration(m: int) -> tuple[float, float]:
    """Mean and standard deviation of cos² over the sphere: the angle has density ∝ sin^(m-2)."""
    angle = (torch.arange(20_000, dtype=torch.double) + 0.5) * torch.pi / 20_000
    weight = (m - 2) * angle.sin().log()
    weight = (weight - weight.max()).exp()
    weight, square = weight / weight.sum(), angle.cos() ** 2
    mean = (weight * square).sum()
    return mean.item(), (weight * (square - mean) ** 2).sum().sqrt().item()


def _malformed(output: Any) -> str | None:
    if output is None:
        return "it returned None; does every path end in `return`?"
    if not hasattr(output, "__len__") or (isinstance(output, Tensor) and output.ndim == 0):
        return f"it returned a single {type(output).__name__}; return (mean, standard deviation)"
    if len(output) != 2:
        return f"it returned {len(output)} values; return two, (mean, standard deviation)"
    return not_a_number(output[0], "the mean") or not_a_number(output[1], "the deviation")


def _judge_which(outputs: Any, sizes: Tensor, which: int, mistakes: dict[str, Callable]) -> Any:
    for output in outputs:
        if problem := _malformed(output):
            return problem
    found = [float(output[which]) for output in outputs]
    truth = [by_integration(m) for m in sizes.tolist()]

    def agree(values: list[float]) -> bool:
        pairs = zip(found, values, strict=True)
        return all(abs(f - v) <= RTOL * abs(v) + 1e-9 for f, v in pairs)

    wanted = [pair[which] for pair in truth]
    if agree(wanted):
        return None
    k = max(range(len(found)), key=lambda k: abs(found[k] - wanted[k]))
    name = ("mean", "standard deviation")[which]
    message = (
        f"in {sizes[k]} dimensions your {name} of cos² is {found[k]:.5f}; integrated over all "
        f"directions it is {wanted[k]:.5f}"
    )
    for mistake, value in mistakes.items():
        if agree([value(m, *pair) for m, pair in zip(sizes.tolist(), truth, strict=True)]):
            return f"{message}; {mistake}"
    return message


def _judge_mean(outputs: Any, sizes: Tensor) -> str | None:
    mistakes = {
        "that is the size of a typical cosine, not of its square": lambda m, mean, sd: mean**0.5,
        "that is the mean for a vector of m - 1 coordinates": lambda m, mean, sd: 1 / (m - 1),
        "that is the mean of cos, and cos² is never negative": lambda m, mean, sd: 0.0,
    }
    return _judge_which(outputs, sizes, 0, mistakes)


def _judge_deviation(outputs: Any, sizes: Tensor) -> str | None:
    mistakes = {
        "that is the variance; take its root": lambda m, mean, sd: sd**2,
        "that is the standard deviation of cos": lambda m, mean, sd: mean**0.5,
        "that is the root of E cos⁴; the square of the mean is still in it": (
            lambda m, mean, sd: (sd**2 + mean**2) ** 0.5
        ),
        "that would be right if the coordinates were independent Gaussians; the length of the "
        "vector is fixed": lambda m, mean, sd: 2**0.5 / m,
    }
    return _judge_which(outputs, sizes, 1, mistakes)


def _judge_line(output: Any) -> str | None:
    if problem := _malformed(output):
        return problem
    mean, deviation = float(output[0]), float(output[1])
    if abs(mean - 1) > RTOL or abs(deviation) > RTOL:
        return (
            f"in one dimension your mean is {mean:.4f} and your deviation {deviation:.4f}; cos² is "
            "1 there without exception"
        )
    return None
