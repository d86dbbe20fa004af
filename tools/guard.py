"""What keeps a `make` safe: one at a time, no step outlives it, one sentence for what stops it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

FULL_DISK_SIGNS = ("No space left on device", "[Errno 28]", "not enough space on the disk")
FULL_DISK_BYTES = 20 * 2**20


class Stop(Exception):
    """Ends the command; the message is one sentence that says why and what to do."""


class Turn:
    """The right to work in the folder, held through a lock file; it runs the steps of a command."""

    def __init__(self, lock: int, command: str) -> None:
        self.lock = lock
        self.holder = f"{command}\n{time.strftime('%H:%M')}\n{os.getpid()}"
        self._tell("")

    def _tell(self, step: str) -> None:
        os.lseek(self.lock, 0, os.SEEK_SET)
        os.ftruncate(self.lock, 0)
        os.write(self.lock, f"{self.holder}\n{step}".encode())

    def run(self, arguments: list[str], folder: Path, *, quiet: bool = False) -> tuple[int, str]:
        """Run one step in `folder`; gives its exit code and, if `quiet`, its output.

        The step inherits the lock: if this process is killed, the next turn ends the step first.
        Raises Stop if the disk is full.
        """
        said = subprocess.PIPE if quiet else None
        inherit = {} if os.name == "nt" else {"pass_fds": (self.lock,)}
        step = subprocess.Popen(
            arguments, cwd=folder, stdout=said, stderr=said and subprocess.STDOUT,
            text=True, encoding="utf-8", errors="replace", **inherit,
        )  # fmt: skip
        try:
            self._tell(str(step.pid))
            output = step.communicate()[0] or ""
        except BaseException:
            _end(step)
            raise
        if step.returncode:
            raise_if_full(output, folder)
        return step.returncode, output


def _end(step: subprocess.Popen) -> None:
    """Wait for a step that Ctrl-C has reached as well; end it if it has not or does not listen."""
    for patience, insist in ((3, step.terminate), (10, step.kill), (None, None)):
        try:
            step.wait(patience)
            return
        except subprocess.TimeoutExpired:
            insist()


def raise_if_full(output: str, folder: Path) -> None:
    """Raise Stop if a failed step ran out of disk, by what it said or by what is left."""
    free = min(shutil.disk_usage(place).free for place in (folder, tempfile.gettempdir()))
    if free < FULL_DISK_BYTES or any(sign in output for sign in FULL_DISK_SIGNS):
        raise Stop(
            f"The disk is full ({free / 2**20:.0f} MB left): make room and run the same command "
            "again; what was done so far is kept."
        )


@contextlib.contextmanager
def only_one(path: Path, command: str) -> Iterator[Turn]:
    """Hold the lock file `path` while the body runs.

    The system drops the lock when its holder ends in whatever way, so a dead make blocks nobody.
    Raises Stop, which says who holds it, if another process does.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _take(lock, path)
        yield Turn(lock, command)
    finally:
        os.close(lock)


def _take(lock: int, path: Path) -> None:
    started = time.monotonic()
    while not _try_lock(lock):
        command, since, make, step = (path.read_text(encoding="utf-8").split("\n") + [""] * 4)[:4]
        patience = 10 if make and os.name != "nt" and not _alive(int(make)) else 0
        waited = time.monotonic() - started
        if waited >= patience:
            raise Stop(
                f"Another {command or 'make'} (process {make or 'not yet known'}, since "
                f"{since or 'just now'}) is at work in this folder: wait until it ends or stop it, "
                "then run this again."
            )
        if step:  # left behind by a make that was killed
            with contextlib.suppress(OSError):
                os.kill(int(step), signal.SIGTERM if waited < 3 else signal.SIGKILL)
        time.sleep(0.2)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _try_lock(lock: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(lock, 2**20, os.SEEK_SET)  # past the text, which others must be able to read
            msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return False
        raise
    return True
