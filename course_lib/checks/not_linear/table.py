"""Exercise 6: refute the claim that a perfect interchange accuracy means anything by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor

N, D = 12, 8


@exercise("not_linear.implements_anything", "Perfect, therefore implemented")
def make_cases(generator: Generator) -> list[Case]:
    states = torch.randn(N, D, generator=generator)
    w = torch.randn(D, generator=generator)
    margin = states @ w
    b = -margin.median() - 0.01 * margin.std()
    random = torch.randint(2, (N, N), generator=generator)
    world = {"states": states, "w": w, "b": b}
    return [
        Case(
            "An input that is its own source keeps its state",
            world | {"wanted": random},
            _call,
            _judge_own,
            "A one-to-one map sends the code (i, i) back where it came from: state i.",
        ),
        Case(
            "No two swaps lead to the same state: the map is one to one",
            world | {"wanted": random},
            _call,
            _judge_distinct,
            "There is room around every state. A step too small to change the answer, but "
            "different for each pair, is enough.",
        ),
        Case(
            "The network with random weights gives every answer that is wanted",
            world | {"wanted": random},
            _call,
            _judge_answers,
            "For each pair, take a state with which the network says what is wanted; the surest "
            "one has room around it.",
        ),
        Case(
            "And it does the same for the opposite algorithm",
            world | {"wanted": 1 - random},
            _call,
            _judge_answers,
            "Nothing in the table may depend on more than `wanted`, the states and the read-out.",
        ),
    ]


def _call(attempt: Callable, states: Tensor, w: Tensor, b: Tensor, wanted: Tensor) -> Any:
    return attempt(states, w, b, wanted)


def _malformed(table: Any) -> str | None:
    return not_a_tensor(table, (N, N, D), "base, source, d")


def _judge_own(table: Any, states: Tensor, w: Tensor, b: Tensor, wanted: Tensor) -> str | None:
    if problem := _malformed(table):
        return problem
    own = table[torch.arange(N), torch.arange(N)].detach()
    off = (own - states).norm(dim=1)
    if off.max() > 1e-5:
        i = int(off.argmax())
        return f"table[{i}, {i}] is {off[i]:.3f} away from state {i}"
    return None


def _judge_distinct(table: Any, states: Tensor, w: Tensor, b: Tensor, wanted: Tensor) -> str | None:
    if problem := _malformed(table):
        return problem
    rows = table.detach().reshape(N * N, D)
    apart = torch.cdist(rows.double(), rows.double()).fill_diagonal_(float("inf"))
    if apart.min() > 0:
        return None
    first, second = divmod(int(apart.argmin()), N * N)
    pairs = " and ".join(str(divmod(k, N)) for k in (first, second))
    equal = int((apart == 0).any(1).sum())
    return f"{equal} of {N * N} entries have a twin, for example (base, source) = {pairs}"


def _judge_answers(table: Any, states: Tensor, w: Tensor, b: Tensor, wanted: Tensor) -> str | None:
    if problem := _malformed(table):
        return problem
    answer = (table.detach() @ w + b > 0).long()
    wrong = (answer != wanted).fill_diagonal_(False)
    if not wrong.any():
        return None
    i, j = divmod(int(wrong.flatten().long().argmax()), N)
    share = 1 - wrong.double().sum().item() / (N * (N - 1))
    return (
        f"for base {i} and source {j} the network answers {answer[i, j]}, and {wanted[i, j]} is "
        f"wanted; the interchange accuracy is {share:.2f}"
    )
