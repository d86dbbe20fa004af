"""Exercise 1: matching pursuit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.beyond_flat.worlds import slow_pursuit, there_and_back, unit_rows
from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

STEPS = 3


@exercise("beyond_flat.matching_pursuit", "Matching pursuit")
def make_cases(generator: Generator) -> list[Case]:
    D = unit_rows(7, 4, generator)
    x = torch.randn(6, 4, generator=generator)
    atoms, inputs = there_and_back(generator)
    away = torch.rand(4, 4, generator=generator) + 0.2
    return [
        Case(
            "Codes and residuals are those of the definition, step by step",
            {"x": x, "D": D, "n_steps": STEPS},
            _pursue,
            _judge_values,
            "Follow one input on paper: all products with the residual, the largest of them, what "
            "is added to its code, what is left.",
        ),
        Case(
            "What is written and what is left add up to the input",
            {"x": x, "D": D, "n_steps": STEPS},
            _pursue,
            _judge_sum,
            "z D + residual is x after every step: the same number goes into z and, times the "
            "atom, out of the residual.",
        ),
        Case(
            "After a step nothing is left along the atom just taken",
            {"x": x, "D": D, "n_steps": 2},
            _pursue_twice,
            _judge_orthogonal,
            "The coefficient is the product of the atom with what is left now, not with the input.",
        ),
        Case(
            "An atom that is taken twice collects both coefficients",
            {"x": inputs, "D": atoms, "n_steps": STEPS},
            _pursue,
            _judge_collected,
            "Writing into z replaces what stands there; `scatter_add` and `+=` add to it.",
        ),
        Case(
            "It stops where no atom points along what is left",
            {"x": -away, "D": _pointing(D, away), "n_steps": STEPS},
            _pursue,
            _judge_stop,
            "A code is never negative. When the largest product is not above 0, nothing happens.",
        ),
    ]


def _pointing(D: Tensor, away: Tensor) -> Tensor:
    """D turned so that every atom points along the mean of `away`, and none against any of it."""
    rows = D.abs() + away.mean(dim=0)
    return rows / rows.norm(dim=-1, keepdim=True)


def _pursue(attempt: Callable, x: Tensor, D: Tensor, n_steps: int) -> Any:
    return attempt(x, D, n_steps)


def _pursue_twice(attempt: Callable, x: Tensor, D: Tensor, n_steps: int) -> Any:
    return attempt(x, D, n_steps - 1), attempt(x, D, n_steps)


def _malformed(output: Any, x: Tensor, D: Tensor) -> str | None:
    if not isinstance(output, tuple | list) or len(output) != 2:
        got = "None" if output is None else f"a {type(output).__name__}"
        return f"it returned {got}; return two tensors, (z, residual)"
    z, residual = output
    return not_a_tensor(z, (len(x), len(D)), "batch, n_atoms", "as z it") or not_a_tensor(
        residual, x.shape, "batch, d_in", "as residual it"
    )


def _judge_values(output: Any, x: Tensor, D: Tensor, n_steps: int) -> str | None:
    if problem := _malformed(output, x, D):
        return problem
    z, residual = output
    right_z, right_residual, _ = slow_pursuit(x, D, n_steps)
    for found, wanted, what in ((z, right_z, "z"), (residual, right_residual, "residual")):
        if problem := differs(found, wanted, 1e-4):
            first = slow_pursuit(x, D, 1)
            if differs(z, first[0], 1e-4) is None:
                problem += "; yours is what one step gives"
            elif (z < -1e-4).any():
                problem += "; some of your codes are negative"
            return f"{what}: {problem}"
    return None


def _judge_sum(output: Any, x: Tensor, D: Tensor, n_steps: int) -> str | None:
    if problem := _malformed(output, x, D):
        return problem
    z, residual = output
    if not z.any():
        return "every code is 0: nothing was taken"
    rebuilt = z.detach().double() @ D.double()
    if problem := differs(rebuilt + residual.detach().double(), x, 1e-4, against="x"):
        message = f"z D + residual: {problem}"
        if differs(rebuilt, residual, 1e-4) is None:
            message += "; you return the reconstruction, and what is left of x is asked for"
        return message
    return None


def _judge_orthogonal(outputs: Any, x: Tensor, D: Tensor, n_steps: int) -> str | None:
    one, two = outputs
    if problem := _malformed(one, x, D) or _malformed(two, x, D):
        return problem
    if not one[1].any():
        return "after one step nothing is left of any input; one atom cannot write them all"
    _, _, taken = slow_pursuit(x, D, n_steps)
    for steps, (_, residual) in ((n_steps - 1, one), (n_steps, two)):
        for s, atoms in enumerate(taken):
            if len(atoms) < steps:
                continue
            last = atoms[steps - 1]
            along = (residual[s].detach().double() @ D[last].double()).item()
            if abs(along) > 1e-4:
                return (
                    f"after {steps} step(s) on input {s} the atom taken last is {last}, and the "
                    f"residual still has {along:.4f} along it; 0 is right"
                )
    return None


def _judge_collected(output: Any, x: Tensor, D: Tensor, n_steps: int) -> str | None:
    if problem := _malformed(output, x, D):
        return problem
    wanted, _, taken = slow_pursuit(x, D, n_steps)
    first = [slow_pursuit(x, D, 1)[0][s, atoms[0]].item() for s, atoms in enumerate(taken)]
    for s, atoms in enumerate(taken):
        have, need = output[0][s, atoms[0]].item(), wanted[s, atoms[0]].item()
        if abs(have - need) > 1e-4:
            message = (
                f"input {s} is taken to atoms {', '.join(map(str, atoms))}; z of atom {atoms[0]} "
                f"is {have:.4f} and must be {need:.4f}"
            )
            if abs(have - (need - first[s])) < 1e-4:
                message += f", the sum of {first[s]:.4f} and {need - first[s]:.4f}"
            elif abs(have - first[s]) < 1e-4:
                message += "; you have what the first visit gave"
            return message
    return None


def _judge_stop(output: Any, x: Tensor, D: Tensor, n_steps: int) -> str | None:
    if problem := _malformed(output, x, D):
        return problem
    z, residual = output
    if z.any():
        return (
            f"every product of an atom with these inputs is negative, and your codes go down to "
            f"{z.min().item():.3f}; all of them must stay 0"
        )
    return differs(residual, x, 1e-5, against="x, of which nothing can be taken")
