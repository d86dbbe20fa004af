"""Exercise 1: precision and recall of a latent, from its strongest firings to all of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number


@exercise("steering_with_latents.precision_at_top", "From the top down")
def make_cases(generator: Generator) -> list[Case]:
    def fired(n: int, share: float) -> Tensor:
        on = torch.rand(n, generator=generator) < share
        return (0.1 + torch.rand(n, generator=generator)) * on

    def drawn(n: int, share: float) -> dict[str, Tensor]:
        return {
            "values": fired(n, share),
            "present": torch.rand(n, generator=generator) < 0.3,
        }

    few = torch.zeros(60)
    few[torch.randperm(60, generator=generator)[:7]] = 1 + torch.rand(7, generator=generator)
    sold = drawn(500, 0.4)
    sold["present"] = (sold["values"] > 0.9) | (torch.rand(500, generator=generator) < 0.1)
    return [
        Case(
            "The strongest quarter of what fires, and not of all tokens",
            {**drawn(401, 0.3), "share": 0.25},
            _call,
            _judge,
            "A latent is silent at most tokens. Count only those where it is above 0, then take a "
            "share of that number.",
        ),
        Case(
            "With share 1 every firing counts, and silent tokens still have the concept",
            {**drawn(250, 0.5), "share": 1.0},
            _call,
            _judge,
            "Recall divides by all tokens that have the concept, whether the latent fires or not.",
        ),
        Case(
            "Of seven firings the strongest tenth is one",
            {"values": few, "present": few > few.sort().values[-3], "share": 0.1},
            _call,
            _judge,
            "Round up: a share of a few tokens is one token at least.",
        ),
        Case(
            "A latent that is pure at the top can be anything below it",
            {**sold, "share": 0.5},
            _call,
            _judge,
            "Sort by activation, largest first, and look at the concept in that order.",
        ),
    ]


def _call(attempt: Callable, values: Tensor, present: Tensor, share: float) -> Any:
    return attempt(values, present, share)


def _counted(present: Tensor, chosen: Tensor, out_of: Tensor) -> tuple[float, float]:
    hits = (present & chosen).sum().item()
    return hits / max(1, int(chosen.sum())), hits / max(1, int(out_of.sum()))


def _strongest(values: Tensor, n: int) -> Tensor:
    chosen = torch.zeros(len(values), dtype=torch.bool)
    chosen[values.argsort(descending=True)[:n]] = True
    return chosen


def _judge(found: Any, values: Tensor, present: Tensor, share: float) -> str | None:
    if not isinstance(found, (tuple, list, Tensor)) or (
        isinstance(found, Tensor) and found.ndim != 1
    ):
        return f"it returned a {type(found).__name__}; two numbers are needed: precision, recall"
    if len(found) != 2:
        return f"it returned {len(found)} numbers; two are needed: precision and recall"
    for what, number in zip(("the precision", "the recall"), found, strict=True):
        if problem := not_a_number(number, what):
            return problem
    got = [float(number) for number in found]
    active = values > 0
    m = int(active.sum())
    chosen = _strongest(values, math.ceil(share * m - 1e-9))
    wanted = _counted(present, chosen, present)
    if _near(got, wanted):
        return None
    n = len(values)
    mistakes = {
        "a share of all tokens was taken, silent ones too": _counted(
            present, _strongest(values, math.ceil(share * n - 1e-9)), present
        ),
        "everything above a share of the largest activation was taken": _counted(
            present, values >= share * values.max(), present
        ),
        "everything above (1 - share) of the largest activation was taken": _counted(
            present, values > (1 - share) * values.max(), present
        ),
        "precision and recall have changed places": wanted[::-1],
        "the recall is of those tokens alone at which the latent fires": _counted(
            present, chosen, present & active
        ),
        "these are the weakest firings": _counted(
            present, active & ~_strongest(values, m - math.ceil(share * m - 1e-9)), present
        ),
        "the number of firings was rounded down": _counted(
            present, _strongest(values, int(share * m)), present
        ),
    }
    said = f"you have precision {got[0]:.3f} and recall {got[1]:.3f}, counting gives "
    said += f"{wanted[0]:.3f} and {wanted[1]:.3f}"
    for word, numbers in mistakes.items():
        if _near(got, numbers):
            return f"{said}: {word}"
    return said


def _near(got: list[float], wanted: tuple[float, float]) -> bool:
    return all(abs(a - b) < 1e-4 for a, b in zip(got, wanted, strict=True))
