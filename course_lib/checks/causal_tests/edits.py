"""Exercise 6: what a counterfactual edit has flipped, and what else it has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

NONE = -1  # a word that has no value of an attribute
N_WORDS, N_ATTRIBUTES = 40, 3


@exercise("causal_tests.edit_rates", "Judge an edit")
def make_cases(generator: Generator) -> list[Case]:
    def world(goal: int, target: int, change: float, bare: bool = False) -> dict[str, Any]:
        values = torch.randint(3, (N_ATTRIBUTES, N_WORDS), generator=generator)
        values[torch.rand(values.shape, generator=generator) < 0.3] = NONE
        values[:, :6] = torch.arange(6) % 3  # every value exists
        values[:, 6:8] = NONE
        before = torch.randint(N_WORDS, (30, 6), generator=generator)
        before[0] = torch.arange(6)
        other = torch.randint(N_WORDS, before.shape, generator=generator)
        if bare:
            other = torch.randint(6, 8, before.shape, generator=generator)
        edited = torch.rand(before.shape, generator=generator) < change
        after = torch.where(edited, other, before)
        after[0, :2] = torch.tensor([1, 2])  # whatever is drawn, something flips to 1 and to 2
        after[1, 0], before[1, 0] = 0, 1  # and to 0
        return {"before": before, "after": after, "values": values, "target": target, "goal": goal}

    return [
        Case(
            "A flip goes to the goal, and counts among words that could flip",
            world(1, 0, 0.5),
            _call,
            _judge_target,
            "Which words of `before` have a value of the target attribute that is not the goal? "
            "Those are what you divide by.",
        ),
        Case(
            "A change counts among words that had a value, whatever it is now",
            world(1, 0, 0.3),
            _call,
            _judge_others,
            "values[attribute][before] are the values of all words at once; -1 says that a word "
            "has none, and then it can lose none.",
        ),
        Case(
            "A word without a value has not flipped, and its attributes are gone",
            world(2, 1, 0.4, bare=True),
            _call,
            _judge,
            "-1 in `after` where `before` had a value is a change like any other.",
        ),
        Case(
            "The target and the goal are those that are asked for",
            world(0, 2, 0.4),
            _call,
            _judge,
            "`target` is a row of `values`, `goal` is a value in that row; both may be anything.",
        ),
    ]


def _call(
    attempt: Callable, before: Tensor, after: Tensor, values: Tensor, target: int, goal: int
) -> Any:
    return attempt(before, after, values, target, goal)


Rule = Callable[[int, int], bool]


def _share(before: Tensor, after: Tensor, value: list[int], could: Rule, has: Rule) -> float:
    """Word by word: of those that could, the share that has."""
    pairs = zip(before.flatten().tolist(), after.flatten().tolist(), strict=True)
    known = [(value[b], value[a]) for b, a in pairs]
    among = [(old, new) for old, new in known if could(old, new)]
    return sum(has(old, new) for old, new in among) / max(1, len(among))


def _rates(given: dict[str, Any], flip: tuple[Rule, Rule], change: tuple[Rule, Rule]) -> Tensor:
    rows = [
        _share(given["before"], given["after"], row, *(flip if k == given["target"] else change))
        for k, row in enumerate(given["values"].tolist())
    ]
    return torch.tensor(rows, dtype=torch.double)


def _compare(found: Any, which: str, **given: Any) -> str | None:
    if problem := not_a_tensor(found, (N_ATTRIBUTES,), "n_attributes"):
        return problem
    goal, target = given["goal"], given["target"]
    flip = (lambda old, new: old not in (NONE, goal), lambda old, new: new == goal)
    change = (lambda old, new: old != NONE, lambda old, new: new != old)
    rows = [
        k for k in range(N_ATTRIBUTES) if which == "all" or (k == target) == (which == "target")
    ]
    found, wanted = found.detach().double(), _rates(given, flip, change)
    problem = differs(found[rows], wanted[rows], 1e-4)
    if problem is None:
        return None
    k = rows[int((found - wanted)[rows].abs().argmax())]
    says = f"for attribute {k} you have {found[k]:.3f}; it is {wanted[k]:.3f}"
    anything = (lambda old, new: True, lambda old, new: new != old)
    mistakes = {
        "; you divide by all words, with a value or without": (
            (anything[0], lambda old, new: flip[0](old, new) and new == goal),
            (anything[0], lambda old, new: change[0](old, new) and new != old),
        ),
        "; you count every change of the target as a flip": ((flip[0], change[1]), change),
        "; words that had the goal already could not flip": (
            (change[0], lambda old, new: new == goal),
            change,
        ),
        "; you count words that get a value and had none": (
            (lambda old, new: old != goal, flip[1]),
            anything,
        ),
        "; a word that has no value any more has changed, too": (
            (lambda old, new: flip[0](old, new) and new != NONE, flip[1]),
            (lambda old, new: NONE not in (old, new), change[1]),
        ),
        "; you give what stays, not what changes": (flip, (change[0], lambda old, new: new == old)),
    }
    for word, (own_flip, own_change) in mistakes.items():
        if abs(found[k] - _rates(given, own_flip, own_change)[k]) < 1e-4:
            return says + word
    return says


def _judge(found: Any, **given: Any) -> str | None:
    return _compare(found, "all", **given)


def _judge_target(found: Any, **given: Any) -> str | None:
    return _compare(found, "target", **given)


def _judge_others(found: Any, **given: Any) -> str | None:
    return _compare(found, "others", **given)
