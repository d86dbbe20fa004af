"""What a problem set is, and that it is read from two files beside each other."""

import pytest
import torch

from course_lib.checks.core import judge_output
from course_lib.grading import questions
from course_lib.grading.questions import agrees, load, seed_for, source_of
from tests.grading.toy import write_set


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return load(write_set(tmp_path_factory.mktemp("key")))


def test_a_set_knows_its_name_and_points(toy):
    assert (toy.name, toy.points) == ("toy", 5 + 2 + 3)


def test_a_set_says_its_chapters_and_must_name_one():
    said = {(2,): "Chapter 2", (1, 2): "Chapters 1 and 2", (3, 4, 5): "Chapters 3, 4 and 5"}
    said |= {(12, 13, 14, 15): "Chapters 12 to 15", (1, 2, 4, 5): "Chapters 1, 2, 4 and 5"}
    assert {c: questions.ProblemSet("A", c).reading for c in said} == said
    with pytest.raises(ValueError, match=r"A: name the chapters it is about, chapters=\(1, 2\)"):
        questions.ProblemSet("A", ())


def test_the_solved_notebook_is_run_as_the_student(toy):
    assert toy.solve("ab")["my_number"] == 2 + (97 + 98) / 7
    assert toy.solve("b")["my_number"] != toy.solve("ab")["my_number"]


def test_the_solution_passes_every_case_on_every_seed(toy):
    for student in ("ab", "someone.else"):
        solved = toy.solve(student)
        for question in toy.questions:
            attempt = solved[question.name]
            for seed in range(3):
                for case in toy.cases(question, seed, solved):
                    given = (lambda: attempt) if question.value else attempt  # noqa: B023
                    output = case.call(given, **case.inputs)
                    assert judge_output(case, output).verdict == "done"


def test_points_that_do_not_add_up_are_refused(toy):
    from dataclasses import replace

    with pytest.raises(ValueError, match=r"toy\.double: its cases give 5 points; .* the 6 that"):
        toy.cases(replace(toy.questions[0], points=6), 0, toy.solve())


def test_the_text_of_a_call_holds_nothing_of_the_answer(toy):
    first, second = toy.cases(toy.questions[0], 0, toy.solve())
    assert source_of(first.call) is None
    names = {"torch": torch}
    exec(source_of(second.call), names)
    assert set(names) - {"__builtins__"} == {"torch", "gradient"}
    assert names["gradient"](lambda x: 3 * x, torch.ones(2)).tolist() == [3, 3]


@pytest.mark.parametrize("missing", ["toy.py", "toy.ipynb"])
def test_a_missing_file_is_named(tmp_path, missing):
    write_set(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(ValueError, match=f"{missing} is not there"):
        load(tmp_path / "toy.py")


def test_seeds_differ_by_student_question_and_secret_and_stay():
    parts = [("s", "q", "a"), ("s", "q", "b"), ("s", "p", "a"), ("t", "q", "a"), ("sq", "", "a")]
    seeds = [seed_for(*p) for p in parts]
    assert len(set(seeds)) == len(seeds)


RIGHT = {
    "a tensor": torch.tensor([1.0, 2.0]),
    "a number": 3.5,
    "a tuple": (torch.tensor([1.0, 2.0]), 3.5),
    "indices": torch.tensor([1, 2]),
    "bools": torch.tensor([True, False]),
}
GARBAGE = [
    None, "text", [], (), {}, float("nan"), torch.tensor([]), torch.tensor(float("nan")),
    torch.full((2,), float("nan")), torch.full((2,), float("inf")), torch.zeros(2), 0, 0.0, 1j,
    (None, None), (torch.zeros(2), 0.0), torch.zeros(2, dtype=torch.long), object(), [[1.0], [2.0]],
]  # fmt: skip


@pytest.mark.parametrize("expected", RIGHT.values(), ids=RIGHT)
def test_agrees_takes_what_is_expected_and_says_what_is_wrong_with_anything_else(expected):
    judge = agrees(expected)
    assert judge(expected) is None
    for output in GARBAGE:
        assert isinstance(judge(output), str), output


def test_a_whole_number_is_a_number():
    assert agrees(3.0)(3) is None and agrees(3.0)(torch.tensor(3)) is None
    assert agrees(3)(torch.tensor(3)) is None and agrees(3)(3) is None


def test_loading_a_set_registers_nothing_for_the_self_paced_reader(toy):
    from course_lib import checks

    assert not [e for e in checks.exercises() if e.name.startswith("toy.")]
    assert questions.DEFAULT_STUDENT
