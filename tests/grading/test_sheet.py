"""The tables of Moodle and Canvas come back with the grades in them, and otherwise as they were."""

import csv
import io

import pytest

from course_lib.grading import cli
from course_lib.grading.sheet import fill

MOODLE = """Identifier,"Full name","Email address",Status,Grade,"Maximum grade"
Participant 11,"Ada Lovelace",ada@example.org,Submitted,,10.00
Participant 12,"Bo Ström",bo@example.org,Submitted,,10.00
Participant 13,"Cy, the third",cy@example.org,"No submission",,10.00
"""
CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,Homework (71),Toy set (72)
"    Points Possible",,,,,5,
"Lovelace, Ada",4711,u1,ada,A,3,
"Ström, Bo",4712,u2,bo,A,4,
"""


def grade(student, points, written=()):
    questions = [{"name": "q", "title": "Q", "points": points, "worth": 7, "cases": []}]
    open_ = [{"name": name, "title": name, "worth": 3} for name in written]
    return {"student": student, "title": "Toy set", "questions": questions, "written": open_}


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_moodles_worksheet_gets_grades_by_full_name_or_address():
    text, absent = fill(MOODLE, [grade("Ada Lovelace", 7), grade("bo@example.org", 5)], {})
    assert [row["Grade"] for row in rows(text)] == ["7", "5", ""] and absent == []
    emptied = [{**row, "Grade": ""} for row in rows(text)]
    assert emptied == rows(MOODLE)


def test_canvas_gradebook_gets_them_by_its_own_short_names_and_in_the_sets_column():
    text, absent = fill(CANVAS, [grade("lovelaceada", 7), grade("strömbo", 2), grade("x", 1)], {})
    assert [row["Toy set (72)"] for row in rows(text)] == ["7", "7", "2"]
    assert [row["Homework (71)"] for row in rows(text)] == ["5", "3", "4"] and absent == ["x"]
    text, _ = fill(CANVAS.replace("Toy set", "Other"), [grade("ada", 6)], {})
    assert [row["Toy set"] for row in rows(text)] == ["7", "6", ""]


def test_a_grade_with_an_answer_that_is_not_marked_stays_empty():
    grades = [grade("Ada Lovelace", 7, ["essay"]), grade("Bo Ström", 5, ["essay"])]
    text, _ = fill(MOODLE, grades, {("Bo Ström", "essay"): (2.5, "")})
    assert [row["Grade"] for row in rows(text)] == ["", "7.5", ""]


@pytest.mark.parametrize(
    "sheet, students, says",
    [
        ("a,b\n1,2\n", ["x"], "none of the columns Full name"),
        (MOODLE, ["Ada Lovelace", "ada_lovelace"], "go by one name"),
        (MOODLE, ["Ada Lovelace", "ada@example.org"], "in one row"),
        (MOODLE.replace("Bo Ström", "Ada Lovelace"), ["Ada Lovelace"], "twice"),
    ],
)
def test_nothing_is_guessed(sheet, students, says):
    with pytest.raises(ValueError, match=says):
        fill(sheet, [grade(student, 1) for student in students], {})


def test_the_command_writes_the_sheet_beside_the_grades(tmp_path, monkeypatch, capsys):
    (tmp_path / "sheet.csv").write_text("\ufeff" + MOODLE, encoding="utf-8")
    cli._fill(tmp_path / "sheet.csv", tmp_path / "g" / "sheet.csv", [grade("z", 1)], {})
    assert rows((tmp_path / "g" / "sheet.csv").read_text()) == rows(MOODLE)
    assert "Not in" in capsys.readouterr().err
