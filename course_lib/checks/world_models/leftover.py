"""Exercise 6: the part of the last residual stream that no prediction depends on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor
from course_lib.checks.world_models.naming import named

STREAMS, WIDTH, TOKENS = 6, 12, 5
ATOL = 1e-3


@exercise("world_models.unread", "Readable, and read by nobody")
def make_cases(generator: Generator) -> list[Case]:
    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    ones = torch.ones(WIDTH)
    model = {"W_U": draw(TOKENS, WIDTH), "gain": ones}
    scaled = {"W_U": draw(TOKENS, WIDTH), "gain": 0.5 + torch.rand(WIDTH, generator=generator)}
    shifted = {"W_U": draw(TOKENS, WIDTH) + 3 * draw(WIDTH), "gain": ones}
    x = 2 + draw(STREAMS, WIDTH)
    return [
        Case(
            "Along the unread part no difference of logits changes",
            {"x": x, **model},
            _take,
            _judge_silent,
            "The logits are W_U (gain * (x - mean)): the part must be orthogonal to all that "
            "tells one row from another.",
        ),
        Case(
            "The gain of the layer norm is part of what is read",
            {"x": x, **scaled},
            _take,
            _judge_silent,
            "Coordinate i of x reaches the logits times gain[i]: the rows to be orthogonal to are "
            "those of W_U * gain.",
        ),
        Case(
            "It has mean 0, as all that comes after a layer norm's first step",
            {"x": x, **scaled},
            _take,
            _judge_mean,
            "Layer norm takes the mean of x away first. Take it away, and let no row put it back: "
            "each row less its own mean.",
        ),
        Case(
            "Nothing that is unread is left out",
            {"x": x, **scaled},
            _take,
            _judge,
            "Project on the space that is orthogonal to the rows, with `lstsq`, `qr` or `svd`; "
            "the rows are not orthogonal to each other.",
        ),
        Case(
            "What all rows share is not read either",
            {"x": x, **shifted},
            _take,
            _judge,
            "A number added to all logits changes no probability. Take the mean over the rows of "
            "W_U away before you ask what they read.",
        ),
    ]


def _take(attempt: Callable, x: Tensor, W_U: Tensor, gain: Tensor) -> Any:
    return attempt(x, W_U, gain)


def _basis(rows: Tensor) -> Tensor:
    """Orthonormal rows with the same span, one after the other."""
    basis: list[Tensor] = []
    for row in rows.double():
        for other in basis:
            row = row - (row @ other) * other
        if row.norm() > 1e-8:
            row = row / row.norm()
            for other in basis:  # once more, against rounding
                row = row - (row @ other) * other
            basis.append(row / row.norm())
    return torch.stack(basis)


def _without(x: Tensor, rows: Tensor) -> Tensor:
    basis = _basis(rows)
    return x.double() - x.double() @ basis.T @ basis


def _wanted(x: Tensor, W_U: Tensor, gain: Tensor) -> Tensor:
    rows = W_U.double() * gain
    return _without(x, torch.cat([torch.ones(1, WIDTH), rows[1:] - rows[0]]))


def _malformed(output: Any) -> str | None:
    return not_a_tensor(output, (STREAMS, WIDTH), "n, d")


def _judge_silent(output: Any, x: Tensor, W_U: Tensor, gain: Tensor) -> str | None:
    if problem := _malformed(output):
        return problem
    logits = (output.double() - output.double().mean(1, keepdim=True)) * gain @ W_U.double().T
    spread = (logits - logits.mean(1, keepdim=True)).abs().max().item()
    if spread > ATOL:
        return f"along your part logits still differ from each other, by up to {spread:.3f}" + (
            _named(output, x, W_U, gain)
        )
    if output.norm() < 0.1 * _wanted(x, W_U, gain).norm():
        return "your part is all but 0; there are directions that no logit reads"
    return None


def _judge_mean(output: Any, x: Tensor, W_U: Tensor, gain: Tensor) -> str | None:
    if problem := _malformed(output):
        return problem
    mean = output.mean(1).abs().max().item()
    if mean > ATOL:
        return f"your part has a mean of {mean:.3f} over its coordinates; it must be 0" + (
            _named(output, x, W_U, gain)
        )
    return _differs(output, x, W_U, gain)


def _judge(output: Any, x: Tensor, W_U: Tensor, gain: Tensor) -> str | None:
    return _malformed(output) or _differs(output, x, W_U, gain)


def _differs(output: Tensor, x: Tensor, W_U: Tensor, gain: Tensor) -> str | None:
    wanted = _wanted(x, W_U, gain)
    return named(output, wanted, _mistakes(x, W_U, gain), ATOL, "the definition")


def _named(output: Tensor, x: Tensor, W_U: Tensor, gain: Tensor) -> str:
    for why, value in _mistakes(x, W_U, gain).items():
        if (output.double() - value).abs().max() <= ATOL:
            return f"; {why}"
    return ""


def _mistakes(x: Tensor, W_U: Tensor, gain: Tensor) -> dict[str, Tensor]:
    x, rows, ones = x.double(), W_U.double() * gain, torch.ones(1, WIDTH).double()
    plain = W_U.double()
    unit = rows / rows.norm(dim=1, keepdim=True)
    return {
        "the gain is missing": _without(x, torch.cat([ones, plain[1:] - plain[0]])),
        "what all rows share is taken out as well": _without(x, torch.cat([ones, rows])),
        "that is the part that is read": x - x.mean(1, keepdim=True) - _wanted(x, W_U, gain),
        "the mean of x is still in it": _without(x, rows[1:] - rows[0]),
        "the mean of x is still in it, and what all rows share is not": _without(x, rows),
        "the rows are not orthogonal, so they cannot be taken out one by one": x
        - x @ unit.T @ unit,
        "x is centred and nothing else": x - x.mean(1, keepdim=True),
    }
