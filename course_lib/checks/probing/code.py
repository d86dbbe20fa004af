"""Exercise 4: what labels cost who learns as they come."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number

WIDTH = 3


@exercise("probing.online_bits", "What labels cost")
def make_cases(generator: Generator) -> list[Case]:
    def world(n: int, n_classes: int, gap: float, ends: list[int]) -> dict[str, Any]:
        y = torch.randint(n_classes, (n,), generator=generator)
        y[:n_classes] = torch.arange(n_classes)
        means = torch.randn(n_classes, WIDTH, generator=generator)
        x = torch.randn(n, WIDTH, generator=generator) + gap * means[y]
        return {"x": x, "y": y, "ends": torch.tensor(ends), "n_classes": n_classes}

    return [
        Case(
            "Every block costs what the probe of all blocks before it says",
            world(90, 3, 1.5, [6, 12, 30, 90]),
            _bits,
            _judge,
            "The first block is sent with log2 K bits a label. For block i: fit on the rows before "
            "it, then -log2 of the probability of each label in it.",
        ),
        Case(
            "With one block nothing is known beforehand, and all labels cost log2 K",
            world(int(torch.randint(40, 60, (1,), generator=generator)), 5, 1.5, []),
            _bits_of_one_block,
            _judge_one_block,
            "The probe has seen nothing when the first block is sent. Nor is that block free.",
        ),
        Case(
            "Labels that x does not tell cost more than the uniform code, not less",
            world(48, 2, 0.0, [6, 12, 24, 48]),
            _bits,
            _judge_nothing,
            "A probe that has seen a block's labels finds them cheap. When the block is sent, the "
            "receiver has not seen them.",
        ),
        Case(
            "One confident mistake costs many bits",
            {**world(60, 2, 1.0, [4, 20, 60]), "scale": 4.0},
            _bits_scaled,
            _judge_scaled,
            "A label that got probability 2^-10 costs 10 bits, and a mistake that got 1/2 costs "
            "one.",
        ),
    ]


def class_means(x: Tensor, y: Tensor, n_classes: int) -> Callable[[Tensor], Tensor]:
    """The probe of the check: log-probabilities [m, n_classes], in nats, by distance to means."""
    member = (y[:, None] == torch.arange(n_classes)).to(x.dtype)
    means = (member.T @ x) / (member.sum(0) + 1)[:, None]
    share = (member.sum(0) + 1) / (len(y) + n_classes)
    return lambda new: (share.log() - torch.cdist(new, means).square() / 2).log_softmax(-1)


def _bits(attempt: Callable, x: Tensor, y: Tensor, ends: Tensor, n_classes: int) -> Any:
    def fit(x: Tensor, y: Tensor) -> Callable[[Tensor], Tensor]:
        return class_means(x, y, n_classes)

    return attempt(x, y, ends.tolist(), n_classes, fit)


def _bits_of_one_block(
    attempt: Callable, x: Tensor, y: Tensor, ends: Tensor, n_classes: int
) -> Any:
    return _bits(attempt, x, y, torch.tensor([len(y)]), n_classes)


def _bits_scaled(attempt: Callable, x: Tensor, scale: float, **rest: Any) -> Any:
    return _bits(attempt, scale * x, **rest)


def _nats(x: Tensor, y: Tensor, seen: slice, sent: slice, n_classes: int) -> list[float]:
    """-log p of each label sent, by the probe of the rows seen."""
    x = x.double()
    if seen.start == seen.stop or sent.start == sent.stop:
        return [0.0]
    log_p = class_means(x[seen], y[seen], n_classes)(x[sent])
    return [-row[label].item() for row, label in zip(log_p, y[sent].tolist(), strict=True)]


def _blocks(ends: list[int]) -> list[tuple[int, int]]:
    return list(pairwise(ends))


def _wanted(x: Tensor, y: Tensor, ends: list[int], n_classes: int) -> float:
    nats = sum(
        sum(_nats(x, y, slice(0, start), slice(start, end), n_classes))
        for start, end in _blocks(ends)
    )
    return ends[0] * math.log2(n_classes) + nats / math.log(2)


def _mistakes(x: Tensor, y: Tensor, ends: list[int], n_classes: int) -> dict[str, float]:
    first, n, ln2 = ends[0] * math.log2(n_classes), ends[-1], math.log(2)
    right = _wanted(x, y, ends, n_classes)

    def total(seen: Callable[[int, int, int], tuple[int, int]]) -> float:
        spans = [(slice(*seen(i, a, b)), slice(a, b)) for i, (a, b) in enumerate(_blocks(ends))]
        return first + sum(sum(_nats(x, y, *span, n_classes)) for span in spans) / ln2

    wrong_guesses = sum(
        (class_means(x[:a].double(), y[:a], n_classes)(x[a:b].double()).argmax(-1) != y[a:b]).sum()
        for a, b in _blocks(ends)
    )
    return {
        "that is in nats; a bit is log 2 of them": right * ln2,
        "the first block is in nats and the others in bits": right + first * (ln2 - 1),
        "the first block is in bits and the others in nats": first + (right - first) * ln2,
        "the first block is free with you": right - first,
        "that is a mean over the labels; the code has a length": right / n,
        "your probe has seen the block that it codes": total(lambda i, a, b: (0, b)),
        "your probe has seen all rows": total(lambda i, a, b: (0, n)),
        "your probe has seen the last block alone, not all that came before": total(
            lambda i, a, b: ([0, *ends][i], a)
        ),
        "your probe has seen the first block alone": total(lambda i, a, b: (0, ends[0])),
        "that is what the uniform code costs for all labels": n * math.log2(n_classes),
        "that counts wrong guesses, each as a bit": first + float(wrong_guesses),
        "the sign is wrong": -right,
    }


def _judge(output: Any, x: Tensor, y: Tensor, ends: Tensor, n_classes: int) -> str | None:
    if problem := not_a_number(output, "the code length"):
        return problem
    bits, wanted = float(output), _wanted(x, y, ends.tolist(), n_classes)
    if abs(bits - wanted) <= 1e-3 * max(wanted, 1.0):
        return None
    mistakes = _mistakes(x, y, ends.tolist(), n_classes)
    fits = (f"; {w}" for w, v in mistakes.items() if abs(bits - v) <= 1e-3 * max(abs(v), 1.0))
    return f"you have {bits:.2f}, the code is {wanted:.2f} bits long" + next(fits, "")


def _judge_one_block(output: Any, x: Tensor, y: Tensor, ends: Tensor, n_classes: int) -> str | None:
    return _judge(output, x, y, torch.tensor([len(y)]), n_classes)


def _judge_nothing(output: Any, x: Tensor, y: Tensor, ends: Tensor, n_classes: int) -> str | None:
    problem = not_a_number(output, "the code length")
    if problem or not (problem := _judge(output, x, y, ends, n_classes)):
        return problem
    if abs(float(output)) < len(y) * math.log2(n_classes):
        problem += f" (log2 K for each of the {len(y)} labels would be {len(y)})"
    return problem


def _judge_scaled(output: Any, x: Tensor, scale: float, **rest: Any) -> str | None:
    return _judge(output, scale * x, **rest)
