"""What `make` does when something is in the way. Each test uses tiny stand-ins and no network."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools import guard, install, make

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from tools.guard import only_one
with only_one(Path({lock!r}), "make book") as turn:
    if {step}:
        turn.run([sys.executable, "-c", "print('step', flush=True); import time; time.sleep(60)"],
                 Path({root!r}))
    print("held", flush=True)
    time.sleep(60)
"""


def holder(lock: Path, *, step: bool = False) -> subprocess.Popen:
    """A process that holds the lock, in a step of its own if `step`; it is ready on return."""
    code = HOLD.format(root=str(ROOT), lock=str(lock), step=step)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == ("step" if step else "held")
    return process


def test_a_second_make_ends_at_once_and_says_who_is_at_work(tmp_path):
    lock = tmp_path / "lock"
    first = holder(lock)
    try:
        started = time.monotonic()
        with pytest.raises(guard.Stop, match=rf"make book \(process {first.pid}, since"):
            guard.only_one(lock, "make test").__enter__()
        assert time.monotonic() - started < 2
        assert first.poll() is None
    finally:
        first.kill()
        first.wait()


def test_the_lock_of_a_dead_make_blocks_nobody(tmp_path):
    lock = tmp_path / "lock"
    first = holder(lock)
    first.kill()
    first.wait()
    with guard.only_one(lock, "make test"):
        assert lock.read_text(encoding="utf-8").startswith("make test\n")


@pytest.mark.skipif(os.name == "nt", reason="a step inherits the lock only where files can be")
def test_the_step_that_a_killed_make_left_behind_is_ended_first(tmp_path):
    lock = tmp_path / "lock"
    first = holder(lock, step=True)
    time.sleep(0.2)
    step = int(lock.read_text(encoding="utf-8").split("\n")[3])
    first.kill()
    first.wait()
    with guard.only_one(lock, "make test"), pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.kill(step, 0)
            time.sleep(0.05)


def test_a_command_that_ended_leaves_the_folder_free(tmp_path):
    for command in ("make book", "make test"):
        with guard.only_one(tmp_path / "lock", command):
            pass


@pytest.mark.parametrize("version", [(3, 9), (3, 14)])
def test_a_python_out_of_range_is_named_with_what_is_allowed(version):
    with pytest.raises(guard.Stop, match=rf"3\.10 to 3\.13 and this is 3\.{version[1]}"):
        install.demand_python(ROOT, version)


@pytest.mark.parametrize("minor", [10, 11, 12, 13])
def test_a_python_in_range_passes(minor):
    install.demand_python(ROOT, (3, minor))


def test_too_little_disk_is_told_before_anything_is_installed(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1.5e9})
    monkeypatch.setattr(install.shutil, "disk_usage", lambda place: usage)
    with pytest.raises(guard.Stop, match=r"needs 4 GB of disk and 1\.5 GB are free"):
        install.demand_space(tmp_path, 4)


def test_a_full_disk_in_a_step_ends_in_one_sentence(tmp_path):
    fail = "import sys; print('OSError: [Errno 28] No space left on device'); sys.exit(1)"
    with (
        guard.only_one(tmp_path / "lock", "make book") as turn,
        pytest.raises(guard.Stop, match=r"The disk is full .*; what was done so far is kept\.$"),
    ):
        turn.run([sys.executable, "-c", fail], tmp_path, quiet=True)


def test_a_step_that_fails_gives_its_exit_code(tmp_path):
    with guard.only_one(tmp_path / "lock", "make book") as turn:
        assert turn.run([sys.executable, "-c", "raise SystemExit(3)"], tmp_path)[0] == 3


def test_a_foreign_virtual_environment_is_left_alone(tmp_path):
    project(tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "mine").touch()
    with pytest.raises(guard.Stop, match="not made by this command"):
        install.ensure(FakeTurn(), tmp_path)
    assert (tmp_path / ".venv" / "mine").exists()


class FakeTurn:
    """Stands in for a turn: notes the steps, makes the interpreter that they would make."""

    def __init__(self, broken: str = "") -> None:
        self.steps: list[str] = []
        self.broken = broken

    def run(self, arguments, folder, *, quiet=False):
        step = " ".join(arguments)
        self.steps.append(step)
        if self.broken and self.broken in step:
            raise KeyboardInterrupt
        if " venv " in step:
            python = install.python_in(folder / ".venv")
            python.parent.mkdir(parents=True, exist_ok=True)
            python.touch()
        return 0, ""


def project(root: Path) -> None:
    for name in ("pyproject.toml", "constraints.txt"):
        (root / name).write_bytes((ROOT / name).read_bytes())


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setattr(install, "reachable", lambda url: False)
    monkeypatch.setattr(install, "demand_cpu_torch", lambda python: None)
    monkeypatch.setattr(install, "demand_space", lambda root, gigabytes: None)


def test_the_second_run_installs_nothing(tmp_path, offline):
    project(tmp_path)
    install.ensure(FakeTurn(), tmp_path)
    second = FakeTurn()
    install.ensure(second, tmp_path)
    assert second.steps == []


def test_a_changed_lock_is_installed_into_the_same_environment(tmp_path, offline):
    project(tmp_path)
    install.ensure(FakeTurn(), tmp_path)
    (tmp_path / ".venv" / "added by the reader").touch()
    (tmp_path / "constraints.txt").write_text("another lock\n", encoding="utf-8")
    second = FakeTurn()
    install.ensure(second, tmp_path)
    assert [" venv " in step for step in second.steps] == [False, False]
    assert (tmp_path / ".venv" / "added by the reader").exists()


