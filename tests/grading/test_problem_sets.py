"""Every problem set: its solution gets all points, every wrong answer what it is worth, and what
students get holds no answer."""

import json
import re
import zipfile
from copy import deepcopy

import pytest
import torch

from course_lib.grading import build, visible
from course_lib.grading.questions import apply, source_of
from tests.grading.problem_sets import (
    KEY,
    ROOT,
    SETS,
    WITHOUT,
    handed_in,
    points_of,
    problem_set,
    wrong,
)
from tools import caught

if not SETS:
    pytest.skip(WITHOUT, allow_module_level=True)

SEEDS, STUDENTS = caught.SEEDS, caught.STUDENTS
QUESTIONS = [(name, q) for name in SETS for q in problem_set(name).questions]
by_question = pytest.mark.parametrize(
    "name, question", QUESTIONS, ids=[f"{name}-{q.name}" for name, q in QUESTIONS]
)
by_set = pytest.mark.parametrize("name", SETS)


@by_question
@pytest.mark.parametrize("student", STUDENTS)
def test_the_solution_gets_all_points(name, question, student):
    problems, solved = problem_set(name), problem_set(name).solve(student)
    attempt = handed_in(question, solved[question.name])
    for seed in SEEDS:
        points = points_of(problems, question, attempt, seed, solved)
        assert sum(points) == question.points and 0 not in points


@by_question
def test_there_are_six_wrong_answers_each_says_its_misconception_and_keeps_what_it_should(
    name, question
):
    answers = wrong(name)[question.name]
    assert len(answers) >= 6
    for answer in answers:
        assert len(answer.answer.__doc__) > 10
        runs = caught.points(name)[question.name][answer.name]
        assert len(runs) == len(STUDENTS) * len(SEEDS)
        for points in runs:
            assert sum(points) == answer.keeps < question.points, (answer.name, points)


@by_question
def test_every_case_is_failed_by_a_wrong_answer(name, question):
    failed = {
        case
        for first, *_ in caught.points(name)[question.name].values()
        for case, got in enumerate(first)
        if not got
    }
    cases = problem_set(name).cases(question, 0, problem_set(name).solve())
    assert failed == set(range(len(cases)))


def like(change):
    """Something of the right form whose every number is what `change` makes of the right one."""

    def make(value):
        if isinstance(value, (tuple, list)):
            return tuple(map(make, value))
        return change(torch.as_tensor(value))

    return make


GARBAGE = {
    "None": lambda value: None,
    "0": lambda value: 0,
    "NaN": lambda value: float("nan"),
    "zeros": like(torch.zeros_like),
    "NaNs": like(lambda value: value * float("nan")),
    "infinities": like(lambda value: value * 0 + float("inf")),
    "minus": like(lambda value: -1 - value),
    "an axis too many": like(lambda value: value[None]),
    "a string": lambda value: "right",
    "an empty tuple": lambda value: (),
}


@by_question
@pytest.mark.parametrize("garbage", GARBAGE)
def test_no_case_accepts_garbage(name, question, garbage):
    from course_lib.checks.core import judge_output

    problems, solved = problem_set(name), problem_set(name).solve()
    attempt = handed_in(question, solved[question.name])
    for case in problems.cases(question, 1, solved):
        right = case.call(attempt, **deepcopy(case.inputs))
        verdict = judge_output(case, GARBAGE[garbage](right))
        assert verdict.verdict != "done" and len(verdict.message) > 10, case.title


@by_question
def test_hidden_inputs_differ_from_student_to_student_or_the_answers_do(name, question):
    problems = problem_set(name)
    seen = []
    for seed, student in enumerate(STUDENTS):
        solved = problems.solve(student)
        cases = problems.cases(question, seed, solved)
        seen.append(str([list(c.inputs.values()) for c in cases]) + str(cases[0].judge.expected))
    assert seen[0] != seen[1]


@by_set
def test_a_set_is_worth_60_to_100_points_and_says_its_minutes(name):
    problems = problem_set(name)
    assert 60 <= problems.points <= 100 and 3 <= len(problems.questions) <= 6
    assert all(1 <= part.minutes <= 60 for part in [*problems.questions, *problems.written])
    text = problems.notebook.read_text(encoding="utf-8")
    assert f"{problems.reading}. {problems.points} points" in text
    for part in [*problems.questions, *problems.written]:
        assert f"({part.points} points)" in text
        assert part.title.split(": ")[0] in text
    assert set(re.findall(r"written: (\w+)", text)) == {w.name for w in problems.written}


def telling(line):
    return len(line) > 16 and re.search(r"[*/@(\[]", line)


