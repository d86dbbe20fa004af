"""Runs one submission where it can do no harm, and brings back its outputs.

What a submission is assumed to do: anything that a process of the lecturer's can. What holds it:

1. *It sees nothing.* Each submission has a bubblewrap sandbox of its own: no network, not even
   loopback; no home, no /proc, no other process, no key of the kernel; of the disk only the system,
   Python and the rooms of course_lib that the problem set names, all read-only; 64 MB of memory as
   /tmp, gone with it. The worker checks this before it runs a line (`worker.demand_isolation`).
2. *It has no answer to steal.* Cells and inputs go in, outputs come out (`wire`); references,
   tolerances, points and seeds stay in the grader. Hidden inputs are sent when the open cases are
   done, and from then on no word of the sandbox reaches a page that a student sees.
3. *It is not believed.* The bytes that come back are checked before anything is made of them. No
   pickle, and no file that a submission wrote, is ever read.
4. *It ends.* CPU seconds per cell and question, wall time, memory, processes and bytes have limits.
   All that is left dies with the PID namespace. Root gives up its rights first (`rights`), since
   the kernel does not limit the processes of root.

A sandbox that cannot be set up is an error of the machine (`NoSandbox`) and gives no grade. Not
defended against: a hole in the Linux kernel, and, under `--unsafe`, anything.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path

from course_lib.grading.limits import MB, Limits, Watch
from course_lib.grading.refusal import NoSandbox
from course_lib.grading.rights import without_root
from course_lib.grading.talk import Job, Outcome, converse

HERE = Path(__file__).resolve().parent
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
QUIET = {name: subprocess.DEVNULL for name in ("stdin", "stdout", "stderr")}


def exposed() -> list[Path]:
    """The folders that a sandbox shows, beside the library's own; none lies in another."""
    named = {Path("/usr"), Path(sys.base_prefix), Path(sys.prefix)}
    named |= {Path(sysconfig.get_paths()[name]) for name in ("purelib", "platlib")}
    shown: list[Path] = []
    for path in sorted(named | {path.resolve() for path in named}):
        if path.exists() and not any(path.is_relative_to(folder) for folder in shown):
            shown.append(path)
    return shown


def _without_root(command: list[str]) -> list[str]:
    return without_root(command, [*exposed(), HERE.parent])


