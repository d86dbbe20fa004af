"""Small edits of the solutions: how they are made, and that the checks reject them."""

import json

import pytest

from course_lib import checks
from tests.exercises.notebook import CHAPTERS, check_calls, namespace
from tools import mutants
from tools.mutate import mutants as edits

by_chapter = pytest.mark.parametrize("chapter", CHAPTERS)


def answer(*lines):
    body = "\n".join(f"    {line}" for line in lines)
    return f"def f(x, W, b):\n    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"


@pytest.mark.parametrize(
    "line, edit",
    [
        ("return x @ W + b", "return x @ W - b"),
        ("return x @ W + b", "return x @ W"),
        ("return x @ W + b", "return W @ x + b"),
        ("return x @ W.mT", "return x @ W"),
        ("return x.relu()", "return x"),
        ("return x.relu()", "return x.relu().detach()"),
        ("return x.detach()", "return x"),
        ("return -x", "return x"),
        ("return x.sum(dim=-1)", "return x.sum(dim=-2)"),
        ("return x.sum(dim=-1)", "return x.sum()"),
        ("return x.sum(dim=-1)", "return x.mean(dim=-1)"),
        ("return x.argmax(dim=0)", "return x.argmin(dim=0)"),
        ("return x > 0.5", "return x >= 0.5"),
        ("return x > 0.5", "return x > 1.0"),
        ("return x[:, None]", "return x[None, :]"),
        ("return x[:b]", "return x[:b + -1]"),
        ("return [x for _ in range(b)]", "return [x for _ in range(b + -1)]"),
        ("return x.var(unbiased=False)", "return x.var(unbiased=True)"),
        ("return x.var(unbiased=False)", "return x.std(unbiased=False)"),
        ("return torch.einsum('ni,ij->nj', x, W)", "return torch.einsum('ni,ij->jn', x, W)"),
        ("return x if x and b else W", "return x if x or b else W"),
    ],
)
def test_an_edit_of_each_kind_is_made(line, edit):
    made = [mutant.source.splitlines()[-1].strip() for mutant in edits(answer(line))]
    assert edit in made and line not in made
    assert len(made) == len(set(made))


def test_only_the_region_of_the_solution_is_edited():
    source = "SCALE = 2 * 3\n\n" + answer("return x").replace("b):", "b=1 + 1):")
    assert all("2 * 3" in m.source and "b=1 + 1" in m.source for m in edits(source))


def test_a_statement_that_only_acts_is_left_out():
    made = [mutant.change for mutant in edits(answer("x.zero_()", "return x"))]
    assert "x.zero_()  →  pass" in made


NAME = "toy_models.toy_forward"


def fate(attempt):
    (one,) = (q for q in mutants.asked("02_toy_models") if q.exercise.name == NAME)
    return mutants.fate_of(one, lambda seed: attempt)


def test_the_fates_of_an_answer():
    right = namespace("solutions", "02_toy_models")["toy_forward"]

    def endless(x, W, b):
        while True:
            pass

    assert fate(lambda x, W, b: right(x, W, b) + 1e-12) == "equivalent"
    assert fate(lambda x, W, b: right(x, W, 2 * b)) == "killed"
    assert fate(lambda x, W, b: x.no_such_thing()) == "stillborn"
    assert fate(endless) == "killed"


def test_what_a_weak_check_accepts_is_a_survivor(monkeypatch):
    monkeypatch.setattr(checks.core, "run_case", lambda c, a, e: checks.Result(c.title, "done"))
    right = namespace("solutions", "02_toy_models")["toy_forward"]
    assert fate(lambda x, W, b: right(x, W, 0 * b)) == "survivor"


@by_chapter
def test_the_stored_run_belongs_to_these_answers_and_checks(chapter):
    stored = json.loads((mutants.STORED / f"{chapter}.json").read_text(encoding="utf-8"))
    assert stored["sha256"] == mutants.digest(chapter), f"run `make mutants CHAPTER={chapter}`"


@by_chapter
def test_nine_in_ten_small_errors_are_rejected_in_every_chapter(chapter):
    counted = mutants.counts(mutants.results(chapter))
    assert counted["killed"] > 50
    assert mutants.rate(counted) >= 0.9


def test_a_judgement_names_an_edit_that_survived_and_says_why():
    judged = json.loads(mutants.JUDGED.read_text(encoding="utf-8"))
    survived = {
        (row["exercise"], one["change"])
        for chapter in CHAPTERS
        for row in mutants.results(chapter)
        for one in row["survivor"]
    }
    for exercise, reasons in judged.items():
        for change, why in reasons.items():
            assert (exercise, change) in survived and len(why) > 20


def test_only_exercises_that_ask_for_an_example_are_left_out():
    measured = {row["exercise"] for chapter in CHAPTERS for row in mutants.results(chapter)}
    for chapter in CHAPTERS:
        for call in check_calls(chapter):
            function = namespace("solutions", chapter)[call.attempt]
            takes_nothing = not isinstance(function, type) and not function.__code__.co_argcount
            assert (call.exercise in measured) is not takes_nothing
