"""Exercise 5: the weights with which two log-densities change alike."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

VARIANCE = 0.04


@exercise("superposition_elsewhere.and_kappa", "The weights of AND")
def make_cases(generator: Generator) -> list[Case]:
    def draw(d: int) -> dict[str, Tensor]:
        names = ("score_1", "score_2", "noise", "x")
        inputs = {name: torch.randn(8, d, generator=generator) for name in names}
        inputs["noise"] = VARIANCE**0.5 * inputs["noise"]
        return inputs

    still = draw(2)
    still["noise"] = 0 * still["noise"]
    return [
        Case(
            "Without noise both models get the same weight",
            still,
            _call,
            _judge_still,
            "Without noise only the drift is left, and of it f drops out. Write |s_1|² - |s_2|² as "
            "a product of the sum and the difference.",
        ),
        Case(
            "Both tracked log-densities change by the same amount",
            draw(2),
            _call,
            _judge_equal,
            "Subtract the two changes. What multiplies D = s_1 - s_2? Collect what has κ_1 in it.",
        ),
        Case(
            "It holds for every sample by itself, in any number of dimensions",
            draw(5),
            _call,
            _judge_equal,
            "Products and squares are summed over the last axis, once for each sample.",
        ),
    ]


def _call(attempt: Any, score_1: Tensor, score_2: Tensor, noise: Tensor, x: Tensor) -> Any:
    return attempt(score_1, score_2, noise, VARIANCE)


def _judge_still(output: Any, score_1: Tensor, **inputs: Tensor) -> str | None:
    shape = score_1.shape[:1]
    if problem := not_a_tensor(output, shape, "n"):
        return problem
    return differs(output, torch.full(shape, 0.5), 1e-3, against="one half")


def _judge_equal(
    output: Any, score_1: Tensor, score_2: Tensor, noise: Tensor, x: Tensor
) -> str | None:
    if problem := not_a_tensor(output, score_1.shape[:1], "n"):
        return problem
    first, second = _changes(output.detach(), score_1, score_2, noise, x)
    if (first - second).abs().max() < 1e-3 * (1 + first.abs().max()):
        return None
    s = int((first - second).abs().argmax())
    message = (
        f"in sample {s} your weight {output[s]:.3f} changes log q_1 by {first[s]:.3f} and log q_2 "
        f"by {second[s]:.3f}"
    )
    swapped = _changes(1 - output.detach(), score_1, score_2, noise, x)
    if (swapped[0] - swapped[1]).abs().max() < 1e-3:
        return f"{message}; that is the weight of the second model, or the sign of the noise is off"
    if output.min() >= 0 and output.max() <= 1:
        message += "; the weights add up to 1, but nothing says that they lie between 0 and 1"
    return message


def _changes(
    kappa: Tensor, score_1: Tensor, score_2: Tensor, noise: Tensor, x: Tensor
) -> tuple[Tensor, Tensor]:
    """Both changes of log-density by Itô's formula, without the divergence of f: it is shared."""
    kappa = kappa.double()[:, None]
    score_1, score_2, noise, x = (t.double() for t in (score_1, score_2, noise, x))
    followed = kappa * score_1 + (1 - kappa) * score_2
    dx = VARIANCE * (x / 2 + followed) + noise
    first, second = (
        (dx * s).sum(dim=1) - VARIANCE / 2 * ((x + s) * s).sum(dim=1) for s in (score_1, score_2)
    )
    return first, second
