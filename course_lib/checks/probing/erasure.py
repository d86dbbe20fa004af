"""Exercise 5: the least change after which no linear probe reads a label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

ROWS, WIDTH = 40, 4


@exercise("probing.erase", "The least change")
def make_cases(generator: Generator) -> list[Case]:
    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    def world(share: float = 0.35) -> dict[str, Tensor]:
        z = torch.rand(ROWS, generator=generator) < share
        z[:4], z[4:8] = True, False
        mixing = (
            torch.diag(torch.tensor([2.0, 1.0, 0.6, 0.4])) @ torch.linalg.qr(draw(WIDTH, WIDTH))[0]
        )
        gap = torch.nn.functional.normalize(draw(WIDTH), dim=0)
        return {"x": draw(ROWS, WIDTH) @ mixing + 1.5 * z[:, None] * gap + 2 * draw(WIDTH), "z": z}

    twins = world()
    twins["x"][ROWS // 2 :] = twins["x"][: ROWS // 2]
    return [
        Case(
            "Afterwards both classes have the same mean: no linear probe is better than a constant",
            world(),
            _erase,
            _judge_means,
            "For every convex loss the best linear probe is constant exactly when the covariance "
            "of x and z is 0, that is, when the class means are equal.",
        ),
        Case(
            "The mean of all rows stays where it was",
            world(),
            _erase,
            _judge_mean,
            "Erase from x - mean(x), then put the mean back.",
        ),
        Case(
            "What is erased is read from x, not from the label: equal rows stay equal",
            twins,
            _erase,
            _judge_twins,
            "New rows come without z. The map is fitted with z and applied without it.",
        ),
        Case(
            "No other such map moves x less",
            world(),
            _erase,
            _judge_least,
            "Read with r = Σ⁻¹δ, write along δ: x - (r · (x - mean)) / (r · δ) δ. What does an "
            "orthogonal projection move that need not be moved?",
        ),
        Case(
            "A stretched and turned copy of x is erased to the stretched and turned result",
            {**world(), "stretch": draw(WIDTH, WIDTH) + 2 * torch.eye(WIDTH)},
            _erase_both,
            _judge_stretched,
            "Lengths and angles of x mean nothing to a linear probe, so they must not decide what "
            "is taken away. Whiten first.",
        ),
    ]


def _erase(attempt: Callable, x: Tensor, z: Tensor) -> Any:
    return attempt(x, z)


def _erase_both(attempt: Callable, x: Tensor, stretch: Tensor, z: Tensor) -> Any:
    return attempt(x, z), attempt(x @ stretch, z)


def _gap(x: Tensor, z: Tensor) -> Tensor:
    rows = x.detach().double()
    return rows[z].mean(0) - rows[~z].mean(0)


def _definition(x: Tensor, z: Tensor) -> Tensor:
    """Row by row: read along Σ⁻¹δ, take away along δ."""
    rows = x.double()
    mean, gap = rows.mean(0), _gap(x, z)
    covariance = sum(torch.outer(row - mean, row - mean) for row in rows) / len(rows)
    read = torch.linalg.inv(covariance) @ gap
    return torch.stack([row - ((row - mean) @ read) / (gap @ read) * gap for row in rows])


def _judge_means(output: Any, x: Tensor, z: Tensor) -> str | None:
    if problem := not_a_tensor(output, x.shape, "n, d_model"):
        return problem
    left, before = _gap(output, z).norm().item(), _gap(x, z).norm().item()
    if left > 1e-3 * before:
        unmoved = "; you return x as it was" if torch.equal(output.detach(), x) else ""
        return (
            f"the class means are still {left:.4f} apart, {left / before:.0%} of what they were"
            + unmoved
        )
    if output.detach().double().var(0).sum() < 1e-3 * x.double().var(0).sum():
        return "every row ends at the same place; all of x is erased, and one direction was enough"
    return None


def _judge_mean(output: Any, x: Tensor, z: Tensor) -> str | None:
    if problem := _judge_means(output, x, z):
        return problem
    moved = (output.detach().double().mean(0) - x.double().mean(0)).norm().item()
    if moved < 1e-3 * _gap(x, z).norm().item():
        return None
    return f"the mean of all rows has moved by {moved:.4f}; it must stay"


def _judge_twins(output: Any, x: Tensor, z: Tensor) -> str | None:
    if problem := _judge_means(output, x, z):
        return problem
    rows = output.detach().double()
    half = len(x) // 2
    apart = (rows[:half] - rows[half:]).norm(dim=1)
    if apart.max() < 1e-3:
        return None
    i = int(apart.argmax())
    return (
        f"rows {i} and {i + half} of x are equal and have the labels {int(z[i])} and "
        f"{int(z[i + half])}; yours lie {apart[i]:.4f} apart: the label decides, and new rows "
        "have none"
    )


def _judge_least(output: Any, x: Tensor, z: Tensor) -> str | None:
    if problem := _judge_means(output, x, z):
        return problem
    least = (_definition(x, z) - x.double()).square().sum(1).mean().item()
    moved = (output.detach().double() - x.double()).square().sum(1).mean().item()
    if moved > 1.001 * least:
        gap = _gap(x, z)
        projected = (x.double() - x.double().mean(0)) @ gap / gap.norm()
        orthogonal = projected.square().mean().item()
        why = (
            "; that is the orthogonal projection" if abs(moved - orthogonal) < 1e-3 * moved else ""
        )
        return f"you move x by {moved:.4f} in mean square; {least:.4f} is enough{why}"
    return differs(output, _definition(x, z), 1e-3, against="the least change")


def _judge_stretched(outputs: Any, x: Tensor, stretch: Tensor, z: Tensor) -> str | None:
    plain, stretched = outputs
    if problem := _judge_means(plain, x, z) or _judge_means(stretched, x @ stretch, z):
        return problem
    wanted = plain.detach().double() @ stretch.double()
    problem = differs(stretched, wanted, 5e-3, against="the stretched result")
    return problem and f"erasing from the stretched copy: {problem}"
