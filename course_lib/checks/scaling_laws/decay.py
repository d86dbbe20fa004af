"""Exercise 1: weight decay with a sign."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

AXES = "n_instances, n_features, d_hidden"
LR = 0.1


@exercise("scaling_laws.signed_decay", "A decay with a sign")
def make_cases(generator: Generator) -> list[Case]:
    length = 0.2 + 2 * torch.rand(3, 6, 1, generator=generator)
    W = torch.nn.functional.normalize(torch.randn(3, 6, 4, generator=generator), dim=-1) * length
    some_zero = W.clone()
    some_zero[0, 1], some_zero[1, 4], some_zero[2, 0] = 0, 0, 0
    size = 0.3 + torch.rand(3, generator=generator)
    mixed = size * torch.tensor([-1.0, 1.0, -0.5])
    return [
        Case(
            "A positive decay makes every row shorter by the same factor",
            {"W": W, "decay": size},
            _call,
            _judge,
            "Write down W after the step for lr = 0.1 and decay = 1: it is 0.9 W.",
        ),
        Case(
            "A negative decay moves the norm of every row a step towards 1",
            {"W": W, "decay": -size},
            _call,
            _judge_pull,
            "Take one row of norm 0.5 and one of norm 2. Which way must each move, and by how "
            "much, with lr = 0.1 and decay = -1?",
        ),
        Case(
            "A row of zeros has no direction and stays",
            {"W": some_zero, "decay": -size},
            _call,
            _judge_zero,
            "0/0 is NaN. Decide what to divide by where the norm is 0.",
        ),
        Case(
            "Each instance has a decay of its own, of either sign",
            {"W": W, "decay": mixed},
            _call,
            _judge,
            "`decay` has shape [n_instances]; give it two more axes, and choose the rule for each "
            "instance by its sign.",
        ),
    ]


def _call(attempt: Any, W: Tensor, decay: Tensor) -> Any:
    return attempt(W, decay, LR)


def by_definition(W: Tensor, decay: Tensor) -> Tensor:
    """Row by row."""
    after = W.double().clone()
    for k, strength in enumerate(decay.tolist()):
        for row in after[k]:
            old = math.sqrt(sum(w**2 for w in row.tolist()))
            if old == 0:
                continue
            new = (1 - LR * strength) * old if strength >= 0 else old - LR * strength * (1 - old)
            row.mul_(new / old)
    return after


def _judge(after: Any, W: Tensor, decay: Tensor) -> str | None:
    return not_a_tensor(after, W.shape, AXES) or differs(after, by_definition(W, decay), 1e-5)


def _judge_pull(after: Any, W: Tensor, decay: Tensor) -> str | None:
    if problem := not_a_tensor(after, W.shape, AXES):
        return problem
    expected = by_definition(W, decay)
    if differs(after, expected, 1e-5) is None:
        return None
    old, new, wanted = (t.detach().double().norm(dim=-1) for t in (W, after, expected))
    worst = (new - wanted).abs().flatten().argmax()
    old, new, wanted = (t.flatten()[worst].item() for t in (old, new, wanted))
    strength = decay[worst // W.shape[1]].item()
    message = (
        f"with lr = {LR} and decay = {strength:.2f} a row of norm {old:.3f} gets the norm "
        f"{new:.3f}; it must be {wanted:.3f}"
    )
    if abs(new - wanted) < 1e-4:
        return "the norms are right, but rows are turned: a step along a row keeps its direction"
    if (new - old) * (wanted - old) < 0:
        message += ", on the other side: it moves away from 1"
    elif abs(new - 1) < 1e-3:
        message += "; one step goes only a part of the way to 1"
    return message


def _judge_zero(after: Any, W: Tensor, decay: Tensor) -> str | None:
    if isinstance(after, Tensor) and after.shape == W.shape:
        rows = after[W.norm(dim=-1) == 0]
        if rows.isnan().any():
            return "a row of zeros becomes NaN; it must stay zero"
        if rows.any():
            return f"a row of zeros gets an entry of {rows.abs().max().item():.3g}; it must stay"
    return _judge(after, W, decay)
