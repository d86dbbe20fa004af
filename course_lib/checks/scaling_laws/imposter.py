"""Exercise 6: refute the claim that a straight line is a law."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor

LEAST_R2, FACTOR, FURTHER = 0.98, 3.0, 16


@exercise("scaling_laws.imposter", "A straight line is a law")
def make_cases(generator: Generator) -> list[Case]:
    inner = 8 * 5 ** torch.rand(4, generator=generator).sort().values
    sizes = torch.cat([torch.tensor([8.0]), inner, torch.tensor([40.0])])
    everywhere = torch.cat([sizes, 40 * FURTHER ** torch.linspace(0.05, 1, 40)])
    asked = {"sizes": sizes, "far": torch.tensor([40.0 * FURTHER])}
    return [
        Case(
            "It is a loss: positive, and falling from m = 8 to m = 640",
            {"m": everywhere},
            lambda attempt, m: attempt(m),
            _judge_falling,
            "Print your losses for m = 8, 40 and 640. A larger model may gain little, but it may "
            "not get worse.",
        ),
        Case(
            "From m = 8 to m = 40 a straight line fits it with R² of 0.98 or more",
            asked,
            lambda attempt, sizes, far: (attempt(sizes), attempt(far)),
            _judge_straight,
            "On logarithmic axes, over a five-fold range, any gentle bend looks straight. Bend "
            "less inside and more outside.",
        ),
        Case(
            "At m = 640 that line is wrong by a factor of 3 or more",
            asked,
            lambda attempt, sizes, far: (attempt(sizes), attempt(far)),
            _judge_extension,
            "What do real losses have that a pure power law lacks, and that does not show until "
            "the rest has become small?",
        ),
    ]


def _malformed(loss: Any, m: Tensor) -> str | None:
    if problem := not_a_tensor(loss, m.shape, "n_sizes"):
        return problem
    if (loss <= 0).any():
        return f"a loss of {loss.min().item():.3g}; every loss must be above 0"
    return None


def _line(sizes: Tensor, loss: Tensor) -> tuple[float, float, float]:
    """Slope, height at log m = 0 and R² of the least squares in logs."""
    x, y = sizes.double().log(), loss.detach().double().log()
    design = torch.stack([x, torch.ones_like(x)], dim=1)
    slope, height = torch.linalg.lstsq(design, y[:, None]).solution[:, 0].tolist()
    left, total = ((y - slope * x - height) ** 2).sum(), ((y - y.mean()) ** 2).sum()
    return slope, height, (1 - left / total).item() if total > 0 else 0.0


def _judge_falling(loss: Any, m: Tensor) -> str | None:
    if problem := _malformed(loss, m):
        return problem
    rise = loss.detach().double().diff()
    if (rise < 0).all():
        return None
    k = int(rise.argmax())
    return (
        f"from m = {m[k]:.0f} to m = {m[k + 1]:.0f} it goes from {loss[k].item():.4g} to "
        f"{loss[k + 1].item():.4g}; it must fall"
    )


def _judge_straight(losses: Any, sizes: Tensor, far: Tensor) -> str | None:
    loss, _ = losses
    if problem := _malformed(loss, sizes):
        return problem
    slope, _, r2 = _line(sizes, loss)
    if r2 >= LEAST_R2 and slope < 0:
        return None
    return f"the line has slope {slope:.3f} and R² {r2:.4f}; R² must be {LEAST_R2} or more"


def _judge_extension(losses: Any, sizes: Tensor, far: Tensor) -> str | None:
    loss, at_far = losses
    if problem := _malformed(loss, sizes) or _malformed(at_far, far):
        return problem
    slope, height, _ = _line(sizes, loss)
    expected = torch.tensor(height + slope * far.double().log().item()).exp().item()
    off = at_far.item() / expected
    if max(off, 1 / off) >= FACTOR:
        return None
    return (
        f"extended to m = {far.item():.0f} the line says {expected:.4g}, and your loss there is "
        f"{at_far.item():.4g}: the line is right within a factor of {max(off, 1 / off):.2f}"
    )
