"""Exercise 4: find the bugs in a clamp."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

N_LATENTS = 6


@exercise("steering_with_latents.clamp", "A clamp that does too much", find_the_bug=True)
def make_cases(generator: Generator) -> list[Case]:
    def drawn(latent: int, length: float = 1.0, offset: float = 0.0) -> dict[str, Any]:
        W_dec = torch.nn.functional.normalize(torch.randn(N_LATENTS, 8, generator=generator), dim=1)
        x = 2 * torch.randn(12, 8, generator=generator)
        score = x @ W_dec[latent]
        wanted = torch.where(torch.arange(12) % 3 == 0, -1.0, 1.0) * (0.5 + score.abs())
        x = x + (wanted - score)[:, None] * W_dec[latent]  # two of three rows are active
        b_dec = offset * torch.randn(8, generator=generator)
        return {
            "x": x + b_dec, "W_dec": length * W_dec, "b_dec": b_dec, "latent": latent,
            "value": 4.0,
        }  # fmt: skip

    already = drawn(3)
    already["value"] = float(_encode(already["x"], already["W_dec"], already["b_dec"])[1, 3])
    return [
        Case(
            "Where the latent is silent, nothing moves",
            drawn(2),
            _call,
            _judge,
            "Compare x before and after at a row where z[:, latent] is 0.",
        ),
        Case(
            "What the SAE cannot rebuild is still there",
            drawn(0),
            _call,
            _judge,
            "Clamp a latent to the value that it has, and print how far x has moved.",
        ),
        Case(
            "Where the latent has the value already, nothing moves",
            already,
            _call,
            _judge,
            "x should move by (value - z) times the decoder's row, which is 0 here.",
        ),
        Case(
            "Decoder rows of any length, and an offset",
            drawn(5, 2.5, 1.0),
            _call,
            _judge,
            "The difference of two decodings has no offset in it, and its length is that of the "
            "rows.",
        ),
    ]


def _encode(x: Tensor, W_dec: Tensor, b_dec: Tensor) -> Tensor:
    return ((x - b_dec) @ W_dec.T / W_dec.square().sum(1)).relu()


def _call(
    attempt: Callable, x: Tensor, W_dec: Tensor, b_dec: Tensor, latent: int, value: float
) -> Any:
    return attempt(
        x,
        lambda rows: _encode(rows, W_dec, b_dec),
        lambda z: z @ W_dec + b_dec,
        latent,
        value,
    )


def _judge(
    found: Any, x: Tensor, W_dec: Tensor, b_dec: Tensor, latent: int, value: float
) -> str | None:
    if problem := not_a_tensor(found, x.shape, "batch, d"):
        return problem
    z = _encode(x, W_dec, b_dec)
    active = z[:, latent] > 0
    moved = found.detach() - x
    error = x - (z @ W_dec + b_dec)
    step = (value - z[:, latent])[:, None] * W_dec[latent]
    dropped = {
        "everywhere": step - error,
        "where it is active": active[:, None] * step - error,
        "where it is active, and there alone": active[:, None] * (step - error),
    }
    for where, values in dropped.items():
        if differs(moved, values, 1e-3) is None:
            return (
                f"what the SAE does not rebuild is gone: the latent was set {where}, and x was "
                "replaced by a reconstruction"
            )
    silent = moved[~active].norm(dim=1).max().item()
    if silent > 1e-3:
        return f"where the latent is silent, x has moved by up to {silent:.2f}"
    problem = differs(moved, active[:, None] * step, 1e-3, "(value - z) times the decoder's row")
    if problem is None:
        return None
    mistakes = {
        "; yours adds the value to what is there instead of setting it": value * W_dec[latent],
        "; nothing has moved": 0 * step,
        "; yours scales the latent by the value": (value - 1) * z[:, latent, None] * W_dec[latent],
        "; the latent was set to 0": -z[:, latent, None] * W_dec[latent],
        "; the move has the opposite sign": -step,
    }
    for word, values in mistakes.items():
        if differs(moved, active[:, None] * values, 1e-3) is None:
            return problem + word
    return problem
