"""What the reader sees: one line per case, and a table of the chapter's exercises."""

from __future__ import annotations

import linecache
import textwrap
from dataclasses import dataclass
from html import escape
from typing import Any

from course_lib.checks.core import (
    NOT_DONE,
    PASSED,
    SEED,
    WRONG,
    Exercise,
    Report,
    Result,
    cases,
    exercises,
    find,
    run,
)
from course_lib.study import store

_MARKS = {PASSED: "✓", WRONG: "✗", NOT_DONE: "○"}
WIDTH = 70
_latest: dict[str, Report] = {}


def check(name: str, attempt: Any, otherwise: Any = None, seed: int = SEED) -> Any:
    """Judge your answer to the exercise `name`, print what was found, and let the notebook go on.

    Returns `attempt` when every case passes, else `otherwise` (course_lib's own implementation).
    A wrong answer never raises. Keep the result under another name than your function's, so that
    running the cell again judges your function and not what stood in for it.

    Raises ValueError when there is no exercise of this name; the message lists them.
    """
    exercise = find(name)
    if attempt is otherwise and attempt is not None:
        results = [Result(case.title, NOT_DONE) for case in cases(name, seed)]
        report = Report(exercise, tuple(results))
        print(f"○ {exercise.title}: this is course_lib's own function, not yours. Check yours.")
    else:
        report = run(name, attempt, seed)
        print(summary(report, goes_on=otherwise is not None))
        _remember(report, attempt)
    _latest[name] = report
    return attempt if report.passed else otherwise


def _remember(report: Report, attempt: Any) -> None:
    """Keep what was tried on this machine; an open answer and a printed solution are no tries."""
    if report.verdict == NOT_DONE or _is_printed_solution(attempt):
        return
    passed = sum(result.verdict == PASSED for result in report.results)
    cases = len(report.results)
    store.add("check", name=report.exercise.name, done=report.passed, passed=passed, cases=cases)


def _is_printed_solution(attempt: Any) -> bool:
    """Whether the cell that defines `attempt` is one of the solved notebook."""
    parts = [attempt, *vars(attempt).values()] if isinstance(attempt, type) else [attempt]
    files = {part.__code__.co_filename for part in parts if hasattr(part, "__code__")}
    return any("### BEGIN SOLUTION" in line for f in files for line in linecache.getlines(f))


def summary(report: Report, goes_on: bool) -> str:
    """What a reader is told; `goes_on`: something else stands in for a wrong answer."""
    title, results = report.exercise.title, report.results
    failed = [result for result in results if result.verdict != PASSED]
    lines = [_line(result) for result in results]
    if not failed:
        return "\n".join([*lines, _wrap(f"Done: {title}. The notebook goes on with yours.")])
    rest = "The notebook goes on with course_lib's own." if goes_on else "The notebook goes on."
    if report.verdict == NOT_DONE and not report.exercise.find_the_bug:
        return _wrap(f"○ {title}: {NOT_DONE}. {rest}", "  ")
    state = "Not done yet" if report.verdict == NOT_DONE else "Not right yet"
    n_passed = f"{len(results) - len(failed)} of {len(results)} cases pass"
    hint = _wrap(f"  Hint: {failed[0].hint}", "  ")
    return "\n".join([*lines, hint, _wrap(f"{state}: {title}, {n_passed}. {rest}")])


def _line(result: Result) -> str:
    if result.verdict == PASSED:
        return _wrap(f"✓ {result.title}", "  ")
    return "\n".join([_wrap(f"✗ {result.title}", "  "), _wrap(f"    {result.message}", "    ")])


def _wrap(text: str, below: str = "") -> str:
    """`text` at the width of the book's column, its later lines indented by `below`."""
    return textwrap.fill(text, WIDTH, subsequent_indent=below, break_on_hyphens=False)


@dataclass(frozen=True)
class Progress:
    """The state of a chapter's exercises: rows of (number, title, state, cases passed, cases)."""

    chapter: str
    rows: tuple[tuple[int, str, str, int, int], ...]

    @property
    def done(self) -> bool:
        return all(state == PASSED for _, _, state, _, _ in self.rows)

    def __str__(self) -> str:
        n_done = sum(state == PASSED for _, _, state, _, _ in self.rows)
        lines = [
            f"{_MARKS[state]} {number}  {title:<40} {state:<13} {passed} of {total} cases"
            for number, title, state, passed, total in self.rows
        ]
        return "\n".join([*lines, f"{n_done} of {len(self.rows)} exercises done"])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        heads = "".join(
            f'<th scope="col" style="text-align:left">{head}</th>'
            for head in ("Exercise", "State", "Cases passed")
        )
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{number}. {escape(title)}</th>'
            f'<td style="text-align:left">{_MARKS[state]} {state}</td>'
            f'<td style="text-align:left">{passed} of {total}</td></tr>'
            for number, title, state, passed, total in self.rows
        )
        return (
            "<table><caption>Your exercises</caption>"
            f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        )


def progress(chapter: str) -> Progress:
    """What was checked so far in this session, for every exercise of the chapter."""
    numbered = enumerate(exercises(chapter), start=1)
    return Progress(chapter, tuple(_row(number, found) for number, found in numbered))


def _row(number: int, exercise: Exercise) -> tuple[int, str, str, int, int]:
    report = _latest.get(exercise.name)
    if report is None:
        return number, exercise.title, NOT_DONE, 0, len(cases(exercise.name))
    n_passed = sum(result.verdict == PASSED for result in report.results)
    return number, exercise.title, report.verdict, n_passed, len(report.results)
