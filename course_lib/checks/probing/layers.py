"""Exercise 3: find the bugs in a search for the best layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number

LAYERS, DOCUMENTS, TOKENS, WIDTH = 12, 40, 6, 5


@exercise("probing.best_layer", "The best layer, on paper", find_the_bug=True)
def make_cases(generator: Generator) -> list[Case]:
    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    document = torch.arange(DOCUMENTS).repeat_interleave(TOKENS)
    document = document[torch.randperm(len(document), generator=generator)]
    by_document = torch.arange(DOCUMENTS) % 2
    by_document = by_document[torch.randperm(DOCUMENTS, generator=generator)][document]
    by_token = torch.randint(2, (len(document),), generator=generator)

    prints = 3 * draw(LAYERS, DOCUMENTS, WIDTH)
    copies = prints[:, document] + 0.1 * draw(LAYERS, len(document), WIDTH)
    noise = draw(LAYERS, len(document), WIDTH)
    faint = draw(LAYERS, len(document), WIDTH)
    faint[..., 0] += 1.2 * by_token * torch.rand(LAYERS, 1, generator=generator)
    held = (document % 5 >= 3)[:, None] * draw(LAYERS, 1, WIDTH)
    strange = faint + 4 * held
    strange[..., 1:] *= torch.where(document % 5 >= 3, 8.0, 1.0)[:, None]
    loudness = torch.logspace(-1, 1, WIDTH)
    return [
        Case(
            "Documents whose labels mean nothing are at chance: no document is on both sides",
            {"x": copies, "y": by_document, "document": document},
            _search,
            _judge,
            "Every document has a fingerprint here, and one label. A probe that has seen one token "
            "of it knows the others.",
        ),
        Case(
            "Layers of pure noise are at chance: what chose the layer does not score it",
            {"x": noise, "y": by_token, "document": document},
            _search,
            _judge,
            "The best of twelve coins, told by the throws that made it the best, is no fair coin. "
            "Three parts have three uses.",
        ),
        Case(
            "Only training rows say what is subtracted and divided by",
            {"x": strange, "y": by_token, "document": document},
            _search,
            _judge,
            "Here the held-out documents lie elsewhere and are wider. Mean and spread of all rows "
            "have seen them.",
        ),
        Case(
            "A layer that has something is found, and its number is that of the held-out documents",
            {"x": loudness * faint, "y": by_token, "document": document},
            _search,
            _judge,
            "All three parts are by document: train on 0, 1, 2, choose on 3, report on 4. Every "
            "feature has its own scale, so each is divided by its own standard deviation.",
        ),
    ]


def nearest_mean(x: Tensor, y: Tensor) -> Callable[[Tensor], Tensor]:
    """The probe of the check: which class mean is nearer."""
    means = torch.stack([x[y == k].double().mean(0) for k in (0, 1)])
    return lambda new: (new.double()[:, None] - means).square().sum(-1).argmin(-1)


def _search(attempt: Callable, x: Tensor, y: Tensor, document: Tensor) -> Any:
    return attempt(x, y, document, nearest_mean)


def _table(
    x: Tensor, y: Tensor, train: Tensor, others: list[Tensor], shared: Tensor | None = None
) -> list[list[float]]:
    """For each layer, accuracy on each of the others, standardised by `shared` (train) rows."""
    rows = train if shared is None else shared
    table = []
    for layer in x:
        layer = (layer - layer[rows].mean(0)) / layer[rows].std(0)
        predict = nearest_mean(layer[train], y[train])
        table.append([(predict(layer[o]) == y[o]).double().mean().item() for o in others])
    return table


def _malformed(output: Any) -> str | None:
    if not isinstance(output, tuple | list) or len(output) != 2:
        got = "None" if output is None else f"a {type(output).__name__}"
        return f"it returned {got}; return two numbers, (layer, accuracy)"
    problem = not_a_number(output[0], "the layer") or not_a_number(output[1], "the accuracy")
    if problem:
        return problem
    if float(output[0]) not in range(LAYERS):
        return f"the layer is {float(output[0]):g}; it must be one of 0 to {LAYERS - 1}"
    return None


def _judge(output: Any, x: Tensor, y: Tensor, document: Tensor) -> str | None:
    if problem := _malformed(output):
        return problem
    layer, accuracy = int(output[0]), float(output[1])
    part = document % 5
    train, choose, report = part < 3, part == 3, part == 4
    table = _table(x, y, train, [choose, report])
    best = max(row[0] for row in table)
    told = table[layer][1]
    if abs(accuracy - told) < 1e-6 and table[layer][0] == best:
        return None
    wanted = next(i for i, row in enumerate(table) if row[0] == best)
    start = (
        f"you report layer {layer} at {accuracy:.3f}; choosing on part 3 gives layer {wanted} "
        f"({best:.3f} there), at {table[wanted][1]:.3f} on part 4"
    )
    return start + _named(layer, accuracy, x, y, document)


def _named(layer: int, accuracy: float, x: Tensor, y: Tensor, document: Tensor) -> str:
    """The mistake that gives these numbers, as the end of a sentence."""
    row, everything = torch.arange(len(y)) % 5, torch.ones_like(y, dtype=torch.bool)
    for part, split in ((document % 5, "by document"), (row, "by row")):
        train, choose, report = part < 3, part == 3, part == 4
        for shared, how in ((None, "training rows"), (everything, "all rows")):
            both = part >= 3
            table = _table(x, y, train, [choose, report, both], shared)
            for use, where in ((0, "3"), (1, "4"), (2, "3 and 4")):
                best = max(r[use] for r in table)
                for said in (0, 1, 2):
                    if table[layer][use] == best and abs(table[layer][said] - accuracy) < 1e-6:
                        told = ("3", "4", "3 and 4")[said]
                        return (
                            f". These are the numbers of parts {split}, standardised by {how}, the "
                            f"layer chosen on part {where} and told on part {told}"
                        )
    return ""
