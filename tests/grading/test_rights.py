"""Root starts nothing of a submission as root."""

import os
import pwd
import time
from pathlib import Path
from threading import Thread

import pytest

from course_lib.grading import rights
from course_lib.grading.limits import Limits
from course_lib.grading.sandbox import Sandbox
from course_lib.grading.talk import Job
from tests.grading.test_sandbox import needs_bubblewrap


def test_what_an_ordinary_user_starts_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert rights.without_root(["true"], [Path("/usr")]) == ["true"]


def test_root_shows_what_is_needed_of_a_closed_folder_and_nothing_else_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    closed, open_ = tmp_path / "closed", tmp_path / "open"
    needed = [closed / "a" / "python", open_ / "python"]
    for folder in needed:
        folder.mkdir(parents=True)
    above = lambda path: closed if closed in path.parents else None  # noqa: E731
    monkeypatch.setattr(rights, "_closed_above", above)
    words = " ".join(rights.without_root(["true"], needed))
    assert f"--perms 0755 --tmpfs {closed} --perms 0755 --dir {closed}/a" in words
    assert f"--ro-bind {needed[0]} {needed[0]}" in words and str(open_) not in words
    assert words.endswith("-- true") and f"--reuid {rights.nobody()}" in words


def test_the_user_of_submissions_is_no_account():
    assert rights.nobody() >= 61184
    with pytest.raises(KeyError):
        pwd.getpwuid(rights.nobody())


@needs_bubblewrap
@pytest.mark.parametrize("kind", ["warm", "cold"])
def test_no_process_of_a_submission_belongs_to_root(kind):
    """Seen from outside, where a fork bomb would be root's or not."""
    cell = "import time\nend = time.monotonic() + 1.5\nwhile time.monotonic() < end: pass"
    owners = set()
    with Sandbox(kind=kind, limits=Limits()) as sandbox:
        job = Job([cell], [], ([], []))
        running = Thread(target=sandbox.run, args=[job])
        running.start()
        while running.is_alive():
            owners |= owners_in_sandboxes()
            time.sleep(0.05)
    assert owners and 0 not in owners


def owners_in_sandboxes() -> set[int]:
    """The owners of all processes below this one that live in another PID namespace."""
    mine, parent, owner = os.readlink("/proc/self/ns/pid"), {}, {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = dict(
                line.split(":", 1) for line in (process / "status").read_text().splitlines()
            )
            parent[int(process.name)] = int(told["PPid"])
            if os.readlink(process / "ns" / "pid") != mine:
                owner[int(process.name)] = int(told["Uid"].split()[0])
        except OSError:
            continue

    def below(process: int) -> bool:
        return process == os.getpid() or (process > 1 and below(parent.get(process, 0)))

    return {user for process, user in owner.items() if below(process)}