@pytest.mark.parametrize("broken", ["-m venv", "torch", ".[book,test]"])
def test_an_installation_that_was_interrupted_starts_over(tmp_path, offline, broken):
    project(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        install.ensure(FakeTurn(broken), tmp_path)
    (tmp_path / ".venv" / "half a package").touch()
    second = FakeTurn()
    install.ensure(second, tmp_path)
    assert len(second.steps) == 3
    assert not (tmp_path / ".venv" / "half a package").exists()
    third = FakeTurn()
    install.ensure(third, tmp_path)
    assert third.steps == []


def test_the_peers_are_installed_once_and_again_after_a_change_of_the_lock(tmp_path, offline):
    project(tmp_path)
    install.ensure(FakeTurn(), tmp_path)
    first, second, third = FakeTurn(), FakeTurn(), FakeTurn()
    install.ensure_with(first, tmp_path, "peers")
    install.ensure_with(second, tmp_path, "peers")
    assert [".[peers]" in step for step in first.steps] == [True, False]
    assert all("-c constraints.txt" in step for step in first.steps)
    assert second.steps == []
    (tmp_path / "constraints.txt").write_text("another lock\n", encoding="utf-8")
    install.ensure_with(third, tmp_path, "peers")
    assert [".[peers]" in step for step in third.steps] == [False, False, True, False]


@pytest.mark.parametrize("broken", [".[peers]", "--no-deps dictionary-learning"])
def test_peers_that_were_interrupted_are_installed_again_and_the_rest_is_kept(
    tmp_path, offline, broken
):
    project(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        install.ensure_with(FakeTurn(broken), tmp_path, "peers")
    second = FakeTurn()
    install.ensure_with(second, tmp_path, "peers")
    assert [".[peers]" in step for step in second.steps] == [True, False]


def test_jupyterlab_is_added_once_and_keeps_the_settings_of_its_reader(
    tmp_path, offline, monkeypatch
):
    project(tmp_path)
    started = []
    monkeypatch.setattr(make, "ROOT", tmp_path)
    monkeypatch.setattr(make.os, "execve", lambda *given: started.append(given))
    monkeypatch.chdir(tmp_path)
    install.ensure(FakeTurn(), tmp_path)
    first, second = FakeTurn(), FakeTurn()
    make.lab(first)
    make.lab(second)
    assert [".[lab]" in step for step in first.steps] == [True] and second.steps == []
    (python, arguments, environment), again = started
    assert again == started[0] and python == arguments[0]
    assert "jupyterlab" in arguments and str(tmp_path / make.FIRST) == arguments[-1]
    assert environment == make.OUTSIDE
    assert (Path(make.__file__).parents[1] / make.FIRST).is_file()


def test_a_comparison_that_was_skipped_is_no_comparison(tmp_path, monkeypatch):
    log = tmp_path / "_build" / "peers.xml"
    log.parent.mkdir()
    monkeypatch.setattr(make, "ROOT", tmp_path)
    monkeypatch.setattr(make, "ensure_with", lambda turn, root, extra: "python")
    monkeypatch.setattr(make, "stage", lambda *given: None)
    log.write_text('<testsuites><testsuite tests="5" skipped="0"/></testsuites>', encoding="utf-8")
    make.peers(None)
    log.write_text('<testsuites><testsuite tests="5" skipped="1"/></testsuites>', encoding="utf-8")
    with pytest.raises(guard.Stop, match="Not everything was compared: 4 passed, 1 skipped"):
        make.peers(None)


def test_a_cuda_build_of_torch_is_refused(tmp_path, monkeypatch):
    told = type("Told", (), {"stdout": "cuda: Optional[str] = '13.0'\n"})
    monkeypatch.setattr(install.sys, "platform", "linux")
    monkeypatch.setattr(install.subprocess, "run", lambda *given, **options: told)
    with pytest.raises(guard.Stop, match=r"only a CUDA 13\.0 build of torch"):
        install.demand_cpu_torch(tmp_path)


def test_the_torch_that_runs_these_tests_is_a_cpu_build():
    install.demand_cpu_torch(Path(sys.executable))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_make_says_one_sentence_and_ends_its_step(tmp_path, number):
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from pathlib import Path\n"
        f"from tools import make; make.ROOT = Path({str(tmp_path)!r})\n"
        "def slow(turn): turn.run([sys.executable, '-c', 'print(1, flush=True);"
        "import time; time.sleep(60)'], make.ROOT)\n"
        "make.COMMANDS['book'] = slow; sys.exit(make.main(['book']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    process.send_signal(number)
    error = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert error.strip() == "Stopped; nothing is lost, the same command goes on from here."


def test_the_help_names_every_command(capsys):
    assert make.main([]) == 0
    said = capsys.readouterr().out
    assert all(f"    {command} " in said for command in make.COMMANDS)


@pytest.mark.parametrize("given", [["bands"], ["bands", ""], ["address"], ["book", "now"]])
def test_a_command_said_wrongly_is_shown_as_it_should_be(given, capsys):
    assert make.main(given) == 2
    assert f"make {given[0]}" in capsys.readouterr().out


def test_what_passed_is_counted(tmp_path):
    log = tmp_path / "log.xml"
    log.write_text('<testsuites><testsuite tests="5" skipped="2"/></testsuites>', encoding="utf-8")
    assert make.counts(log) == "3 passed, 2 skipped"
