"""What the book says of the problem sets is what they are, and small errors in them are noticed."""

import json

import pytest

from tests.grading.problem_sets import SETS, WITHOUT, problem_set
from tools import caught, mutants, set_cards
from tools.asked import asked
from tools.exercises import ROOT

if not SETS:
    pytest.skip(WITHOUT, allow_module_level=True)

by_set = pytest.mark.parametrize("name", SETS)


@by_set
def test_the_stored_card_is_that_of_the_set(name):
    stored = ROOT / set_cards.CARDS / f"{name}.json"
    assert stored.exists(), "run `python -m tools.set_cards`"
    assert stored.read_text(encoding="utf-8") == set_cards.text(name)


def test_there_is_no_card_without_a_set():
    assert [one["name"] for one in set_cards.cards()] == SETS


@by_set
def test_every_wrong_answer_loses_what_it_should(name):
    rate = caught.of_set(name)
    assert rate.caught == rate.wrong >= 6 * rate.questions


@by_set
def test_the_stored_edits_belong_to_these_answers_and_cases(name):
    path = mutants.STORED / f"{name}.json"
    assert path.exists(), f"run `make mutants CHAPTER={name}`"
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert stored["sha256"] == mutants.digest(name), f"run `make mutants CHAPTER={name}`"
    names = [row["exercise"] for row in stored["exercises"]]
    assert names == [f"{name}.{question.name}" for question in problem_set(name).questions]


@by_set
def test_nine_in_ten_small_errors_lose_points(name):
    counted = mutants.counts(mutants.results(name))
    assert counted["killed"] > 30
    assert mutants.rate(counted) >= 0.9


def test_a_judgement_of_a_set_names_an_edit_that_survived_and_says_why():
    rows = [row for name in SETS for row in mutants.results(name)]
    survived = {(row["exercise"], one["change"]) for row in rows for one in row["survivor"]}
    for exercise, reasons in mutants.judgements(SETS[0]).items():
        for change, why in reasons.items():
            assert (exercise, change) in survived and len(why) > 20


@by_set
def test_the_fates_of_answers_to_a_set(name):
    for one in asked(name):
        assert mutants.fate_of(one, lambda seed, q=one: q.answer(None, seed)) == "equivalent"
        assert mutants.fate_of(one, lambda seed: None) == "stillborn"
        assert mutants.fate_of(one, lambda seed: lambda *given: 1 / 0) == "stillborn"
    functions = [q for q in asked(name) if not find(name, q.variable).value]
    for one in functions:
        found = mutants.fate_of(one, lambda seed: lambda *given: None)
        assert found in ("killed", "stillborn")  # a call that takes the output apart raises


@by_set
def test_the_values_of_another_student_are_wrong(name):
    for one in asked(name):
        if find(name, one.variable).value:
            found = mutants.fate_of(one, lambda seed, q=one: q.answer(None, seed + 50))
            assert found == "killed"


def find(name, question):
    return next(q for q in problem_set(name).questions if q.name == question)
