"""Hints come one after the other, and from one source."""

import json

import pytest

from course_lib import checks
from course_lib.study import exercises, find, hint, hints
from tests.exercises.notebook import ROOT
from tools import catalogue


@pytest.fixture(autouse=True)
def nothing_shown(monkeypatch):
    monkeypatch.setattr(hints, "_shown", {})


def test_three_calls_give_idea_formula_and_code_and_a_fourth_gives_the_code_again():
    given = [hint("2.3") for _ in range(4)]
    assert [one.step for one in given] == [1, 2, 3, 3]
    assert [kind in repr(one) for one, kind in zip(given, hints.KINDS, strict=False)] == 3 * [True]
    assert len({one.text for one in given}) == 3
    assert "last hint" in repr(given[-1])


def test_each_exercise_has_its_own_next_hint():
    assert [hint(which).step for which in ("2.3", "2.4", "2.3", "15.6", "2.4")] == [1, 1, 2, 1, 2]


def test_a_step_can_be_named_and_the_next_call_goes_on_from_it():
    assert hint("1.1", step=2).step == 2
    assert hint("1.1").step == 3
    with pytest.raises(ValueError, match="step is 4; it must be 1"):
        hint("1.1", step=4)


def test_number_and_name_of_an_exercise_share_their_hints():
    assert hint("2.3").step == 1
    assert hint("toy_models.feature_dimensionality").step == 2


@pytest.mark.parametrize("which", ["2.9", "99.1", "feature_dimensionality", "", 2.3])
def test_an_unknown_exercise_raises_with_what_there_is(which):
    with pytest.raises(ValueError, match=r"which is .*2\.1 to 2\.6"):
        hint(which)


def test_jupyter_is_given_markdown_with_the_formulas():
    text = hint("2.3")._repr_markdown_()
    assert text.startswith("**Hint 1 of 3 for exercise 2.3, Feature dimensionality: the idea**")
    assert "$" in text and "<details>" not in text


def test_the_catalogue_holds_the_exercises_that_are_checked_in_their_order():
    assert [e.name for e in exercises()] == [e.name for e in checks.exercises()]
    for exercise in exercises():
        assert find(exercise.number) is exercise
        assert len(exercise.hints) == 3 and all(exercise.hints)
        assert 5 <= exercise.minutes <= 60
        assert {exercise.difficulty, exercise.importance} <= set(range(1, 6))


def test_the_catalogue_is_what_the_solved_notebooks_say():
    stored = (ROOT / catalogue.STORED).read_text(encoding="utf-8")
    assert stored == catalogue.text(ROOT)


def test_a_hint_in_the_notebook_is_the_hint_that_is_given():
    notebook = json.loads((ROOT / "exercises" / "02_toy_models.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(c["source"]) for c in notebook["cells"] if c["id"] == "ex02-3-hints"]
    assert all(hint("2.3").text in cells[0] for _ in range(3))


def test_a_notebook_without_one_of_the_three_hints_stops_with_its_name():
    path = ROOT / "solutions" / "02_toy_models.ipynb"
    text = path.read_text(encoding="utf-8").replace("Hint 2: the formula", "Hint 2: the plan")
    with pytest.raises(catalogue.CatalogueError, match="02_toy_models, toy_models.sample_features"):
        catalogue.entries_of(json.loads(text), path.stem)


def test_a_notebook_that_lost_a_check_stops_with_the_counts():
    path = ROOT / "solutions" / "02_toy_models.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["cells"] = [c for c in notebook["cells"] if c["id"] != "ex02-3-check"]
    with pytest.raises(catalogue.CatalogueError, match="6 exercises with .* 5 checks"):
        catalogue.entries_of(notebook, path.stem)
