"""Kills real jobs with SIGKILL and looks what is left: `python -m tools.faults`, or `make faults`.

Each job is started, killed with all its processes at a random moment, looked through, started
again, killed again or left to its end, and then compared with a run that nobody killed. Prints a
table and writes it, with the machine, to `benchmarks/faults/<machine>.json`, from which the book's
page is made.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tools import bench
from tools.bench_page import stored
from tools.fault_jobs import JOBS, ROOT, Job, load
from tools.faults_page import HEADS, RESULTS, cells

SHOWN = 5  # complaints of a job that are printed
PATIENCE = 600  # seconds for a job that nobody kills
PERSISTENCE = 10  # starts for one kill that meets its job at work; the first run may have been slow


def start(name: str, folder: Path) -> BaseProcess:
    """A job in a session of its own. A fork, as imports would take longer than the jobs."""
    process = get_context("fork").Process(target=_run, args=(name, folder))
    process.start()
    return process


def _run(name: str, folder: Path) -> None:
    os.setsid()
    log = os.open(log_of(folder), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(log, stream)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    JOBS[name].run(folder)


def log_of(folder: Path) -> Path:
    return folder.with_suffix(".log")


def finish(name: str, folder: Path) -> float:
    """Run a job to its end and give its seconds. Raises RuntimeError when it fails."""
    begun = time.perf_counter()
    process = start(name, folder)
    process.join(PATIENCE)
    if process.exitcode != 0:
        said = log_of(folder).read_text(encoding="utf-8", errors="replace").strip()
        raise RuntimeError(f"exit code {process.exitcode}: {said[-500:]}")
    return time.perf_counter() - begun


def kill(name: str, folder: Path, delay: float) -> bool:
    """Start a job, kill it after `delay` seconds; whether it was still at work."""
    process = start(name, folder)
    process.join(delay)
    if process.exitcode is None:
        with suppress(ProcessLookupError):  # it has no session of its own yet
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def names(folder: Path) -> set[str]:
    """All files there are, hidden ones and locks too."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def look(job: Job, folder: Path, clean: Path) -> list[str]:
    """What is corrupt after a kill; a reader that raises counts, whatever it raises."""
    try:
        return list(job.broken(folder, clean))
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]


def measure(name: str, kills: int, seed: int, folder: Path) -> dict[str, Any]:
    """One row: rounds of one to four kills and a run to the end, until enough have landed."""
    job, dice, started = JOBS[name], random.Random(seed), time.perf_counter()
    clean, place = folder / name / "clean", folder / name / "killed"
    job.prepare(clean)
    seconds = finish(name, clean)
    wanted, usual = job.result(clean), names(clean)
    row: dict[str, Any] = {"job": name, "what": job.what, "seconds": round(seconds, 2)}
    row |= dict.fromkeys(("starts", "landed", "corrupt", "ends", "differed", "left"), 0)
    row["complaints"] = []
    while row["landed"] < kills and row["starts"] < PERSISTENCE * kills:
        shutil.rmtree(place, ignore_errors=True)
        job.prepare(place)
        moments, complaints = [], []
        for _ in range(dice.randint(1, 4)):
            moments.append(dice.random() * (seconds - sum(moments)))
            row["starts"] += 1
            row["landed"] += kill(name, place, moments[-1])
            complaints += look(job, place, clean)
        row["corrupt"] += len(complaints)
        row["ends"] += 1
        try:
            finish(name, place)
            if job.result(place) != wanted:
                raise RuntimeError("it ends with another result")
        except Exception as error:
            complaints.append(str(error))
            row["differed"] += 1
        left = sorted(names(place) - usual)
        row["left"] += len(left)
        complaints += [f"{one} is left behind" for one in left]
        when = ", ".join(f"{moment:.3f}" for moment in moments)
        row["complaints"] += [f"killed after {when} s: {one}" for one in complaints]
        print(f"\r{name}: {row['landed']} of {kills}", end="", file=sys.stderr, flush=True)
    row["minutes"] = round((time.perf_counter() - started) / 60, 1)
    return row


def together(root: Path, found: dict[str, Any]) -> list[dict[str, Any]]:
    """The new rows and, of jobs that were not killed again, those stored of this machine."""
    before = [
        one["rows"] for one in stored(root, RESULTS)
        if one["machine"]["name"] == found["machine"]["name"]
    ]  # fmt: skip
    rows = {row["job"]: row for row in [*(r for rows in before for r in rows), *found["rows"]]}
    return [rows[name] for name in JOBS if name in rows]


def is_wrong(row: dict[str, Any], kills: int) -> bool:
    return bool(row["complaints"]) or row["landed"] < kills


def table(rows: list[dict[str, Any]]) -> str:
    lines = [HEADS, *map(cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.faults")
    parser.add_argument("--kills", type=int, default=50, help="that meet each job at work")
    parser.add_argument("--only", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args(arguments)
    if os.name == "nt":
        parser.error("SIGKILL and process groups are needed, which Windows has not.")
    load()
    found: dict[str, Any] = {"machine": bench.machine(), "seed": options.seed, "rows": []}
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        for name in options.only:
            row = measure(name, options.kills, options.seed, Path(folder))
            found["rows"] = [*found["rows"], row]
            path = bench.store(ROOT, found | {"rows": together(ROOT, found)}, RESULTS)
            print(*[f"\n{one}" for one in row["complaints"][:SHOWN]], file=sys.stderr)
    print(table(found["rows"]))
    print(f"\nStored for the book: {path.relative_to(ROOT)}")
    return int(any(is_wrong(row, options.kills) for row in found["rows"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
