"""Exercise 5: a step that keeps the norm of the decoder's rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.functional import normalize

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

AXES = "n_instances, d_sae, d_in"


@exercise("saes_from_zero.unit_norm_step", "A step that keeps the norm")
def make_cases(generator: Generator) -> list[Case]:
    W_dec = normalize(torch.randn(2, 5, 4, generator=generator), dim=-1)
    grad = torch.randn(2, 5, 4, generator=generator)
    along = (1 + 4 * torch.rand(2, 5, 1, generator=generator)) * W_dec
    return [
        Case(
            "After the step every row has norm 1",
            {"W_dec": W_dec, "grad": grad, "lr": 0.3},
            _call,
            _judge_norm,
            "A step along a tangent leaves the sphere. Take each row back, by its own length.",
        ),
        Case(
            "What is added to the gradient along the rows changes nothing",
            {"W_dec": W_dec, "grad": grad, "along": along, "lr": 0.6},
            lambda attempt, W_dec, grad, along, lr: (
                attempt(W_dec.clone(), grad, lr),
                attempt(W_dec, grad + along, lr),
            ),
            _judge_along,
            "What a row would only gain in length has to go before the step. How long is the "
            "projection of a gradient row on its own W_dec row?",
        ),
        Case(
            "A small step turns each row against the part of its gradient that is across it",
            {"W_dec": W_dec, "grad": grad, "lr": 1e-3},
            _call,
            _judge_direction,
            "The new row minus the old, over -lr, is the gradient without its part along the row.",
        ),
        Case(
            "A large step is the one of the definition",
            {"W_dec": W_dec, "grad": grad, "lr": 0.8},
            _call,
            _judge_values,
            "Three lines: take the parallel part out of the gradient, step, divide by the norm. In "
            "this order.",
        ),
    ]


def by_definition(W_dec: Tensor, grad: Tensor, lr: float) -> Tensor:
    """Row by row, in double precision."""
    rows = []
    for w, g in zip(W_dec.double().flatten(0, 1), grad.double().flatten(0, 1), strict=True):
        tangent = g - sum(a * b for a, b in zip(g, w, strict=True)) * w
        moved = w - lr * tangent
        rows.append(moved / sum(a * a for a in moved) ** 0.5)
    return torch.stack(rows).view(W_dec.shape)


def _call(attempt: Callable, W_dec: Tensor, grad: Tensor, lr: float) -> Any:
    return attempt(W_dec, grad, lr)


def _malformed(output: Any, W_dec: Tensor) -> str | None:
    return not_a_tensor(output, W_dec.shape, AXES)


def _judge_norm(output: Any, W_dec: Tensor, grad: Tensor, lr: float) -> str | None:
    if problem := _malformed(output, W_dec):
        return problem
    if torch.equal(output, W_dec):
        return "the new rows are the old ones, bit for bit: no step was taken"
    norm = output.detach().norm(dim=-1)
    if (norm - 1).abs().max() < 1e-4:
        return None
    return f"the norms of the new rows run from {norm.min():.4f} to {norm.max():.4f}"


def _judge_along(outputs: Any, W_dec: Tensor, grad: Tensor, along: Tensor, lr: float) -> str | None:
    for output in outputs:
        if problem := _malformed(output, W_dec):
            return problem
    without, with_it = (output.detach() for output in outputs)
    if torch.equal(without, W_dec):
        return "the new rows are the old ones, bit for bit: no step was taken"
    if not without.any():
        return "the new rows are all zeros"
    if n_round := int(((without * with_it).sum(dim=-1) < 0).sum()):
        return f"the part of the gradient along the rows has turned {n_round} rows round"
    problem = differs(with_it, without, 1e-4, against="the step without that part")
    return problem and f"with it, {problem}"


def _judge_direction(output: Any, W_dec: Tensor, grad: Tensor, lr: float) -> str | None:
    if problem := _malformed(output, W_dec):
        return problem
    moved = (W_dec.double() - output.detach().double()) / lr
    across = grad - (grad * W_dec).sum(dim=-1, keepdim=True) * W_dec
    if (moved + across).abs().max() < 0.05:
        return "your step goes along the gradient, uphill; it must go against it"
    problem = differs(moved, across, 0.02, against="the gradient's part across the row")
    return problem and f"in (W_dec - new) / lr, {problem}"


def _judge_values(output: Any, W_dec: Tensor, grad: Tensor, lr: float) -> str | None:
    if problem := _malformed(output, W_dec):
        return problem
    problem = differs(output, by_definition(W_dec, grad, lr), 1e-4)
    plain = normalize(W_dec - lr * grad, dim=-1)
    if problem and not differs(output, plain, 1e-4):
        problem += "; you only renormalise, and the parallel part has weighed in on the step"
    return problem
