"""What you said before the first experiment, beside what the run says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Any

from course_lib.study import store


def compare(chapter: str, prediction: Mapping[str, Any], outcomes: Sequence[Any]) -> None:
    """Print every question with your guess and this run's outcome, and remember both.

    Args:
        chapter: the notebook's name, "02_toy_models".
        prediction: your guesses by question.
        outcomes: a number for each question, in the same order; tensors of one number count.

    Raises TypeError, ValueError: when there is not one outcome for every question.
    """
    _check("chapter", chapter, isinstance(chapter, str), "a text")
    _check("prediction", prediction, isinstance(prediction, Mapping), "a dict of your guesses")
    listed = isinstance(outcomes, Sized) and isinstance(outcomes, Iterable)
    _check("outcomes", outcomes, listed and getattr(outcomes, "ndim", 1) > 0, "a list")
    if len(prediction) != len(outcomes):
        raise ValueError(
            f"prediction has {len(prediction)} questions and there are {len(outcomes)} outcomes; "
            "keep the questions as they are and change only the numbers."
        )
    for (question, guess), outcome in zip(prediction.items(), outcomes, strict=True):
        said, found = _number(guess), _number(outcome)
        print(f"{question}: you said {said}, this run says {found}")
        store.add("prediction", chapter=chapter, question=question, guess=said, outcome=found)


def _check(name: str, value: Any, right: bool, kind: str) -> None:
    if not right:
        raise TypeError(f"{name} is of type {type(value).__name__}; it must be {kind}.")


def _number(value: Any) -> str:
    """A whole number as it is, another with three digits, anything else in quotes."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value) if isinstance(value, int) else repr(value)[:80]
