"""Exercise 1: the difference of two means as a probe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_number, not_a_tensor

ROWS, WIDTH = 60, 4
ATOL = 2e-3


@exercise("probing.mass_mean", "A probe without training")
def make_cases(generator: Generator) -> list[Case]:
    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    def world(share: float, mixing: Tensor, gap: float = 2.0) -> dict[str, Tensor]:
        y = torch.rand(ROWS, generator=generator) < share
        y[:3], y[3:6] = True, False
        apart = torch.nn.functional.normalize(draw(WIDTH), dim=0)
        return {
            "x": draw(ROWS, WIDTH) @ mixing + gap * y[:, None] * apart + 2 * draw(WIDTH),
            "y": y,
        }

    round_, flat = torch.eye(WIDTH), torch.diag(torch.tensor([3.0, 1.0, 0.5, 0.3]))
    turned = flat @ torch.linalg.qr(draw(WIDTH, WIDTH))[0]
    return [
        Case(
            "Without whitening, the direction leads from the mean of class 0 to that of class 1",
            {**world(0.5, round_), "whiten": False},
            _probe,
            _judge_direction,
            "Two means, one subtraction. In which order?",
        ),
        Case(
            "The score is 0 half way between the two means, however many rows each class has",
            {**world(0.15, turned), "whiten": False},
            _probe,
            _judge_bias,
            "direction · x + bias = 0 at x = (mean of class 0 + mean of class 1) / 2.",
        ),
        Case(
            "With whitening, the direction is that of least spread for its gap: Σ⁻¹ times the "
            "difference",
            {**world(0.4, turned), "whiten": True},
            _probe,
            _judge_direction,
            "Σ is the covariance of the rows within their classes. Solve a system, and do not "
            "forget to take the class means off.",
        ),
        Case(
            "With whitening too, the score is 0 half way",
            {**world(0.2, turned), "whiten": True},
            _probe,
            _judge_bias,
            "The threshold uses the whitened direction and the means as they are.",
        ),
        Case(
            "A stretched and turned copy of x gets the same scores from its own whitened probe",
            {**world(0.4, round_), "stretch": turned, "whiten": True},
            _probe_both,
            _judge_stretched,
            "Under x → x A the difference becomes δ A and Σ becomes Aᵀ Σ A. What must the "
            "direction become, so that the scores stay?",
        ),
    ]


def _probe(attempt: Callable, x: Tensor, y: Tensor, whiten: bool) -> Any:
    return attempt(x, y, whiten)


def _probe_both(attempt: Callable, x: Tensor, stretch: Tensor, y: Tensor, whiten: bool) -> Any:
    return attempt(x, y, whiten), attempt(x @ stretch, y, whiten)


def _malformed(output: Any) -> str | None:
    if not isinstance(output, tuple | list) or len(output) != 2:
        got = "None" if output is None else f"a {type(output).__name__}"
        return f"it returned {got}; return two things, (direction, bias)"
    return (
        not_a_tensor(output[0], (WIDTH,), "d_model", "as direction it")
        or not_a_number(output[1], "the bias")
        or (None if output[0].norm() > 0 else "the direction is 0: it reads nothing at all")
    )


def _moments(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Both means, and the covariance within the classes, row by row."""
    x = x.double()
    means = [
        sum(x[i] for i in range(len(x)) if bool(y[i]) == k) / int((y == k).sum()) for k in (0, 1)
    ]
    covariance = torch.zeros(WIDTH, WIDTH, dtype=torch.double)
    for i in range(len(x)):
        apart = x[i] - means[int(y[i])]
        covariance += torch.outer(apart, apart) / len(x)
    return means[0], means[1], covariance


def _unit(direction: Tensor) -> Tensor:
    direction = direction.detach().double()
    return direction / direction.norm()


def _wanted(x: Tensor, y: Tensor, whiten: bool) -> Tensor:
    zero, one, covariance = _moments(x, y)
    return torch.linalg.inv(covariance) @ (one - zero) if whiten else one - zero


def _judge_direction(output: Any, x: Tensor, y: Tensor, whiten: bool) -> str | None:
    if problem := _malformed(output):
        return problem
    found, wanted = _unit(output[0]), _unit(_wanted(x, y, whiten))
    against = "the whitened difference" if whiten else "the difference of the means"
    problem = differs(found, wanted, ATOL, against=f"{against}, both at length 1")
    if problem is None:
        return None
    zero, one, covariance = _moments(x, y)
    values, basis = torch.linalg.eigh(covariance)
    second = x.double().T @ x.double() / len(x)
    mistakes = {
        "it points the other way: class 1 is to score high": -wanted,
        "that is the difference of the means, not whitened": one - zero,
        "that is Σ times the difference; it is to be undone, not done again": covariance
        @ (one - zero),
        "that is Σ^(-1/2) times the difference, which is the difference of whitened means: the "
        "probe whitens x as well": basis @ ((basis.T @ (one - zero)) / values.sqrt()),
        "only the variances are undone, not the correlations": (one - zero) / covariance.diagonal(),
        "your Σ is taken around 0, not around the means": torch.linalg.inv(second) @ (one - zero),
        "that is Σ^(-1) times the difference, and whitening was not asked for": torch.linalg.inv(
            covariance
        )
        @ (one - zero),
    }
    fits = (f"; {w}" for w, v in mistakes.items() if differs(found, _unit(v), ATOL) is None)
    return problem + next(fits, "")


def _judge_bias(output: Any, x: Tensor, y: Tensor, whiten: bool) -> str | None:
    if problem := _judge_direction(output, x, y, whiten):
        return problem
    length = output[0].detach().double().norm()
    direction, bias = _unit(output[0]), float(output[1]) / float(length)
    zero, one, _ = _moments(x, y)
    middle = (zero + one) / 2
    wanted = -float(direction @ middle)
    if abs(bias - wanted) <= ATOL * (1 + abs(wanted)):
        return None
    mistakes = {
        "there is no bias: the threshold lies at the origin": 0.0,
        "the sign of the bias is wrong": -wanted,
        "that is the mean of all rows, which lies nearer to the larger class": -float(
            direction @ x.double().mean(0)
        ),
        "there the mean of class 0 scores 0": -float(direction @ zero),
        "there the mean of class 1 scores 0": -float(direction @ one),
        "the half is missing": 2 * wanted,
    }
    fits = (f"; {w}" for w, v in mistakes.items() if abs(bias - v) <= ATOL * (1 + abs(v)))
    return (
        f"half way between the means the score is {bias - wanted:+.4f} (direction at length 1); it "
        f"must be 0" + next(fits, "")
    )


def _judge_stretched(
    outputs: Any, x: Tensor, stretch: Tensor, y: Tensor, whiten: bool
) -> str | None:
    plain, stretched = outputs
    if problem := _malformed(plain) or _malformed(stretched):
        return problem
    scores = [
        rows.double() @ w.detach().double() + float(b)
        for rows, (w, b) in ((x, plain), (x @ stretch, stretched))
    ]
    one, other = (s / s.std() for s in scores)
    problem = differs(other, one, 0.02, against="those of x, both at spread 1")
    if problem:
        return f"scores of the stretched copy: {problem}"
    return _judge_direction(plain, x, y, whiten)
