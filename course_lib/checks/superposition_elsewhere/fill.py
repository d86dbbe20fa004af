"""Exercise 2: how full a memory of random codes is after N items."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number


@exercise("superposition_elsewhere.fill_law", "A memory that fills up")
def make_cases(generator: Generator) -> list[Case]:
    def draw(low: int, high: int) -> Tensor:
        return torch.randint(low, high, (6,), generator=generator)

    inputs = draw(20, 60)
    sizes = {"n_inputs": inputs, "n_active": (inputs * 0.3).long(), "n_cells": draw(2, 9)}
    return [
        Case(
            "The share of weights that are on after N items",
            {"n_items": draw(5, 60), **sizes},
            _call,
            _judge_fill,
            "Follow one weight. With what chance does one item switch it on? And with what chance "
            "have N items all left it off?",
        ),
        Case(
            "The number of items after which half of the weights are on",
            {"n_items": draw(5, 60), **sizes},
            _call,
            _judge_half,
            "Set the share to 1/2 and solve for N. It need not be a whole number.",
        ),
        Case(
            "With twice as many cells in a module it takes about twice as many items",
            {
                "n_items": draw(5, 60),
                **{k: v + 20 if k == "n_cells" else v for k, v in sizes.items()},
            },
            _call_doubled,
            _judge_doubled,
            "One winner in each module: how does the chance that a given cell wins depend on K?",
        ),
    ]


def _call(attempt: Any, **sizes: Tensor) -> list:
    return [attempt(*point) for point in _points(sizes)]


def _call_doubled(attempt: Any, **sizes: Tensor) -> tuple[list, list]:
    more = sizes | {"n_cells": 2 * sizes["n_cells"]}
    return _call(attempt, **sizes), _call(attempt, **more)


def _points(sizes: dict[str, Tensor]) -> list[tuple[int, ...]]:
    names = ("n_items", "n_inputs", "n_active", "n_cells")
    return list(zip(*(sizes[name].tolist() for name in names), strict=True))


def _fill_item_by_item(n_items: int, n_inputs: int, n_active: int, n_cells: int) -> float:
    on = 0.0
    for _ in range(n_items):
        on += (1 - on) * n_active / n_inputs / n_cells
    return on


def _malformed(outputs: list) -> str | None:
    for output in outputs:
        if output is None:
            return "it returned None; does every path end in `return`?"
        if not hasattr(output, "__len__") or (isinstance(output, Tensor) and output.ndim == 0):
            return f"it returned a single {type(output).__name__}; return (fill, half_full)"
        if len(output) != 2:
            return f"it returned {len(output)} values; return two, (fill, half_full)"
        if problem := not_a_number(output[0], "fill") or not_a_number(output[1], "half_full"):
            return problem
    return None


def _judge_fill(outputs: Any, **sizes: Tensor) -> str | None:
    if problem := _malformed(outputs):
        return problem
    worst, message = 0.0, None
    for output, point in zip(outputs, _points(sizes), strict=True):
        wanted, found = _fill_item_by_item(*point), float(output[0])
        if abs(found - wanted) > max(worst, 2e-4):
            worst = abs(found - wanted)
            message = (
                f"after {point[0]} items with {point[2]} of {point[1]} inputs active and "
                f"{point[3]} cells your share is {found:.4f}; adding item after item gives "
                f"{wanted:.4f}"
            )
            if found > 1:
                message += "; a share cannot exceed 1, a weight that is on is not switched on again"
    return message


def _judge_half(outputs: Any, **sizes: Tensor) -> str | None:
    if problem := _malformed(outputs):
        return problem
    for output, (_, *point) in zip(outputs, _points(sizes), strict=True):
        half = float(output[1])
        if half <= 0:
            return f"half_full is {half:.4g}; it takes more than 0 items to fill half"
        whole = 1
        while _fill_item_by_item(whole, *point) < 0.5:
            whole += 1
        if not whole - 1 - 1e-3 * whole <= half <= whole + 1e-3 * whole:
            return (
                f"with {point[1]} of {point[0]} inputs active and {point[2]} cells your half_full "
                f"is {half:.2f}; adding item after item passes 1/2 between {whole - 1} and {whole}"
            )
        before = _fill_item_by_item(whole - 1, *point)
        fraction = half - (whole - 1)
        step = (1 - point[1] / point[0] / point[2]) ** fraction
        reached = 1 - (1 - before) * step
        if abs(reached - 0.5) > 5e-4:
            return (
                f"at your half_full, {half:.3f} items, the share is {reached:.4f} and not 1/2; it "
                "need not be a whole number of items"
            )
    return None


def _judge_doubled(outputs: Any, **sizes: Tensor) -> str | None:
    few, many = outputs
    if problem := _malformed(few) or _malformed(many):
        return problem
    for small, large in zip(few, many, strict=True):
        if float(small[1]) <= 0:
            return f"half_full is {float(small[1]):.4g}; it takes more than 0 items to fill half"
        ratio = float(large[1]) / float(small[1])
        if abs(ratio - 2) > 0.05:
            return (
                f"with twice the cells your half_full is {ratio:.3f} times as large; it must be "
                "about twice"
            )
    return None
