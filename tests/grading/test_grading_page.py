"""Every command on the page for lecturers is run, in its order, in a folder like theirs."""

import csv
import os
import re
import stat
import subprocess
import sys

import pytest

from course_lib.grading.refusal import NoSandbox
from course_lib.grading.sandbox import Sandbox
from tests.grading.problem_sets import KEY, ROOT, SETS, notebook_of, wrong

PAGE = (ROOT / "book" / "instructors" / "grading.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(console|bash)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
NAME = SETS[0]
COURSE = """#!/bin/bash
[ "$1" = grade ] && set -- "$@" {unsafe}
exec "{python}" -m course_lib.grading.cli "$@"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the key, a class of four, and the program `course` on the path."""
    root = tmp_path_factory.mktemp("lecturer")
    for folder in ("assignments", "submissions", "bin"):
        (root / folder).mkdir()
    for path in KEY.glob(f"{NAME}.*"):
        (root / "assignments" / path.name).write_bytes(path.read_bytes())
    given = {q: answers[0].answer for q, answers in wrong(NAME).items()}
    for student, answers in {"ada": {}, "bo": given, "cy": {}, "di": given}.items():
        (root / "submissions" / f"{student}.ipynb").write_text(notebook_of(NAME, student, answers))
    (root / "worksheet.csv").write_text("Identifier,Full name,Grade\nP 1,ada,\nP 2,di,\n")
    try:
        Sandbox(kind="cold").close()
        unsafe = ""
    except NoSandbox:  # these four do no harm
        unsafe = "--unsafe"
    program = root / "bin" / "course"
    program.write_text(COURSE.format(unsafe=unsafe, python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return root


def run(root, text, **variables):
    path = os.pathsep.join([str(root / "bin"), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)} | variables
    return subprocess.run(
        ["bash", "-euc", text], cwd=root, env=environment, capture_output=True, text=True
    )


def commands():
    """The page's lines that begin with a dollar sign, by the program that they call."""
    lines = [line for kind, text in BLOCKS if kind == "console" for line in text.splitlines()]
    assert all(line.startswith("$ ") for line in lines)
    return [line.removeprefix("$ ") for line in lines]


def test_the_page_calls_what_there_is():
    assert {line.split()[0] for line in commands()} == {"course", "cd", "nbgrader"}
    verbs = {" ".join(line.split()[:2]) for line in commands() if line.startswith("course")}
    assert verbs == {"course doctor", "course assignment", "course grade", "course similarity"}
    assert f"{NAME}_nbgrader" in PAGE and "autograde ps1_cost_of_sharing" in PAGE


def test_every_command_of_the_page_does_what_the_page_says(place):
    shards = [text for kind, text in BLOCKS if kind == "bash"]
    (count,) = re.findall(r"--array=1-(\d+)", shards[0])
    course = [line for line in commands() if line.startswith("course")]
    for line in dict.fromkeys(course):
        done = run(place, line)
        fine = (0, 1) if line == "course doctor" else (0,)
        assert done.returncode in fine, (line, done.stderr)
    for name in ("student.zip", "key.zip", "gradescope.zip", "nbgrader"):
        assert (place / "handouts" / f"{NAME}_{name}").exists() and f"{NAME}_{name}" in PAGE
    whole = (place / "grades.csv").read_bytes()
    with (place / "grades.csv").open(newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    kept = sum(answers[0].keeps for answers in wrong(NAME).values())
    assert {s: row["score"] for s, row in rows.items()} == {
        "ada": "80", "bo": str(kept), "cy": "80", "di": str(kept),
    }  # fmt: skip
    for name in ("class.html", "written.csv", "secret.txt", "feedback/ada.html", "worksheet.csv"):
        assert (place / "grades" / name).is_file()
    for name in ("pairs.csv", "pairs.html"):
        assert (place / "similarity" / name).is_file()

    (place / "grades.csv").unlink()
    for journal in (place / "grades" / "journal").iterdir():
        journal.unlink()
    told = []
    for task in range(1, int(count) + 1):
        done = run(place, shards[0], SLURM_ARRAY_TASK_ID=str(task))
        assert done.returncode == 0 and not (place / "grades.csv").exists(), done.stderr
        told += re.findall(r"(\d+) graded", done.stderr)
    assert sum(map(int, told)) == 4 and f"/{count}" in shards[0]
    done = run(place, course[-1])
    assert "4 graded, 0 of them now" in done.stderr
    assert (place / "grades.csv").read_bytes() == whole
