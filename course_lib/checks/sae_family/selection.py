"""Exercise 1: the selection of BatchTopK."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

AXES = "batch, d_sae"


@exercise("sae_family.batch_topk", "BatchTopK")
def make_cases(generator: Generator) -> list[Case]:
    pre = torch.randn(5, 8, generator=generator)
    uneven = torch.rand(4, 6, generator=generator)
    uneven[0] += 2.0  # one input with much to say
    uneven[1] -= 2.0  # one with nothing
    quiet = torch.randn(6, 7, generator=generator) - 1.5
    quiet[0, 0], quiet[3, 2] = 1.0, 0.5  # so that something is positive
    weights = torch.randn(5, 8, generator=generator)
    return [
        Case(
            "The k · batch largest pre-activations of the batch keep their value, the rest are 0",
            {"pre": pre, "k": 2},
            lambda attempt, pre, k: attempt(pre, k),
            _judge_values,
            "Sort all numbers of the batch in one line, whichever input they belong to. How many "
            "of them may stay?",
        ),
        Case(
            "An input may have more than k active latents, and another none",
            {"pre": uneven, "k": 2},
            lambda attempt, pre, k: attempt(pre, k),
            _judge_counts,
            "The budget belongs to the batch. Nothing in the definition asks that every input "
            "gets its part of it.",
        ),
        Case(
            "Where fewer are positive than the budget allows, no negative one is kept",
            {"pre": quiet, "k": 3},
            lambda attempt, pre, k: attempt(pre, k),
            _judge_sign,
            "Latents are never negative: which function comes before, or after, the selection?",
        ),
        Case(
            "The gradient reaches what was kept, unchanged, and nothing else",
            {"pre": pre, "k": 2, "weights": weights},
            _gradient,
            _judge_gradient,
            "Which entries stay is a decision; how large they are is not. Look for .detach(), "
            ".item() or a mask in the place of the values.",
        ),
    ]


def _by_definition(pre: Tensor, k: int) -> Tensor:
    """Entry by entry: kept if positive and fewer than k · batch entries of the batch are larger."""
    everything = pre.flatten().tolist()
    z = torch.zeros_like(pre)
    for s in range(pre.shape[0]):
        for j in range(pre.shape[1]):
            value = pre[s, j].item()
            larger = sum(other > value for other in everything)
            if value > 0 and larger < k * pre.shape[0]:
                z[s, j] = value
    return z


def _judge_values(z: Any, pre: Tensor, k: int) -> str | None:
    if problem := not_a_tensor(z, pre.shape, AXES):
        return problem
    expected = _by_definition(pre, k)
    problem = differs(z, expected, 1e-6)
    if problem is None:
        return None
    n_active, budget = int((z != 0).sum()), int((expected != 0).sum())
    if n_active != budget:
        problem += f"; {n_active} of yours are active in the batch, and {budget} should be"
    return problem


def _judge_counts(z: Any, pre: Tensor, k: int) -> str | None:
    if problem := not_a_tensor(z, pre.shape, AXES):
        return problem
    found = (z != 0).sum(dim=-1).tolist()
    wanted = (_by_definition(pre, k) != 0).sum(dim=-1).tolist()
    if found == wanted:
        return differs(z, _by_definition(pre, k), 1e-6)
    message = f"the inputs have {found} active latents; by the definition they have {wanted}"
    if max(found) <= k:
        message += f"; none of yours has more than k = {k}, as in TopK"
    return message


def _judge_sign(z: Any, pre: Tensor, k: int) -> str | None:
    if problem := not_a_tensor(z, pre.shape, AXES):
        return problem
    if z.min() < 0:
        return f"{int((z < 0).sum())} latents are negative, the lowest {z.min().item():.3f}"
    return differs(z, _by_definition(pre, k), 1e-6)


def _gradient(attempt: Callable, pre: Tensor, k: int, weights: Tensor) -> Any:
    pre = pre.clone().requires_grad_()
    z = attempt(pre, k)
    if not_a_tensor(z, pre.shape, AXES) or not z.requires_grad:
        return z, None
    return z.detach(), torch.autograd.grad((z * weights).sum(), pre, allow_unused=True)[0]


def _judge_gradient(outputs: Any, pre: Tensor, k: int, weights: Tensor) -> str | None:
    z, gradient = outputs
    if problem := not_a_tensor(z, pre.shape, AXES):
        return problem
    if gradient is None:
        return "no gradient reaches the pre-activations: the latents are cut off from them"
    expected = torch.where(_by_definition(pre, k) > 0, weights, 0.0)
    problem = differs(gradient, expected, 1e-6, "that of the definition")
    return None if problem is None else f"the gradient is wrong: {problem}"
