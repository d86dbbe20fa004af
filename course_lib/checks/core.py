"""What an exercise is, and how an answer is judged."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

PASSED, WRONG, NOT_DONE = "done", "wrong", "not done yet"
SEED = 0
_LIBRARIES = (str(Path(__file__).parent), str(Path(torch.__file__).parent))


@dataclass(frozen=True)
class Case:
    """One thing that a right answer does.

    `call` and `judge` share `inputs` and nothing else, so that a grader can run `call` in a
    sandbox and `judge` outside it.

    Attributes:
        title: the thing, as a sentence.
        inputs: tensors and numbers by name.
        call: `call(attempt, **inputs)` runs the student's object and returns plain tensors or
            numbers.
        judge: `judge(output, **inputs)` returns None when the output is right, else a sentence
            that says what is wrong and by how much.
        hint: what to look at when the case fails.
    """

    title: str
    inputs: Mapping[str, Any]
    call: Callable[..., Any]
    judge: Callable[..., str | None]
    hint: str


@dataclass(frozen=True)
class Exercise:
    """A named exercise; `make_cases(generator)` draws its inputs.

    In a `find_the_bug` exercise the student starts from code that runs and is wrong, so a wrong
    output means that the exercise is not done yet.
    """

    name: str
    title: str
    make_cases: Callable[[Generator], list[Case]]
    find_the_bug: bool = False


@dataclass(frozen=True)
class Result:
    """The verdict on one case; `message` and `hint` are empty when it passed."""

    title: str
    verdict: str
    message: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Report:
    """The verdict on one answer, case by case."""

    exercise: Exercise
    results: tuple[Result, ...]

    @property
    def verdict(self) -> str:
        """`wrong` when any case is, else `not done yet` when any case is, else `done`."""
        verdicts = {result.verdict for result in self.results}
        return next(v for v in (WRONG, NOT_DONE, PASSED) if v in verdicts)

    @property
    def passed(self) -> bool:
        return self.verdict == PASSED


_EXERCISES: dict[str, Exercise] = {}


def exercise(name: str, title: str, *, find_the_bug: bool = False) -> Callable:
    """Register the function that makes the cases of the exercise `name`, "chapter.function"."""

    def register(make_cases: Callable[[Generator], list[Case]]) -> Callable:
        _EXERCISES[name] = Exercise(name, title, make_cases, find_the_bug)
        return make_cases

    return register


def exercises(chapter: str | None = None) -> list[Exercise]:
    """All exercises in the order of the notebook; of one chapter when named.

    Raises ValueError for a chapter that has none.
    """
    chapters = list(dict.fromkeys(name.split(".")[0] for name in _EXERCISES))
    if chapter is not None and chapter not in chapters:
        raise ValueError(f"chapter is {chapter!r}; it must be one of {', '.join(chapters)}.")
    return [e for n, e in _EXERCISES.items() if chapter in (None, n.split(".")[0])]


def find(name: str) -> Exercise:
    """The exercise of this name. Raises ValueError with the list of names when there is none."""
    if name not in _EXERCISES:
        raise ValueError(f"name is {name!r}; it must be one of {', '.join(_EXERCISES)}.")
    return _EXERCISES[name]


def cases(name: str, seed: int = SEED) -> list[Case]:
    """The cases of an exercise, with inputs drawn from `seed`."""
    return find(name).make_cases(torch.Generator().manual_seed(seed))


def run(name: str, attempt: Any, seed: int = SEED) -> Report:
    """Judge an answer without printing. Never raises for a wrong answer."""
    found = find(name)
    return Report(found, tuple(run_case(c, attempt, found) for c in cases(name, seed)))


def run_case(case: Case, attempt: Any, exercise: Exercise) -> Result:
    """Call the attempt on copies of the inputs and judge what comes back. Never raises for it."""
    if not callable(attempt):
        what = "None" if attempt is None else f"a {type(attempt).__name__}"
        message = f"the check was given {what}; give it your function itself, without brackets"
        return Result(case.title, WRONG, message, case.hint)
    inputs = {name: _copy(value) for name, value in case.inputs.items()}
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(SEED)
            output = case.call(attempt, **inputs)
        changed = _changed_in_place(case.inputs, inputs)
        if changed is not None:
            return Result(case.title, _refusal(exercise.find_the_bug), changed, case.hint)
        return judge_output(case, output, find_the_bug=exercise.find_the_bug)
    except Exception as error:
        frame = _student_line(error)
        if _is_stub(error, frame[1]):
            return Result(case.title, NOT_DONE, "the stub still stands", case.hint)
        return Result(case.title, WRONG, _describe(error, *frame), case.hint)


def judge_output(case: Case, output: Any, *, find_the_bug: bool = False) -> Result:
    """The verdict on what `case.call` returned, wherever that ran."""
    message = case.judge(output, **case.inputs)
    if message is None:
        return Result(case.title, PASSED)
    return Result(case.title, _refusal(find_the_bug), message, case.hint)


def _refusal(find_the_bug: bool) -> str:
    return NOT_DONE if find_the_bug else WRONG


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


def _changed_in_place(before: Mapping[str, Any], after: Mapping[str, Any]) -> str | None:
    for name, value in before.items():
        if isinstance(value, Tensor) and not torch.equal(value, after[name]):
            return f"it changed its argument `{name}` in place; work on a new tensor"
    return None


def _student_line(error: Exception) -> tuple[int, str]:
    """Number and text of the last line in the traceback that is neither ours nor torch's."""
    number, text, step = 0, "", error.__traceback__
    while step is not None:
        filename = step.tb_frame.f_code.co_filename
        if not filename.startswith(_LIBRARIES):
            number = step.tb_lineno
            text = linecache.getline(filename, number).strip()
        step = step.tb_next
    return number, text


def _is_stub(error: Exception, line: str) -> bool:
    """torch raises NotImplementedError too, always with a message and from inside an operation."""
    return isinstance(error, NotImplementedError) and (not error.args or line.startswith("raise"))


def _describe(error: Exception, number: int, line: str) -> str:
    where = f" in line {number}" + (f" (`{line}`)" if line else "") if number else ""
    reason = str(error).strip().split("\n")[0][:160]
    return f"it raised {type(error).__name__}{where}" + (f": {reason}" if reason else "")
