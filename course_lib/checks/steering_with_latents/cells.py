"""Exercise 5: an interval for a share, which eight of eight does not make certain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor


@exercise("steering_with_latents.share_interval", "Eight of eight")
def make_cases(generator: Generator) -> list[Case]:
    def won(shape: tuple[int, ...], share: float) -> Tensor:
        return torch.rand(*shape, generator=generator) < share

    ends = torch.zeros(3, 8, dtype=torch.bool)
    ends[0], ends[2, : int(torch.randint(2, 6, (1,), generator=generator))] = True, True
    grid = won((2, 3, 16), 0.8)
    grid[0, 0, :3], grid[0, 0, 3:5] = True, False
    return [
        Case(
            "Eight of eight does not say 1, none of eight does not say 0",
            {"won": ends, "z": 1.96},
            _call,
            _judge,
            "At p = 1 the standard error of p is 0. That is why it has to be that of the share p "
            "that is asked about, and not that of the share that was seen.",
        ),
        Case(
            "A grid of cells keeps its shape",
            {"won": grid, "z": 1.96},
            _call,
            _judge,
            "Contexts are the last axis; everything else stays.",
        ),
        Case(
            "With a wider z the interval is wider",
            {"won": won((5, 11), 0.4), "z": 2.576},
            _call,
            _judge,
            "z is an argument. Where in your formula does it stand?",
        ),
        Case(
            "With many contexts it is narrow",
            {"won": won((2, 400), 0.7), "z": 1.0},
            _call,
            _judge,
            "The quadratic has n in three places.",
        ),
    ]


def _call(attempt: Callable, won: Tensor, z: float) -> Any:
    return attempt(won, z)


def _judge(found: Any, won: Tensor, z: float) -> str | None:
    if problem := not_a_tensor(found, (*won.shape[:-1], 2), "cells, low and high"):
        return problem
    n, p = won.shape[-1], won.double().mean(-1)
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (p * (1 - p) / n + z**2 / (4 * n**2)).sqrt()
    wanted = torch.stack([middle - half, middle + half], -1)
    problem = differs(found, wanted, 1e-4, "the shares within z standard errors of their own")
    if problem is None:
        return None

    def around(centre: Tensor, width: Tensor) -> Tensor:
        return torch.stack([centre - width, centre + width], -1)

    seen = (p * (1 - p) / n).sqrt()
    plus = (p * n + 2) / (n + 4)
    mistakes = {
        "; the error is that of the share seen, which is 0 for eight of eight": around(p, z * seen),
        "; the error is that of the share seen, cut off at 0 and 1": around(p, z * seen).clamp(
            0, 1
        ),
        "; that is the spread of single contexts, not the error of their mean": around(
            p, z * (p * (1 - p)).sqrt()
        ),
        "; high and low have changed places": wanted.flip(-1),
        "; it is centred on the share that was seen, and it should lean towards one half": around(
            p, half
        ),
        "; two successes and two failures were added, which is a near miss": around(
            plus, z * (plus * (1 - plus) / (n + 4)).sqrt()
        ),
        "; the largest error that any share can have was used": around(
            p, torch.full_like(p, z * 0.5 / n**0.5)
        ),
    }
    for word, values in mistakes.items():
        if differs(found, values, 1e-4) is None:
            return problem + word
    return problem
