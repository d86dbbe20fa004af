"""Exercise 6: refute the rule that dimensionalities always add up to d_hidden."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor
from course_lib.checks.toy_models.dimensionality import by_definition

STORED, USED, MISSED = 0.5, 0.1, 0.1


@exercise("toy_models.counterexample", "Refute it: the sum rule")
def make_cases(generator: Generator) -> list[Case]:
    return [
        Case(
            "There are more features than dimensions, and every feature is stored",
            {},
            lambda attempt: attempt(),
            _judge_superposition,
            f"W has shape [n_features, d_hidden], and every row has length {STORED} or more.",
        ),
        Case(
            "Every hidden dimension is used",
            {},
            lambda attempt: attempt(),
            _judge_rank,
            "The rows must point in all directions of the hidden space. A dimension that no "
            "feature uses is a way out that the claim would not accept.",
        ),
        Case(
            "The dimensionalities miss d_hidden by a tenth or more",
            {},
            lambda attempt: attempt(),
            _judge_sum,
            "In a regular polygon every feature meets the same crowd from all sides. Crowd the "
            "features into one direction, and give the others more room than they can own.",
        ),
    ]


def _malformed(W: Any) -> str | None:
    if not isinstance(W, Tensor) or W.ndim != 2 or 0 in W.shape:
        got = f"the shape {list(W.shape)}" if isinstance(W, Tensor) else f"a {type(W).__name__}"
        got = "None" if W is None else got
        return f"it returned {got}; return a tensor W of shape [n_features, d_hidden]"
    if problem := not_a_tensor(W, W.shape, "n_features, d_hidden"):
        return problem
    return None if W.any() else "every weight is 0: nothing is stored"


def _judge_superposition(W: Any) -> str | None:
    if problem := _malformed(W):
        return problem
    n_features, d_hidden = W.shape
    if n_features <= d_hidden:
        return (
            f"W has {n_features} features and {d_hidden} dimensions; without more features than "
            "dimensions there is no superposition to speak of"
        )
    lengths = W.norm(dim=-1)
    if lengths.min() < STORED:
        i = int(lengths.argmin())
        return f"row {i} has length {lengths[i]:.3g}: feature {i} is not stored"
    return None


def _judge_rank(W: Any) -> str | None:
    if problem := _malformed(W):
        return problem
    if min(W.shape) < W.shape[1]:
        return f"{W.shape[0]} features cannot use {W.shape[1]} dimensions"
    least = torch.linalg.svdvals(W.detach().double())[-1].item()
    if least < USED:
        return (
            f"some direction of the {W.shape[1]}-dimensional hidden space is used by no feature "
            f"(the smallest singular value of W is {least:.2g}, at least {USED} is needed)"
        )
    return None


def _judge_sum(W: Any) -> str | None:
    if problem := _malformed(W):
        return problem
    total, d_hidden = by_definition(W.detach()[None]).sum().item(), W.shape[1]
    if abs(total - d_hidden) >= MISSED * d_hidden:
        return None
    return (
        f"your dimensionalities add up to {total:.3f}, and d_hidden is {d_hidden}: these weights "
        "obey the rule" + (" closely" if abs(total - d_hidden) > 1e-3 else "")
    )
