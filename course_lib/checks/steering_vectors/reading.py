"""Exercise 1: find the bugs in a reading vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

ROWS, WIDTH = 60, 6


@exercise(
    "steering_vectors.reading_vector", "A reading vector that reads nothing", find_the_bug=True
)
def make_cases(generator: Generator) -> list[Case]:
    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    def world(gap: float, share: float = 0.5) -> dict[str, Tensor]:
        """Two classes, the widest direction of which leans towards the gap between them."""
        y = torch.rand(ROWS, generator=generator) < share
        y[:5], y[5:10] = True, False
        first, second = torch.linalg.qr(draw(WIDTH, WIDTH))[0][:2]
        wide = 1.5 * draw(ROWS, 1) * (first + 0.5 * second)
        return {"h": 0.3 * draw(ROWS, WIDTH) + wide + gap * y[:, None] * first, "y": y}

    far = world(5.0)
    far["h"] = far["h"] + 30 * torch.nn.functional.normalize(draw(WIDTH), dim=0)
    negative = world(5.0)
    u = _first(negative["h"])
    if (_gap(negative["h"], negative["y"]) @ u) * u[u.abs().argmax()] > 0:
        negative["y"] = ~negative["y"]
    moved = world(5.0)
    return [
        Case(
            "Rows far from the origin, in a direction that has nothing to do with the classes",
            far,
            _find,
            _judge,
            "Add one vector to all rows: no difference between rows has changed. What does the "
            "decomposition see?",
        ),
        Case(
            "Class 1 lies further along the vector, whatever its entries look like",
            negative,
            _find,
            _judge_sign,
            "A principal direction has no sign of its own. Which numbers of the plan could tell?",
        ),
        Case(
            "The vector is as long as the gap is along it",
            world(4.0, 0.3),
            _find,
            _judge,
            "Here the widest direction leans away from the gap, and only a part of the gap lies "
            "along it.",
        ),
        Case(
            "The same rows moved elsewhere have the same vector, and exchanged labels the opposite",
            {**moved, "shift": 4 * draw(WIDTH)},
            _find_again,
            _judge_again,
            "The first vector is of h, the second of h + shift, the third of h with ~y.",
        ),
    ]


def _find(attempt: Callable, h: Tensor, y: Tensor) -> Any:
    return attempt(h, y)


def _find_again(attempt: Callable, h: Tensor, y: Tensor, shift: Tensor) -> Any:
    return attempt(h, y), attempt(h + shift, y), attempt(h, ~y)


def _gap(h: Tensor, y: Tensor) -> Tensor:
    rows = h.double()
    return rows[y].mean(0) - rows[~y].mean(0)


def _first(rows: Tensor) -> Tensor:
    """The direction of largest spread around 0 once the mean is off, as an eigenvector."""
    rows = rows.double() - rows.double().mean(0)
    return torch.linalg.eigh(rows.T @ rows).eigenvectors[:, -1]


def _definition(h: Tensor, y: Tensor) -> Tensor:
    u = _first(h)
    return torch.dot(u, _gap(h, y)) * u


def _known(found: Tensor, h: Tensor, y: Tensor) -> str:
    """What the vector is instead, where that is known."""
    rows = h.double()
    raw = torch.linalg.eigh(rows.T @ rows).eigenvectors[:, -1]
    within = torch.cat([rows[k] - rows[k].mean(0) for k in (y, ~y)])
    gap, u = _gap(h, y), _first(h)
    unit = found / found.norm().clamp(min=1e-12)

    def along(direction: Tensor) -> bool:
        return abs(float(unit @ direction) / float(direction.norm())) > 0.999

    if along(u):
        if float(found @ gap) < 0:
            return "; its sign is wrong: class 0 lies further along it"
        length, part = float(found.norm()), float((u @ gap).abs())
        if abs(length - float(gap.norm())) < 1e-2 * length:
            return "; its length is that of the whole gap, not of the gap along it"
        return f"; its length is {length:.3f}, and along it the means are {part:.3f} apart"
    if along(gap):
        return "; that is the difference of means"
    if along(_first(within)):
        return "; each class was centred by itself, which takes the contrast away"
    if along(raw):
        return "; that is the first direction of rows that still have their mean"
    if along(rows.mean(0)):
        return "; that is the mean of the rows"
    return ""


def _judge(output: Any, h: Tensor, y: Tensor) -> str | None:
    if problem := not_a_tensor(output, (WIDTH,), "d_model"):
        return problem
    wanted, found = _definition(h, y), output.detach().double()
    problem = differs(output, wanted, 1e-3 * float(wanted.norm()), against="the plan")
    return problem and problem + _known(found, h, y)


def _judge_sign(output: Any, h: Tensor, y: Tensor) -> str | None:
    if problem := not_a_tensor(output, (WIDTH,), "d_model"):
        return problem
    ahead = float(output.detach().double() @ _gap(h, y))
    if ahead <= 0:
        return f"class 1 lies {-ahead:.3f} *behind* class 0 along your vector: its sign is wrong"
    return _judge(output, h, y)


def _judge_again(outputs: Any, h: Tensor, y: Tensor, shift: Tensor) -> str | None:
    for output in outputs:
        if problem := not_a_tensor(output, (WIDTH,), "d_model"):
            return problem
    plain, moved, exchanged = (output.detach().double() for output in outputs)
    limit = 2e-3 * float(_gap(h, y).norm())
    if problem := differs(moved, plain, limit, against="the vector of the rows before"):
        return f"after all rows moved by the same vector: {problem}"
    if problem := differs(exchanged, -plain, limit, against="the opposite vector"):
        return f"with the labels exchanged: {problem}"
    return _judge(plain, h, y)
