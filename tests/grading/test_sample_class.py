"""One command grades a class of sixty, and the grades are exactly those that were intended.

The sixty, ten of them hostile, hand in the first set; ten honest students each of the others.
"""

import csv

import pytest

from course_lib.grading import cli, grade
from course_lib.grading.limits import MB, Limits
from tests.grading.problem_sets import KEY, SETS, WITHOUT
from tests.grading.sample_class import make
from tests.grading.test_sandbox import needs_bubblewrap

if not SETS:
    pytest.skip(WITHOUT, allow_module_level=True)


@needs_bubblewrap
@pytest.mark.parametrize("name", SETS)
def test_the_sample_class_gets_the_grades_that_were_intended(name, tmp_path, monkeypatch, capsys):
    small = Limits(cell=1.0, cells=2.0, idle=4.0, total_memory=1536 * MB)
    monkeypatch.setattr(cli, "Limits", lambda: small)
    whole = name == SETS[0]
    intended = make(tmp_path / "in", name) if whole else make(tmp_path / "in", name, 10, ())
    assert len(intended) == (60 if whole else 10)
    output = tmp_path / "grades.csv"
    words = ["grade", str(tmp_path / "in"), "-o", str(output), "--set", name, "--key", str(KEY)]
    assert cli.main([*words, "--jobs", "2"]) == 0
    with output.open(newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    got = {s: {q: int(rows[s][q]) for q in points} for s, points in intended.items()}
    assert got == intended
    assert {rows[s]["score"] for s in intended} == {str(sum(p.values())) for p in intended.values()}
    assert grade.secret_of(tmp_path / "grades") not in capsys.readouterr().err