@by_set
def test_what_students_get_holds_no_line_of_an_answer_and_no_hidden_case(name):
    problems = problem_set(name)
    notebook = json.loads(problems.notebook.read_text(encoding="utf-8"))
    secret = set()
    for cell in notebook["cells"]:
        source, tags = "".join(cell["source"]), cell["metadata"].get("tags", [])
        if "answer" in tags:
            inside = source.split("### BEGIN SOLUTION")[1].split("### END SOLUTION")[0]
            secret |= {line.strip() for line in inside.split("\n") if telling(line.strip())}
        if {"written", "solution-only"} & set(tags):
            secret |= {line for line in source.split("\n") if len(line) > 30}
    for question in problems.questions:
        hidden = [c for c in problems.cases(question, 0, problems.solve()) if not c.visible]
        secret |= {text for case in hidden for text in (case.title, case.hint)}
        secret -= {c.hint for c in problems.cases(question, 0, problems.solve()) if c.visible}
    for written in problems.written:
        secret |= set(written.rubric)
    assert len(secret) > 20
    handed_out = list(build.student_files(problems).values())
    for line in secret:
        assert not [text[:60] for text in handed_out if line in text], line
    for folder in ("course_lib", "book", "exercises", "solutions"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".ipynb", ".json", ".md") and "weights" not in path.parts:
                text = path.read_text(encoding="utf-8")
                assert not [s for s in secret if len(s) > 40 and s in text], path  # no chance hit


@by_set
def test_the_stub_gets_no_point(name):
    problems = problem_set(name)
    text = build.student_files(problems)[f"{name}/{name}.ipynb"]
    names = {"STUDENT": "example"}
    for cell in json.loads(text)["cells"]:
        if {"given", "answer"} & set(cell["metadata"].get("tags", [])):
            exec("".join(cell["source"]), names)
    solved = problems.solve()
    for question in problems.questions:
        attempt = handed_in(question, names[question.name])
        assert not any(points_of(problems, question, attempt, 0, solved))


@by_set
def test_what_is_built_has_the_same_bytes_each_time_and_unpacks_where_it_should(name, tmp_path):
    key = tmp_path / "copy"  # building from the course's own folder would store its open cases
    key.mkdir()
    for path in KEY.glob(f"{name}.*"):
        (key / path.name).write_bytes(path.read_bytes())
    made = [build.build(key / f"{name}.py", tmp_path / folder) for folder in "ab"]
    first, again = (
        {
            path.relative_to(tmp_path / folder): path.read_bytes()
            for path in (tmp_path / folder).rglob("*")
            if path.is_file()
        }
        for folder in "ab"
    )
    assert first == again and len(made[0]) == 4
    student, keys, gradescope = (zipfile.ZipFile(path).namelist() for path in made[0][:3])
    assert {n.split("/")[0] for n in student} == {name}
    assert {n.split("/")[0] for n in keys} == {f"{name}_key"}
    assert {"setup.sh", "run_autograder", f"key/{name}.py"} <= set(gradescope)
    assert not [n for n in [*student, *keys, *gradescope] if ".." in n or n.startswith("/")]


def rounded(value):
    """JSON with its numbers in a form in which another machine's last digits are the same."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return pytest.approx(value, rel=1e-4, abs=1e-6) if isinstance(value, float) else value


@by_set
def test_the_stored_open_cases_are_those_of_the_set(name):
    stored = (visible.STORED / f"{name}.open.json").read_text(encoding="utf-8")
    assert json.loads(stored) == rounded(json.loads(visible.text_of(problem_set(name))))


@by_question
def test_the_open_cases_tell_right_from_wrong(name, question, monkeypatch, tmp_path, capsys):
    if question.value:
        pytest.skip("a value has no open case")
    solved = problem_set(name).solve()
    monkeypatch.chdir(tmp_path)
    visible.check(f"{name}.{question.name}", solved[question.name])
    told = capsys.readouterr().out
    assert "Done" in told and "✗" not in told and "hidden cases are tried" in told
    visible.check(f"{name}.{question.name}", lambda *arguments: None)
    assert "Not right yet" in capsys.readouterr().out


@by_question
def test_the_text_of_a_call_needs_torch_and_its_arguments_alone(name, question):
    problems = problem_set(name)
    for case in problems.cases(question, 0, problems.solve()):
        text = source_of(case.call)
        assert (text is None) == (case.call is apply)
        if text:
            names = {"torch": torch}
            exec(text, names)
            (made,) = (v for k, v in names.items() if k not in ("torch", "__builtins__"))
            assert set(made.__code__.co_names) <= {"torch", *dir(torch), *dir(torch.Tensor)}


def test_a_question_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"none\.open\.json is not here"):
        visible.check("none.q", None)
    with pytest.raises(ValueError, match="its question must be one of"):
        visible.check(f"{SETS[0]}.q", None)
