"""Exercise 3: what each cell alone adds to an activation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor
from course_lib.checks.world_models.naming import named

BOARDS, CELLS, WIDTH = 400, 4, 6
ATOL = 0.02


@exercise("world_models.cell_codes", "One cell alone")
def make_cases(generator: Generator) -> list[Case]:
    def world(alike: float, constant: float) -> dict[str, Tensor]:
        board = torch.randint(3, (BOARDS, CELLS), generator=generator)
        same = torch.rand(BOARDS, generator=generator) < alike
        board[same, 1] = board[same, 0]
        code = torch.randn(CELLS, 3, WIDTH, generator=generator)
        x = constant + sum(code[c, board[:, c]] for c in range(CELLS))
        return {"x": x, "board": board, "code": code - code.mean(1, keepdim=True)}

    neighbours, apart = world(0.85, 0.0), world(0.0, 0.0)
    lifted, seldom = world(0.5, 4.0), world(0.0, 0.0)
    few = torch.arange(BOARDS) % 10 > 0
    seldom["board"][few, 2] = 2
    seldom["x"] = sum(seldom["code"][c, seldom["board"][:, c]] for c in range(CELLS))
    return [
        Case(
            "The codes are the planted ones",
            apart,
            _fit,
            _judge,
            "x = constant + Σ over cells of code[cell, what it holds]: a linear model in the "
            "one-hot board. Fit it by least squares.",
        ),
        Case(
            "A neighbour that mostly holds the same is not part of a cell's code",
            neighbours,
            _fit,
            _judge,
            "A mean over all boards with a stone of mine on cell 0 holds what is usual on cell 1. "
            "Fit all cells in one regression.",
        ),
        Case(
            "What all boards share is in no code",
            lifted,
            _fit,
            _judge,
            "Let the fit have a constant, or take the means of x and of the one-hot board away.",
        ),
        Case(
            "A cell that is mostly empty has codes that sum to 0, too",
            seldom,
            _fit,
            _judge,
            "The three codes of a cell sum to 0, each counting once, however often it occurs. "
            "Whatever you add to all three only moves the constant.",
        ),
    ]


def _fit(attempt: Callable, x: Tensor, board: Tensor, code: Tensor) -> Any:
    return attempt(x, board)


def _means(x: Tensor, board: Tensor) -> Tensor:
    return torch.stack(
        [torch.stack([x[board[:, c] == k].mean(0) for k in range(3)]) for c in range(CELLS)]
    )


def _judge(output: Any, x: Tensor, board: Tensor, code: Tensor) -> str | None:
    if problem := not_a_tensor(output, (CELLS, 3, WIDTH), "cells, 3, d"):
        return problem
    means = _means(x, board)
    share = torch.nn.functional.one_hot(board, 3).double().mean(0)
    weighted = code - (share[..., None] * code).sum(1, keepdim=True)
    mistakes = {
        "those are means over boards, with the neighbours in them": means,
        "those are means over boards, with the neighbours in them and their own mean taken off": (
            means - means.mean(1, keepdim=True)
        ),
        "those are means over boards less the mean of all": means - x.mean(0),
        "your codes are relative to empty": code - code[:, 2:],
        "the codes of a cell sum to 0 weighted by how often each occurs; they must sum to 0": (
            weighted
        ),
        "half of each": code / 2,
    }
    return named(output, code, mistakes, ATOL, "the planted codes")
