"""What the tools know of the problem sets: their wrong answers, and what an attempt scores.

The sets lie in assignments/, which a public copy of the course does not have; `SETS` is then empty.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from course_lib.checks.core import judge_output
from course_lib.grading.questions import Graded, ProblemSet, Question, load
from tools.exercises import ROOT, wrong_answers

KEY = ROOT / "assignments"
SETS = sorted(path.stem for path in KEY.glob("*.py"))
WITHOUT = "the problem sets are not in this copy of the course"


@cache
def problem_set(name: str) -> ProblemSet:
    """The set of this name, loaded once."""
    return load(KEY / f"{name}.py")


@cache
def wrong(name: str) -> dict:
    """The wrong answers to a set by question, each with the points that it `keeps`."""
    return wrong_answers(name).WRONG


def scored(cases: Sequence[Graded], attempt: Any) -> list[int]:
    """The points of each case that this attempt gets, judged as the grader does."""
    points = []
    for case in cases:
        inputs = {k: v.clone() if hasattr(v, "clone") else v for k, v in case.inputs.items()}
        try:
            output = case.call(attempt, **inputs)
            right = judge_output(case, output).verdict == "done"
        except Exception:
            right = False
        points.append(case.points if right else 0)
    return points


def points_of(
    problems: ProblemSet, question: Question, attempt: Any, seed: int, solved: Mapping[str, Any]
) -> list[int]:
    """`scored` on the cases of a seed, in the world of the student who `solved` the set."""
    return scored(problems.cases(question, seed, solved), attempt)


def handed_in(question: Question, found: Any) -> Any:
    """What a case calls: the student's function, or a function that returns the value."""
    return (lambda: found) if question.value else found


def attempt_of(question: Question, answer: Callable, solved: Mapping[str, Any]) -> Callable:
    """A wrong answer as the thing that is handed in: a function, or what it makes of the world."""
    if not question.value:
        return answer
    return lambda: answer(*(solved[name] for name in world_of(answer)))


def world_of(answer: Callable) -> list[str]:
    """The names of the student's world that a wrong answer to a value question takes."""
    return list(inspect.signature(answer).parameters)
