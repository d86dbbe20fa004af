"""Exercise 6: refute the claim that sharing always costs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor

STORED, SLANT, TOLERANCE = 0.5, (0.1, 0.9), 1e-3


@exercise("toy_models.counterexample", "Sharing always costs")
def make_cases(generator: Generator) -> list[Case]:
    return [
        Case(
            "More features than dimensions, and any two at a slant: 0.1 <= |cos| <= 0.9",
            {},
            lambda attempt: attempt(),
            _judge_slant,
            "No two features may be orthogonal (they would not share) or in line (the claim "
            "already excepts the antipodal pair).",
        ),
        Case(
            "A feature that is active alone comes back exactly",
            {},
            lambda attempt: attempt(),
            _judge_own,
            "With x_i = t and all else 0, output i is ReLU(t |W_i|² + b_i). For which |W_i| and "
            "b_i is that t for every t from 0 to 1?",
        ),
        Case(
            "A feature that is active alone shows in no other output",
            {},
            lambda attempt: attempt(),
            _judge_others,
            "With x_i = t and all else 0, output j is ReLU(t W_i·W_j + b_j). Which sign must every "
            "overlap have? How many directions of a plane can stand to each other like that?",
        ),
    ]


def _malformed(answer: Any) -> str | None:
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        got = "None" if answer is None else f"a {type(answer).__name__}"
        return f"it returned {got}; return two tensors, (W, b)"
    W, b = answer
    if not isinstance(W, Tensor) or W.ndim != 2 or 0 in W.shape:
        got = f"of shape {list(W.shape)}" if isinstance(W, Tensor) else f"a {type(W).__name__}"
        return f"W is {got}; it must be a tensor of shape [n_features, d_hidden]"
    problem = not_a_tensor(W, W.shape, "n_features, d_hidden", "as W it") or not_a_tensor(
        b, W.shape[:1], "n_features", "as b it"
    )
    if problem:
        return problem
    lengths = W.detach().norm(dim=-1)
    if lengths.min() < STORED:
        i = int(lengths.argmin())
        return f"row {i} has length {lengths[i]:.3g}, below {STORED}: feature {i} is not stored"
    return None


def _judge_slant(answer: Any) -> str | None:
    if problem := _malformed(answer):
        return problem
    W = answer[0].detach().double()
    n_features, d_hidden = W.shape
    if n_features <= d_hidden:
        return f"W has {n_features} features and {d_hidden} dimensions: nobody has to share"
    unit = W / W.norm(dim=-1, keepdim=True)
    for i in range(n_features):
        for j in range(i):
            cos = (unit[i] @ unit[j]).item()
            if not SLANT[0] <= abs(cos) <= SLANT[1]:
                how = "nearly orthogonal" if abs(cos) < SLANT[0] else "nearly in line"
                return f"features {j} and {i} are {how}: the cosine is {cos:.2f}"
    return None


def _alone(answer: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Magnitudes t [k], and outputs [feature that is active, magnitude, output]."""
    W, b = (part.detach().double() for part in answer)
    t = torch.linspace(0, 1, 11, dtype=torch.double)
    x = t[:, None] * torch.eye(len(W), dtype=torch.double)[:, None]
    return t, (x @ W @ W.T + b).clamp(min=0)


def _judge_own(answer: Any) -> str | None:
    if problem := _malformed(answer):
        return problem
    t, outputs = _alone(answer)
    own = outputs.diagonal(dim1=0, dim2=2).T
    error = (own - t).abs()
    if error.max() <= TOLERANCE:
        return None
    i, k = divmod(int(error.argmax()), len(t))
    return f"feature {i} alone at {t[k]:.1f} comes back as {own[i, k]:.3f}"


def _judge_others(answer: Any) -> str | None:
    if problem := _malformed(answer):
        return problem
    t, outputs = _alone(answer)
    others = outputs * ~torch.eye(len(outputs), dtype=torch.bool)[:, None]
    if others.max() <= TOLERANCE:
        return None
    place = torch.unravel_index(others.argmax(), others.shape)
    i, k, j = (int(index) for index in place)
    return f"feature {i} alone at {t[k]:.1f} gives {others[i, k, j]:.3f} in output {j}"
