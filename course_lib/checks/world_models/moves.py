"""Exercise 4: count the moves that are wrong on a board."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor
from course_lib.checks.world_models.naming import named

BOARDS, CELLS = 12, 16
ATOL = 1e-6


@exercise("world_models.wrong_moves", "Wrong moves")
def make_cases(generator: Generator) -> list[Case]:
    def boards(share: float) -> Tensor:
        legal = torch.rand(BOARDS, CELLS, generator=generator) < share
        legal[:, 0], legal[:, 1] = True, False
        return legal

    def law(legal: Tensor, trust: float) -> Tensor:
        noise = torch.rand(BOARDS, CELLS, generator=generator)
        p = trust * legal + noise
        return p / p.sum(1, keepdim=True)

    some, many = boards(0.3), boards(0.7)
    certain = 0.01 + 0.001 * torch.rand(BOARDS, CELLS, generator=generator)
    certain[:, 0] = 5.0
    return [
        Case(
            "Who mostly knows the rules makes few errors",
            {"law": law(some, 0.6), "legal": some},
            _count,
            _judge,
            "Where N moves are legal, take the N likeliest, and no fixed number.",
        ),
        Case(
            "Who knows the contrary gets everything wrong that can be",
            {"law": law(~some, 3.0), "legal": some},
            _count,
            _judge,
            "An illegal move among the N likeliest also means that a legal one is missing.",
        ),
        Case(
            "The number of legal moves is each board's own",
            {"law": law(many, 0.4), "legal": many},
            _count,
            _judge,
            "N differs from board to board: rank the cells, then compare the rank with N.",
        ),
        Case(
            "Errors are counted in moves, not in probability",
            {"law": certain / certain.sum(1, keepdim=True), "legal": some},
            _count,
            _judge,
            "A move of probability 0.01 may still be among the N likeliest. No threshold.",
        ),
        Case(
            "Every board has its own count",
            {"law": law(some, 0.5), "legal": some},
            _count,
            _judge,
            "Return one number per board, [n], and take no mean.",
        ),
    ]


def _count(attempt: Callable, law: Tensor, legal: Tensor) -> Any:
    return attempt(law, legal)


def _likeliest(p: list[float], n: int) -> set[int]:
    return set(sorted(range(len(p)), key=lambda c: -p[c])[:n])


def _wanted(law: Tensor, legal: Tensor) -> Tensor:
    counts = []
    for p, fine in zip(law.tolist(), legal.tolist(), strict=True):
        may = {c for c, ok in enumerate(fine) if ok}
        said = _likeliest(p, len(may))
        counts.append(float(len(said - may) + len(may - said)))
    return torch.tensor(counts)


def _judge(output: Any, law: Tensor, legal: Tensor) -> str | None:
    if isinstance(output, Tensor) and not output.is_floating_point() and not output.is_complex():
        output = output.double()
    if problem := not_a_tensor(output, (BOARDS,), "n"):
        return problem
    wanted, n = _wanted(law, legal), legal.sum(1)
    high = law > 0.02
    top = torch.zeros_like(legal).scatter(1, law.argmax(1, keepdim=True), True)
    common = law.argsort(dim=1, descending=True)[:, : int(n.double().mean().round())]
    fixed = torch.zeros_like(legal).scatter(1, common, True)
    mistakes = {
        "you count the illegal moves among the likeliest, and not those that are missing": (
            wanted / 2
        ),
        "that is a share of the board's legal moves": wanted / n,
        "that is what a threshold of 0.02 gives": (high != legal).sum(1),
        "that counts illegal moves above 0.02": (high & ~legal).sum(1),
        "that looks at the likeliest move alone": 2 * (top & ~legal).sum(1),
        "you take as many moves on every board": (fixed != legal).sum(1),
        "that is how many are right": 2 * n - wanted,
    }
    return named(output, wanted, mistakes, ATOL, "counting")
