"""Exercise 5: refute the claim that the bound is only caution."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor

IN_LINE, TOLERANCE, DIFFERENT = 0.9, 1e-3, 0.1


@exercise("features_as_directions.two_codes", "The bound is only caution")
def make_cases(generator: Generator) -> list[Case]:
    return [
        Case(
            "No two directions are nearly in line: μ is at most 0.9",
            {},
            lambda attempt: attempt(),
            _judge_directions,
            "Two equal rows can stand in for each other, but that is too easy: the claim is about "
            "directions that differ.",
        ),
        Case(
            "Both codes have at most (1 + 1/μ) / 2 active features, and they differ",
            {},
            lambda attempt: attempt(),
            _judge_sparsity,
            "Compute μ of your W and the bound, and count. With many features active two codes "
            "always coincide; you need few.",
        ),
        Case(
            "Both codes give the same x",
            {},
            lambda attempt: attempt(),
            _judge_same,
            "z_1 W = z_2 W says that some directions, taken with signs, add up to 0. Which "
            "arrangement of few directions adds up to 0 while all overlaps are as small as can be?",
        ),
    ]


def _malformed(answer: Any) -> str | None:
    if not isinstance(answer, tuple | list) or len(answer) != 3:
        got = "None" if answer is None else f"a {type(answer).__name__}"
        return f"it returned {got}; return three tensors, (W, z_1, z_2)"
    W = answer[0]
    if not isinstance(W, Tensor) or W.ndim != 2 or 0 in W.shape:
        got = f"of shape {list(W.shape)}" if isinstance(W, Tensor) else f"a {type(W).__name__}"
        return f"W is {got}; it must be a tensor of shape [n_features, d]"
    problem = not_a_tensor(W, W.shape, "n_features, d", "as W it")
    for name, z in zip(("z_1", "z_2"), answer[1:], strict=True):
        problem = problem or not_a_tensor(z, W.shape[:1], "n_features", f"as {name} it")
    if problem:
        return problem
    if W.detach().norm(dim=1).min() < TOLERANCE:
        return f"row {int(W.detach().norm(dim=1).argmin())} of W is zero: it is no direction"
    for name, z in zip(("z_1", "z_2"), answer[1:], strict=True):
        if not z.any():
            return f"no feature is active in {name}"
    return None


def _coherence(W: Tensor) -> tuple[float, int, int]:
    """μ and the pair of rows that has it."""
    unit = W / W.norm(dim=1, keepdim=True)
    worst, pair = 0.0, (0, 0)
    for i in range(len(unit)):
        for j in range(i):
            cosine = abs((unit[i] @ unit[j]).item())
            if cosine > worst:
                worst, pair = cosine, (j, i)
    return worst, *pair


def _parts(answer: Any) -> tuple[Tensor, Tensor, Tensor]:
    W, z_1, z_2 = (part.detach().double() for part in answer)
    return W, z_1, z_2


def _judge_directions(answer: Any) -> str | None:
    if problem := _malformed(answer):
        return problem
    mu, i, j = _coherence(_parts(answer)[0])
    if mu > IN_LINE:
        return f"rows {i} and {j} are nearly in line: |cos| = {mu:.2f}"
    return None


def _judge_sparsity(answer: Any) -> str | None:
    if problem := _malformed(answer):
        return problem
    W, z_1, z_2 = _parts(answer)
    mu = _coherence(W)[0]
    bound = (1 + 1 / max(mu, 1e-9)) / 2
    for name, z in (("z_1", z_1), ("z_2", z_2)):
        active = int((z != 0).sum())
        if active > bound + TOLERANCE:
            return (
                f"{name} has {active} active features; μ is {mu:.3f}, so at most {bound:.2f} may be"
            )
    if (z_1 - z_2).abs().max() < DIFFERENT:
        return "z_1 and z_2 are nearly the same code; they must differ by 0.1 or more somewhere"
    return None


def _judge_same(answer: Any) -> str | None:
    if problem := _malformed(answer):
        return problem
    W, z_1, z_2 = _parts(answer)
    apart = (z_1 @ W - z_2 @ W).norm().item()
    if apart > TOLERANCE * torch.stack([z_1 @ W, z_2 @ W]).norm().clamp(min=0.1).item():
        return f"the two codes give inputs that are {apart:.3f} apart"
    if (z_1 - z_2).abs().max() < DIFFERENT:
        return "the inputs are the same because the codes are; find two codes"
    return None
