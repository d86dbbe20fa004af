"""Exercise 4: what splitting does to a count of features."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number

ATOL, RTOL = 1e-3, 2e-3
N = (8, 20, 40)


@exercise("measuring_superposition.after_splitting", "What splitting does to the count")
def make_cases(generator: Generator) -> list[Case]:
    n = torch.tensor(N)
    share = torch.tensor([0.25, 0.5, 0.75])
    uneven = 0.1 + 0.3 * torch.rand(3, generator=generator)
    return [
        Case(
            "F is exp H of the shares, counted latent by latent",
            {"n": n, "q": share, "s": uneven},
            _call,
            lambda output, n, q, s: _judge(output, n, q, s, 0),
            "Write the entropy as a sum over n (1 - q) whole features and n q split ones. The "
            "chain rule of entropy does the rest: log n, and q times the entropy of one split.",
        ),
        Case(
            "The second count is 1 / Σ p²",
            {"n": n, "q": share, "s": uneven},
            _call,
            lambda output, n, q, s: _judge(output, n, q, s, 1),
            "A whole feature adds 1/n² to Σ p², a split one (s/n)² + ((1 - s)/n)².",
        ),
        Case(
            "Where every feature is split in halves, both counts double",
            {"n": n, "q": torch.ones(3), "s": torch.full((3,), 0.5)},
            _call,
            _judge_double,
            "All 2n latents then have the share 1 / 2n.",
        ),
        Case(
            "Where nothing is split, both counts are n",
            {"n": n, "q": torch.zeros(3), "s": uneven},
            _call,
            _judge_whole,
            "Put q = 0 into your formula. What is left must be n.",
        ),
    ]


def _call(attempt: Callable, n: Tensor, q: Tensor, s: Tensor) -> list:
    return [attempt(*point) for point in zip(n.tolist(), q.tolist(), s.tolist(), strict=True)]


def counted(n: int, q: float, s: float) -> tuple[float, float]:
    """Both counts, by adding up over the latents."""
    split = round(n * q)
    p = [1 / n] * (n - split) + [s / n, (1 - s) / n] * split
    return math.exp(-sum(v * math.log(v) for v in p)), 1 / sum(v * v for v in p)


def _not_a_pair(output: Any) -> str | None:
    if output is None:
        return "it returned None; does every path end in `return`?"
    if not hasattr(output, "__len__") or (isinstance(output, Tensor) and output.ndim == 0):
        return f"it returned a single {type(output).__name__}; return two numbers, (F, N_2)"
    if len(output) != 2:
        return f"it returned {len(output)} values; return two, (F, N_2)"
    return not_a_number(output[0], "F, the first number,") or not_a_number(
        output[1], "N_2, the second number,"
    )


def _judge(outputs: Any, n: Tensor, q: Tensor, s: Tensor, which: int) -> str | None:
    points = list(zip(n.tolist(), q.tolist(), s.tolist(), strict=True))
    for output in outputs:
        if problem := _not_a_pair(output):
            return problem
    found = [float(output[which]) for output in outputs]
    wanted = [counted(*point)[which] for point in points]
    if _agree(found, wanted):
        return None
    k = max(range(len(points)), key=lambda i: abs(found[i] - wanted[i]))
    name, (a, b, c) = ("F", "N_2")[which], points[k]
    message = (
        f"for n = {a}, q = {b:.2f}, s = {c:.2f} your {name} is {found[k]:.4f}; counted over the "
        f"latents it is {wanted[k]:.4f}"
    )
    for mistake, value in _MISTAKES[which].items():
        if _agree(found, [value(*point) for point in points]):
            return f"{message}; {mistake}"
    return message


_MISTAKES: tuple[dict[str, Callable[[int, float, float], float]], ...] = (
    {
        "you count every new latent as a whole feature": lambda n, q, s: n * (1 + q),
        "you split in halves, whatever s is": lambda n, q, s: n * 2**q,
        "that is the entropy, and F is its exponential": lambda n, q, s: math.log(
            counted(n, q, s)[0]
        ),
        "the part 1 - s has an entropy too": lambda n, q, s: n * math.exp(-q * s * math.log(s)),
    },
    {
        "N_2 is not F": lambda n, q, s: counted(n, q, s)[0],
        "you split in halves, whatever s is": lambda n, q, s: n / (1 - q / 2),
        "you have Σ p², the count is 1 over it": lambda n, q, s: 1 / counted(n, q, s)[1],
    },
)


def _agree(found: list[float], wanted: list[float]) -> bool:
    return all(abs(f - w) <= ATOL + RTOL * w for f, w in zip(found, wanted, strict=True))


def _judge_double(outputs: Any, n: Tensor, q: Tensor, s: Tensor) -> str | None:
    return _judge_times(outputs, n, 2, "all features split in halves")


def _judge_whole(outputs: Any, n: Tensor, q: Tensor, s: Tensor) -> str | None:
    return _judge_times(outputs, n, 1, "nothing split")


def _judge_times(outputs: Any, n: Tensor, factor: int, what: str) -> str | None:
    for output, size in zip(outputs, n.tolist(), strict=True):
        if problem := _not_a_pair(output):
            return problem
        for name, value in zip(("F", "N_2"), output, strict=True):
            if not _agree([float(value)], [factor * size]):
                return (
                    f"with {what} and n = {size} your {name} is {float(value):.3f}; it must be "
                    f"{factor * size}"
                )
    return None
