"""What the book says of each problem set: made where the sets are, read where they are not, too.

    python -m tools.set_cards       write book/instructors/problem_sets/NAME.json for every set

A card holds titles, points, minutes, aims and counts: no case, no answer, nothing of the key. The
tests compare every card with its set.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from course_lib.runtime import write_file
from tools.exercises import ROOT
from tools.problem_sets import SETS, problem_set

CARDS = Path("book") / "instructors" / "problem_sets"


def card(name: str) -> dict[str, Any]:
    """The card of a set. Measures its wrong answers unless that was done already."""
    from tools import caught, mutants

    problems, rate = problem_set(name), caught.of_set(name)
    questions = [
        {
            "title": part.title,
            "points": part.points,
            "minutes": part.minutes,
            "objective": f"{part.objective[0].upper()}{part.objective[1:]}.",
        }
        for part in [*problems.questions, *problems.written]
    ]
    rows = mutants.results(name)
    return {
        "name": name,
        "title": problems.title,
        "chapters": list(problems.chapters),
        "points": problems.points,
        "questions": questions,
        "judged": rate.questions,
        "wrong": rate.wrong,
        "caught": rate.caught,
        "mutants": mutants.counts(rows),
    }


def text(name: str) -> str:
    """The file of a set's card."""
    return json.dumps(card(name), indent=1, ensure_ascii=False) + "\n"


def cards(root: Path = ROOT) -> list[dict[str, Any]]:
    """All stored cards, in the order of the sets' names."""
    stored = sorted((root / CARDS).glob("*.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in stored]


def minutes(one: dict[str, Any]) -> int:
    """How long a student takes for the set of a card."""
    return sum(question["minutes"] for question in one["questions"])


def main() -> int:
    for name in SETS:
        print(write_file(ROOT / CARDS / f"{name}.json", text(name)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
