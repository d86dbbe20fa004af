"""The Gradescope zip, run in a tree like Gradescope's: points, what is shown, what is hidden."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from course_lib.grading import build, gradescope
from course_lib.grading.apart import USER, OtherUser, _owner
from course_lib.grading.limits import Limits
from course_lib.grading.questions import load
from course_lib.grading.refusal import NoSandbox
from course_lib.grading.sandbox import Sandbox
from course_lib.grading.talk import Job
from tests.grading.toy import answers, cell, notebook, write_set

STUDENT = "ada@example.org"


def unpacked(root: Path, text: str) -> Path:
    """ROOT as Gradescope makes it from the zip and a submission."""
    (root / "key").mkdir(parents=True)
    zips = build.build(write_set(root / "key"), root / "made")
    for name in ("source", "submission", "results"):
        (root / name).mkdir()
    with zipfile.ZipFile(next(z for z in zips if "gradescope" in z.name)) as archive:
        archive.extractall(root / "source")
    (root / "submission" / "toy.ipynb").write_text(text)
    users = [{"email": STUDENT, "id": 1, "name": "Ada"}, {"email": "b@example.org"}]
    (root / "submission_metadata.json").write_text(json.dumps({"id": 7, "users": users}))
    subprocess.run(["chmod", "-R", "go=", str(root / "source")], check=True)
    return root


def graded(root: Path) -> dict:
    assert gradescope.main(root) == 0
    return json.loads((root / "results" / "results.json").read_text())


def points(told: dict) -> dict:
    return {t["name"]: t["score"] for t in told["tests"] if "score" in t}


@pytest.fixture(scope="module")
def another_user():
    """Skips where a submission cannot run as another user: not as root, or Python is root's own."""
    try:
        user = OtherUser((), Limits(), ())
        try:
            user.run(Job([], [], ([], [])))
        finally:
            user.close()
    except NoSandbox as reason:
        pytest.skip(str(reason))


@pytest.fixture
def isolated(request):
    """Skips where nothing isolates."""
    try:
        Sandbox(kind="cold").close()
    except NoSandbox:
        request.getfixturevalue("another_user")


@pytest.mark.usefixtures("isolated")
def test_a_right_answer_gets_all_points_and_only_an_open_case_is_seen_at_once(tmp_path):
    root = unpacked(tmp_path, answers(STUDENT))
    words = ["bash", str(root / "source" / "run_autograder"), str(root), sys.executable]
    own = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(words, capture_output=True, text=True, env=own)
    assert done.returncode == 0, done.stderr
    told = json.loads((root / "results" / "results.json").read_text())
    assert points(told) == {"Twice x": 5, "Your number": 2}
    assert {t["max_score"] for t in told["tests"] if "score" in t} == {5, 2}
    seen = [t for t in told["tests"] if t["visibility"] == "visible"]
    assert [t["name"] for t in seen] == ["Twice x: Every entry is doubled (open inputs, no points)"]
    assert seen[0]["status"] == "passed" and "score" not in seen[0]
    assert {t["visibility"] for t in told["tests"]} == {"visible", "after_published"}
    assert told["extra_data"]["isolation"] not in ("", "unsafe")
    assert "Say why is marked by a person." in told["output"]


@pytest.mark.usefixtures("isolated")
def test_a_wrong_answer_gets_what_it_is_worth_and_another_name_anothers_number(tmp_path):
    told = graded(unpacked(tmp_path, answers("somebody", "return x.detach() * 2")))
    assert points(told) == {"Twice x": 3, "Your number": 0}
    told = graded(unpacked(tmp_path / "stub", answers(STUDENT, "raise NotImplementedError")))
    assert points(told) == {"Twice x": 0, "Your number": 2}
    assert told["tests"][0]["status"] == "failed" and "stub" in told["tests"][0]["output"]


@pytest.mark.usefixtures("isolated")
def test_what_is_no_notebook_gets_no_point_and_a_reason(tmp_path):
    told = graded(unpacked(tmp_path, "{"))
    assert set(points(told).values()) == {0} and "it is no notebook" in told["output"]


