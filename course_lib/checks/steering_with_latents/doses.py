"""Exercise 3: at which value of a latent are two words equally likely?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor


@exercise("steering_with_latents.even_dose", "The dose that makes it even")
def make_cases(generator: Generator) -> list[Case]:
    def drawn(n_words: int, sparse: bool = False, a: int = 0, b: int = 1) -> dict[str, Any]:
        h = torch.randn(6, 8, generator=generator)
        W_U = torch.randn(n_words, 8, generator=generator)
        row = torch.randn(8, generator=generator)
        gap = (W_U[a] - W_U[b]) @ row  # the effect on the two words is at least 0.5 apart
        row = row + (W_U[a] - W_U[b]) * ((2 - gap) / (W_U[a] - W_U[b]).square().sum())
        z = 0.5 + 2 * torch.rand(6, generator=generator)
        if sparse:
            z[::2] = 0.0
        return {"h": h, "W_U": W_U, "row": row, "z": z, "a": a, "b": b}

    against = drawn(9, a=2, b=5)
    against["row"] = -against["row"]
    return [
        Case(
            "At the dose, the words are equally likely when everything is computed anew",
            drawn(5),
            _call,
            _judge,
            "Only the difference of two logits matters for the odds of two words. By how much does "
            "it change when the latent moves by 1?",
        ),
        Case(
            "Where the latent is silent it starts at 0, elsewhere it does not",
            drawn(5, sparse=True),
            _call,
            _judge,
            "The stream moves by (value - z) times the decoder's row. You are asked for the value.",
        ),
        Case(
            "A latent that works against the word needs a dose below what it has",
            against,
            _call,
            _judge,
            "Signs: which of the two words does a rise of the latent help?",
        ),
        Case(
            "Other words, though they take most of the probability, do not matter",
            drawn(80, a=70, b=3),
            _call,
            _judge,
            "The normaliser of the softmax is the same for both words, before and after.",
        ),
    ]


def _call(attempt: Callable, h: Tensor, W_U: Tensor, row: Tensor, z: Tensor, a: int, b: int) -> Any:
    return attempt((h @ W_U.T).log_softmax(-1), z, W_U @ row, a, b)


def _judge(
    found: Any, h: Tensor, W_U: Tensor, row: Tensor, z: Tensor, a: int, b: int
) -> str | None:
    if problem := not_a_tensor(found, (len(h),), "n"):
        return problem
    log_p = (h.double() @ W_U.T.double()).log_softmax(-1)
    effect = (W_U @ row).double()
    lead, gap, start = log_p[:, a] - log_p[:, b], effect[a] - effect[b], z.double()
    wanted = start - lead / gap
    problem = differs(found, wanted, 2e-3)
    if problem is None:
        return None
    mistakes = {
        "yours is by how much the latent has to move, and not where it ends": -lead / gap,
        "the odds move the other way: a helps where effect[a] is above effect[b]": start
        + lead / gap,
        "the other word moves, too: its logit has an effect of its own": start - lead / effect[a],
        "odds are made even in logarithms; yours takes the difference of probabilities": start
        - (log_p[:, a].exp() - log_p[:, b].exp()) / gap,
        "that is where the word has probability one half, were the others to stay": start
        + (0.5 - log_p[:, a].exp()) / gap,
        "the row starts at z, so z is taken away once too often": -start - lead / gap,
    }
    for word, values in mistakes.items():
        if differs(found, values, 2e-3) is None:
            return f"{problem}; {word}"
    moved = h.double() + (found.detach().double() - start)[:, None] * row.double()
    left = ((moved @ (W_U[a] - W_U[b]).double()).abs()).max().item()
    return f"{problem}; at your doses the log-odds are still up to {left:.3g}"
