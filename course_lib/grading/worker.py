"""The process inside the sandbox: runs one submission's cells, then its functions on the inputs.

It knows no answer. What it is sent first are the cells and the inputs of the open cases; the
hidden inputs are sent when it has said READY. What it sends back are outputs as plain bytes and,
before READY, what went wrong in words. The grader believes none of it.

This file and `wire.py` are all of the grader that exists in the sandbox; they import torch and the
standard library alone.
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import json
import linecache
import os
import resource
import signal
import socket
import struct
import sys
import time
import traceback
import types
from importlib.machinery import ModuleSpec
from typing import Any

import torch
import wire  # the grader puts this file's folder on the path

LIBRARY = "/grader"
KEYS = {"x86_64": (0xC000003E, 248), "aarch64": (0xC00000B7, 217)}  # audit number, add_key
PICTURES = ("matplotlib", "IPython", "ipywidgets")


class Nothing(types.ModuleType):
    """Stands in for a module that draws or checks: every use of it does nothing."""

    def __init__(self, name: str = "nothing") -> None:
        super().__init__(name)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return (lambda *a, **w: (self, self)) if name == "subplots" else self

    def __call__(self, *arguments: Any, **words: Any) -> Any:
        return self

    def __getitem__(self, key: Any) -> Any:
        return self

    def __iter__(self) -> Any:
        return iter(())

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        return None


class StandIns:
    """Finds a `Nothing` for every module of these packages that is looked for here."""

    def __init__(self, *packages: str) -> None:
        self.packages = packages

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return (
            ModuleSpec(name, self, is_package=True) if name.split(".")[0] in self.packages else None
        )

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        return Nothing(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        return None


def read_exactly(descriptor: int, n: int) -> bytes:
    data = b""
    while len(data) < n:
        part = os.read(descriptor, min(n - len(data), 2**20))
        if not part:
            raise EOFError
        data += part
    return data


def receive(descriptor: int) -> bytes:
    """One message of the grader: its length, then itself."""
    return read_exactly(descriptor, struct.unpack("<I", read_exactly(descriptor, 4))[0])


def set_limits(limits: dict[str, Any], questions: list[dict[str, Any]]) -> None:
    cpu = 1 + int(max([limits["cells"], *(question["seconds"] for question in questions)]))
    for name, value in (
        (resource.RLIMIT_DATA, limits["memory"]),
        (resource.RLIMIT_FSIZE, limits["file"]),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_NPROC, limits["processes"]),
    ):
        hard = resource.getrlimit(name)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (value, value))


def demand_isolation() -> None:
    """Raise RuntimeError unless this process has no network, no rights and a read-only tree."""
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capget(header, sets) or any(sets):
        raise RuntimeError("it has capabilities")
    if libc.prctl(39, 0, 0, 0, 0) != 1:
        raise RuntimeError("it may gain privileges")
    if {name for _, name in socket.if_nameindex()} - {"lo"}:
        raise RuntimeError("it has a network")
    if os.path.exists("/proc/self") or os.path.exists("/sys") or not os.path.exists(LIBRARY):
        raise RuntimeError("it sees another file system than the sandbox's")
    for place in ("/", LIBRARY, "/usr", "/dev", sys.prefix):
        if os.access(place, os.W_OK):
            raise RuntimeError(f"it may write to {place}")


def forbid_keys() -> None:
    """Answer add_key, request_key and keyctl with EPERM: no namespace hides the session's keys."""
    arch, first = KEYS.get(os.uname().machine, (0, 0))
    lines = [(0x20, 0, 0, 4), (0x15, 0, 5, arch), (0x20, 0, 0, 0), (0x35, 3, 0, 2**30)]
    lines += [(0x25, 1, 0, first + 2), (0x35, 1, 0, first), (0x06, 0, 0, 0x7FFF0000)]
    program = b"".join(struct.pack("HBBI", *line) for line in [*lines, (0x06, 0, 0, 0x50001)])
    code = ctypes.create_string_buffer(program)
    told = struct.pack("HP", len(lines) + 1, ctypes.addressof(code))
    if not arch or ctypes.CDLL(None).prctl(22, 2, told, 0, 0):  # PR_SET_SECCOMP, as a filter
        raise RuntimeError("it has the kernel's keys")


