"""The lecturer's pages: plans over chapters that exist, an objective for every exercise."""

import re
from pathlib import Path

import pytest

from course_lib.study import exercises
from tests.exercises.notebook import ROOT
from tools import set_cards, tables, teaching
from tools.exercises import wrong_answers
from tools.quiz import misconception

PAGE = Path("book/instructors/plans.md")
CHAPTERS = teaching._chapters(ROOT)
FOUND = {exercise.number: exercise for exercise in exercises()}
by_plan = pytest.mark.parametrize("weeks", teaching.PLANS)


@by_plan
def test_a_plan_sets_each_exercise_once_and_after_its_chapter(weeks):
    known, given = set(), []
    for week in teaching.PLANS[weeks]:
        known |= set(week.chapters)
        given += week.set
        assert {int(number.split(".")[0]) for number in week.set} <= known
    assert known <= set(CHAPTERS) and set(given) <= set(FOUND)
    assert len(set(given)) == len(given)


@by_plan
def test_a_plan_comes_to_a_chapter_after_the_chapters_it_needs(weeks):
    titles = {e.chapter_title: int(e.chapter[:2]) for e in FOUND.values()}
    known = set()
    for week in teaching.PLANS[weeks]:
        known |= set(week.chapters)
        for number in week.chapters:
            text = (ROOT / CHAPTERS[number]).read_text(encoding="utf-8")
            needs = re.search(r"\| Prerequisites \| (.*?) \|", text)[1]
            for title in re.findall(r"\*([^*]+)\*", needs):
                assert titles.get(title, number) in known, f"{number} needs {title}"


def test_the_plan_of_ten_weeks_has_every_chapter():
    planned = {number for week in teaching.PLANS[10] for number in week.chapters}
    assert planned == set(CHAPTERS)


@by_plan
def test_a_week_is_no_more_than_seven_hours_and_a_day_no_more_than_four(weeks):
    for week in teaching.PLANS[weeks]:
        reading = sum(teaching.reading_minutes(ROOT / CHAPTERS[n]) for n in week.chapters)
        doing = sum(FOUND[number].minutes for number in week.set)
        assert 60 < reading + doing <= (240 if weeks == 1 else 420)


@by_plan
def test_the_table_of_a_plan_adds_up(weeks):
    made = tables.GENERATORS[f"plan_{weeks}"](ROOT, PAGE)
    rows = [row.split(" | ") for row in made.split("\n")[2:] if row.startswith("|")]
    assert len(rows) == len(teaching.PLANS[weeks])
    each = [sum(int(row[k]) for k in range(2, len(row), 2)) for row in rows]
    for row, minutes in zip(rows, each, strict=True):
        assert abs(float(row[-1].strip(" |")) - minutes / 60) < 0.06
    after = re.search(r"after the week: (.*)\.\n", made)
    later = sum(map(int, re.findall(r"\((\d+) minutes\)", after[1]))) if after else 0
    assert f"In all {(sum(each) + later) / 60:.0f} hours" in made


@by_plan
def test_a_problem_set_is_given_out_once_when_the_last_of_its_chapters_is_read(weeks):
    sets = [{"name": f"ps{n}", "chapters": (n, n + 1)} for n in range(1, 22)]
    given = teaching.given_out(weeks, sets)
    names = [one["name"] for week in given for one in week]
    assert len(set(names)) == len(names)
    read = set()
    for week, out in zip(teaching.PLANS[weeks], given, strict=True):
        for one in out:
            assert set(one["chapters"]) & set(week.chapters)
        read |= set(week.chapters)
        assert all(set(one["chapters"]) <= read for one in out)
    assert set(names) == {one["name"] for one in sets if set(one["chapters"]) <= read}


def test_every_card_of_a_problem_set_is_in_the_plan_of_ten_weeks_in_the_table_and_the_objectives():
    cards = set_cards.cards(ROOT)
    assert [o for week in teaching.given_out(10, cards) for o in week] == cards != []
    listed, aims = teaching.set_table(ROOT, PAGE), teaching.objectives(ROOT, PAGE)
    for one in cards:
        row = next(row for row in listed.split("\n") if one["title"] in row)
        assert f" {one['points']} | {set_cards.minutes(one)} |" in row
        assert sum(question["points"] for question in one["questions"]) == one["points"]
        for question in one["questions"]:
            assert teaching.plain(question["objective"]) in aims
            assert re.fullmatch(r"[A-Z][a-z]+ .{10,130}\.", question["objective"])


def test_every_exercise_has_an_objective_that_begins_with_a_verb():
    for exercise in FOUND.values():
        assert re.fullmatch(r"[A-Z][a-z]+ .{15,130}\.", exercise.objective), exercise.number
    assert len({exercise.objective for exercise in FOUND.values()}) == len(FOUND)


def test_the_page_of_objectives_names_every_exercise():
    made = teaching.objectives(ROOT, PAGE)
    assert all(e.objective in made.replace("\\", "") for e in FOUND.values())


def test_every_wrong_answer_stands_for_a_sentence_on_the_page_of_misconceptions():
    made = teaching.misconceptions(ROOT, PAGE).replace("\\", "")
    for exercise in FOUND.values():
        for wrong in wrong_answers(exercise.name.split(".")[0]).WRONG[exercise.name]:
            belief = misconception(wrong.answer)
            assert f"- {belief}\n" in made + "\n" and len(belief) > 5, wrong.name


def test_every_generated_part_of_the_lecturers_pages_has_its_maker():
    for page in (ROOT / "book" / "instructors").glob("*.md"):
        names = re.findall(r"<!-- generated: (\w+) -->", page.read_text(encoding="utf-8"))
        assert set(names) <= set(tables.GENERATORS)
        assert f"file: book/instructors/{page.stem}\n" in (ROOT / "_toc.yml").read_text()