NOSY = """import os, socket
found = []
for place in (@PLACES@):
    try:
        found.append(open(place).read())
    except OSError as error:
        found.append(type(error).__name__)
try:
    open(@RESULTS@, "w").write("{}")
except OSError as error:
    found.append(type(error).__name__)
found.append(os.getuid())
if os.fork() == 0:
    os.setsid()
    import time
    time.sleep(600)
    os._exit(0)
raise RuntimeError(str(found))"""


@pytest.mark.usefixtures("another_user")
def test_where_there_is_no_bubblewrap_another_user_runs_it_and_reads_no_key(tmp_path, monkeypatch):
    root = unpacked(tmp_path, "")
    secret = root / "source" / "secret.txt"
    secret.write_text("s")
    places = [secret, root / "source" / "key" / "toy.py", root / "submission_metadata.json"]
    nosy = NOSY.replace("@PLACES@", ", ".join(repr(str(p)) for p in places) + ",")
    nosy = nosy.replace("@RESULTS@", repr(str(root / "results" / "results.json")))
    body = "def double(x):\n    return 2 * x"
    (root / "submission" / "toy.ipynb").write_text(notebook(cell(nosy), cell(body)))
    monkeypatch.setattr("course_lib.grading.sandbox.Sandbox", refuse)
    assert gradescope.main(root) == 0
    told = json.loads((root / "results" / "results.json").read_text())
    assert points(told) == {"Twice x": 5, "Your number": 0}
    assert told["extra_data"]["isolation"] == "other user, with a network"
    assert str(["PermissionError"] * 4 + [USER]) in told["output"]
    assert (root / "results").stat().st_mode & 0o777 == 0o700
    assert not [p for p in os.listdir("/proc") if p.isdigit() and _owner(p) == USER]


def refuse(*arguments, **words):
    raise NoSandbox("There is no bubblewrap here.")


@pytest.mark.usefixtures("another_user")
def test_a_key_that_another_user_can_read_is_refused():
    with pytest.raises(NoSandbox, match=r"can read /usr/bin/test; .* chmod go="):
        OtherUser((), Limits(), (Path("/usr/bin/test"),))


def test_without_any_isolation_no_results_are_written(tmp_path, monkeypatch, capsys):
    root = unpacked(tmp_path, answers(STUDENT))
    monkeypatch.setattr("course_lib.grading.sandbox.Sandbox", refuse)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert gradescope.main(root) == 3
    assert not (root / "results" / "results.json").exists()
    assert "No isolation, no grade" in capsys.readouterr().err


def test_what_a_student_wrote_is_text_in_the_results():
    case = {"title": "A", "open": True, "passed": False, "message": "\x1b[2J<b>", "hint": ""}
    question = {"title": "Q", "points": 0, "worth": 1, "cases": [case]}
    grade = {"questions": [question], "written": [], "troubles": {"1": "x\x07"}, "status": "s"}
    told = gradescope.results(grade | {"isolation": "warm", "seconds": 1.0})
    assert "\x1b" not in json.dumps(told, ensure_ascii=False)
    assert {told[f"{part}output_format"] for part in ("", "test_")} == {"text"}
    assert told["tests"][0]["output"] == "✗ A\n   [2J<b>"


def test_the_zip_has_the_files_and_rights_that_gradescope_wants_and_no_secret(tmp_path):
    problems = load(write_set(tmp_path))
    data = build.pack(gradescope.files(problems))
    assert data == build.pack(gradescope.files(problems))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        modes = {m.filename: m.external_attr >> 16 & 0o777 for m in archive.infolist()}
    assert modes["setup.sh"] == modes["run_autograder"] == 0o755 != modes["key/toy.py"]
    assert not [name for name in modes if "secret" in name or "__pycache__" in name]
    for script in (gradescope.SETUP, gradescope.RUN):
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
