"""Exercise 4: find the bug in an ablation that changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

INPUTS, WIDTH, LATENTS = 8, 9, 5
ATOL = 1e-4


@exercise("inside_a_transformer.ablate", "An ablation that changes nothing", find_the_bug=True)
def make_cases(generator: Generator) -> list[Case]:
    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    sae = {
        "W_enc": draw(WIDTH, LATENTS),
        "b_enc": draw(LATENTS),
        "W_dec": draw(LATENTS, WIDTH),
        "b_dec": draw(WIDTH),
    }
    rows = torch.linalg.qr(draw(WIDTH, WIDTH))[0].T
    square = {
        "W_enc": rows[:LATENTS].T.clone(),
        "b_enc": torch.zeros(LATENTS),
        "W_dec": rows[:LATENTS].clone(),
        "b_dec": draw(WIDTH),
    }
    x = _both_ways(draw(INPUTS, WIDTH), sae, generator)
    unseen = 3 * draw(INPUTS, WIDTH - LATENTS) @ _blind_to(sae["W_enc"])
    return [
        Case(
            "The change is minus the latent times its decoder row",
            {"x": x, **sae},
            _ablate_each,
            _judge_change,
            "Work z and decode(z) out by hand for one input. Which decode(z) goes into the error, "
            "that of the latents as they were or as they are now? And from where does z come?",
        ),
        Case(
            "Where the latent is off, nothing changes; where it is on, something does",
            {"x": x, **sae},
            _ablate_each,
            _judge_off,
            "Print z before and after the line that sets the latent to 0.",
        ),
        Case(
            "What the SAE does not see passes through the ablation unchanged",
            {"x": x, "unseen": unseen, **sae},
            _ablate_twice,
            _judge_unseen,
            "The error x - decode(z) of the latents as they were is added back whole.",
        ),
        Case(
            "Read again, the latent is gone and the others are as they were",
            {"x": _both_ways(draw(INPUTS, WIDTH), square, generator), **square},
            _ablate_each,
            _judge_again,
            "Here the decoder's rows are orthonormal and the encoder is their transpose: reading "
            "x gives exactly what was written, once b_dec is out of it.",
        ),
    ]


def _blind_to(W_enc: Tensor) -> Tensor:
    """Directions [d_in - d_sae, d_in] that no latent of this encoder sees."""
    return torch.linalg.qr(W_enc, mode="complete")[0][:, LATENTS:].T


def _both_ways(x: Tensor, sae: dict[str, Tensor], generator: Generator) -> Tensor:
    """x moved so that each latent is on for some inputs and off for others."""
    size = 0.5 + torch.rand(INPUTS, LATENTS, generator=generator)
    place = torch.arange(INPUTS)[:, None] + torch.arange(LATENTS)
    wanted = torch.where(place % 2 == 0, size, -size)
    have = (x - sae["b_dec"]) @ sae["W_enc"] + sae["b_enc"]
    return x + (wanted - have) @ torch.linalg.pinv(sae["W_enc"])


def _ablate_each(attempt: Callable, x: Tensor, **sae: Tensor) -> list:
    return [attempt(x, *sae.values(), latent) for latent in range(LATENTS)]


def _ablate_twice(attempt: Callable, x: Tensor, unseen: Tensor, **sae: Tensor) -> Any:
    return _ablate_each(attempt, x, **sae), _ablate_each(attempt, x + unseen, **sae)


def _read(x: Tensor, W_enc: Tensor, b_enc: Tensor, W_dec: Tensor, b_dec: Tensor) -> Tensor:
    """Latents [batch, d_sae], number by number."""
    z = torch.zeros(len(x), LATENTS, dtype=torch.double)
    for s in range(len(x)):
        for j in range(LATENTS):
            along = sum(((x[s].double() - b_dec) * W_enc[:, j].double()).tolist())
            z[s, j] = max(0.0, along + b_enc[j].item())
    return z


def _malformed(outputs: list, x: Tensor) -> str | None:
    problems = (not_a_tensor(output, x.shape, "batch, d_in") for output in outputs)
    return next((problem for problem in problems if problem), None)


def _unmoved(outputs: list, x: Tensor) -> str | None:
    if max((output.detach() - x).abs().max().item() for output in outputs) < ATOL:
        return "whichever latent is ablated, x comes back as it was, on every input"
    return None


def _judge_change(outputs: list, x: Tensor, **sae: Tensor) -> str | None:
    if problem := _malformed(outputs, x) or _unmoved(outputs, x):
        return problem
    z, W_dec, b_dec = _read(x, **sae), sae["W_dec"].double(), sae["b_dec"].double()
    shifted = _read(x + sae["b_dec"], **sae)  # what one reads who forgets b_dec
    x_hat = torch.stack([sum(z[s, j] * W_dec[j] for j in range(LATENTS)) for s in range(INPUTS)])
    for latent, output in enumerate(outputs):
        change, row = output.detach().double() - x, W_dec[latent]
        wanted = -z[:, latent, None] * row
        if problem := differs(change, wanted, ATOL, against="-z_j d_j"):
            mistakes = {
                "the error is lost": x_hat + b_dec - x + wanted,
                "you add what is to be taken away": -wanted,
                "z was read without b_dec": -shifted[:, latent, None] * row,
                "you take the direction out of x, and with it what the error and other latents "
                "have along it": -(x.double() @ row)[:, None] * row / row.square().sum(),
            }
            fits = (w for w, v in mistakes.items() if differs(change, v, ATOL) is None)
            return f"ablating latent {latent}: {problem}" + next((f"; {w}" for w in fits), "")
    return None


def _judge_off(outputs: list, x: Tensor, **sae: Tensor) -> str | None:
    if problem := _malformed(outputs, x) or _unmoved(outputs, x):
        return problem
    z = _read(x, **sae)
    for latent, output in enumerate(outputs):
        moved = (output.detach().double() - x).abs().amax(dim=-1)
        for s in range(INPUTS):
            if z[s, latent] == 0 and moved[s] > ATOL:
                return (
                    f"latent {latent} is off on input {s}, and ablating it moves the input by up "
                    f"to {moved[s]:.3f}"
                )
            if z[s, latent] > 0 and moved[s] < ATOL:
                return (
                    f"latent {latent} is {z[s, latent]:.3f} on input {s}, and ablating it does "
                    "not move the input"
                )
    return None


def _judge_unseen(outputs: Any, x: Tensor, unseen: Tensor, **sae: Tensor) -> str | None:
    before, after = outputs
    if problem := _malformed(before + after, x) or _unmoved(before, x):
        return problem
    for latent, (one, other) in enumerate(zip(before, after, strict=True)):
        passed = (other - one).detach()
        if problem := differs(passed, unseen, 1e-3, against="what was added"):
            if passed.abs().max() < ATOL:
                problem = "nothing of what was added is left: the error is lost"
            return f"with something added to x that no latent sees, ablating {latent}: {problem}"
    return None


def _judge_again(outputs: list, x: Tensor, **sae: Tensor) -> str | None:
    if problem := _malformed(outputs, x) or _unmoved(outputs, x):
        return problem
    z = _read(x, **sae)
    for latent, output in enumerate(outputs):
        wanted = z.index_fill(1, torch.tensor([latent]), 0.0)
        found = _read(output.detach(), **sae)
        if problem := differs(found, wanted, ATOL, against="the latents without it"):
            return f"reading the SAE again after ablating latent {latent}: {problem}"
    return None
