"""The exercises of the course: numbers, titles, minutes and hints, as the solved notebooks say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

STORED = Path(__file__).with_name("catalogue.json")  # written by `make exercises`


@dataclass(frozen=True)
class Exercise:
    """One exercise of a chapter's notebook.

    Attributes:
        number: chapter and place in it, "2.3".
        name: what `check` calls it, "toy_models.feature_dimensionality".
        title: its heading.
        chapter: the notebook's name, "02_toy_models".
        chapter_title: the notebook's title.
        difficulty: 1 to 5.
        importance: 1 to 5.
        minutes: how long it takes.
        objective: what you can do after it.
        hints: three texts in Markdown: idea, formula, code.
    """

    number: str
    name: str
    title: str
    chapter: str
    chapter_title: str
    difficulty: int
    importance: int
    minutes: int
    objective: str
    hints: tuple[str, ...]


@cache
def exercises() -> tuple[Exercise, ...]:
    """All exercises in the order of the book."""
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    return tuple(Exercise(**entry | {"hints": tuple(entry["hints"])}) for entry in stored)


def find(which: str) -> Exercise:
    """The exercise of this number ("2.3") or name ("toy_models.feature_dimensionality").

    Raises ValueError when there is none; the message says what there is.
    """
    found = next((e for e in exercises() if which in (e.number, e.name)), None)
    if found is None:
        chapters: dict[str, list[str]] = {}
        for exercise in exercises():
            chapter, _, place = exercise.number.partition(".")
            chapters.setdefault(chapter, []).append(place)
        there = ", ".join(f"{number}.1 to {number}.{p[-1]}" for number, p in chapters.items())
        raise ValueError(
            f"which is {which!r}; it must be a string with chapter and exercise: {there}."
        )
    return found
