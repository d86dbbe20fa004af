"""Exercise 2: fit a power law."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

AXES = "n_curves"


@exercise("scaling_laws.power_law", "Fit a power law")
def make_cases(generator: Generator) -> list[Case]:
    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=generator)

    sizes = (8 * 1.5 ** torch.arange(6)).round()
    exponent, scale = uniform(0.4, 1.6, 4), uniform(1.0, 9.0, 4)
    exact = scale[:, None] * sizes ** -exponent[:, None]
    noisy = exact * (0.5 * torch.randn(4, 6, generator=generator)).exp()
    return [
        Case(
            "A curve that is a power law gives its exponent, and R² = 1",
            {"sizes": sizes, "loss": exact, "exponent": exponent},
            lambda attempt, sizes, loss, exponent: attempt(sizes, loss),
            _judge_exact,
            "On which axes is L = c / m^α a straight line? The exponent is positive where the loss "
            "falls.",
        ),
        Case(
            "The exponent is that of the line with the least squared error in log loss",
            {"sizes": sizes, "loss": noisy},
            lambda attempt, sizes, loss: attempt(sizes, loss),
            _judge_exponent,
            "All sizes count, not the first and the last alone: the slope is the covariance of "
            "log m and log L over the variance of log m.",
        ),
        Case(
            "R² is the share of the variance of log loss that the line explains",
            {"sizes": sizes, "loss": noisy},
            lambda attempt, sizes, loss: attempt(sizes, loss),
            _judge_r2,
            "1 - (squared error left) / (squared distance of log L from its own mean), each curve "
            "by itself.",
        ),
        Case(
            "The unit in which the loss is given changes nothing",
            {"sizes": sizes, "loss": noisy, "factor": torch.tensor(1000.0)},
            lambda attempt, sizes, loss, factor: (
                attempt(sizes, loss),
                attempt(sizes, factor * loss),
            ),
            _judge_unit,
            "A factor on the loss lifts the line; it changes neither its slope nor the fit.",
        ),
    ]


def by_definition(sizes: Tensor, loss: Tensor) -> tuple[Tensor, Tensor]:
    """Curve by curve, sum by sum."""
    exponents, explained = [], []
    for curve in loss.double().tolist():
        x, y = [math.log(m) for m in sizes.tolist()], [math.log(v) for v in curve]
        mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
        spread = sum((a - mean_x) ** 2 for a in x)
        slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread
        total = sum((b - mean_y) ** 2 for b in y)
        exponents.append(-slope)
        explained.append(slope**2 * spread / total)
    return torch.tensor(exponents), torch.tensor(explained)


def _malformed(output: Any, n_curves: int) -> str | None:
    if output is None:
        return "it returned None; does every path end in `return`?"
    if isinstance(output, Tensor) or not hasattr(output, "__len__") or len(output) != 2:
        return f"it returned a {type(output).__name__}; return a pair of tensors, (exponent, R²)"
    return not_a_tensor(output[0], (n_curves,), AXES, "for the exponent it") or not_a_tensor(
        output[1], (n_curves,), AXES, "for R² it"
    )


def _judge_exact(output: Any, sizes: Tensor, loss: Tensor, exponent: Tensor) -> str | None:
    if problem := _malformed(output, len(loss)):
        return problem
    if torch.allclose(-output[0].double(), exponent.double(), atol=1e-3):
        return "the exponents have the wrong sign; α is positive where the loss falls"
    problem = differs(output[0], exponent, 1e-3, "the exponents of these power laws")
    return problem or differs(output[1], torch.ones(len(loss)), 1e-3, "R² of an exact power law")


def _judge_exponent(output: Any, sizes: Tensor, loss: Tensor) -> str | None:
    if problem := _malformed(output, len(loss)):
        return problem
    return differs(output[0], by_definition(sizes, loss)[0], 1e-3, "the least squares in logs")


def _judge_r2(output: Any, sizes: Tensor, loss: Tensor) -> str | None:
    if problem := _malformed(output, len(loss)):
        return problem
    expected = by_definition(sizes, loss)[1]
    problem = differs(output[1], expected, 1e-3, "R² of log loss")
    if problem and torch.allclose(output[1].double() ** 2, expected.double(), atol=1e-3):
        problem += "; yours is R, not its square"
    return problem


def _judge_unit(outputs: Any, sizes: Tensor, loss: Tensor, factor: Tensor) -> str | None:
    for output in outputs:
        if problem := _malformed(output, len(loss)):
            return problem
    for name, before, after in zip(("exponent", "R²"), *outputs, strict=True):
        if not before.any():
            return f"every {name} is 0, and no curve here is flat or without a trend"
        if problem := differs(after, before, 1e-3, f"the {name} in the old unit"):
            return f"with all losses times {factor.item():g}, {problem}"
    return None
