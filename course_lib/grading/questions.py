"""What a problem set is: questions, each with cases that are run in the sandbox and judged outside.

A problem set is two files that lie side by side, `NAME.ipynb` and `NAME.py`, in a folder that no
student gets. The notebook is the one source of the text and of the answers: cells tagged `given`
and `answer` define what a judge compares with. The Python file makes a `ProblemSet` called `SET`
and draws the cases. `load` reads both; the lecturer's commands are all that calls it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import json
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case
from course_lib.checks.judging import differs, not_a_tensor

OPEN_SEED = "open"
DEFAULT_STUDENT = "example"


def apply(attempt, **inputs):
    return attempt(*inputs.values())


def first(attempt):
    return attempt()[0]


def second(attempt):
    return attempt()[1]


def third(attempt):
    return attempt()[2]


def fourth(attempt):
    return attempt()[3]


@dataclass(frozen=True)
class Graded(Case):
    """A case with points. `visible` cases can also be tried by the student, on other inputs.

    `call` must be a function at the top of its file that uses torch and its arguments alone: the
    sandbox gets its text, and nothing else of the file.
    """

    points: int = 0
    visible: bool = False


@dataclass(frozen=True)
class Draw:
    """What the cases of a question are made from.

    Attributes:
        generator: the source of the inputs.
        solved: every name that the solved notebook's `given` and `answer` cells define.
    """

    generator: Generator
    solved: Mapping[str, Any]


@dataclass(frozen=True)
class Question:
    """One question of a set.

    Attributes:
        name: of the function (or, if `value`, the variable) that the student defines.
        points: must be the sum of the cases' points.
        minutes: estimated for a student.
        objective: what a student who answers it can do.
        seconds: CPU seconds that all cases together may take.
    """

    name: str
    title: str
    points: int
    minutes: int
    objective: str
    make_cases: Callable[[Draw], list[Graded]]
    value: bool = False
    seconds: float = 5.0


@dataclass(frozen=True)
class Written:
    """A question that a person reads; `rubric` maps what to look for to points."""

    name: str
    title: str
    minutes: int
    objective: str
    rubric: Mapping[str, int]

    @property
    def points(self) -> int:
        return sum(self.rubric.values())


@dataclass
class ProblemSet:
    """A named set.

    Attributes:
        chapters: the numbers of the book's chapters that it is about.
        rooms: the rooms of course_lib that exist while it is graded.

    Raises ValueError when no chapter is named.
    """

    title: str
    chapters: tuple[int, ...]
    rooms: tuple[str, ...] = ()
    questions: list[Question] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)
    path: Path = Path()

    def __post_init__(self) -> None:
        if not self.chapters:
            raise ValueError(f"{self.title}: name the chapters it is about, chapters=(1, 2).")

    @property
    def reading(self) -> str:
        """The chapters in words, as the header of the set's notebook says them."""
        first, last = self.chapters[0], self.chapters[-1]
        if len(self.chapters) > 3 and self.chapters == tuple(range(first, last + 1)):
            return f"Chapters {first} to {last}"
        *others, last = map(str, self.chapters)
        return f"Chapters {', '.join(others)} and {last}" if others else f"Chapter {last}"

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def points(self) -> int:
        return sum(q.points for q in [*self.questions, *self.written])

    @property
    def notebook(self) -> Path:
        return self.path.with_suffix(".ipynb")

    def question(self, title: str, **about: Any) -> Callable:
        """Register the function that makes the cases of the question of its name."""

        def register(make_cases: Callable[[Draw], list[Graded]]) -> Callable:
            self.questions.append(
                Question(make_cases.__name__, title, make_cases=make_cases, **about)
            )
            return make_cases

        return register

    def cases(self, question: Question, seed: int, solved: Mapping[str, Any]) -> list[Graded]:
        """The cases of a question. Raises ValueError when their points do not add up."""
        made = question.make_cases(Draw(torch.Generator().manual_seed(seed), solved))
        total = sum(case.points for case in made)
        if total != question.points:
            raise ValueError(
                f"{self.name}.{question.name}: its cases give {total} points; they must give the "
                f"{question.points} that the question is worth."
            )
        return made

    def solve(self, student: str = DEFAULT_STUDENT) -> dict[str, Any]:
        """The names that the solved notebook defines when `student` runs it."""
        names: dict[str, Any] = {"__name__": self.name}
        for cell in json.loads(self.notebook.read_text(encoding="utf-8"))["cells"]:
            tags = cell["metadata"].get("tags", [])
            if "student" in tags:
                names["STUDENT"] = student
            elif cell["cell_type"] == "code" and {"given", "answer"} & set(tags):
                source = "".join(cell["source"])
                exec(compile(source, f"<{self.name}, cell {cell['id']}>", "exec"), names)
        return names


