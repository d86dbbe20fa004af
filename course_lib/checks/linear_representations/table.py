"""Exercise 4: find the bug in a table of causal cosines."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor
from course_lib.checks.linear_representations.worlds import inner_by_whitening, normal, random_map

ATOL = 1e-4
D, N_WORDS, N_PAIRS = 24, 400, 4  # three concepts of four pairs: as many words as dimensions


@exercise("linear_representations.causal_table", "Everything is orthogonal", find_the_bug=True)
def make_cases(generator: Generator) -> list[Case]:
    A = random_map(generator, D, 5.0)
    W_U = normal(generator, N_WORDS, D)
    directions = 3 * normal(generator, 3, D)
    directions[1] = directions[0]  # the same concept under two names
    chosen = torch.randperm(N_WORDS, generator=generator)[: 3 * N_PAIRS * 2]
    pairs = chosen.view(3, N_PAIRS, 2)
    own = 0.3 * normal(generator, 3, N_PAIRS, D)
    W_U[pairs[..., 1]] = W_U[pairs[..., 0]] + directions[:, None] + own
    W_U = W_U @ A.T
    shift = 2 * normal(generator, D) @ A.T
    world = {"W_U": W_U + shift, "pairs": pairs}
    return [
        Case(
            "One concept under two names has a cosine near 1 with itself",
            world,
            lambda attempt, W_U, pairs: attempt(W_U, pairs),
            _judge_same,
            "The words of the pairs are as many as the dimensions. What does whitening make of so "
            "few, whatever they mean? Over which words is the covariance of the definition?",
        ),
        Case(
            "A vector that is added to all words changes no cosine",
            world | {"more": shift},
            lambda attempt, W_U, pairs, more: (attempt(W_U, pairs), attempt(W_U + more, pairs)),
            _judge_shift,
            "A covariance is taken around the mean.",
        ),
        Case(
            "Every entry is the cosine under the inverse covariance of the vocabulary",
            world,
            lambda attempt, W_U, pairs: attempt(W_U, pairs),
            _judge_value,
            "Compare with `CausalInnerProduct.from_unembedding(W_U)` and its `cos`.",
        ),
    ]


def by_definition(W_U: Tensor, pairs: Tensor) -> Tensor:
    """Over the whole vocabulary."""
    V = torch.stack([torch.stack([W_U[b] - W_U[a] for a, b in rows]).mean(0) for rows in pairs])
    gram = inner_by_whitening(W_U, V, V)
    size = gram.diagonal().sqrt()
    return gram / size[:, None] / size


def _malformed(found: Any, pairs: Tensor) -> str | None:
    return not_a_tensor(found, (len(pairs), len(pairs)), "n_concepts, n_concepts")


def _judge_same(found: Any, W_U: Tensor, pairs: Tensor) -> str | None:
    if problem := _malformed(found, pairs):
        return problem
    cosine, expected = found[0, 1].item(), by_definition(W_U, pairs)[0, 1].item()
    if abs(cosine - expected) > 0.02:
        return (
            f"concepts 0 and 1 are one concept, shown by other words, and your cosine of the two "
            f"is {cosine:.3f}; over the vocabulary it is {expected:.3f}"
        )
    return None


def _judge_shift(outputs: Any, W_U: Tensor, pairs: Tensor, more: Tensor) -> str | None:
    for found in outputs:
        if problem := _malformed(found, pairs):
            return problem
    before, after = outputs
    if problem := differs(after, before, ATOL, "those before"):
        return f"with one vector added to all words, {problem}"
    if problem := differs(before, by_definition(W_U, pairs), 0.05):
        return f"it does not change, but it is wrong before and after: {problem}"
    return None


def _judge_value(found: Any, W_U: Tensor, pairs: Tensor) -> str | None:
    if problem := _malformed(found, pairs):
        return problem
    expected = by_definition(W_U, pairs)
    problem = differs(found, expected, ATOL)
    V = torch.stack([(W_U[rows[:, 1]] - W_U[rows[:, 0]]).mean(0) for rows in pairs])
    plain = torch.nn.functional.normalize(V, dim=1)
    size = inner_by_whitening(W_U, V, V).diagonal().sqrt()
    mistakes = {
        "that is the Euclidean cosine": plain @ plain.T,
        "that is the product itself, not yet divided by the lengths": expected
        * size[:, None]
        * size,
    }
    for mistake, value in mistakes.items():
        if problem and differs(found, value, ATOL) is None:
            return f"{problem}; {mistake}"
    return problem
