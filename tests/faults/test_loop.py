"""The loop that kills finds a job that writes half a file, forgets, or leaves something behind."""

import sys
import time

import pytest

from course_lib.files import remove_torn, write_file
from tools import faults
from tools.fault_jobs import Job, files_of

if sys.platform != "linux":
    pytest.skip("kills forks of this process", allow_module_level=True)

PARTS = 6


def count(folder, write=write_file):
    """Writes six files, one after the other, and goes on where it was."""
    remove_torn(folder)
    for n in range(PARTS):
        path = folder / f"{n}.txt"
        if not path.exists():
            time.sleep(0.02)
            write(path, "ab")


def in_halves(path, text):
    with path.open("w") as file:
        for letter in text:
            file.write(letter)
            file.flush()
            time.sleep(0.05)


def forgets(folder):
    """Says in its last file how many others it has written, of those that are there."""
    before = len(list(folder.glob("?.txt")))
    count(folder)
    write_file(folder / "told.txt", str(PARTS - before))


def leaves(folder):
    (folder / f"{time.monotonic_ns()}.tmp").touch()
    count(folder)
    for path in sorted(folder.glob("*.tmp"))[-1:]:
        path.unlink()


def fails(folder):
    before = list(folder.glob("?.txt"))
    count(folder)
    if before:
        raise ValueError("it was not empty")


def broken(folder, clean):
    for path in folder.glob("?.txt"):
        if path.read_text() != "ab":
            yield f"{path.name} is half a file"


@pytest.mark.parametrize(
    ("run", "wrong", "words"),
    [
        (count, set(), ""),
        (lambda folder: count(folder, in_halves), {"corrupt", "differed"}, "is half a file"),
        (forgets, {"differed"}, "it ends with another result"),
        (leaves, {"left"}, "tmp is left behind"),
        (fails, {"differed"}, "ValueError: it was not empty"),
    ],
)
def test_what_is_wrong_with_a_job_is_found_and_counted(run, wrong, words, tmp_path, monkeypatch):
    job = Job("w", lambda folder: folder.mkdir(parents=True), run, broken, seen)
    monkeypatch.setitem(faults.JOBS, "planted", job)
    row = faults.measure("planted", 12, 0, tmp_path)
    assert {name for name in ("corrupt", "differed", "left") if row[name]} == wrong
    assert row["landed"] >= 12 and row["ends"] >= 3
    assert faults.is_wrong(row, 12) == bool(wrong)
    assert words in "\n".join(row["complaints"])


def seen(folder):
    return files_of(folder, "*.txt")


def test_kills_that_come_too_late_are_not_enough(tmp_path, monkeypatch):
    job = Job("w", lambda folder: folder.mkdir(parents=True), lambda folder: None, broken, seen)
    monkeypatch.setitem(faults.JOBS, "quick", job)
    monkeypatch.setattr(faults, "kill", lambda name, folder, delay: False)
    row = faults.measure("quick", 2, 0, tmp_path)
    assert row["landed"] == 0 and faults.is_wrong(row, 2)