def case(
    title: str,
    inputs: Mapping[str, Any],
    judge: Callable[..., str | None] | Any,
    hint: str,
    points: int,
    *,
    visible: bool = False,
    call: Callable = apply,
) -> Graded:
    """A case; `judge` is a judge or, short for `agrees`, the output that is expected."""
    if not callable(judge):
        judge = agrees(judge)
    return Graded(title, inputs, call, judge, hint, points, visible)


def agrees(expected: Any, atol: float = 1e-4) -> Callable[..., str | None]:
    """The judge that wants `expected`: a tensor, a number, or a tuple of those."""

    def judge(output: Any, **_: Any) -> str | None:
        if not isinstance(expected, (tuple, list)):
            return _agree(output, expected, atol, "it")
        if not isinstance(output, (tuple, list)):
            return f"a {type(output).__name__} came back; {len(expected)} values are needed"
        if len(output) != len(expected):
            return f"{len(output)} values came back; {len(expected)} are needed"
        pairs = enumerate(zip(output, expected, strict=True), start=1)
        said = (_agree(mine, right, atol, f"value {k}") for k, (mine, right) in pairs)
        return next((sentence for sentence in said if sentence), None)

    judge.expected, judge.atol = expected, atol
    return judge


def _agree(output: Any, expected: Any, atol: float, what: str) -> str | None:
    expected = torch.as_tensor(expected)
    if isinstance(output, (bool, int, float)):
        output = torch.tensor(output)
    if expected.is_floating_point():
        if isinstance(output, Tensor) and not output.is_floating_point() and not expected.ndim:
            output = output.double()  # a whole number is a number
        axes = ", ".join(map(str, expected.shape))
        problem = not_a_tensor(output, expected.shape, axes, what)
        return problem or differs(output, expected, atol, "the expected value")
    if not isinstance(output, Tensor):
        return f"{what} is a {type(output).__name__}; a tensor or number is needed"
    if output.shape != expected.shape or output.is_floating_point():
        return (
            f"{what} has the shape {list(output.shape)} and dtype {output.dtype}; needed are "
            f"{list(expected.shape)} and {expected.dtype}"
        )
    wrong = int((output != expected).sum())
    return f"{what} is wrong in {wrong} of {expected.numel()} places" if wrong else None


def source_of(call: Callable) -> str | None:
    """The text of a case's `call` for the sandbox; None for `apply`, which the sandbox knows."""
    return None if call is apply else textwrap.dedent(inspect.getsource(call))


def seed_for(*parts: str) -> int:
    """A seed that follows from texts: the same texts, the same seed on every machine."""
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:7], "big")


def load(path: Path) -> ProblemSet:
    """The problem set of `NAME.py`. Raises ValueError when it or its notebook is not there."""
    for needed in (path, path.with_suffix(".ipynb")):
        if not needed.is_file():
            raise ValueError(f"{needed} is not there; a problem set is NAME.py and NAME.ipynb.")
    spec = importlib.util.spec_from_file_location(f"problem_set_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not isinstance(getattr(module, "SET", None), ProblemSet):
        raise ValueError(f"{path} defines no SET; it must be a ProblemSet.")
    return replace(module.SET, path=path.resolve())
