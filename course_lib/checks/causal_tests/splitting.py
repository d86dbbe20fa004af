"""Exercise 3: what of a direction the read-out sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

ATOL = 1e-3


@exercise("causal_tests.row_null_split", "What the read-out sees")
def make_cases(generator: Generator) -> list[Case]:
    def draw(rank: int, d: int, weights: Tensor) -> dict[str, Tensor]:
        rows = torch.randn(rank, d, generator=generator)
        return {"v": torch.randn(d, generator=generator), "W_out": weights @ rows}

    doubled = torch.tensor([[1.0, 0], [2, 0], [0, 1], [0, -0.5]])  # exact in floating point
    many = torch.zeros(10, 4)
    many[torch.arange(10), torch.arange(10) % 4] = 2.0 ** (torch.arange(10) // 4 - 12)
    return [
        Case(
            "The parts add up to v, and the read-out sees the first alone",
            draw(3, 8, torch.eye(3)),
            _call,
            _judge,
            "The row part is a mixture of the rows of W_out: the one that comes nearest to v.",
        ),
        Case(
            "Rows that repeat each other count once",
            draw(2, 8, doubled),
            _call,
            _judge,
            "W_out @ W_out.T has no inverse here. The pseudo-inverse does without one, and so "
            "does the singular value decomposition, of which you keep what is not 0.",
        ),
        Case(
            "More outputs than dimensions may still leave something unseen",
            draw(4, 6, many),
            _call,
            _judge,
            "Ten rows, and yet they span four dimensions of six. Count singular values, not rows, "
            "and those that are not 0 next to the largest: the weights are small here.",
        ),
    ]


def _call(attempt: Callable, v: Tensor, W_out: Tensor) -> Any:
    return attempt(v, W_out)


def _judge(found: Any, v: Tensor, W_out: Tensor) -> str | None:
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        return "it must return two tensors, the row-space part and the null-space part"
    for part, what in zip(found, ("the row-space part", "the null-space part"), strict=True):
        if problem := not_a_tensor(part, v.shape, "d", what):
            return problem
    v, W = v.double(), W_out.double()
    row, null = (part.detach().double() for part in found)
    right_row = W.T @ torch.linalg.lstsq(W.T, v, driver="gelsd", rcond=1e-6).solution
    right_null = v - right_row
    seen = (W @ null).norm().item()
    if differs(row, right_null, ATOL) is None and differs(null, right_row, ATOL) is None:
        return f"the two parts are exchanged: the read-out sees {seen:.2f} of your null-space part"
    off = (row + null - v).norm().item()
    if off > ATOL * 10:
        return f"the two parts add up to something that is {off:.3f} away from v"
    if seen > ATOL * 10:
        return (
            f"the null-space part must not be seen, and W_out makes an output of norm {seen:.3f} "
            f"of it; your row-space part is {(row - right_row).norm().item():.3f} off"
        )
    if problem := differs(row, right_row, ATOL, "the nearest mixture of rows"):
        return problem + "; your row-space part is not made of rows of W_out alone"
    return None
