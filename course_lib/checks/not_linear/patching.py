"""Exercise 5: find the bug in a patch of a plane."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor


@exercise("not_linear.patch_plane", "A patch that overshoots", find_the_bug=True)
def make_cases(generator: Generator) -> list[Case]:
    def draw(shared: float) -> dict[str, Tensor]:
        x, source = torch.randn(2, 8, 6, generator=generator)
        first = torch.randn(6, generator=generator)
        second = shared * first + torch.randn(6, generator=generator)  # no right angle
        return {"x": x, "source": source, "directions": torch.stack([first, second])}

    return [
        Case(
            "In the plane stands what the source has there, outside it what x had",
            draw(2.0),
            _call,
            _judge,
            "Two unit vectors that are not at a right angle: project one of them on their plane "
            "with your code. Does it come back as it was?",
        ),
        Case(
            "Directions that are nearly the same still span a plane, and it is patched once",
            draw(6.0),
            _call,
            _judge,
            "P is a projection if P P = P. Print P P - P for unit rows at a small angle.",
        ),
        Case(
            "Only the plane counts, not which two rows span it",
            draw(2.0),
            lambda attempt, x, source, directions: attempt(
                x, source, torch.stack([directions[0] - directions[1], 3 * directions[1]])
            ),
            _judge,
            "Orthonormal rows of the same span: `torch.linalg.qr(directions.T)` gives them as "
            "columns.",
        ),
    ]


def _call(attempt: Callable, x: Tensor, source: Tensor, directions: Tensor) -> Any:
    return attempt(x, source, directions)


def _judge(found: Any, x: Tensor, source: Tensor, directions: Tensor) -> str | None:
    if problem := not_a_tensor(found, x.shape, "batch, d"):
        return problem
    rows = directions.double()
    P = torch.linalg.pinv(rows) @ rows
    moved = found.detach().double() - x.double()
    outside = (moved - moved @ P).norm(dim=1).max().item()
    if outside > 1e-3:
        return f"something outside the plane has moved, by up to {outside:.3f}"
    wanted = x.double() + (source - x).double() @ P
    problem = differs(found, wanted, 1e-3)
    if problem is None:
        return None
    inside = ((found.detach().double() - source.double()) @ rows.T).abs().max().item()
    return f"{problem}; along the directions it is up to {inside:.2f} off the source"
