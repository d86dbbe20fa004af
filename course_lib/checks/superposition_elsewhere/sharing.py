"""Exercise 3: refute the claim that a shared row is a shared fate."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor

TOLERANCE = 1e-3


@exercise("superposition_elsewhere.share_everything", "A shared row is a shared fate")
def make_cases(generator: Generator) -> list[Case]:
    effects = torch.randn(3, 6, generator=generator)
    return [
        Case(
            "The table has as many rows as one feature has values, and every row serves all",
            {"effects": effects},
            lambda attempt, effects: attempt(effects),
            _judge_rows,
            "T features with V values each, and V rows: give each feature every row once.",
        ),
        Case(
            "Every value of every feature contributes its own effect",
            {"effects": effects},
            lambda attempt, effects: attempt(effects),
            _judge_effects,
            "The contribution of value v of feature t is the product of theta[t] and its row. How "
            "many numbers must a row be able to hold?",
        ),
        Case(
            "What one feature learns in a row changes nothing for the others",
            {"effects": effects},
            lambda attempt, effects: attempt(effects),
            _judge_learning,
            "A gradient step for feature t moves a row along theta[t]. What does another feature, "
            "which reads the row with theta[s], see of it?",
        ),
    ]


def _malformed(answer: Any, effects: Tensor) -> str | None:
    if not isinstance(answer, tuple | list) or len(answer) != 3:
        got = "None" if answer is None else f"a {type(answer).__name__}"
        return f"it returned {got}; return three tensors, (rows, table, theta)"
    rows, table, theta = answer
    n_features = len(effects)
    if not isinstance(rows, Tensor) or rows.shape != effects.shape:
        got = f"of shape {list(rows.shape)}" if isinstance(rows, Tensor) else "no tensor"
        return f"rows is {got}; it must be {list(effects.shape)} = [n_features, n_values]"
    if rows.is_floating_point() or rows.is_complex() or rows.dtype == torch.bool:
        return f"rows has dtype {rows.dtype}; whole numbers, the places in the table, are needed"
    if not isinstance(table, Tensor) or table.ndim != 2 or 0 in table.shape:
        got = f"of shape {list(table.shape)}" if isinstance(table, Tensor) else "no tensor"
        return f"table is {got}; it must be a tensor of shape [n_rows, d]"
    if problem := not_a_tensor(table, table.shape, "n_rows, d", "as table it"):
        return problem
    shape = (n_features, table.shape[1])
    if problem := not_a_tensor(theta, shape, "n_features, d", "as theta it"):
        return problem
    if rows.min() < 0 or rows.max() >= len(table):
        return f"rows names row {int(rows.max())}; the table has rows 0 to {len(table) - 1}"
    lengths = theta.detach().norm(dim=-1)
    if lengths.min() < 1e-3:
        t = int(lengths.argmin())
        return f"theta[{t}] has length {lengths[t]:.3g}: feature {t} is not read at all"
    return None


def _judge_rows(answer: Any, effects: Tensor) -> str | None:
    if problem := _malformed(answer, effects):
        return problem
    rows, table, _ = answer
    n_features, n_values = effects.shape
    if len(table) != n_values:
        return (
            f"the table has {len(table)} rows for {n_features} features with {n_values} values "
            f"each; the claim is refuted with {n_values}"
        )
    for t, row in enumerate(rows.tolist()):
        if len(set(row)) < n_values:
            return f"feature {t} puts its {n_values} values into {len(set(row))} rows"
    return None


def _judge_effects(answer: Any, effects: Tensor) -> str | None:
    if problem := _malformed(answer, effects):
        return problem
    rows, table, theta = (part.detach() for part in answer)
    error = torch.zeros(effects.shape)
    for t in range(len(effects)):
        for v in range(effects.shape[1]):
            read = sum((table[rows[t, v]].double() * theta[t].double()).tolist())
            error[t, v] = abs(read - effects[t, v].item())
    if error.max() < TOLERANCE:
        return None
    t, v = divmod(int(error.argmax()), effects.shape[1])
    read = (table[rows[t, v]].double() * theta[t].double()).sum()
    return (
        f"value {v} of feature {t} contributes {read:.3f}; its effect is {effects[t, v]:.3f} "
        f"({int((error >= TOLERANCE).sum())} of {error.numel()} values are off)"
    )


def _judge_learning(answer: Any, effects: Tensor) -> str | None:
    if problem := _malformed(answer, effects):
        return problem
    if not answer[1].any():
        return "every row of the table is zero: no feature has learnt anything in it"
    theta = answer[2].detach().double()
    for t in range(len(theta)):
        for s in range(t):
            cosine = (theta[t] * theta[s]).sum() / theta[t].norm() / theta[s].norm()
            if abs(cosine) > TOLERANCE:
                return (
                    f"theta[{s}] and theta[{t}] have the cosine {cosine:.2f}: when feature {t} "
                    f"moves a row along its read-out by 1, feature {s} sees {cosine:.2f} of it"
                )
    return None
