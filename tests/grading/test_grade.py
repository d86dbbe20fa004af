"""From a folder of notebooks to a table: the right points, once, whatever is in the folder."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
import zipfile

import pytest

from course_lib.grading import cli, report
from tests.grading.test_sandbox import needs_bubblewrap
from tests.grading.toy import answers, cell, notebook, write_set

HALF = "return x * torch.tensor([2.0, 2.0, 2.0, 3.0])[: len(x)]"


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A key, six submissions of every form, and the grades that one command gave them."""
    root = tmp_path_factory.mktemp("class")
    (root / "key").mkdir()
    (root / "in").mkdir()
    write_set(root / "key")
    put = root / "in"
    (put / "perfect.ipynb").write_text(answers("perfect"))
    (put / "another.ipynb").write_text(answers("perfect"))  # the number of somebody else
    (put / "wrong").mkdir()
    (put / "wrong" / "toy.ipynb").write_text(answers("wrong", "return x + 2", "my_number = 0"))
    with zipfile.ZipFile(put / "zipped.zip", "w") as archive:
        archive.writestr("../../../evil.txt", "x")
        archive.writestr("deep/toy.ipynb", answers("zipped", "return x.detach() + x"))
    (put / "broken.ipynb").write_text("{")
    (put / "stub.ipynb").write_text(answers("stub", "raise NotImplementedError"))
    return root


def grade(root, *more):
    words = ["grade", str(root / "in"), "-o", str(root / "grades.csv"), "--key", str(root / "key")]
    return cli.main([*words, "--jobs", "1", *more])


