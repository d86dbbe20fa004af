"""Exercise 1: a direction's coordinate from elsewhere; a patch and a mean ablation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

ATOL = 1e-3


@exercise("causal_tests.replace_along", "One function, two experiments")
def make_cases(generator: Generator) -> list[Case]:
    def draw(length: float, one: bool = False) -> dict[str, Tensor]:
        h, other = 2 + torch.randn(2, 7, 5, generator=generator)
        v = torch.randn(5, generator=generator)
        return {"h": h, "v": length * v / v.norm(), "other": other[0] if one else other}

    return [
        Case(
            "Along a unit vector stands what the other run has, elsewhere what was there",
            draw(1.0),
            _call,
            _judge,
            "The coordinate of h along a unit vector u is h @ u. By how much must it change?",
        ),
        Case(
            "A direction has no length: v and 3 v are the same patch",
            draw(3.0),
            _call,
            _judge,
            "Divide v by its norm first, or by its norm squared once.",
        ),
        Case(
            "With one mean for all rows it is a mean ablation: they agree along v, and not on 0",
            draw(0.5, one=True),
            _call,
            _judge,
            "`other` of shape [d] broadcasts against [batch, d]; nothing else changes.",
        ),
    ]


def _call(attempt: Callable, h: Tensor, v: Tensor, other: Tensor) -> Any:
    return attempt(h, v, other)


def _judge(found: Any, h: Tensor, v: Tensor, other: Tensor) -> str | None:
    if problem := not_a_tensor(found, h.shape, "batch, d"):
        return problem
    h, v, other = h.double(), v.double(), other.double().expand(h.shape)
    square = v.square().sum()
    moved = found.detach().double() - h
    outside = (moved - torch.outer((moved * v).sum(1) / square, v)).norm(dim=1).max().item()
    if outside > ATOL:
        return f"something at a right angle to v has moved, by up to {outside:.3f}"
    there, wanted, had = ((x * v).sum(1) / square.sqrt() for x in (h + moved, other, h))
    problem = differs(there, wanted, ATOL, "the other run's coordinate along v")
    if problem is None:
        return None
    mistakes = {
        "; nothing has moved": had,
        "; it is 0 now, which is another ablation": 0 * wanted,
        "; what h had along v is still there, and the other's is added": had + wanted,
        f"; you move |v|² = {square.item():.2f} times as far as you should": had
        + (wanted - had) * square,
        f"; you move |v| = {square.sqrt().item():.2f} times as far as you should": had
        + (wanted - had) * square.sqrt(),
        "; you move away from it": 2 * had - wanted,
    }
    for word, values in mistakes.items():
        if differs(there, values, ATOL) is None:
            return problem + word
    return problem
