"""Exercise 1: a sparse autoencoder and its loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_number, not_a_tensor

BATCH, D_IN, D_SAE = 7, 4, 6
NAMES = ("W_enc", "b_enc", "W_dec", "b_dec")
LONGER = 5.0


@exercise("saes_from_zero.relu_sae", "A sparse autoencoder and its loss")
def make_cases(generator: Generator) -> list[Case]:
    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    inputs = {
        "x": draw(BATCH, D_IN), "W_enc": draw(D_IN, D_SAE), "b_enc": 0.5 * draw(D_SAE),
        "W_dec": draw(D_SAE, D_IN), "b_dec": draw(D_IN), "l1": 0.3,
    }  # fmt: skip
    return [
        Case(
            "The latents are ReLU((x - b_dec) W_enc + b_enc)",
            inputs,
            _call,
            _judge_latents,
            "Work out one latent of one input by hand. What is taken away from x before the "
            "product, and what is added after it?",
        ),
        Case(
            "The reconstruction is z W_dec + b_dec",
            inputs,
            _call,
            _judge_reconstruction,
            "b_dec is taken away at the entrance and given back at the exit.",
        ),
        Case(
            "The loss is the squared error plus the weighed penalty",
            inputs,
            _call,
            _judge_loss,
            "Sums run over dimensions and over latents; only over the batch do you take a mean.",
        ),
        Case(
            "Longer decoder rows with smaller latents cost the same",
            inputs,
            _call_longer,
            _judge_longer,
            "Scale W_dec up and W_enc and b_enc down: x_hat stays. Which factor in the penalty "
            "must grow while z shrinks?",
        ),
        Case(
            "The loss has the right gradient for all four weights",
            inputs,
            _gradients,
            _judge_gradients,
            "No `detach`, no `.data`, no `no_grad`: every weight takes part in the loss, W_dec "
            "and b_dec twice.",
        ),
    ]


def by_definition(x: Tensor, W_enc: Tensor, b_enc: Tensor, W_dec: Tensor, b_dec: Tensor, l1: float):
    """x_hat, z and the loss, one input and one latent at a time, in double precision."""
    x, W_enc, b_enc, W_dec, b_dec = (t.double() for t in (x, W_enc, b_enc, W_dec, b_dec))
    latents, rebuilt, cost = [], [], torch.zeros((), dtype=torch.double)
    for row in x:
        pre = [(row - b_dec).dot(W_enc[:, j]) + b_enc[j] for j in range(len(b_enc))]
        z = torch.stack([p if p > 0 else 0 * p for p in pre])
        x_hat = b_dec + sum(z[j] * W_dec[j] for j in range(len(z)))
        cost = cost + sum((row[i] - x_hat[i]) ** 2 for i in range(len(row)))
        for j in range(len(z)):
            cost = cost + l1 * z[j] * W_dec[j].dot(W_dec[j]) ** 0.5
        latents.append(z)
        rebuilt.append(x_hat)
    return torch.stack(rebuilt), torch.stack(latents), cost / len(x)


def _call(attempt: Callable, **inputs: Any) -> Any:
    return attempt(*inputs.values())


def _call_longer(
    attempt: Callable,
    x: Tensor,
    W_enc: Tensor,
    b_enc: Tensor,
    W_dec: Tensor,
    b_dec: Tensor,
    l1: float,
) -> Any:
    longer = W_enc / LONGER, b_enc / LONGER, W_dec * LONGER
    return attempt(x, W_enc, b_enc, W_dec, b_dec, l1), attempt(x, *longer, b_dec, l1)


def _gradients(attempt: Callable, **inputs: Any) -> Any:
    weights = {name: inputs[name].requires_grad_() for name in NAMES}
    output = attempt(*(inputs | weights).values())
    if _malformed(output):
        return output
    loss = output[2]
    if not isinstance(loss, Tensor) or not loss.requires_grad:
        return "no gradient"
    return torch.autograd.grad(loss, list(weights.values()), allow_unused=True)


def _malformed(output: Any) -> str | None:
    if output is None:
        return "it returned None; does every path end in `return`?"
    if not isinstance(output, tuple | list) or len(output) != 3:
        got = f"{len(output)} values" if isinstance(output, tuple | list) else type(output).__name__
        return f"it returned {got}; return three values: (x_hat, z, loss)"
    return (
        not_a_tensor(output[0], (BATCH, D_IN), "batch, d_in", "as x_hat it")
        or not_a_tensor(output[1], (BATCH, D_SAE), "batch, d_sae", "as z it")
        or not_a_number(output[2], "the loss")
    )


def _judge_latents(output: Any, **inputs: Any) -> str | None:
    if problem := _malformed(output):
        return problem
    z = output[1]
    if (z < 0).any():
        return f"{int((z < 0).sum())} entries of z are negative; a ReLU never is"
    problem = differs(z, by_definition(**inputs)[1], 1e-4)
    if problem and not differs(
        z, torch.relu(inputs["x"] @ inputs["W_enc"] + inputs["b_enc"]), 1e-4
    ):
        problem += "; b_dec is not taken away from x before the encoder"
    return problem and f"in z, {problem}"


def _judge_reconstruction(output: Any, **inputs: Any) -> str | None:
    if problem := _malformed(output):
        return problem
    wanted = by_definition(**inputs)[0]
    problem = differs(output[0], wanted, 1e-4)
    if problem and not differs(output[0] + inputs["b_dec"], wanted, 1e-4):
        problem += "; b_dec is not given back after the decoder"
    return problem and f"in x_hat, {problem}"


def _judge_loss(output: Any, x: Tensor, W_dec: Tensor, l1: float, **rest: Tensor) -> str | None:
    if problem := _malformed(output):
        return problem
    x_hat, z, loss = by_definition(x=x, W_dec=W_dec, l1=l1, **rest)
    found, wanted = float(output[2]), loss.item()
    if abs(found - wanted) < 1e-3 * wanted:
        return None
    message = f"your loss is {found:.4f}; the definition gives {wanted:.4f}"
    error, norm = (x - x_hat).square(), W_dec.double().norm(dim=-1)
    penalty = l1 * (z * norm).sum() / BATCH
    plain = l1 * z.sum() / BATCH
    for mistake, value in {
        "that is the squared error alone": error.sum() / BATCH,
        "the penalty takes no notice of the norm of the decoder's rows": error.sum() / BATCH
        + plain,
        "the squared error is a mean over the dimensions": error.mean() + penalty,
        "both terms are sums over the batch": error.sum() + BATCH * penalty,
        "the penalty is a mean over the latents": error.sum() / BATCH + penalty / D_SAE,
        "both terms are means over everything": error.mean() + penalty / D_SAE,
        "it is the error's root, not its square": error.sum(-1).sqrt().mean() + penalty,
    }.items():
        if abs(found - value.item()) < 1e-3 * abs(value.item()):
            return f"{message}; {mistake}"
    return message


def _judge_longer(outputs: Any, **inputs: Any) -> str | None:
    for output in outputs:
        if problem := _malformed(output):
            return problem
    before, after = (float(output[2]) for output in outputs)
    if before <= 0:
        return f"your loss is {before:.4g}; it is a sum of squares and of positive prices"
    if abs(before - after) < 1e-3 * before:
        return None
    return (
        f"with decoder rows {LONGER:g} times as long and latents as much smaller, the same "
        f"function has the loss {after:.4f} and not {before:.4f}"
    )


def _judge_gradients(output: Any, **inputs: Any) -> str | None:
    if isinstance(output, str):
        return "no gradient reaches the loss; was something detached, or turned into a number?"
    if not isinstance(output, tuple) or len(output) != len(NAMES):
        return _malformed(output)
    weights = {name: inputs[name].clone().requires_grad_() for name in NAMES}
    loss = by_definition(**(inputs | weights))[2]
    wanted = torch.autograd.grad(loss, list(weights.values()))
    for name, grad, right in zip(NAMES, output, wanted, strict=True):
        if grad is None or not grad.any():
            return f"no gradient reaches {name}"
        if problem := not_a_tensor(grad, right.shape, "as the weight", f"the gradient of {name}"):
            return problem
        if problem := differs(grad, right, 1e-3):
            return f"the gradient of {name} is wrong: {problem}"
    return None