def bubblewrap(rooms: tuple[str, ...], command: list[str], *options: str) -> list[str]:
    """The command that runs `command` in a sandbox that shows these rooms of course_lib."""
    words = ["bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"]
    words += ["--new-session", "--cap-drop", "ALL", "--uid", "65534", "--gid", "65534"]
    words += ["--hostname", "sandbox", "--clearenv", *options]
    for name, value in ENVIRONMENT.items():
        words += ["--setenv", name, value]
    words += ["--size", str(64 * MB), "--tmpfs", "/tmp", "--dev", "/dev"]
    words += ["--size", str(64 * MB), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
    for path in exposed():
        words += ["--ro-bind", str(path), str(path)]
    for name in ("bin", "lib", "lib64"):
        link = Path("/", name)
        words += ["--symlink", os.readlink(link), str(link)] if link.is_symlink() else [
            "--ro-bind-try", str(link), str(link)]  # fmt: skip
    words += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    library = HERE.parent
    for path in [HERE / "wire.py", HERE / "worker.py"]:
        words += ["--ro-bind", str(path), f"/grader/{path.name}"]
    for name in ("__init__.py", "runtime.py", "files.py", "validate.py", *rooms):
        words += ["--ro-bind", str(library / name), f"/grader/course_lib/{name}"]
    installed = Path(sysconfig.get_paths()["purelib"]).resolve() / "course_lib"
    if installed.is_dir():
        words += ["--tmpfs", str(installed), "--remount-ro", str(installed)]
    return _without_root([*words, "--remount-ro", "/", "--chdir", "/tmp", "--", *command])


def probe() -> None:
    """Raise NoSandbox, with the reason and what to do, unless bubblewrap works here."""
    if sys.platform != "linux":
        raise NoSandbox(
            f"Isolation needs bubblewrap, which is for Linux; this is {sys.platform}. Grade on a "
            "Linux machine, or in a virtual one."
        )
    command = bubblewrap((), [sys.executable, "-I", "-c", ""])
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        raise NoSandbox(
            "bubblewrap is not installed: `sudo apt-get install bubblewrap` (or dnf, pacman)."
        ) from None
    except subprocess.TimeoutExpired:
        raise NoSandbox("bubblewrap did not end within a minute.") from None
    if done.returncode:
        raise NoSandbox(
            f"bubblewrap does not work here: {done.stderr.strip()[:300] or done.returncode}. On "
            "Ubuntu 24.04 load its AppArmor profile (apt-get install apparmor-profiles; "
            "bwrap-userns-restrict); in a container, allow user namespaces."
        )


class Sandbox:
    """Makes a sandbox for each submission; used with `with`.

    kind: "warm", "cold" (torch is imported in each sandbox anew), "auto" (warm if it works here) or
    "unsafe" (no isolation at all). Raises NoSandbox when there is none to be had, or when a path in
    `secrets` would be visible in it.
    """

    def __init__(
        self,
        rooms: tuple[str, ...] = (),
        *,
        kind: str = "auto",
        limits: Limits | None = None,
        secrets: tuple[Path, ...] = (),
    ) -> None:
        self.rooms, self.kind, self.limits = rooms, kind, limits or Limits()
        self.lock, self.control, self.keeper = threading.Lock(), None, None
        if kind == "unsafe":
            return
        for secret in (path.resolve() for path in secrets):
            if shown := [path for path in exposed() if secret.is_relative_to(path)]:
                raise NoSandbox(f"{secret} lies in {shown[0]}, which a sandbox shows; move it.")
        probe()
        if kind != "cold":
            self._warm_up(optional=kind == "auto")

    def _warm_up(self, *, optional: bool) -> None:
        self.kind, (self.control, theirs) = "warm", socket.socketpair()
        code = f"import sys; sys.path.insert(0, {str(HERE)!r}); import socket, warm; "
        code += f"warm.serve(socket.socket(fileno={theirs.fileno()}))"
        self.keeper = subprocess.Popen(
            _without_root([sys.executable, "-I", "-c", code]),
            pass_fds=[theirs.fileno()],
            env=ENVIRONMENT,
            **QUIET,
        )
        theirs.close()
        self.control.settimeout(self.limits.start)
        try:
            if self.control.recv(4) != b"warm":
                raise NoSandbox("The process that keeps torch in memory did not start.")
            if optional:
                self.run(Job([], [], ([], [])))
        except (NoSandbox, OSError):
            self.close()
            if not optional:
                raise
            self.kind = "cold"

    def close(self) -> None:
        """End what was kept for the next submission."""
        if self.control is not None:
            self.control.close()
            self.keeper.kill()
            self.keeper.wait()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def run(self, job: Job) -> Outcome:
        """Run a submission. Raises NoSandbox when it could not be started."""
        jobs, to_worker = os.pipe()
        from_worker, results = os.pipe()
        held, started, running = [to_worker, from_worker, jobs, results], time.monotonic(), None
        try:
            with self._folder() as folder:
                running = self._start(jobs, results, folder)
                os.close(held.pop())
                os.close(held.pop())
                watch = Watch(running.roots, self.limits)
                messages = job.messages(self.limits, self.kind == "unsafe")
                outcome = converse(to_worker, from_worker, messages, job, self.limits, watch)
                running.end()
        finally:
            if running is not None:
                running.end()
            for descriptor in held:
                os.close(descriptor)
        if outcome is None:
            raise NoSandbox("A sandbox was made, and the worker did not start in it.")
        outcome.seconds = time.monotonic() - started
        return outcome

    def _folder(self) -> contextlib.AbstractContextManager[str]:
        """Where a submission runs that no sandbox holds."""
        if self.kind == "unsafe":
            return tempfile.TemporaryDirectory(prefix="grading-")
        return contextlib.nullcontext("")

    def _start(self, jobs: int, results: int, folder: str) -> _Running:
        place = str(HERE) if self.kind == "unsafe" else "/grader"
        code = f"import sys; sys.path.insert(0, {place!r}); "
        code += f"import worker; worker.main(0, {results})"
        command = [sys.executable, "-I", "-c", code]
        if self.kind == "unsafe":
            return _Running(
                subprocess.Popen(
                    command, env=ENVIRONMENT, cwd=folder, pass_fds=[results],
                    start_new_session=True, **QUIET | {"stdin": jobs},
                )
            )  # fmt: skip
        if self.kind == "cold":
            return _isolated(self.rooms, command, jobs, [results])
        # An empty sandbox, which lives as long as its `cat`, and a warm worker sent into it.
        running = _isolated(self.rooms, ["/bin/sh", "-c", "echo; exec cat"], subprocess.PIPE, [])
        try:
            ready, _, _ = select.select([running.process.stdout], [], [], self.limits.start)
            if not ready or not running.process.stdout.read(1):
                raise NoSandbox("bubblewrap did not make a sandbox.")
            with self.lock:
                socket.send_fds(self.control, [struct.pack("<q", running.init)], [jobs, results])
                running.roots.append(struct.unpack("<q", self.control.recv(8))[0])
        except (OSError, struct.error) as error:
            running.end()
            raise NoSandbox("The process that keeps torch in memory has ended.") from error
        except NoSandbox:
            running.end()
            raise
        return running


class _Running:
    """A process that was started for a submission; `init` is the first one in its sandbox."""

    def __init__(self, process: subprocess.Popen, init: int | None = None) -> None:
        self.process, self.init, self.roots = process, init, [process.pid]
        self.handle = None if init is None else os.pidfd_open(init)

    def end(self) -> None:
        """End it and all that descends from it; the kernel ends a PID namespace with its init."""
        if self.handle is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.handle, signal.SIGKILL)
            os.close(self.handle)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        elif self.init is None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.handle = None
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()


def _isolated(
    rooms: tuple[str, ...], command: list[str], stdin: int, pass_fds: list[int]
) -> _Running:
    """Start `command` in a new sandbox. Raises NoSandbox."""
    told, tell = os.pipe()
    process = subprocess.Popen(
        bubblewrap(rooms, command, "--info-fd", str(tell)), env=ENVIRONMENT,
        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pass_fds=[tell, *pass_fds],
    )  # fmt: skip
    os.close(tell)
    try:
        text = b""
        while not text.endswith(b"}\n") and (part := os.read(told, 4096)):
            text += part
        return _Running(process, json.loads(text)["child-pid"])
    except (ValueError, OSError) as error:
        process.kill()
        process.wait()
        raise NoSandbox("bubblewrap did not make a sandbox.") from error
    finally:
        os.close(told)
