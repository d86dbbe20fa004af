"""The mistake behind a wrong number, where it is one that is often made."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from course_lib.checks.judging import differs


def named(
    output: Tensor, expected: Tensor, mistakes: Mapping[str, Tensor], atol: float, against: str
) -> str | None:
    """None when `output` is right, else by how much it is not, and the mistake that gives it."""
    problem = differs(output, expected, atol, against)
    if problem is None:
        return None
    fits = (f"; {why}" for why, value in mistakes.items() if differs(output, value, atol) is None)
    return problem + next(fits, "")
