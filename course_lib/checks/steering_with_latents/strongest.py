"""Exercise 2: refute a label that comes from the ten strongest firings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number, not_a_tensor

MOST, LEAST, HALF = 0.3, 0.6, 0.5  # share of its firings on drinks, on the others; of the others


@exercise("steering_with_latents.latent_of_two", "The ten strongest")
def make_cases(generator: Generator) -> list[Case]:
    def drawn(together: float = 0.0, centre: float = 0.0, d: int = 12) -> dict[str, Tensor]:
        n = 600
        drink = torch.arange(n) < 45
        other = (torch.arange(n) >= 45) & (torch.arange(n) < 270)
        axes = torch.linalg.qr(torch.randn(d, d, generator=generator))[0]
        second = together * axes[0] + (1 - together**2) ** 0.5 * axes[1]
        x = 0.1 * torch.randn(n, d, generator=generator) + centre * axes[2]
        x = x + drink[:, None] * axes[0] + other[:, None] * second
        order = torch.randperm(n, generator=generator)
        return {"x": x[order], "drink": drink[order], "other": other[order]}

    return [
        Case(
            "Two concepts at a right angle",
            drawn(),
            _call,
            _judge,
            "A latent is a ruler: along which direction are drinks at 2, the others at 1 and the "
            "rest at 0?",
        ),
        Case(
            "Two concepts that share half of their directions",
            drawn(together=0.6),
            _call,
            _judge,
            "Sums of two means are no longer enough when the means overlap. Least squares asks "
            "for the three levels directly.",
        ),
        Case(
            "Activations far from the origin",
            drawn(centre=3.0, d=20),
            _call,
            _judge,
            "The bias decides who fires. Set it half way between the rest and the others.",
        ),
    ]


def _call(attempt: Callable, x: Tensor, drink: Tensor, other: Tensor) -> Any:
    return attempt(x, drink, other)


def _judge(found: Any, x: Tensor, drink: Tensor, other: Tensor) -> str | None:
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        return "it must return two things: the direction w and the bias b of the encoder"
    w, b = found
    if problem := not_a_tensor(w, (x.shape[1],), "d", "w"):
        return problem
    if problem := not_a_number(b, "b"):
        return problem
    z = (x @ w.detach().to(x) + float(b)).relu()
    fires = z > 0
    n = int(fires.sum())
    if n < 10:
        return f"it fires at {n} of {len(x)} tokens; ten firings are needed for ten strongest"
    top = drink[z.topk(10).indices].sum().item()
    if top < 10:
        return f"of its ten strongest firings {top} are drinks; a reader would not call it that"
    covered = (fires & other).sum().item() / int(other.sum())
    drinks, others = ((fires & what).sum().item() / n for what in (drink, other))
    if covered < HALF:
        return (
            f"the ten strongest are drinks, but it fires at {covered:.0%} of the other words; "
            f"{HALF:.0%} are needed, or the label is no mistake"
        )
    if drinks > MOST:
        return (
            f"the ten strongest are drinks, and so are {drinks:.0%} of all its firings; at most "
            f"{MOST:.0%} may be"
        )
    if others < LEAST:
        return (
            f"the ten strongest are drinks, but {others:.0%} of its firings are other words; "
            f"{LEAST:.0%} are needed: it fires nearly everywhere"
        )
    return None
