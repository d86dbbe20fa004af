"""The nbgrader tree: its metadata, and that its hidden tests give the points that they should."""

import importlib.util
import json
import subprocess
import sys

import nbformat
import pytest

from course_lib.grading import nbgrader
from tests.grading.problem_sets import KEY, SETS, attempt_of, problem_set, wrong
from tests.grading.toy import write_set

QUESTIONS = [(name, q) for name in SETS for q in problem_set(name).questions]
by_set = pytest.mark.parametrize("name", SETS)


def graded_cells(name):
    cells = json.loads(nbgrader.notebook(problem_set(name)))["cells"]
    return [c for c in cells if c["metadata"].get("nbgrader", {}).get("grade")]


@by_set
def test_the_metadata_is_what_nbgrader_wants(name):
    """As nbgrader's schema version 3 and its validator say."""
    made = nbformat.reads(nbgrader.notebook(problem_set(name)), as_version=4)
    nbformat.validate(made)
    about = [c.metadata.nbgrader for c in made.cells if "nbgrader" in c.metadata]
    names = [a.grade_id for a in about]
    assert len(set(names)) == len(names) and all(n.replace("-", "_").isidentifier() for n in names)
    for a in about:
        assert a.schema_version == 3 and ("points" in a) == a.grade
        assert {type(a[flag]) for flag in ("grade", "locked", "solution", "task")} == {bool}
    assert sum(a.points for a in about if a.grade) == problem_set(name).points
    for c in made.cells:
        flags = c.metadata.get("nbgrader", {"solution": False, "grade": False})
        assert ("### BEGIN SOLUTION" in c.source) == flags["solution"]
        assert c.source.count("BEGIN SOLUTION") == c.source.count("END SOLUTION") <= 1
        assert ("### BEGIN HIDDEN TESTS" in c.source) <= flags["grade"]
        assert c.cell_type == "code" or flags["grade"] == flags["solution"]


@by_set
def test_what_is_left_without_solutions_and_hidden_tests_holds_no_answer(name):
    problems = problem_set(name)
    left = []
    for c in json.loads(nbgrader.notebook(problems))["cells"]:
        inside, lines = False, []
        for line in "".join(c["source"]).split("\n"):
            inside = (inside or "### BEGIN" in line) and "### END" not in line
            lines += [] if inside or "### END" in line else [line]
        left.append("\n".join(lines))
    for question in problems.questions:
        for case in problems.cases(question, 0, problems.solve()):
            assert case.visible or not [text for text in left if case.title in text]
    key = problems.notebook.read_text(encoding="utf-8")
    assert "**Why, and what often goes wrong.**" not in "".join(left) and "solution-only" in key


def points_of(name, attempts, folder, monkeypatch, student="ada"):
    """What the hidden tests give, run as nbgrader runs them: in the student's folder and names."""
    place = folder / "autograded" / student / name
    place.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(place)
    monkeypatch.setenv("COURSE_KEY", str(KEY))
    got = 0
    for c in graded_cells(name):
        if c["cell_type"] == "code":
            try:
                exec("".join(c["source"]), {**attempts, "STUDENT": "nobody"})
                got += c["metadata"]["nbgrader"]["points"]
            except Exception:
                pass
    return got


@by_set
def test_the_solution_gets_all_points_and_the_stub_none(name, tmp_path, monkeypatch):
    problems = problem_set(name)
    solved = {q.name: problems.solve("ada")[q.name] for q in problems.questions}
    all_points = sum(q.points for q in problems.questions)
    assert points_of(name, solved, tmp_path, monkeypatch) == all_points
    assert points_of(name, {}, tmp_path, monkeypatch) == 0


@pytest.mark.parametrize("name, question", QUESTIONS, ids=[f"{n}-{q.name}" for n, q in QUESTIONS])
def test_a_wrong_answer_keeps_what_it_is_worth(name, question, tmp_path, monkeypatch):
    solved = problem_set(name).solve("ada")
    for answer in wrong(name)[question.name]:
        attempt = attempt_of(question, answer.answer, solved)
        attempts = {question.name: attempt() if question.value else attempt}
        assert points_of(name, attempts, tmp_path, monkeypatch) == answer.keeps, answer.name


def test_a_key_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COURSE_KEY", raising=False)
    with pytest.raises(FileNotFoundError, match=r"toy\.py is in no folder .*COURSE_KEY"):
        nbgrader.judge("toy", "double", 0, None, "ada")


def test_a_stub_of_ours_makes_way_for_theirs(tmp_path):
    path = write_set(tmp_path)
    solved = json.loads(path.with_suffix(".ipynb").read_text())
    solved["cells"][5]["source"] = (
        "### BEGIN STUB\n# my_number = 0\n### END STUB\n### BEGIN SOLUTION\nmy_number = 1\n"
        "### END SOLUTION"
    )
    path.with_suffix(".ipynb").write_text(json.dumps(solved))
    made = nbgrader.notebook(nbgrader.load(path))
    assert "STUB" not in made and "my_number = 0" not in made


@pytest.mark.skipif(not importlib.util.find_spec("nbgrader"), reason="needs `pip install nbgrader`")
def test_nbgrader_itself_releases_and_grades_it(tmp_path):
    from nbgrader.api import Gradebook

    for name, text in nbgrader.files(nbgrader.load(write_set(tmp_path))).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def call(*words):
        command = [sys.executable, "-m", "nbgrader", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    call("generate_assignment", "toy", "--create")
    released = (tmp_path / "release" / "toy" / "toy.ipynb").read_text()
    assert "SOLUTION" not in released and "judge" not in released and "2 * x" not in released
    handed_in = json.loads(released)
    for student, body in {"ada": "return 2 * x", "bob": "return x + 2"}.items():
        for c in handed_in["cells"]:
            source = "".join(c["source"])
            if source.startswith("def double"):
                c["source"] = f"def double(x):\n    {body}"
            if "nbgrader" in c["metadata"] and c["metadata"]["nbgrader"]["grade_id"] == "b":
                c["source"] = f"my_number = len({student!r}) + sum(map(ord, {student!r})) / 7"
        place = tmp_path / "submitted" / student / "toy"
        place.mkdir(parents=True)
        (place / "toy.ipynb").write_text(json.dumps(handed_in))
    call("autograde", "toy")
    with Gradebook(f"sqlite:///{tmp_path}/gradebook.db") as book:
        scores = {s: book.find_submission("toy", s).score for s in ("ada", "bob")}
    assert scores == {"ada": 7, "bob": 2}
