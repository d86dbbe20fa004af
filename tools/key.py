"""What the key of the problem sets is, and where a piece of it stands that should not.

A phrase of the key is a line of a solution, of the Python file that draws the cases, of the wrong
answers or of their edits, a hidden case's title or hint, or a part of a rubric. What students get
anyway is none: open cases, texts, titles.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from html import unescape
from pathlib import Path

from course_lib.grading.build import student_files
from tools.exercises import ROOT
from tools.problem_sets import SETS, problem_set

PRIVATE = ("assignments/*", "tests/wrong_answers/ps*", "tests/mutants/ps*")
READ = {
    *(".py", ".ipynb", ".json", ".md", ".txt", ".html", ".js", ".css", ".xml", ".toml", ".yml"),
    *(".cfg", ".csv", ".bib", ".cff", ""),
}
SHORTEST_LINE, SHORTEST_TOLD = 50, 32  # in characters that are no space or quotation mark


@dataclass(frozen=True)
class Phrase:
    """A piece of the key: as it reads, without spaces and quotation marks, and its long words."""

    text: str
    squeezed: str
    words: frozenset[str]


def is_private(name: Path) -> bool:
    """Whether a file, by its path in the repository, is part of the key."""
    return any(fnmatch(name.as_posix(), pattern) for pattern in PRIVATE)


@cache
def phrases() -> tuple[Phrase, ...]:
    """The phrases of all sets' keys."""
    return tuple(phrase for name in SETS for phrase in _phrases(name))


def leaks(folder: Path, files: Iterable[Path] | None = None) -> list[str]:
    """Each place in a folder's texts where a phrase of the key stands, as 'file: phrase'."""
    paths = sorted(folder.rglob("*")) if files is None else [folder / name for name in files]
    found = []
    for path in paths:
        if path.is_file() and path.suffix in READ and ".git" not in path.parts:
            text = _plain(path)
            words, squeezed = _words(text), _squeezed(text)
            found += [
                f"{path.relative_to(folder)}: {phrase.text}"
                for phrase in phrases()
                if phrase.words <= words and phrase.squeezed in squeezed
            ]
    return found


def _phrases(name: str) -> Iterator[Phrase]:
    handed_out = _squeezed("\n".join(student_files(problem_set(name)).values()))
    lines = {line: SHORTEST_LINE for line in _lines(name)}
    lines |= {line: SHORTEST_TOLD for line in _told(name)}
    for line, shortest in lines.items():
        squeezed = _squeezed(line)
        if len(squeezed) >= shortest and squeezed not in handed_out:
            yield Phrase(line, squeezed, frozenset(_words(line)))


def _lines(name: str) -> Iterator[str]:
    """The lines of a set's private files that are neither imports nor what a student reads."""
    notebook = json.loads(problem_set(name).notebook.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if {"answer", "written", "solution-only"} & set(cell["metadata"].get("tags", [])):
            yield from "".join(cell["source"]).split("\n")
    for path in (problem_set(name).path, ROOT / "tests" / "wrong_answers" / f"{name}.py"):
        for line in path.read_text(encoding="utf-8").split("\n"):
            if not line.startswith(("from ", "import ", "# ---")):
                yield line.strip()


def _told(name: str) -> Iterator[str]:
    """What only the grader tells: titles and hints of hidden cases, and the rubrics."""
    problems, solved = problem_set(name), problem_set(name).solve()
    for question in problems.questions:
        for case in problems.cases(question, 0, solved):
            if not case.visible:
                yield from (case.title, case.hint)
    for written in problems.written:
        yield from written.rubric


def _plain(path: Path) -> str:
    text = path.read_text(encoding="utf-8", errors="replace")
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    return unescape(re.sub(r"<[^<>]+>", "", text)) if path.suffix == ".html" else text


def _squeezed(text: str) -> str:
    return re.sub(r"\\n|[\s\"'`\\,]+", "", text)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]{4,}", text.replace("\\n", " ")))