def rows(root):
    with (root / "grades.csv").open(newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


@needs_bubblewrap
def test_one_command_grades_a_folder_and_a_second_changes_nothing(room, capsys):
    assert grade(room) == 0
    told = rows(room)
    assert {name: row["score"] for name, row in told.items()} == {
        "perfect": "7", "another": "5", "wrong": "0", "zipped": "5", "broken": "0", "stub": "2",
    }  # fmt: skip
    assert told["broken"]["status"].startswith("unreadable: it is no notebook")
    assert {row["max"] for row in told.values()} == {"10"}
    assert not (room.parent / "evil.txt").exists()
    before = (room / "grades.csv").read_bytes()
    capsys.readouterr()
    assert grade(room) == 0
    assert "6 graded, 0 of them now" in capsys.readouterr().err
    assert (room / "grades.csv").read_bytes() == before


@needs_bubblewrap
def test_a_grade_that_was_lost_is_made_again_and_is_the_same(room, capsys):
    grade(room)
    before = (room / "grades.csv").read_bytes()
    (room / "grades" / "journal" / "zipped.json").write_text('{"key":')
    (room / "grades.csv").unlink()
    capsys.readouterr()
    assert grade(room) == 0
    assert "1 of them now" in capsys.readouterr().err
    assert (room / "grades.csv").read_bytes() == before


@needs_bubblewrap
def test_a_students_page_helps_on_open_inputs_and_says_nothing_of_hidden_ones(room):
    grade(room)
    page = (room / "grades" / "feedback" / "wrong.html").read_text()
    assert "4 of 4 entries differ from the expected value" in page and "Add it to itself." in page
    journal = json.loads((room / "grades" / "journal" / "wrong.json").read_text())
    hidden = [c for q in journal["questions"] for c in q["cases"] if not c["open"]]
    assert hidden and {case["message"] for case in hidden} == {""}
    assert "&lt;b&gt;I&lt;/b&gt;" in page and "<b>I" not in page


@needs_bubblewrap
def test_written_answers_are_marked_by_hand_and_count(room):
    grade(room)
    form = room / "grades" / "written.csv"
    blank = form.read_text()
    form.write_text(blank.replace("perfect,essay,,", "perfect,essay,2.5,well said"))
    assert grade(room) == 0
    told = rows(room)
    assert (told["perfect"]["essay"], told["perfect"]["score"]) == ("2.5", "9.5")
    assert "not marked" not in told["perfect"]["status"] and told["stub"]["essay"] == ""
    assert "well said" in (room / "grades" / "feedback" / "perfect.html").read_text()
    form.write_text(blank.replace("perfect,essay,,", "perfect,essay,4,"))
    assert grade(room) == 2
    form.write_text(blank)
    assert grade(room) == 0


@needs_bubblewrap
def test_shards_together_are_the_whole(room, tmp_path, capsys):
    grade(room)
    output = tmp_path / "sharded.csv"
    (tmp_path / "sharded").mkdir()
    secret = (room / "grades" / "secret.txt").read_text()
    (tmp_path / "sharded" / "secret.txt").write_text(secret)
    words = ["grade", str(room / "in"), "-o", str(output), "--key", str(room / "key")]
    for shard in ("1/2", "2/2"):
        assert cli.main([*words, "--shard", shard]) == 0
    assert not output.exists()
    capsys.readouterr()
    assert cli.main(words) == 0
    assert "6 graded, 0 of them now" in capsys.readouterr().err
    assert output.read_bytes() == (room / "grades.csv").read_bytes()


@needs_bubblewrap
def test_a_command_that_is_killed_loses_nothing_and_grades_nothing_twice(tmp_path):
    (tmp_path / "key").mkdir()
    (tmp_path / "in").mkdir()
    write_set(tmp_path / "key")
    for k in range(8):
        (tmp_path / "in" / f"s{k}.ipynb").write_text(answers(f"s{k}"))
    words = ["grade", str(tmp_path / "in"), "-o", str(tmp_path / "grades.csv")]
    command = [sys.executable, "-m", "course_lib.grading.cli", *words, "--key", tmp_path / "key"]
    first = subprocess.Popen([*command, "--jobs", "1"], stderr=subprocess.DEVNULL)
    journal = tmp_path / "grades" / "journal"
    deadline = time.monotonic() + 180
    while len(list(journal.glob("s*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    kept = {path.name: path.stat().st_mtime_ns for path in journal.glob("s*.json")}
    assert 2 <= len(kept) < 8 and not (tmp_path / "grades.csv").exists()
    done = subprocess.run(command, capture_output=True, text=True)
    assert f"8 graded, {8 - len(kept)} of them now" in done.stderr
    assert {n: (journal / n).stat().st_mtime_ns for n in kept} == kept
    assert {row["score"] for row in rows(tmp_path).values()} == {"7"}


def test_without_isolation_nothing_is_graded_and_the_reason_is_said(room, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(os, "defpath", "")
    output = room / "other.csv"
    words = ["grade", str(room / "in"), "-o", str(output), "--key", str(room / "key")]
    assert cli.main(words) == 3
    told = capsys.readouterr().err
    assert "No sandbox, no grades" in told and "apt-get install bubblewrap" in told
    assert not output.exists()


def test_unsafe_grades_too_and_says_so_in_every_row(tmp_path, capsys):
    (tmp_path / "key").mkdir()
    (tmp_path / "in").mkdir()
    write_set(tmp_path / "key")
    (tmp_path / "in" / "me.ipynb").write_text(answers("me"))
    assert grade(tmp_path, "--unsafe") == 0
    assert "UNSAFE" in capsys.readouterr().err
    assert rows(tmp_path)["me"]["status"] == "finished; UNSAFE; essay not marked yet"


def test_a_regrade_of_what_is_known_imports_no_torch(tmp_path):
    code = "import sys; from course_lib.grading import cli, grade, report, submissions; "
    code += "assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "words, says",
    [
        (["grade", "nowhere", "--key", "nowhere"], "holds no problem set"),
        (["grade", ".", "--set", "none"], "--set is 'none'; it must be one of toy"),
        (["grade", ".", "-o", "grades"], "must end in .csv"),
        (["grade", ".", "--shard", "3/2"], "must be K/N"),
    ],
)
def test_a_wrong_word_is_answered_with_a_sentence(room, monkeypatch, capsys, words, says):
    monkeypatch.chdir(room)
    monkeypatch.setenv("COURSE_KEY", "key")
    assert cli.main(words) == 2
    assert says in capsys.readouterr().err


def test_what_a_student_wrote_reaches_no_interpreter():
    assert report.cell_of("=HYPERLINK(1)") == "'=HYPERLINK(1)"
    assert report.clean("a\x1b[2Jb\x9bc\u202ed") == "a [2Jb c d"
    evil = {"student": "x", "title": "<script>1</script>", "status": "\x1b]0;x\x07", "troubles": {}}
    evil |= {"questions": [], "isolation": "warm"}
    evil["written"] = [{"name": "e", "title": "E", "worth": 1, "rubric": {}, "text": "</pre><img>"}]
    page = report.feedback(evil, {})
    assert "<script" not in page and "<img" not in page and "\x1b" not in page
    assert "default-src 'none'" in page


def test_a_notebook_of_garbage_is_graded_by_what_is_in_it():
    from course_lib.grading.submissions import parse

    cells = [None, 3, {}, {"cell_type": "code"}, {"cell_type": "code", "source": [1, "x = 1"]}]
    cells.append({"cell_type": "code", "source": "%time y = 2\n!ls\nz?", "metadata": []})
    cells.append(cell("check('a', b)"))
    found = parse(notebook(*cells).encode())
    assert found.cells == ["", "x = 1", "pass\npass\npass"]
