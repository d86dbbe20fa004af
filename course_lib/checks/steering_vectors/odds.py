"""Exercise 3: a change of log odds, in its two parts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

N, VOCAB = 6, 12


@exercise("steering_vectors.gain_and_loss", "A rose over B")
def make_cases(generator: Generator) -> list[Case]:
    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    def world(n_positive: int, n_negative: int) -> dict[str, Tensor]:
        words = torch.randperm(VOCAB, generator=generator)
        return {
            "before": 2 * draw(N, VOCAB),
            "after": 2 * draw(N, VOCAB) + 3 * draw(N, 1),
            "positive": words[:n_positive],
            "negative": words[n_positive : n_positive + n_negative],
        }

    falling = world(2, 3)
    rest = torch.ones(VOCAB, dtype=torch.bool)
    rest[torch.cat([falling["positive"], falling["negative"]])] = False
    after = falling["before"].clone()
    after[:, falling["negative"]] -= 2
    after[:, rest] += 4
    falling["after"] = after
    return [
        Case(
            "One word on either side: both numbers are of probabilities, not of logits",
            world(1, 1),
            _split,
            _judge,
            "A logit means nothing without the others of its context: the normaliser is different "
            "before and after.",
        ),
        Case(
            "Several words on each side: the probability that one of them comes",
            world(3, 4),
            _split,
            _judge,
            "Probabilities of different next words add up; their logarithms do not.",
        ),
        Case(
            "Both sides fall, the negative one further: the odds rise and the gain is negative",
            falling,
            _split,
            _judge,
            "Here the probability went to words of neither side, which only a softmax over the "
            "whole vocabulary can see.",
        ),
        Case(
            "No vector, no change; and one number added to all logits of a context is none either",
            {**world(2, 2), "shift": 5 * draw(N, 1)},
            _split_shifted,
            _judge_shifted,
            "The first answer is for (before, before + shift), the second for (before, after) with "
            "both shifted.",
        ),
    ]


def _split(
    attempt: Callable, before: Tensor, after: Tensor, positive: Tensor, negative: Tensor
) -> Any:
    return attempt(before, after, positive, negative)


def _split_shifted(
    attempt: Callable,
    before: Tensor,
    after: Tensor,
    positive: Tensor,
    negative: Tensor,
    shift: Tensor,
) -> Any:
    still = attempt(before, before + shift, positive, negative)
    return still, attempt(before + shift, after - shift, positive, negative)


def _side(row: list[float], words: list[int]) -> float:
    top = max(row)
    weights = [math.exp(value - top) for value in row]
    return math.log(sum(weights[word] for word in words) / sum(weights))


def _sides(logits: Tensor, words: Tensor) -> Tensor:
    rows = logits.double().tolist()
    return torch.tensor([_side(row, words.tolist()) for row in rows], dtype=torch.double)


def _wanted(before: Tensor, after: Tensor, positive: Tensor, negative: Tensor) -> list[Tensor]:
    gain = _sides(after, positive) - _sides(before, positive)
    return [gain, _sides(before, negative) - _sides(after, negative)]


def _mistakes(
    before: Tensor, after: Tensor, positive: Tensor, negative: Tensor
) -> dict[str, list[Tensor]]:
    gain, loss = _wanted(before, after, positive, negative)
    b, a = before.double(), after.double()

    def difference(read: Callable[[Tensor, Tensor], Tensor]) -> list[Tensor]:
        return [read(a, positive) - read(b, positive), read(b, negative) - read(a, negative)]

    def inside(logits: Tensor, words: Tensor) -> Tensor:
        both = logits[:, torch.cat([positive, negative])]
        return logits[:, words].logsumexp(-1) - both.logsumexp(-1)

    return {
        "the sign of the loss is wrong: it is positive when the negative words fell": [gain, -loss],
        "before and after are exchanged": [-gain, -loss],
        "both signs are exchanged with each other": [-gain, loss],
        "gain and loss are exchanged": [loss, gain],
        "that is of logits; the normaliser is missing": difference(
            lambda z, words: z[:, words].logsumexp(-1)
        ),
        "that is of mean logits; the normaliser is missing": difference(
            lambda z, words: z[:, words].mean(-1)
        ),
        "that is the mean of log-probabilities over the words of a side": difference(
            lambda z, words: z.log_softmax(-1)[:, words].mean(-1)
        ),
        "that is the sum of log-probabilities over the words of a side": difference(
            lambda z, words: z.log_softmax(-1)[:, words].sum(-1)
        ),
        "that is of the likeliest word of each side alone": difference(
            lambda z, words: z.log_softmax(-1)[:, words].amax(-1)
        ),
        "that is of the first word of each side alone": difference(
            lambda z, words: z.log_softmax(-1)[:, words[0]]
        ),
        "those are differences of probabilities; nats are of their logarithms": difference(
            lambda z, words: z.softmax(-1)[:, words].sum(-1)
        ),
        "the softmax is over the two sides alone": difference(inside),
        "that is in bits": [gain / math.log(2), loss / math.log(2)],
    }


def _judge(
    outputs: Any, before: Tensor, after: Tensor, positive: Tensor, negative: Tensor
) -> str | None:
    if not isinstance(outputs, (tuple, list)) or len(outputs) != 2:
        kind = type(outputs).__name__
        return f"it returned a {kind}; two tensors are needed, the gain and the loss"
    for output, name in zip(outputs, ("the gain", "the loss"), strict=True):
        if problem := not_a_tensor(output, (N,), "n", name):
            return problem
    given = (before, after, positive, negative)
    found = [output.detach().double() for output in outputs]

    def close(wanted: list[Tensor]) -> bool:
        pairs = zip(found, wanted, strict=True)
        return all(torch.allclose(a, b, rtol=1e-3, atol=1e-3) for a, b in pairs)

    wanted = _wanted(*given)
    if close(wanted):
        return None
    fits = (f"; {name}" for name, numbers in _mistakes(*given).items() if close(numbers))
    why = next(fits, "")
    for output, right, name in zip(found, wanted, ("gain", "loss"), strict=True):
        if problem := differs(output, right, 1e-3):
            return f"the {name}: {problem}{why}"
    return None


def _judge_shifted(
    outputs: Any,
    before: Tensor,
    after: Tensor,
    positive: Tensor,
    negative: Tensor,
    shift: Tensor,
) -> str | None:
    still, moved = outputs
    problem = _judge(still, before, before, positive, negative)
    if problem:
        return f"nothing but a common shift of the logits: {problem}"
    return _judge(moved, before + shift, after - shift, positive, negative)
