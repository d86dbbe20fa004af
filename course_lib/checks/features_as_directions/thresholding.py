"""Exercise 3: iterative soft thresholding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

AXES = "batch, n_features"
INPUTS = ("x", "W", "penalty", "steps")


@exercise("features_as_directions.ista", "Iterative soft thresholding")
def make_cases(generator: Generator) -> list[Case]:
    W = torch.randn(9, 5, generator=generator)
    x = torch.randn(4, 5, generator=generator)

    def case(title: str, steps: int, penalty: float, judge: Any, hint: str) -> Case:
        inputs = {"x": x, "W": W, "penalty": penalty, "steps": steps}
        return Case(title, inputs, lambda attempt, **given: attempt(*given.values()), judge, hint)

    return [
        case("One step from zero is one step of gradient and one pull", 1, 0.4, _judge_steps,
             "From z = 0 the gradient step gives x Wᵀ / L. Then every entry moves λ / L towards 0, "
             "from either side, and stops there."),
        case("Six steps are six times that", 6, 0.4, _judge_steps,
             "Each step starts where the last one ended: the gradient is (z W - x) Wᵀ, at the "
             "present z."),
        case("Many steps solve the problem: no code costs less", 500, 0.3, _judge_optimum,
             "At the minimum (x - z W) Wᵀ is exactly λ, with the sign of z, at every entry of z "
             "that is not 0, and between -λ and λ at the others."),
        _readback_case(generator),
    ]  # fmt: skip


def _readback_case(generator: Generator) -> Case:
    """Two active rows of a dictionary of low coherence: the corners of a simplex."""
    W = torch.eye(8) - 1 / 8
    W = (W / W.norm(dim=1, keepdim=True)) @ torch.linalg.qr(torch.randn(8, 8, generator=generator))[
        0
    ]
    z = torch.zeros(5, 8)
    for row in z:
        where = torch.randperm(8, generator=generator)[:2]
        row[where] = torch.tensor([1.0, -0.7])
    return Case(
        "A sparse code comes back from its sum, signs and all",
        {"x": z @ W, "W": W, "penalty": 0.01, "steps": 300, "z": z},
        lambda attempt, z, **given: attempt(*given.values()),
        _judge_readback,
        "Two features are active in each input, one of them at a negative size. Which of your "
        "entries are where the planted ones are, and which are missing?",
    )


def by_definition(x: Tensor, W: Tensor, penalty: float, steps: int) -> Tensor:
    """Entry by entry, in double precision."""
    x, W = x.double(), W.double()
    largest = torch.linalg.eigvalsh(W @ W.T)[-1].item()
    z = torch.zeros(len(x), len(W), dtype=torch.double)
    for _ in range(steps):
        moved = z + (x - z @ W) @ W.T / largest
        pulled = torch.zeros_like(moved)
        pulled[moved > penalty / largest] = moved[moved > penalty / largest] - penalty / largest
        pulled[moved < -penalty / largest] = moved[moved < -penalty / largest] + penalty / largest
        z = pulled
    return z


def _judge_steps(z: Any, x: Tensor, W: Tensor, penalty: float, steps: int) -> str | None:
    if problem := not_a_tensor(z, (len(x), len(W)), AXES):
        return problem
    expected = by_definition(x, W, penalty, steps)
    problem = differs(z, expected, 1e-4)
    if problem and (expected == 0).any() and not (z.detach() == 0).any():
        problem += "; none of yours is exactly 0"
    elif problem and not (z.detach() < 0).any():
        problem += "; none of yours is negative, and codes may be"
    return problem


def _cost(z: Tensor, x: Tensor, W: Tensor, penalty: float) -> Tensor:
    return 0.5 * (x - z @ W).square().sum(dim=-1) + penalty * z.abs().sum(dim=-1)


def _judge_optimum(z: Any, x: Tensor, W: Tensor, penalty: float, steps: int) -> str | None:
    if problem := not_a_tensor(z, (len(x), len(W)), AXES):
        return problem
    x, W, z = x.double(), W.double(), z.detach().double()
    found = _cost(z, x, W, penalty)
    least = _cost(by_definition(x, W, penalty, steps), x, W, penalty)
    if (found > least + 1e-3).any():
        i = int((found - least).argmax())
        return f"input {i} costs {found[i]:.4f} in your code; there is one for {least[i]:.4f}"
    return None


def _judge_readback(z_hat: Any, x: Tensor, W: Tensor, z: Tensor, **_: Any) -> str | None:
    if problem := not_a_tensor(z_hat, z.shape, AXES):
        return problem
    error = (z_hat.detach() - z).abs()
    if error.max() < 0.1:
        return None
    i, j = divmod(int(error.argmax()), z.shape[1])
    return f"feature {j} of input {i} is {z[i, j]:.2f} and comes back as {z_hat[i, j]:.2f}"
