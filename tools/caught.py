"""Named wrong answers against the checks: run once, kept in _build/caught until something changes.

    python -m tools.caught      print the rate of every chapter and problem set, and the one of all

An answer to an exercise is caught when its check rejects it on every one of five seeds; an answer
to a problem set when it loses exactly what it should, for two students on five seeds each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from course_lib import checks
from course_lib.checks.core import PASSED
from course_lib.files import read_sealed, write_sealed
from tools import records
from tools.exercises import ROOT, SEEDS, wrong_answers
from tools.problem_sets import KEY, SETS, attempt_of, problem_set, scored, wrong

STUDENTS = ("example", "a.lovelace")
LEAST = 0.95  # of all wrong answers together


class TooFew(ValueError):
    """Fewer wrong answers are caught than the course promises."""


@dataclass(frozen=True)
class Rate:
    """How many of the wrong answers to the questions of one chapter or problem set are caught."""

    name: str
    questions: int
    wrong: int
    caught: int


@cache
def failures(chapter: str) -> dict[str, dict[str, list[dict[str, str]]]]:
    """Exercise, wrong answer, seed by seed: what each case that rejects the answer says."""
    return _kept(chapter, [], lambda: _failures(chapter))


def _failures(chapter: str) -> dict[str, Any]:
    def run(exercise: str, answer: Any, seed: int) -> dict[str, str]:
        report = checks.run(exercise, answer, seed)
        return {one.title: one.message for one in report.results if one.verdict != PASSED}

    return {
        exercise: {w.name: [run(exercise, w.answer, seed) for seed in SEEDS] for w in answers}
        for exercise, answers in wrong_answers(chapter).WRONG.items()
    }


@cache
def points(name: str) -> dict[str, dict[str, list[list[int]]]]:
    """Question, wrong answer, run by run: the points that it gets in each case."""
    files = [KEY / f"{name}.py", KEY / f"{name}.ipynb"]
    return _kept(name, files, lambda: _points(name))


def _points(name: str) -> dict[str, Any]:
    problems, found = problem_set(name), {}
    for student in STUDENTS:
        solved = problems.solve(student)
        for question in problems.questions:
            of_question = found.setdefault(question.name, {})
            for seed in SEEDS:
                cases = problems.cases(question, seed, solved)
                for one in wrong(name)[question.name]:
                    got = scored(cases, attempt_of(question, one.answer, solved))
                    of_question.setdefault(one.name, []).append(got)
    return found


def of_chapter(chapter: str) -> Rate:
    """The rate of a chapter's exercises; `chapter` is that of the checks, toy_models for one."""
    answers = [runs for of_one in failures(chapter).values() for runs in of_one.values()]
    return Rate(chapter, len(failures(chapter)), len(answers), sum(map(all, answers)))


def of_set(name: str) -> Rate:
    """The rate of a problem set."""
    loses = [
        all(
            sum(run) == one.keeps < question.points for run in points(name)[question.name][one.name]
        )
        for question in problem_set(name).questions
        for one in wrong(name)[question.name]
    ]
    return Rate(name, len(points(name)), len(loses), sum(loses))


def in_all(rates: list[Rate]) -> float:
    """The share of all wrong answers that is caught. Raises TooFew below `LEAST`."""
    n_wrong, n_caught = sum(rate.wrong for rate in rates), sum(rate.caught for rate in rates)
    if n_caught < LEAST * n_wrong:
        missed = ", ".join(rate.name for rate in rates if rate.caught < rate.wrong)
        raise TooFew(
            f"{n_caught} of {n_wrong} wrong answers are caught and {LEAST:.0%} are needed; see "
            f"{missed}."
        )
    return n_caught / n_wrong


def chapters() -> list[str]:
    """The chapters that have exercises, by the names of their checks."""
    return list(dict.fromkeys(one.name.split(".")[0] for one in checks.exercises()))


def _kept(name: str, sources: list[Path], run: Callable[[], dict]) -> dict:
    kept = ROOT / "_build" / "caught" / f"{name}.json"
    key = records.inputs_digest(ROOT, *sources, ROOT / "tests" / "wrong_answers", Path(__file__))
    with suppress(OSError, ValueError):
        known = read_sealed(kept, "count them again")
        if known["inputs"] == key:
            return known["found"]
    found = run()
    write_sealed(kept, {"inputs": key, "found": found})
    return found


def main() -> int:
    rates = [*map(of_chapter, chapters()), *map(of_set, SETS)]
    for rate in rates:
        print(f"{rate.caught:>4} of {rate.wrong:<4} {rate.name}")
    try:
        print(
            f"{in_all(rates):.1%} of {sum(rate.wrong for rate in rates)} wrong answers are caught"
        )
    except TooFew as reason:
        print(reason, file=sys.stderr)
        return 1
    return int(any(rate.caught < rate.wrong for rate in rates))


if __name__ == "__main__":
    sys.exit(main())
