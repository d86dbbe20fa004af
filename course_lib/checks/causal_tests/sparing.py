"""Exercise 5: refute that a direction is necessary because its ablation kills the output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor

W_IN, W_OUT = torch.tensor([1.0, 0, 1]), torch.tensor([0.0, 2, 1])
TRUE, ILLUSORY = torch.tensor([0.0, 0, 1]), torch.tensor([1.0, 1, 0]) / 2**0.5
ATOL = 0.02


@exercise("causal_tests.spare_plane", "It dies without v, so v is necessary")
def make_cases(generator: Generator) -> list[Case]:
    def turned(v: Tensor) -> dict[str, Tensor]:
        """The same model with its neurons mixed, so that no axis is special."""
        Q = torch.linalg.qr(torch.randn(3, 3, generator=generator))[0]
        return {"w_in": Q @ W_IN, "w_out": Q @ W_OUT, "v": Q @ v}

    plain = {"w_in": W_IN, "w_out": W_OUT}
    return [
        Case(
            "The plane holds the direction, so that its ablation takes more away",
            turned(_on_the_curve(generator)),
            _call,
            _judge_plane,
            "One of the two rows may be v itself. The other one is yours to choose.",
        ),
        Case(
            "The illusory direction: without the plane the output is as it was",
            plain | {"v": ILLUSORY},
            _call,
            _judge_output,
            "Which single direction of h is left when a plane is gone? Ask what you want of it.",
        ),
        Case(
            "The true axis: without the plane the output is as it was",
            plain | {"v": TRUE},
            _call,
            _judge_output,
            "What is left is a line, at a right angle to v. y = (n · w_in)(n · w_out) x, if n is "
            "the unit vector of that line.",
        ),
        Case(
            "Another direction, in a model whose neurons are mixed",
            turned(_on_the_curve(generator)),
            _call,
            _judge_output,
            "Go through all unit vectors n at a right angle to v: half a circle of angles.",
        ),
    ]


def _on_the_curve(generator: Generator) -> Tensor:
    """A unit v whose patch recovers 1, and that some plane can spare."""
    angle = torch.linspace(-0.46, 2.67, 500)
    u = torch.stack([angle.cos(), angle.sin(), torch.zeros(500)], 1)
    own = (u @ W_IN) * (u @ W_OUT)
    v = (u @ (W_IN + W_OUT))[:, None] * u + (1 - own)[:, None] * TRUE
    v = v / v.norm(dim=1, keepdim=True)
    share = (v @ W_IN).square()
    fits = v[(share > 0.5) & (share < 0.9) & ((v @ W_IN) * (v @ W_OUT) - 1 < 1e-3)]
    return fits[int(torch.randint(len(fits), (), generator=generator))]


def _call(attempt: Callable, w_in: Tensor, w_out: Tensor, v: Tensor) -> Any:
    return attempt(w_in, w_out, v)


def _judge_plane(found: Any, w_in: Tensor, w_out: Tensor, v: Tensor) -> str | None:
    if problem := not_a_tensor(found, (2, 3), "2, d"):
        return problem
    _, size, basis = torch.linalg.svd(found.detach().double(), full_matrices=False)
    if size[1] <= 1e-4 * size[0] or size[0] == 0:
        return "the two rows span a line or a point; a plane needs two different directions"
    outside = v.double() - basis.T @ (basis @ v.double())
    if (angle := outside.norm() / v.norm()) > 1e-2:
        return (
            f"{angle:.0%} of v lies outside your plane, so its ablation would leave that standing"
        )
    return None


def _judge_output(found: Any, w_in: Tensor, w_out: Tensor, v: Tensor) -> str | None:
    if problem := _judge_plane(found, w_in, w_out, v):
        return problem
    _, _, basis = torch.linalg.svd(found.detach().double(), full_matrices=False)
    h, w_out = w_in.double(), w_out.double()  # of x = 1; all else is a multiple
    y, left = (h @ w_out).item(), ((h - basis.T @ (basis @ h)) @ w_out).item()
    if abs(left - y) <= ATOL:
        return None
    return f"with your plane ablated the model answers {left:.3f} x instead of {y:.3f} x" + (
        "; it is as dead as without v alone" if abs(left) < ATOL else ""
    )