class Submission:
    """The student's names, and the way back to the grader."""

    def __init__(self, job: dict[str, Any], results: int) -> None:
        self.job, self.results = job, results
        self.names: dict[str, Any] = {"__name__": "__main__", "display": Nothing()}

    def send(self, *about: int, body: bytes = b"") -> None:
        data = wire.frame(*about, body=body)
        while data:
            data = data[os.write(self.results, data) :]

    def run_cells(self) -> None:
        for number, source in enumerate(self.job["cells"]):
            self.send(wire.CELL, 0, number)
            trouble = self.run_cell(number, source) if number not in self.job["skip"] else None
            if trouble:
                self.send(wire.TROUBLE, 0, number, body=wire.encode(trouble))
        self.send(wire.CELL, 0, len(self.job["cells"]))

    def run_cell(self, number: int, source: str) -> str | None:
        """Run the statements of a cell, each whether or not the one before it failed."""
        name, trouble = f"<cell {number + 1}>", None
        lines = source.splitlines(keepends=True)
        linecache.cache[name] = (len(source), None, lines, name)
        try:
            statements = ast.parse(source).body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return f"it is no Python: {type(error).__name__}: {error}"[:300]
        with alarm(self.job["limits"]["cell"]):
            for statement in statements:
                try:
                    code = compile(ast.Module([statement], []), name, "exec")
                    exec(code, self.names)
                except BaseException as error:
                    trouble = trouble or described(error)
                    if isinstance(error, TimeoutError):
                        break
        return trouble

    def run_questions(self, phase: int, inputs: list[list[list[Any]]]) -> None:
        for number, question in enumerate(self.job["questions"]):
            child = os.fork()
            if child == 0:
                try:
                    seconds = int(question["seconds"]) + 1
                    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
                    self.run_question(phase, number, question, inputs[number])
                finally:
                    os._exit(0)
            wait_for(child, 4 * question["seconds"] + 10)

    def run_question(self, phase: int, number: int, question: dict, inputs: list) -> None:
        for k, (names, calls, values) in enumerate(
            zip(question["inputs"][phase], question["calls"][phase], inputs, strict=True)
        ):
            given = dict(zip(names, values, strict=True))
            before = {n: v.clone() for n, v in given.items() if isinstance(v, torch.Tensor)}
            try:
                call = adapter(calls)
                attempt = self.attempt(question)
                torch.manual_seed(0)
                with torch.enable_grad():
                    output = wire.encode(call(attempt, **given))
                changed = [n for n, v in before.items() if not torch.equal(v, given[n])]
            except BaseException as error:
                self.send(wire.FAILED, phase, number, k, body=wire.encode(failure(error)))
                continue
            if changed:
                text = f"it changed its argument `{changed[0]}` in place; work on a new tensor"
                self.send(wire.FAILED, phase, number, k, body=wire.encode((False, text)))
            else:
                self.send(wire.OUTPUT, phase, number, k, body=output)

    def attempt(self, question: dict[str, Any]) -> Any:
        if question["name"] not in self.names:
            raise NameError(f"no cell that ran defines `{question['name']}`")
        found = self.names[question["name"]]
        if question["value"]:
            return lambda: found
        if not callable(found):
            raise TypeError(f"`{question['name']}` is a {type(found).__name__} and no function")
        return found


def adapter(source: str | None) -> Any:
    if source is None:
        return lambda attempt, **inputs: attempt(*inputs.values())
    names: dict[str, Any] = {"torch": torch}
    exec(source, names)
    return next(v for k, v in names.items() if k not in ("torch", "__builtins__"))


def failure(error: BaseException) -> tuple[bool, str]:
    """Whether it is the stub that speaks, and the error in words."""
    return isinstance(error, NotImplementedError) and not error.args, described(error)


def described(error: BaseException) -> str:
    with contextlib.suppress(BaseException):  # even its text may be a trap
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename[:5] == "<cell"]
        where = f" in line {frames[-1].lineno} (`{(frames[-1].line or '')[:80]}`)" if frames else ""
        reason = str(error).strip().split("\n")[0][:160]
        return f"it raised {type(error).__name__[:40]}{where}" + (f": {reason}" if reason else "")
    return "it raised an error that cannot be put in words"


@contextlib.contextmanager
def alarm(seconds: float) -> Any:
    """TimeoutError after `seconds` of CPU; what swallows it meets the harder limits."""

    def ring(signum: int, frame: Any) -> None:
        raise TimeoutError(f"the cell took more than {seconds:g} CPU seconds")

    signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def wait_for(child: int, seconds: float) -> None:
    """Wait for a child process that may take `seconds`, then end it."""
    deadline = time.monotonic() + seconds
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return
        time.sleep(0.005)


def main(jobs: int, results: int) -> None:
    """Run the submission that comes through `jobs`; answer through `results`."""
    message = receive(jobs)
    length = struct.unpack("<I", message[:4])[0]
    job = json.loads(message[4 : 4 + length])
    open_inputs = wire.decode(message[4 + length :])
    set_limits(job["limits"], job["questions"])
    if not job["unsafe"]:
        demand_isolation()
        forbid_keys()
        sys.path.insert(0, LIBRARY)
    sys.meta_path.insert(0, StandIns(*PICTURES))
    sys.meta_path.append(StandIns("course_lib"))  # the rooms that the problem set does not name
    torch.set_num_threads(1)
    silent = os.open("/dev/null", os.O_RDWR)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    submission = Submission(job, results)
    submission.send(wire.HELLO)
    submission.run_cells()
    submission.run_questions(0, open_inputs)
    submission.send(wire.READY)
    submission.run_questions(1, wire.decode(receive(jobs)))
    submission.send(wire.DONE)
