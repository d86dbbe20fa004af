"""What learning systems hand over is read as it comes, and shards agree on one secret."""

import contextlib
import gc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from course_lib.files import InUse
from course_lib.grading import grade
from course_lib.grading.submissions import Submission, Unreadable, find, parse, read
from tests.grading.toy import answers

TEXT = answers("x")


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(TEXT)


def students(folder, of="ps1"):
    for submission in find(folder, of):
        assert read(submission.path) == TEXT.encode()
    return [s.student for s in find(folder, of)]


LAYOUTS = {
    "plain files": (["ada.ipynb", "bob.l.ipynb"], ["ada", "bob.l"]),
    "folders": (
        ["ada/ps1.ipynb", "bob.l/any.ipynb", "c@d.org/x.ipynb"],
        ["ada", "bob.l", "c@d.org"],
    ),
    "Moodle, folders": (
        [
            "Ada Lovelace_4711_assignsubmission_file/ps1.ipynb",
            "Bo_12_assignsubmission_file_/a.ipynb",
        ],
        ["Ada Lovelace", "Bo"],
    ),
    "Moodle, files": (["Ada Lovelace_4711_assignsubmission_file_ps1.ipynb"], ["Ada Lovelace"]),
    "Canvas": (
        ["lovelaceada_4711_9876_ps1.ipynb", "bobl_LATE_4712_9877_ps1-1.ipynb"],
        ["bobl", "lovelaceada"],
    ),
    "nbgrader, submitted": (["ada/ps1/ps1.ipynb", "ada/ps2/ps2.ipynb"], ["ada"]),
    "names with underscores": (["ada_l.ipynb", "group_12_3.ipynb"], ["ada_l", "group_12_3"]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_read_as_it_comes(layout, tmp_path):
    names, expected = LAYOUTS[layout]
    put(tmp_path, *names)
    assert students(tmp_path) == expected


def test_of_an_exchange_the_latest_hand_in_of_the_set_counts(tmp_path):
    early, late = "2026-11-01 10:00:00 UTC", "2026-11-02 09:00:00.123456 UTC"
    put(tmp_path, f"ada+ps1+{early}+h1/ps1.ipynb", f"bob+ps2+{early}+h2/ps2.ipynb")
    put(tmp_path, f"ada+ps1+{late}+h3/ps1.ipynb")
    assert students(tmp_path) == ["ada"]
    assert find(tmp_path, "ps1")[0].path.name == f"ada+ps1+{late}+h3"


def test_two_of_one_name_are_named_and_nothing_is_guessed(tmp_path):
    put(tmp_path, "Ada_11_assignsubmission_file/a.ipynb", "Ada_12_assignsubmission_file/a.ipynb")
    with pytest.raises(ValueError, match="are both of Ada; remove one"):
        find(tmp_path)


def test_a_link_is_no_way_around(tmp_path):
    (tmp_path / "secret").mkdir()
    put(tmp_path, "secret/key.ipynb")
    (tmp_path / "in" / "ada").mkdir(parents=True)
    (tmp_path / "in" / "ada" / "ps1").symlink_to(tmp_path / "secret")
    (tmp_path / "in" / "bob").symlink_to(tmp_path / "secret")
    for submission in find(tmp_path / "in", "ps1"):
        with pytest.raises(Unreadable):
            read(submission.path)


def test_shards_that_start_together_agree_on_one_secret(tmp_path):
    got = []
    work = [
        threading.Thread(target=lambda: got.append(grade.secret_of(tmp_path / "grades")))
        for _ in range(16)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert len(set(got)) == 1 and len(got) == 16 and len(got[0]) == 32
    assert (tmp_path / "grades" / "secret.txt").stat().st_mode & 0o777 == 0o600


def test_an_empty_secret_is_not_taken_for_one(tmp_path):
    (tmp_path / "secret.txt").write_text("")
    with pytest.raises(OSError, match="is empty"):
        grade.secret_of(tmp_path)


def test_many_threads_read_notebooks_at_once():
    """Collecting garbage lets another thread in, where CPython's parser is not made for it."""

    class Cycle:
        def __init__(self):
            self.me = self

        def __del__(self):
            sum(range(50))

    data = answers("ada", "\n    ".join(["x = [x + 1, (x, {x: -x})]"] * 200)).encode()
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(50)
    try:

        def read_often(_):
            for _ in range(10):
                garbage = [Cycle() for _ in range(20)]
                del garbage
                parse(data)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(read_often, range(8)))
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*threshold)


def test_a_command_that_meets_another_at_the_same_student_is_told_so(tmp_path):
    submissions = [Submission("ada", tmp_path / "ada.ipynb")]
    (tmp_path / "ada.ipynb").write_text("{}")
    journal = grade.Journal(tmp_path / "journal", "key")
    graded = grade.grade_all(submissions, journal, 1, contextlib.nullcontext)
    told = pytest.raises(InUse, match="ada.json is being written by another run")
    with journal.turn("ada"), told:
        list(graded)


def test_a_grade_that_was_changed_is_made_again(tmp_path):
    journal = grade.Journal(tmp_path, "key")
    journal.save({"student": "ada", "key": "k", "points": 3})
    assert journal.load("ada", "k")["points"] == 3
    path = tmp_path / "ada.json"
    path.write_text(path.read_text().replace('"points": 3', '"points": 9'))
    assert journal.load("ada", "k") is None
