"""Exercise 1: familiarity and recall in a memory of binary traces."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

ITEMS, INPUTS, MODULES, CELLS = 7, 20, 5, 4


@exercise("superposition_elsewhere.recall", "Familiarity and recall")
def make_cases(generator: Generator) -> list[Case]:
    weights = (torch.rand(INPUTS, MODULES, CELLS, generator=generator) < 0.4).float()
    x = _patterns(torch.full((ITEMS,), 6), generator)
    uneven = _patterns(torch.arange(3, 3 + ITEMS), generator)
    stored = _patterns(torch.full((3,), 6), generator)
    codes = torch.randint(CELLS, (3, MODULES), generator=generator)
    traces = torch.zeros(INPUTS, MODULES, CELLS)
    for item, code in zip(stored, codes, strict=True):
        for module, cell in enumerate(code.tolist()):
            traces[item > 0, module, cell] = 1.0
    return [
        Case(
            "Familiarity is the mean over modules of the best support in each",
            {"x": x, "weights": weights},
            _call,
            _judge_familiarity,
            "Work out the support of every cell first: [items, modules, cells]. Which axis is a "
            "competition, and over which do you average?",
        ),
        Case(
            "The winner of a module is a cell with the best support in it",
            {"x": x, "weights": weights},
            _call,
            _judge_winners,
            "One whole number per module: the place of the largest support among its cells.",
        ),
        Case(
            "Support is a share of the inputs that are active in that item",
            {"x": uneven, "weights": weights},
            _call,
            _judge_familiarity,
            "Items may have different numbers of active inputs. Divide each by its own.",
        ),
        Case(
            "A stored input has familiarity 1 and gets full support for its code",
            {"x": stored, "weights": traces},
            _call,
            _judge_stored,
            "Every active input of a stored item has a weight to every winner of its code.",
        ),
    ]


def _patterns(active: Tensor, generator: Generator) -> Tensor:
    order = torch.rand(len(active), INPUTS, generator=generator).argsort(dim=-1).argsort(dim=-1)
    return (order < active[:, None]).float()


def _call(attempt: Any, x: Tensor, weights: Tensor) -> Any:
    return attempt(x, weights)


def _supports(x: Tensor, weights: Tensor) -> Tensor:
    """[items, modules, cells], counted one by one."""
    found = torch.zeros(len(x), *weights.shape[1:])
    for b, item in enumerate(x):
        on = [i for i, value in enumerate(item.tolist()) if value]
        for q in range(weights.shape[1]):
            for k in range(weights.shape[2]):
                found[b, q, k] = sum(weights[i, q, k].item() for i in on) / len(on)
    return found


def _malformed(output: Any, x: Tensor, weights: Tensor) -> str | None:
    if not isinstance(output, tuple | list) or len(output) != 2:
        got = "None" if output is None else f"a {type(output).__name__}"
        return f"it returned {got}; return two tensors, (familiarity, winners)"
    familiarity, winners = output
    if problem := not_a_tensor(familiarity, (len(x),), "items", "as familiarity it"):
        return problem
    shape = (len(x), weights.shape[1])
    if not isinstance(winners, Tensor) or tuple(winners.shape) != shape:
        got = f"of shape {list(winners.shape)}" if isinstance(winners, Tensor) else "no tensor"
        return f"the winners are {got}; they must be {list(shape)} = [items, modules]"
    if winners.is_floating_point() or winners.is_complex() or winners.dtype == torch.bool:
        return f"the winners have dtype {winners.dtype}; whole numbers, the cells, are needed"
    if winners.min() < 0 or winners.max() >= weights.shape[2]:
        return f"a winner is cell {int(winners.max())}; cells go from 0 to {weights.shape[2] - 1}"
    return None


def _judge_familiarity(output: Any, x: Tensor, weights: Tensor) -> str | None:
    if problem := _malformed(output, x, weights):
        return problem
    support = _supports(x, weights)
    problem = differs(output[0], support.max(dim=2).values.sum(dim=1) / MODULES, 1e-4)
    if problem is None:
        return None
    mistakes = {
        "that is the mean over all cells, and only the best cell of a module counts": (
            support.flatten(1).sum(dim=1) / (MODULES * CELLS)
        ),
        "that is the best cell of all modules, and each module has a best cell": (
            support.flatten(1).max(dim=1).values
        ),
        "that is the sum over modules": support.max(dim=2).values.sum(dim=1),
        "you divide by the number of all inputs": (
            support.max(dim=2).values.sum(dim=1) * x.sum(dim=1) / (MODULES * INPUTS)
        ),
    }
    for mistake, value in mistakes.items():
        if differs(output[0], value, 1e-4) is None:
            return f"{problem}; {mistake}"
    return problem


def _judge_winners(output: Any, x: Tensor, weights: Tensor) -> str | None:
    if problem := _malformed(output, x, weights):
        return problem
    support = _supports(x, weights)
    got = support.gather(2, output[1][..., None])[..., 0]
    short = support.max(dim=2).values - got
    if short.max() < 1e-6:
        return None
    b, q = divmod(int(short.argmax()), MODULES)
    return (
        f"in module {q} item {b} gets cell {int(output[1][b, q])} with support {got[b, q]:.2f}; "
        f"another cell has {support[b, q].max():.2f}"
    )


def _judge_stored(output: Any, x: Tensor, weights: Tensor) -> str | None:
    if problem := _malformed(output, x, weights):
        return problem
    if (output[0] - 1).abs().max() > 1e-4:
        worst = output[0][(output[0] - 1).abs().argmax()].item()
        return f"an input that was stored has familiarity {worst:.3f}; it must be 1"
    return _judge_winners(output, x, weights)
