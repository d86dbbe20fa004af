"""Exercise 3: the effective rank, exp of the von Neumann entropy."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor


@exercise("measuring_superposition.effective_rank", "Effective rank")
def make_cases(generator: Generator) -> list[Case]:
    h = torch.randn(30, 5, generator=generator) * torch.tensor([1.0, 2.0, 0.5, 0.1, 3.0])
    h = h + torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0])
    lengths = 0.1 + 5 * torch.rand(30, 1, generator=generator)
    sparse = h.clone()
    sparse[::3] = 0.0
    return [
        Case(
            "It is what the definition says",
            {"h": h},
            lambda attempt, h: attempt(h),
            _judge_values,
            "Scale every row to length 1, make ρ = HᵀH / n, take its eigenvalues. They add up to "
            "1: check that first. No mean is subtracted.",
        ),
        Case(
            "How long an input is does not matter, only where it points",
            {"h": h, "lengths": lengths},
            lambda attempt, h, lengths: (attempt(h), attempt(h * lengths)),
            _judge_lengths,
            "Each row is divided by its own length, not by the length of the whole batch.",
        ),
        Case(
            "Inputs of length zero have no direction and are left out",
            {"h": sparse},
            lambda attempt, h: attempt(h),
            _judge_zeros,
            "0/0 is NaN. And the number of inputs in the denominator must be that of the rows that "
            "are left, or the eigenvalues do not add up to 1.",
        ),
        Case(
            "One direction makes 1, five equal ones make 5",
            {"one": h[:1].expand(30, 5).clone(), "five": torch.eye(5).repeat(4, 1)},
            lambda attempt, one, five: (attempt(one), attempt(five)),
            _judge_known,
            "One direction: one eigenvalue of 1 and the rest 0 (or, with rounding, just below). "
            "0 log 0 counts as 0.",
        ),
    ]


def by_definition(h: Tensor) -> Tensor:
    rows = [row / row.norm() for row in h.double() if row.any()]
    rho = sum(torch.outer(row, row) for row in rows) / len(rows)
    values = [v for v in torch.linalg.eigvalsh(rho).tolist() if v > 1e-12]
    return torch.tensor(math.exp(-sum(v * math.log(v) for v in values)))


def _judge_values(rank: Any, h: Tensor) -> str | None:
    if problem := not_a_tensor(rank, (), ""):
        return problem
    expected = by_definition(h)
    problem = differs(rank, expected, 2e-3)
    if problem is None:
        return None
    message = f"you have {rank.item():.4f}; the definition gives {expected.item():.4f}"
    if abs(rank.item() - math.log(expected)) < 2e-3:
        return f"{message}: you have the entropy S, the rank is exp S"
    if abs(rank.item() - by_definition(h - h.mean(0)).item()) < 2e-3:
        return f"{message}: you subtract the mean, and the definition does not"
    if rank.item() > h.shape[1] + 1e-3:
        message += f"; a rank above {h.shape[1]}, the number of dimensions, cannot be"
    return message


def _judge_lengths(outputs: Any, h: Tensor, lengths: Tensor) -> str | None:
    for rank in outputs:
        if problem := not_a_tensor(rank, (), ""):
            return problem
    as_it_is, stretched = (rank.item() for rank in outputs)
    if abs(as_it_is - stretched) > 2e-3:
        return f"with inputs of other lengths the rank goes from {as_it_is:.3f} to {stretched:.3f}"
    return _judge_values(outputs[0], h)


def _judge_zeros(rank: Any, h: Tensor) -> str | None:
    if isinstance(rank, Tensor) and rank.ndim == 0 and rank.isnan():
        return "with inputs of length zero it returned NaN"
    return not_a_tensor(rank, (), "") or _judge_values(rank, h)


def _judge_known(outputs: Any, one: Tensor, five: Tensor) -> str | None:
    for rank, what, wanted in zip(
        outputs, ("one direction", "five equal directions"), (1.0, 5.0), strict=True
    ):
        if problem := not_a_tensor(rank, (), ""):
            return f"for {what} {problem}"
        if abs(rank.item() - wanted) > 5e-3:
            return f"{what}: you have {rank.item():.3f} and not {wanted:.0f}"
    return None
