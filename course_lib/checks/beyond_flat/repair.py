"""Exercise 3: find the bug in a pursuit that gets worse with every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.beyond_flat.worlds import slow_pursuit, there_and_back, unit_rows
from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

LONGEST = 6


@exercise("beyond_flat.rebuild", "A pursuit that gets worse", find_the_bug=True)
def make_cases(generator: Generator) -> list[Case]:
    lengths = 0.5 + 1.5 * torch.rand(7, 1, generator=generator)
    W = lengths * unit_rows(7, 4, generator)
    x = torch.randn(6, 4, generator=generator)
    x[0] = 0.9 * W[3]  # so that at least one input lies along an atom
    atoms, inputs = there_and_back(generator)
    return [
        Case(
            "One step projects the input on the direction that suits it best",
            {"x": x, "W": W, "n_steps": 1},
            _rebuild,
            _judge_values,
            "Take one step by hand for a row of norm 2. In which units is the code, and which rows "
            "is it multiplied with at the end?",
        ),
        Case(
            "A latent that is taken twice writes what both visits found",
            {"x": inputs, "W": atoms, "n_steps": 3},
            _rebuild,
            _judge_twice,
            "Here every input visits atom 0, then 1, then 0 again. Print z after each step.",
        ),
        Case(
            "No step makes the reconstruction worse",
            {"x": torch.cat([x, x.flip(0)]), "W": W, "n_steps": LONGEST},
            lambda attempt, x, W, n_steps: [attempt(x, W, k) for k in range(1, n_steps + 1)],
            _judge_falling,
            "The residual of a pursuit never grows. So either the residual is wrong, or what is "
            "returned is not x minus the residual. Compare the two after every step.",
        ),
        Case(
            "The length of a row changes nothing",
            {"x": x, "W": W, "n_steps": 2},
            lambda attempt, x, W, n_steps: (attempt(x, W, n_steps), attempt(x, 3 * W, n_steps)),
            _judge_lengths,
            "Only directions count in a pursuit: the choice, the step and the reconstruction must "
            "all be made with the same rows of norm 1.",
        ),
    ]


def _rebuild(attempt: Callable, x: Tensor, W: Tensor, n_steps: int) -> Any:
    return attempt(x, W, n_steps)


def _wanted(x: Tensor, W: Tensor, n_steps: int) -> Tensor:
    unit = W / W.norm(dim=-1, keepdim=True)
    return x.double() - slow_pursuit(x, unit, n_steps)[1]


def _judge_values(x_hat: Any, x: Tensor, W: Tensor, n_steps: int) -> str | None:
    if problem := not_a_tensor(x_hat, x.shape, "batch, d_in"):
        return problem
    return differs(x_hat, _wanted(x, W, n_steps), 1e-4)


def _judge_twice(x_hat: Any, x: Tensor, W: Tensor, n_steps: int) -> str | None:
    if problem := not_a_tensor(x_hat, x.shape, "batch, d_in"):
        return problem
    if problem := differs(x_hat, _wanted(x, W, n_steps), 1e-4):
        first = slow_pursuit(x, W, 1)
        if differs(x_hat, _wanted(x, W, n_steps) - (x - first[1]), 1e-4) is None:
            problem += "; what the first visit found is missing"
        return problem
    return None


def _judge_falling(outputs: Any, x: Tensor, W: Tensor, n_steps: int) -> str | None:
    for x_hat in outputs:
        if problem := not_a_tensor(x_hat, x.shape, "batch, d_in"):
            return problem
    errors = [(x - x_hat.detach()).norm(dim=-1) for x_hat in outputs]
    if (errors[0] >= x.norm(dim=-1) - 1e-6).all():
        return "after one step no reconstruction is closer to its input than 0 is"
    for k in range(1, n_steps):
        rise = errors[k] - errors[k - 1]
        if rise.max() > 1e-4:
            s = int(rise.argmax())
            return (
                f"step {k + 1} takes the error of input {s} from {errors[k - 1][s]:.3f} up to "
                f"{errors[k][s]:.3f}"
            )
    if all(torch.equal(outputs[0], x_hat) for x_hat in outputs):
        return "all numbers of steps give the same reconstruction"
    return None


def _judge_lengths(outputs: Any, x: Tensor, W: Tensor, n_steps: int) -> str | None:
    for x_hat in outputs:
        if problem := not_a_tensor(x_hat, x.shape, "batch, d_in"):
            return problem
    once, longer = outputs
    if problem := differs(longer, once, 1e-4, against="those for rows a third as long"):
        return f"with rows three times as long, {problem}"
    return differs(once, _wanted(x, W, n_steps), 1e-4)
