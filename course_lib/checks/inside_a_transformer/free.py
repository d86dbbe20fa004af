"""Exercise 3: refute an F1 that comes free."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

TOKENS, CONCEPTS, DRAWS = 60, 5, 4
ATOL = 1e-4


@exercise("inside_a_transformer.is_news", "An F1 that comes free")
def make_cases(generator: Generator) -> list[Case]:
    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    share = torch.tensor([0.05, 0.2, 0.5, 0.7, 0.9])[torch.randperm(CONCEPTS, generator=generator)]
    present = draw(TOKENS, CONCEPTS) < share
    present[0], present[1] = True, False
    always = torch.tensor([_always_yes(column) for column in present.T.tolist()])
    below, above = 0.9 * always, always + 0.4 * (1 - always)
    lucky = torch.arange(CONCEPTS) % 2 == int(draw(1) < 0.5)
    none = torch.zeros(DRAWS, CONCEPTS)
    best = above + 0.3 * (1 - above)
    low = 0.3 * always * draw(DRAWS, CONCEPTS)
    one_high = low.clone()
    rows = torch.randint(DRAWS, (CONCEPTS,), generator=generator)
    one_high[rows, torch.arange(CONCEPTS)] = torch.where(lucky, best, 0.5 * always)
    equal = torch.full((CONCEPTS,), 0.66)
    return [
        Case(
            "What comes free is the F1 of a unit that says yes at every token",
            {"f1": torch.where(lucky, above, below), "present": present, "shuffled": low},
            _run,
            _judge_free,
            "Of n tokens, p n have the concept. How many hits has a unit that is always on, and "
            "how often does it say yes?",
        ),
        Case(
            "A score below what comes free is no news, one well above it is",
            {"f1": torch.where(lucky, above, below), "present": present, "shuffled": none},
            _run,
            _judge_news,
            "Compare each concept's score with the free score of that same concept.",
        ),
        Case(
            "The same 0.66 is news for a rare concept and none for a common one",
            {"f1": equal, "present": present, "shuffled": low},
            _run,
            _judge_news,
            "A free score depends on how common the concept is: put p = 0.05 and p = 0.5 in.",
        ),
        Case(
            "A score that one draw of shuffled labels beats is no news",
            {"f1": above, "present": present, "shuffled": one_high},
            _run,
            _judge_news,
            "The best of many units is the best of many lucky ones: it is to beat the luckiest "
            "draw of its concept, not the draws' mean.",
        ),
    ]


def _run(attempt: Callable, f1: Tensor, present: Tensor, shuffled: Tensor) -> Any:
    return attempt(f1, present, shuffled)


def _always_yes(present: list[bool]) -> float:
    hits = says = there = 0
    for here in present:
        says += 1
        there += here
        hits += here
    return 2 * hits / (says + there)


def _malformed(output: Any) -> str | None:
    if not isinstance(output, tuple | list) or len(output) != 2:
        got = "None" if output is None else f"a {type(output).__name__}"
        return f"it returned {got}; return two tensors, (free, news)"
    free, news = output
    if problem := not_a_tensor(free, (CONCEPTS,), "n_concepts", "as free it"):
        return problem
    if not isinstance(news, Tensor) or news.dtype != torch.bool:
        got = f"the dtype {news.dtype}" if isinstance(news, Tensor) else type(news).__name__
        return f"as news it returned {got}; a tensor of booleans is needed, as `>` gives it"
    if tuple(news.shape) != (CONCEPTS,):
        return f"as news it returned the shape {list(news.shape)}; it must be [{CONCEPTS}]"
    return None


def _judge_free(output: Any, f1: Tensor, present: Tensor, shuffled: Tensor) -> str | None:
    if problem := _malformed(output):
        return problem
    free = output[0].detach().double()
    wanted = torch.tensor([_always_yes(column) for column in present.T.tolist()])
    problem = differs(free, wanted, ATOL, against="counting")
    if problem is None:
        return None
    p = present.double().mean(dim=0)
    mistakes = {
        "that is the share p of the tokens, which is the precision": p,
        "that is the accuracy of the commoner answer": p.maximum(1 - p),
        "the 2 is missing": p / (1 + p),
        "the recall of a unit that is always on is 1, and its F1 is not": torch.ones_like(p),
        "that is what a fair coin gets": p / (0.5 + p),
    }
    fits = (f"; {w}" for w, value in mistakes.items() if differs(free, value, ATOL) is None)
    return problem + next(fits, "")


def _judge_news(output: Any, f1: Tensor, present: Tensor, shuffled: Tensor) -> str | None:
    if problem := _malformed(output):
        return problem
    for i, column in enumerate(present.T.tolist()):
        free, luck, score = _always_yes(column), max(shuffled[:, i].tolist()), f1[i].item()
        if bool(output[1][i]) != (score > free and score > luck):
            share, verdict = sum(column) / len(column), "news" if output[1][i] else "no news"
            return (
                f"concept {i}, on {share:.0%} of the tokens, scores {score:.3f}; always yes scores "
                f"{free:.3f}, the best of the shuffled labels {luck:.3f}, and you say {verdict}"
            )
    return None
