"""What is asked of a sandbox, what comes back, and the conversation between."""

from __future__ import annotations

import json
import os
import select
import struct
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from course_lib.grading import wire
from course_lib.grading.limits import Limits, Watch

Key = tuple[int, int, int]  # phase (0 open, 1 hidden), question, case


@dataclass
class Job:
    """A submission's cells and what is asked of them.

    Attributes:
        cells: sources.
        questions: dicts for the worker: name, value, seconds, and for each phase a list over cases
            of `inputs` (their names) and of `calls` (source, or None for `apply`).
        inputs: values by phase, question, case and name.
        skip: numbers of cells that are not run.
    """

    cells: list[str]
    questions: list[dict[str, Any]]
    inputs: tuple[list, list]
    skip: list[int] = field(default_factory=list)

    def messages(self, limits: Limits, unsafe: bool) -> tuple[bytes, bytes]:
        """What the worker is sent at once, and what it is sent when it is READY."""
        told = {"cells": self.cells, "questions": self.questions, "skip": self.skip}
        head = json.dumps(told | {"limits": asdict(limits), "unsafe": unsafe}).encode()
        first = struct.pack("<I", len(head)) + head + wire.encode(self.inputs[0])
        return tuple(struct.pack("<I", len(m)) + m for m in (first, wire.encode(self.inputs[1])))


@dataclass
class Outcome:
    """What came back, none of it to be believed.

    Attributes:
        ended: "finished", or what ended it.
        outputs: values by key.
        failures: by key: is it the stub, and words. Of hidden cases there are no words.
        troubles: words by cell.
        last_cell: the cell that was running when it ended, if it ended in one.
    """

    ended: str = "it ended early"
    outputs: dict[Key, Any] = field(default_factory=dict)
    failures: dict[Key, tuple[bool, str]] = field(default_factory=dict)
    troubles: dict[int, str] = field(default_factory=dict)
    last_cell: int | None = None
    seconds: float = 0.0


def converse(
    to_worker: int, from_worker: int, messages: tuple[bytes, bytes], job: Job, limits: Limits,
    watch: Watch,
) -> Outcome | None:  # fmt: skip
    """Send the two messages, each in its time, and read until the worker is done or over a limit.

    Returns None when it never said HELLO, which it does before it runs a line of the student's.
    """
    talk = _Talk(job, limits)
    to_send, data, n_read = memoryview(messages[0]), bytearray(), 0
    os.set_blocking(to_worker, False)
    while True:
        writers = [to_worker] if to_send else []
        readable, writable, _ = select.select([from_worker], writers, [], 0.1)
        if time.monotonic() > talk.deadline:
            return talk.end("time limit")
        if complaint := watch.complaint():
            return talk.end(complaint)
        if writable:
            try:
                to_send = to_send[os.write(to_worker, to_send[:65536]) :]
            except OSError:  # nobody listens any more
                to_send = memoryview(b"")
        if not readable:
            continue
        part = os.read(from_worker, 65536)
        n_read += len(part)
        if not part:
            return talk.end("it ended early")
        if n_read > limits.output:
            return talk.end("output limit")
        data += part
        try:
            was_ready = talk.ready
            if talk.take(data):
                watch.heard()
        except wire.Malformed:
            return talk.end("malformed output")
        if talk.ready and not was_ready:
            to_send = memoryview(bytes(to_send) + messages[1])
        if talk.done:
            return talk.end("finished")


class _Talk:
    """Where the conversation stands."""

    def __init__(self, job: Job, limits: Limits) -> None:
        self.job, self.limits, self.outcome = job, limits, Outcome()
        self.hello = self.asked = self.ready = self.done = False
        self.deadline = time.monotonic() + limits.start

    def end(self, how: str) -> Outcome | None:
        self.outcome.ended = how
        return self.outcome if self.hello else None

    def take(self, data: bytearray) -> bool:
        """Take all whole frames off the front of `data`, if any is there. Raises Malformed."""
        before = len(data)
        while len(data) >= wire.HEADER.size and not self.done:
            magic, kind, phase, number, case, length = wire.HEADER.unpack_from(data)
            if magic != wire.MAGIC or length > self.limits.output or kind > wire.DONE:
                raise wire.Malformed("no frame of ours")
            size = wire.HEADER.size + length
            if len(data) < size:
                break
            self._frame(kind, (phase, number, case), bytes(data[wire.HEADER.size : size]))
            del data[:size]
        return len(data) < before

    def _frame(self, kind: int, key: Key, body: bytes) -> None:
        if kind == wire.HELLO and self.hello:
            raise wire.Malformed("HELLO comes once")
        if kind == wire.HELLO:
            self.hello = True
            self._allow(self.limits.cells)
        elif not self.hello:
            raise wire.Malformed("HELLO comes first")
        elif kind == wire.READY:
            self.ready, self.outcome.last_cell = True, None
        elif kind == wire.DONE:
            self.done = True
        elif kind in (wire.CELL, wire.TROUBLE):
            self._cell(kind, key[1], body)
        else:
            self._answer(kind, key, body)

    def _allow(self, cpu_seconds: float) -> None:
        self.deadline = time.monotonic() + self.limits.patience * cpu_seconds

    def _cell(self, kind: int, number: int, body: bytes) -> None:
        if self.ready:
            return
        if kind == wire.CELL and number < len(self.job.cells):
            self.outcome.last_cell = number
        elif kind == wire.CELL and self.asked:
            raise wire.Malformed("the cells end once")
        elif kind == wire.CELL:  # the cells are over
            self.asked, self.outcome.last_cell = True, None
            self._allow(sum(2 * question["seconds"] + 2 for question in self.job.questions))
        elif number < len(self.job.cells):
            self.outcome.troubles.setdefault(number, _words(wire.decode(body)))

    def _answer(self, kind: int, key: Key, body: bytes) -> None:
        """An output or a failure; the first one for a case counts."""
        phase, number, case = key
        known = phase < 2 and number < len(self.job.questions)
        if not known or case >= len(self.job.questions[number]["calls"][phase]):
            raise wire.Malformed("no such case")
        late = phase == 0 and self.ready
        if key in self.outcome.outputs or key in self.outcome.failures or late:
            return
        value = wire.decode(body)
        if kind == wire.OUTPUT:
            self.outcome.outputs[key] = value
            return
        if not isinstance(value, tuple) or len(value) != 2:
            raise wire.Malformed("no failure of ours")
        words = "" if phase else _words(value[1])
        self.outcome.failures[key] = (value[0] is True, words)


def _words(value: Any) -> str:
    """At most a line of printable text."""
    text = value if isinstance(value, str) else "it said what is no text"
    return "".join(c if c.isprintable() else " " for c in text)[:300]
