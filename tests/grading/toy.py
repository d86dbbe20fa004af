"""A small problem set, written into a folder, and notebooks that answer it."""

import json
import textwrap
from pathlib import Path

QUESTIONS = """
import torch
from course_lib.grading.questions import ProblemSet, Written, agrees, case

SET = ProblemSet(
    "Toy set", (1,), written=[Written("essay", "Say why", 5, "say it", {"a reason": 3})]
)


def gradient(attempt, x):
    x = x.requires_grad_()
    return torch.autograd.grad(attempt(x).sum(), x)[0]


@SET.question("Twice x", points=5, minutes=5, objective="double", seconds=2)
def double(draw):
    x = torch.randn(4, generator=draw.generator)
    right = draw.solved["double"](x)
    slope = torch.full((4,), 2.0)
    return [
        case("Every entry is doubled", {"x": x}, right, "Add it to itself.", 3, visible=True),
        case("The slope is 2", {"x": x}, slope, "Do not detach.", 2, call=gradient),
    ]


@SET.question("Your number", points=2, minutes=1, objective="count", value=True)
def my_number(draw):
    return [case("It is that of your name", {}, draw.solved["my_number"], "Count.", 2)]
"""


def cell(source: str, *tags: str, kind: str = "code", id: str = "c") -> dict:
    made = {"cell_type": kind, "id": id, "metadata": {"tags": list(tags)}, "source": source}
    return made | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def notebook(*cells: dict) -> str:
    return json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


DOUBLE = """def double(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION"""
NUMBER = """### BEGIN SOLUTION
my_number = len(STUDENT) + sum(map(ord, STUDENT)) / 7
### END SOLUTION"""
ESSAY = "<!-- written: essay -->\n"


def write_set(folder: Path) -> Path:
    """Write the set `toy` into the folder and return its Python file."""
    (folder / "toy.py").write_text(textwrap.dedent(QUESTIONS))
    solved = notebook(
        cell("# Problem set: toy", kind="markdown", id="t"),
        cell("import torch", "given", id="g"),
        cell('STUDENT = "example"', "student", id="s"),
        cell(DOUBLE, "answer", id="a"),
        cell('check("toy.double", double)', "check", id="k"),
        cell(NUMBER, "answer", id="b"),
        cell(ESSAY + "Because.", "written", kind="markdown", id="e"),
    )
    (folder / "toy.ipynb").write_text(solved)
    return folder / "toy.py"


def answers(student: str, double: str = "return 2 * x", number: str | None = None) -> str:
    """A notebook as a student hands it in."""
    number = number or "my_number = len(STUDENT) + sum(map(ord, STUDENT)) / 7"
    return notebook(
        cell("import torch\nfrom course_lib.checks import check\nimport matplotlib.pyplot as plt"),
        cell(f"STUDENT = {student!r}"),
        cell(f"def double(x):\n    {double}"),
        cell('check("toy.double", double)'),
        cell(number),
        cell(ESSAY + "Because <b>I</b> say so.", kind="markdown"),
    )
