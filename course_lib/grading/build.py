"""Makes what is handed out and what grades it, always the same bytes.

A zip for students, a zip with the key, a Gradescope autograder and a course folder of nbgrader.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from course_lib.files import write_file
from course_lib.grading import gradescope, nbgrader
from course_lib.grading.notebooks import student_notebook
from course_lib.grading.questions import ProblemSet, load
from course_lib.grading.visible import STORED, text_of


def student_files(problems: ProblemSet) -> dict[str, str]:
    """Name and text of each file that a student gets: no answer, no hidden case, no reference."""
    name, solved = problems.name, json.loads(problems.notebook.read_text(encoding="utf-8"))
    origin = f"problem set {name}, by `course assignment build`"
    return {
        f"{name}/{name}.ipynb": student_notebook(solved, f"{name}.ipynb", origin),
        f"{name}/{name}.open.json": text_of(problems),
        f"{name}/README.txt": sheet(problems),
    }


def teacher_files(problems: ProblemSet) -> dict[str, str]:
    """Name and text of each file of the answer key."""
    return {
        f"{problems.name}_key/{path.name}": path.read_text(encoding="utf-8")
        for path in (problems.notebook, problems.path)
    } | {f"{problems.name}_key/README.txt": sheet(problems, rubric=True)}


def sheet(problems: ProblemSet, *, rubric: bool = False) -> str:
    """Points, minutes and aims; with the rubric of what a person reads, if asked for."""
    parts = [*problems.questions, *problems.written]
    minutes = sum(part.minutes for part in parts)
    lines = [
        problems.title,
        f"{problems.reading}. {problems.points} points, about {minutes} minutes",
        "",
    ]
    for part in parts:
        lines.append(f"{part.points:>4} points, {part.minutes:>2} minutes  {part.title}")
        lines.append(f"{'':>24}You can {part.objective}.")
        if rubric and part in problems.written:
            lines += [f"{'':>24}{points}: {what}" for what, points in part.rubric.items()]
    lines += [
        "",
        f"Put your name in place of STUDENT, work in {problems.name}.ipynb, and hand in that file.",
        "The open checks are a part of what is tried. Graded is what your functions return.",
    ]
    return "\n".join(lines) + "\n"


def pack(files: Mapping[str, str | bytes]) -> bytes:
    """A zip of the files that depends on nothing but their names and contents."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            content = files[name].encode() if isinstance(files[name], str) else files[name]
            mode = 0o100755 if content.startswith(b"#!") else 0o100644
            member.external_attr, member.create_system = mode << 16, 3
            archive.writestr(member, content)
    return out.getvalue()


def build(path: Path, folder: Path) -> list[Path]:
    """Write all of the problem set `path`; returns three zips and the nbgrader folder.

    The open cases of a set that comes with the course are stored in course_lib, too.
    """
    problems = load(path)
    stored = STORED / f"{problems.name}.open.json"
    if path.resolve().parent == STORED.parents[2] / "assignments":
        write_file(stored, text_of(problems))
    zips = {
        "student": student_files(problems),
        "key": teacher_files(problems),
        "gradescope": gradescope.files(problems),
    }
    course = folder / f"{problems.name}_nbgrader"
    for name, text in nbgrader.files(problems).items():
        write_file(course / name, text)
    return [
        *(write_file(folder / f"{problems.name}_{n}.zip", pack(f)) for n, f in zips.items()),
        course,
    ]
