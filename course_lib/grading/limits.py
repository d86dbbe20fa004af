"""How much a submission may use, and who looks after it from outside."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

MB = 2**20


@dataclass(frozen=True)
class Limits:
    """What one submission may use: CPU seconds, bytes, processes.

    CPU seconds, not wall seconds, so that a busy machine gives the same grades as an idle one. Wall
    time is limited by `idle`, in which nothing ran and nothing was said, and, far off, by
    `patience` times the CPU seconds. `memory` and `processes` are the kernel's limits for a process
    and a sandbox; `total_memory` and `crowd` are looked after from outside, for all of a sandbox's
    processes together.
    """

    start: float = 120.0
    cell: float = 10.0
    cells: float = 30.0
    idle: float = 45.0
    patience: float = 20.0
    memory: int = 3072 * MB
    total_memory: int = 4096 * MB
    processes: int = 64
    crowd: int = 96
    file: int = 64 * MB
    output: int = 16 * MB


class Watch:
    """Looks at all processes that descend from `roots`."""

    def __init__(self, roots: list[int], limits: Limits) -> None:
        self.roots, self.limits, self.next = set(roots), limits, 0.0
        self.alive_at = time.monotonic()

    def heard(self) -> None:
        """The sandbox said something."""
        self.alive_at = time.monotonic()

    def complaint(self) -> str | None:
        """Which limit is passed, if any; looks twice a second however often it is asked."""
        now = time.monotonic()
        if now < self.next:
            return None
        self.next = now + 0.5
        seen = {int(n): _status(n) for n in os.listdir("/proc") if n.isdigit()}
        parents = {process: status.parent for process, status in seen.items()}
        mine = [status for process, status in seen.items() if self._descends(process, parents)]
        if any(status.runs for status in mine):
            self.alive_at = now
        if now - self.alive_at > self.limits.idle:
            return "time limit"
        if len(mine) > self.limits.crowd:
            return "process limit"
        return "memory limit" if sum(s.bytes for s in mine) > self.limits.total_memory else None

    def _descends(self, process: int, parents: dict[int, int]) -> bool:
        for _ in range(1000):
            if process in self.roots:
                return True
            process = parents.get(process, 0)
            if process < 2:
                return False
        return True


class _Status(NamedTuple):
    parent: int
    runs: bool
    bytes: int


def _status(process: str) -> _Status:
    """Parent, whether it runs or waits for a disk, and private bytes of a process."""
    try:
        lines = Path("/proc", process, "status").read_text(errors="replace").splitlines()
    except OSError:
        return _Status(0, False, 0)
    told = {line.split(":")[0]: line.split()[1:] for line in lines if ":" in line}
    used = sum(int(told[name][0]) for name in ("RssAnon", "RssShmem") if name in told)
    return _Status(int(told["PPid"][0]), told["State"][0] in "RD", used * 1024)
