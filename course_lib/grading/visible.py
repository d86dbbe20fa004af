"""The open cases of a problem set: what a student can try before handing in.

They are stored as inputs and outputs in a file beside the student's notebook, or in course_lib for
the sets that come with it. No reference is in it, and the hidden cases have other inputs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from course_lib.checks.core import Exercise, Report, run_case
from course_lib.checks.feedback import summary
from course_lib.grading.questions import (
    OPEN_SEED,
    Graded,
    ProblemSet,
    agrees,
    apply,
    seed_for,
    source_of,
)

STORED = Path(__file__).parent / "open_cases"


def check(name: str, attempt: Any) -> None:
    """Try your answer to a question, "set.question", on its open cases, and print what was found.

    Raises ValueError when there is no such question.
    """
    title, cases = load(name)
    exercise = Exercise(name, title, lambda generator: cases)
    report = Report(exercise, tuple(run_case(case, attempt, exercise) for case in cases))
    print(summary(report, goes_on=False))
    print("When you hand in, other inputs and hidden cases are tried.")


def load(name: str) -> tuple[str, list[Graded]]:
    """Title and open cases of a question."""
    of_set, _, question = name.partition(".")
    places = [folder / f"{of_set}.open.json" for folder in (Path.cwd(), STORED)]
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise ValueError(f"{places[0].name} is not here; put it beside this notebook.")
    with _blamed(file):
        stored = dict(json.loads(file.read_text(encoding="utf-8")))
    if question not in stored:
        raise ValueError(f"name is {name!r}; its question must be one of {', '.join(stored)}.")
    told = stored[question]
    with _blamed(file):
        return told["title"], [_case(one) for one in told["cases"]]


@contextmanager
def _blamed(file: Path) -> Iterator[None]:
    """Whatever is wrong with what a file says becomes a ValueError that names the file."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{file} is damaged ({error!r}); fetch it again.") from error


def _case(one: dict[str, Any]) -> Graded:
    inputs = {name: _read(value) for name, value in one["inputs"].items()}
    call = apply
    if one["call"]:
        names: dict[str, Any] = {"torch": torch}
        exec(one["call"], names)
        call = next(v for k, v in names.items() if k not in ("torch", "__builtins__"))
    judge = agrees(_read(one["expected"]), one["atol"])
    return Graded(one["title"], inputs, call, judge, one["hint"])


def text_of(problems: ProblemSet) -> str:
    """The file of the open cases. Raises ValueError for one that `agrees` does not judge."""
    solved, stored = problems.solve(), {}
    for question in problems.questions:
        seed = seed_for(OPEN_SEED, problems.name, question.name, "")
        shown = [case for case in problems.cases(question, seed, solved) if case.visible]
        for case in shown:
            if not hasattr(case.judge, "expected"):
                raise ValueError(
                    f"{problems.name}.{question.name}: the open case {case.title!r} must be judged "
                    "by `agrees`, since the student gets its expected output and no judge."
                )
        if shown:
            cases = [
                {
                    "title": case.title,
                    "hint": case.hint,
                    "call": source_of(case.call),
                    "atol": case.judge.atol,
                    "inputs": {name: _write(value) for name, value in case.inputs.items()},
                    "expected": _write(case.judge.expected),
                }
                for case in shown
            ]
            stored[question.name] = {"title": question.title, "cases": cases}
    return json.dumps(stored, indent=1, ensure_ascii=False) + "\n"


def _write(value: Any) -> Any:
    if isinstance(value, Tensor):
        return {"dtype": str(value.dtype).removeprefix("torch."), "values": value.tolist()}
    return {"items": [_write(v) for v in value]} if isinstance(value, (tuple, list)) else value


def _read(value: Any) -> Any:
    if isinstance(value, dict) and "dtype" in value:
        return torch.tensor(value["values"], dtype=getattr(torch, value["dtype"]))
    return tuple(map(_read, value["items"])) if isinstance(value, dict) else value
