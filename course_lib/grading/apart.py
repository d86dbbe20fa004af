"""For a container in which bubblewrap may not work: a submission runs as another user.

Weaker than the sandbox (`sandbox`), and meant for a container that holds one submission and is
thrown away, such as Gradescope's. What holds: the other user can read neither key nor secret,
cannot write results, has no rights to gain, and is under the limits of the worker; what comes back
is not believed. What does not: it has the container's network, so it can send hidden inputs away
(no answers); it sees the world-readable part of the container and the names of its processes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from course_lib.grading.limits import Limits, Watch
from course_lib.grading.refusal import NoSandbox
from course_lib.grading.talk import Job, Outcome, converse

HERE = Path(__file__).resolve().parent
USER = 52361  # nobody's, so that whatever runs under it is a submission's
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}


class OtherUser:
    """Has the parts of `Sandbox` that a grader uses. Raises NoSandbox unless `secrets` are safe."""

    kind = "other user, with a network"

    def __init__(self, rooms: tuple[str, ...], limits: Limits, secrets: tuple[Path, ...]) -> None:
        self.limits = limits
        if os.geteuid() != 0 or not shutil.which("setpriv"):
            raise NoSandbox("To run a submission as another user needs root, and setpriv.")
        for secret in secrets:
            if self._command("/usr/bin/test", "-r", str(secret)).wait() != 1:
                raise NoSandbox(f"Another user can read {secret}; take the right away: chmod go=.")
        self.folder = Path(tempfile.mkdtemp(prefix="grading-"))
        self.folder.chmod(0o755)
        library = self.folder / "course_lib"
        library.mkdir()
        for name in ("wire.py", "worker.py"):
            shutil.copy(HERE / name, self.folder)
        for name in ("__init__.py", "runtime.py", "files.py", "validate.py"):
            shutil.copy(HERE.parent / name, library)
        for name in rooms:
            shutil.copytree(HERE.parent / name, library / name)
        for path in self.folder.rglob("*"):  # the originals may be the owner's alone
            path.chmod(0o755 if path.is_dir() else 0o644)

    def close(self) -> None:
        shutil.rmtree(self.folder)

    def run(self, job: Job) -> Outcome:
        """Run a submission. Raises NoSandbox when it could not be started."""
        jobs, to_worker = os.pipe()
        from_worker, results = os.pipe()
        started, scratch = time.monotonic(), Path(tempfile.mkdtemp(prefix="submission-"))
        os.chown(scratch, USER, USER)
        code = f"import sys; sys.path.insert(0, {str(self.folder)!r}); "
        code += f"import worker; worker.main(0, {results})"
        try:
            process = self._command(
                sys.executable, "-I", "-c", code, stdin=jobs, pass_fds=[results], cwd=scratch,
                env=ENVIRONMENT | {"HOME": str(scratch)},
            )  # fmt: skip
            os.close(jobs)
            os.close(results)
            watch = Watch([process.pid], self.limits)
            messages = job.messages(self.limits, unsafe=True)
            outcome = converse(to_worker, from_worker, messages, job, self.limits, watch)
        finally:
            end_all(USER)
            process.wait()
            os.close(to_worker)
            os.close(from_worker)
            shutil.rmtree(scratch, ignore_errors=True)
        if outcome is None:
            raise NoSandbox("The worker did not start as another user; can it read Python?")
        outcome.seconds = time.monotonic() - started
        return outcome

    def _command(self, *words: str, **settings) -> subprocess.Popen:
        drop = ["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups"]
        drop += ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
        quiet = {name: subprocess.DEVNULL for name in ("stdin", "stdout", "stderr")}
        return subprocess.Popen([*drop, *words], start_new_session=True, **quiet | settings)


def end_all(user: int) -> None:
    """End every process of a user, those that are born meanwhile included."""
    for _ in range(1000):
        found = [int(p) for p in os.listdir("/proc") if p.isdigit() and _owner(p) == user]
        for process in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if not found:
            return
        time.sleep(0.01)


def _owner(process: str) -> int | None:
    """The user of a process that has not ended."""
    try:
        status = Path("/proc", process, "status").read_text(errors="replace")
        return None if "\nState:\tZ" in status else os.stat(f"/proc/{process}").st_uid
    except OSError:
        return None
