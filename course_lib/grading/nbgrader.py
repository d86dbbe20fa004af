"""A problem set as a course folder of nbgrader, and the judge that its hidden tests call.

nbgrader runs hidden tests in the student's own process, as the user who grades. A submission that
wants to can read the key, change `torch.allclose` or this judge, and write to the gradebook. Use it
where students are trusted, or where nbgrader runs in a container that is thrown away; `course
grade` reads the same notebooks and has none of these holes.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from course_lib.grading.fingerprints import cells_of
from course_lib.grading.questions import DEFAULT_STUDENT, ProblemSet, load, seed_for
from course_lib.grading.visible import text_of

TEST = """# {points} points, on inputs that are not shown
### BEGIN HIDDEN TESTS
from course_lib.grading.nbgrader import judge
judge("{name}", "{question}", {number}, {question}, STUDENT)
### END HIDDEN TESTS"""


def files(problems: ProblemSet) -> dict[str, str]:
    """Name and text of each file of the tree; what students get is made by nbgrader from it."""
    name = problems.name
    return {
        f"source/{name}/{name}.ipynb": notebook(problems),
        f"source/{name}/{name}.open.json": text_of(problems),
        f"key/{name}.ipynb": problems.notebook.read_text(encoding="utf-8"),
        f"key/{name}.py": problems.path.read_text(encoding="utf-8"),
    }


def notebook(problems: ProblemSet) -> str:
    """The text of the source notebook: the solved one with nbgrader's metadata and tests."""
    solved, cells, tests = json.loads(problems.notebook.read_text(encoding="utf-8")), [], []
    points = {written.name: written.points for written in problems.written}
    names = problems.solve()
    for cell in solved["cells"]:
        tags, source = cell["metadata"].get("tags", []), "".join(cell["source"])
        if "check" not in tags:
            cells, tests = cells + tests, []
        if "solution-only" in tags:
            continue
        metadata: dict[str, Any] = {"tags": tags} if tags else {}
        if "given" in tags:
            metadata |= _about(cell["id"], locked=True)
        if "written" in tags:
            (worth,) = (n for name, n in points.items() if f"<!-- written: {name} -->" in source)
            metadata |= _about(cell["id"], grade=True, solution=True, points=worth)
            marker, _, text = source.partition("\n")
            source = f"{marker}\n### BEGIN SOLUTION\n{text}\n### END SOLUTION"
        if "answer" in tags:
            metadata |= _about(cell["id"], solution=True)
            source = _without_stub(source)
            for question in problems.questions:
                if cells_of(question.name, [source]):
                    tests += _tests(problems, question, names)
        cells.append({**cell, "metadata": metadata, "source": source.splitlines(keepends=True)})
    made = {**solved, "cells": cells + tests}
    return json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _about(name: str, *, points: int | None = None, **flags: bool) -> dict[str, Any]:
    told = {"schema_version": 3, "grade": False, "locked": False, "solution": False, "task": False}
    told |= flags | {"grade_id": name} | ({} if points is None else {"points": points})
    return {"nbgrader": told}


def _without_stub(source: str) -> str:
    """nbgrader puts a stub of its own in place of a solution."""
    before, begin, rest = source.partition("### BEGIN STUB\n")
    return before + rest.partition("### END STUB\n")[2] if begin else source


def _tests(problems: ProblemSet, question: Any, names: dict[str, Any]) -> list[dict[str, Any]]:
    made = []
    for number, case in enumerate(problems.cases(question, 0, names)):
        text = TEST.format(
            points=case.points, name=problems.name, question=question.name, number=number
        )
        made.append(
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"{question.name}-{number}",
                "metadata": _about(
                    f"{question.name}-{number}", grade=True, locked=True, points=case.points
                ),
                "outputs": [],
                "source": text.splitlines(keepends=True),
            }
        )
    return made


def judge(name: str, question: str, number: int, attempt: Any, student: str) -> None:
    """Try a case on an answer, as the student in whose folder nbgrader runs this, if it does.

    Raises AssertionError, with what is wrong, unless the answer passes.
    """
    from course_lib.checks.core import judge_output

    place = Path.cwd().parts
    if len(place) > 2 and place[-3] == "autograded":
        student = place[-2]
    problems, solved = _solved(_key(name), student)
    (asked,) = (q for q in problems.questions if q.name == question)
    seed = seed_for("nbgrader", name, question, student)
    case = problems.cases(asked, seed, solved)[number]
    tried = (lambda: attempt) if asked.value else attempt
    result = judge_output(case, case.call(tried, **case.inputs))
    assert result.verdict == "done", f"{result.message}. {case.hint}"


def _key(name: str) -> Path:
    """The set in COURSE_KEY, or in the folder `key` of the course in which nbgrader works."""
    named = [Path(os.environ["COURSE_KEY"])] if "COURSE_KEY" in os.environ else []
    for folder in [*named, *(parent / "key" for parent in (Path.cwd(), *Path.cwd().parents))]:
        if (folder / f"{name}.py").is_file():
            return folder / f"{name}.py"
    raise FileNotFoundError(f"{name}.py is in no folder `key` above {Path.cwd()}; set COURSE_KEY.")


@cache
def _solved(path: Path, student: str = DEFAULT_STUDENT) -> tuple[ProblemSet, dict[str, Any]]:
    problems = load(path)
    return problems, problems.solve(student)
