"""The students' notebooks: made from the solutions, without a solution in them."""

import ast
import json
import re
from collections import Counter
from itertools import pairwise

import pytest

from tests.exercises.notebook import CHAPTERS, ROOT, check_calls, code_cells
from tools import exercises

by_chapter = pytest.mark.parametrize("chapter", CHAPTERS)


def test_exercises_is_what_solutions_gives():
    assert exercises.build(check=True) == []


def expressions(lines):
    """What the lines compute: what stands after `return` or `=`, as far as it is telling."""
    return {re.split(r"^return | = ", line)[-1] for line in map(str.strip, lines) if telling(line)}


def telling(line):
    return len(line) > 12 and re.search(r"[*/@(\[]", line)


def region(source, kind):
    """The lines between the markers of a region, without indentation and comment signs."""
    begin, end = f"### BEGIN {kind}\n", f"### END {kind}"
    if begin not in source:
        return set()
    inside = source.split(begin)[1].split(end)[0]
    return {line.strip().removeprefix("# ").strip() for line in inside.split("\n")}


def solution_lines(chapter):
    sources = [c["source"] for c in code_cells("solutions", chapter) if "answer" in c["tags"]]
    return set().union(*(region(text, "SOLUTION") - region(text, "STUB") for text in sources))


@by_chapter
def test_a_student_file_and_the_checks_hold_no_line_of_a_solution(chapter):
    solution = solution_lines(chapter)
    assert len(expressions(solution)) > len(check_calls(chapter))

    notebook = json.loads((ROOT / "exercises" / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    texts = ["\n".join("".join(cell["source"]) for cell in notebook["cells"])]
    texts += [p.read_text(encoding="utf-8") for p in (ROOT / "course_lib/checks").rglob("*.py")]
    for text in texts:
        assert not expressions(solution) & expressions(text.split("\n"))
        assert not [line for line in solution if telling(line) and line in text]


@by_chapter
def test_a_student_file_has_the_cell_ids_of_the_solution_and_no_output(chapter):
    notebooks = {
        folder: json.loads((ROOT / folder / f"{chapter}.ipynb").read_text(encoding="utf-8"))
        for folder in ("solutions", "exercises")
    }
    ids = {folder: [cell["id"] for cell in nb["cells"]] for folder, nb in notebooks.items()}
    assert [i for i in ids["solutions"] if i in ids["exercises"]] == ids["exercises"]
    assert not any(cell.get("outputs") for cell in notebooks["exercises"]["cells"])
    assert not any("solution" in tag for c in code_cells("exercises", chapter) for tag in c["tags"])


@by_chapter
@pytest.mark.parametrize("folder", ["solutions", "exercises"])
def test_a_students_function_is_defined_once_and_never_overwritten(folder, chapter):
    bound = Counter()
    for cell in code_cells(folder, chapter):
        for node in ast.walk(ast.parse(cell["source"])):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                bound[node.name] += 1
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                bound[node.id] += 1
    for call in check_calls(chapter):
        assert bound[call.attempt] == 1
        assert bound[call.result] == 1


@by_chapter
def test_every_exercise_has_its_parts_in_one_order(chapter):
    path = ROOT / "solutions" / f"{chapter}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    parts = ["answer", "check", "hint"]
    tagged = [t for c in cells for t in c["metadata"].get("tags", []) if t in parts]
    assert tagged == parts * len(check_calls(chapter))
    for task, answer in pairwise(cells):
        if "answer" in answer["metadata"].get("tags", []):
            text = "".join(task["source"])
            assert all(word in text for word in ("**Difficulty**", "**Importance**", "minutes"))
            assert "**Essential**" in text and "**Recommended**" in text
    hints = ["".join(c["source"]) for c in cells if "hint" in c["metadata"].get("tags", [])]
    assert all(text.count("<details><summary>Hint ") == 3 for text in hints)


@by_chapter
def test_code_cells_are_short(chapter):
    """Answers hold a docstring; all other cells stay within the chapter standard."""
    sizes = [
        len(cell["source"].splitlines())
        for cell in code_cells("exercises", chapter)
        if "answer" not in cell["tags"]
    ]
    assert sorted(sizes)[len(sizes) // 2] <= 8
    assert max(sizes) <= 30
