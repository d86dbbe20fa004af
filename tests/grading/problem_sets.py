"""What the tests know of the problem sets: their wrong answers, and notebooks that hold answers."""

import inspect
import json
import re

from tools.problem_sets import (
    KEY,
    ROOT,
    SETS,
    WITHOUT,
    attempt_of,
    handed_in,
    points_of,
    problem_set,
    world_of,
    wrong,
)

__all__ = [
    "KEY",
    "ROOT",
    "SETS",
    "WITHOUT",
    "attempt_of",
    "handed_in",
    "points_of",
    "problem_set",
    "world_of",
    "wrong",
]


def notebook_of(name: str, student: str, answers: dict[str, object]) -> str:
    """The notebook in which this student gives these answers to the questions.

    An answer is None (the solution), "stub", or a function that is wrong.
    """
    problems = problem_set(name)
    notebook = json.loads(problems.notebook.read_text(encoding="utf-8"))
    made = []
    for cell in notebook["cells"]:
        tags, source = cell["metadata"].get("tags", []), "".join(cell["source"])
        if "solution-only" in tags:
            continue
        if "student" in tags:
            source = f"STUDENT = {student!r}"
        if "answer" in tags:
            (question,) = (
                q
                for q in problems.questions
                if re.search(rf"(def {q.name}\(|\b{q.name} =)", source)
            )
            given = answers.get(question.name)
            if given == "stub":
                source = "pass" if question.value else _stub(question.name)
            elif given is not None:
                source = _source(question, given)
        made.append({**cell, "source": source})
    return json.dumps({**notebook, "cells": made})


def _stub(name: str) -> str:
    return f"def {name}(*arguments):\n    raise NotImplementedError"


def _source(question, answer) -> str:
    lines = inspect.getsource(answer)
    text = lines[lines.index("def ") :]
    text = text.replace(f"def {answer.__name__}(", f"def {question.name}(", 1)
    text = "\n".join([*_helpers(answer, set()), text])
    made = f"\n{question.name} = {question.name}({', '.join(world_of(answer))})"
    return text + made if question.value else text


def _helpers(function, seen: set[str]) -> list[str]:
    """The text of every private function of its file that a function needs, the deepest first."""
    found = []
    for name in re.findall(r"\b_\w+\b", inspect.getsource(function)):
        helper = function.__globals__.get(name)
        if inspect.isfunction(helper) and name not in seen:
            seen.add(name)
            found += [*_helpers(helper, seen), inspect.getsource(helper)]
    return found
