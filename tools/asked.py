"""The questions whose solutions `tools.mutants` edits: exercises of a chapter, or a problem set."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from inspect import getsource, signature
from typing import Any

from torch import Tensor

from course_lib import checks
from course_lib.checks import core
from course_lib.grading import questions
from course_lib.grading.questions import ProblemSet
from tools.exercises import ROOT
from tools.problem_sets import KEY, SETS, handed_in, problem_set
from tools.solved import check_calls, code_cells, namespace


@dataclass(frozen=True)
class Asked:
    """A question whose solution is edited.

    Attributes:
        exercise: what its cases are run as.
        source: its answer cell.
        variable: the name that the cell defines.
        cases: its cases of a seed.
        world: the names that the solved notebook defines for the student of a seed.
        hand_in: what a case calls, made from what the name stands for.
    """

    exercise: checks.Exercise
    source: str
    variable: str
    cases: Callable[[int], list[checks.Case]]
    world: Callable[[int], dict[str, Any]]
    hand_in: Callable[[Any], Any]

    def answer(self, source: str | None, seed: int) -> Any:
        """The answer of the cell `source`, the solution if it is None; None if the cell fails."""
        names = {n: v.clone() if type(v) is Tensor else v for n, v in self.world(seed).items()}
        if source is not None:
            try:
                exec(compile(source, "<mutant>", "exec"), names)
            except Exception:
                return None
        return self.hand_in(names[self.variable])


def asked(chapter: str) -> list[Asked]:
    """The questions of a chapter or a problem set."""
    return _of_set(chapter) if chapter in SETS else _of_chapter(chapter)


def _of_chapter(chapter: str) -> list[Asked]:
    solved = namespace("solutions", chapter)
    return [
        Asked(
            core.find(call.exercise),
            cell["source"],
            call.attempt,
            lambda seed, name=call.exercise: checks.cases(name, seed),
            lambda seed: solved,
            lambda found: found,
        )
        for call, cell in zip(check_calls(chapter), _answers(chapter), strict=True)
        if _takes_arguments(solved[call.attempt])
    ]


def _of_set(name: str) -> list[Asked]:
    problems = problem_set(name)
    world = cache(lambda seed: problems.solve(f"student {seed}"))
    return [
        Asked(
            checks.Exercise(f"{name}.{question.name}", question.title, lambda generator: []),
            source,
            question.name,
            lambda seed, q=question: problems.cases(q, seed, world(seed)),
            world,
            lambda found, q=question: handed_in(q, found),
        )
        for question, source in zip(problems.questions, _set_answers(problems), strict=True)
    ]


def digest(chapter: str) -> str:
    """The hash of what decides a result: answers, checks or cases, edits."""
    if chapter in SETS:
        files = [KEY / f"{chapter}.py"]
        texts = _set_answers(problem_set(chapter))
        texts += [getsource(judge) for judge in (questions.agrees, questions._agree)]
    else:
        folder = {call.exercise.split(".")[0] for call in check_calls(chapter)}.pop()
        files = sorted((ROOT / "course_lib" / "checks" / folder).glob("*.py"))
        texts = [cell["source"] for cell in _answers(chapter)]
    files += [ROOT / "course_lib" / "checks" / "judging.py", ROOT / "tools" / "mutate.py"]
    texts += [path.read_text(encoding="utf-8") for path in files]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _answers(chapter: str) -> list[dict[str, Any]]:
    return [cell for cell in code_cells("solutions", chapter) if "answer" in cell["tags"]]


def _set_answers(problems: ProblemSet) -> list[str]:
    """The answer cell of each question. Raises ValueError when a question has not just one."""
    notebook = json.loads(problems.notebook.read_text(encoding="utf-8"))
    tagged = (cell for cell in notebook["cells"] if "answer" in cell["metadata"].get("tags", []))
    sources, found = ["".join(cell["source"]) for cell in tagged], []
    for question in problems.questions:
        defines = re.compile(rf"^((def|class) {question.name}\b|{question.name} = )", re.MULTILINE)
        mine = [source for source in sources if defines.search(source)]
        if len(mine) != 1:
            raise ValueError(f"{problems.name}: {len(mine)} answer cells define {question.name}.")
        found += mine
    return found


def _takes_arguments(solution: Any) -> bool:
    return isinstance(solution, type) or bool(signature(solution).parameters)
