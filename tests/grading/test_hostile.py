"""No hostile submission gains a point, learns a thing, leaves a trace or harms the next one."""

import hashlib
import json
import re
import socket
from pathlib import Path

import pytest

from course_lib.grading import grade, report
from course_lib.grading.limits import MB, Limits
from course_lib.grading.questions import load
from course_lib.grading.sandbox import Sandbox, exposed
from course_lib.grading.submissions import find
from tests.grading.hostile import corpus
from tests.grading.test_sandbox import needs_bubblewrap, processes
from tests.grading.toy import answers, write_set

pytestmark = needs_bubblewrap

LIMITS = Limits(
    cell=0.3, cells=1.0, idle=2.0, memory=1024 * MB, total_memory=1536 * MB, file=8 * MB,
    output=2 * MB,
)  # fmt: skip
CANARY = "canary-6b1f"
NAMES = sorted(
    {p.stem for p in Path(corpus.__file__).parent.glob("*.py")} - {"corpus", "__init__"}
    | set(corpus.RAW)
)


def snapshot(folder):
    """Names and contents below a folder; of what is no plain file, the name alone."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file() and not path.is_symlink()
        else "-"
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory):
    """Every hostile submission is graded, each followed by an honest one, in one sandbox."""
    root = tmp_path_factory.mktemp("hostile")
    places = {name: root / name for name in ("key", "home", "in", "out")}
    for place in places.values():
        place.mkdir()
    write_set(places["key"])
    (places["home"] / "canary.txt").write_text(CANARY)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    words = {"KEY": str(places["key"]), "HOME": str(places["home"]), "OUT": str(places["out"])}
    words |= {"CANARY": CANARY, "PORT": str(listener.getsockname()[1]), "PREFIX": "/nowhere"}
    names = corpus.write_all(places["in"], words)
    submissions = {s.student: s for s in find(places["in"])}
    assert sorted(submissions) == sorted(names) == NAMES
    before, running = {p: snapshot(p) for p in places.values()}, processes()
    secret = "a secret"
    journal = grade.Journal(root / "journal", "")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COURSE_TOKEN", CANARY)
        problems = load(places["key"] / "toy.py")
        with grade.Grader(problems, Sandbox(limits=LIMITS), secret) as grader:
            grades, honest = {}, {}
            for name in NAMES:
                ((grades[name], _),) = grade.grade_all(
                    [submissions[name]], journal, 1, lambda: _kept(grader)
                )
                honest[name] = grader.grade("honest", answers("honest").encode())
            hidden = {
                name: [c.inputs["x"].tolist() for c in grader._cases(name)[1][0]] for name in NAMES
            }
            kept = {int(p) for p in processes() - running}
    after = {p: snapshot(p) for p in places.values()}
    touched = [str(p) for p in places.values() if before[p] != after[p]]
    try:
        listener.accept()
        touched.append("the listener")
    except BlockingIOError:
        listener.close()
    return grades, honest, hidden, touched, kept


class _kept:
    """Lends the grader without closing it."""

    def __init__(self, grader):
        self.grader = grader

    def __enter__(self):
        return self.grader

    def __exit__(self, *error):
        return None


def test_there_are_at_least_forty():
    assert len(NAMES) >= 40


@pytest.mark.parametrize("name", NAMES)
def test_it_gains_no_point(aftermath, name):
    assert sum(question["points"] for question in aftermath[0][name]["questions"]) == 0


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_no_secret_and_no_hidden_input(aftermath, name):
    grades, _, hidden, _, _ = aftermath
    text = json.dumps(grades[name], ensure_ascii=False) + report.feedback(grades[name], {})
    assert CANARY not in text.replace("COURSE_TOKEN", "")
    for case in hidden[name]:
        for value in case:
            assert f"{abs(value):.4f}"[:6] not in text


@pytest.mark.parametrize("name", NAMES)
def test_the_next_submission_is_unharmed(aftermath, name):
    next_ = aftermath[1][name]
    assert (next_["status"], next_["troubles"]) == ("finished", {})
    assert [question["points"] for question in next_["questions"]] == [5, 2]


def test_nothing_is_written_reached_or_left_running(aftermath):
    _, _, _, touched, kept = aftermath
    assert (touched, kept) == ([], set())


@pytest.mark.parametrize("name", NAMES)
def test_its_page_holds_neither_script_nor_escape_sequence(aftermath, name):
    grade_ = aftermath[0][name]
    page, row = report.feedback(grade_, {}), report.table([grade_], {})
    assert not re.search(r"<(script|img|iframe)", page)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page + row)
    assert row.count("\n") == 2


def test_links_are_not_followed_to_the_answers(aftermath):
    for name in ("link_to_the_key", "folder_of_links", "link_to_a_folder", "pipe"):
        assert aftermath[0][name]["status"].startswith("unreadable"), name


def test_names_of_files_are_harmless_in_tables_and_folders(tmp_path):
    for name in ("=1+1", "-x", "..a", "<img src=x>", "a\nb", "a\x1b[2Jb", "é" * 40, 'a,b"c'):
        (tmp_path / f"{name}.ipynb").write_text("{}")
    for submission in find(tmp_path):
        assert re.fullmatch(r"\w[\w.@+ -]*", submission.student)
        assert submission.student.isprintable() and "/" not in submission.student
    assert exposed()
