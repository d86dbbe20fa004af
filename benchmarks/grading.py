"""How long does a class of 200 take?  python benchmarks/grading.py

Writes the sample class of the tests (perfect, partial and wrong notebooks; with `--hostile` also
endless, forking and lying ones), grades it with `course grade` and grades it again unchanged.
Prints wall time and processor time. Submissions run in sandboxes whose time no parent is told, so
processor time is that of the whole machine meanwhile, less what it did in the seconds before: run
this on an idle machine. Also counts the grades that are what the class intended, and writes all,
with the machine, as JSON.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from _rows import Row, parse, write  # noqa: E402

from course_lib.grading.refusal import NoSandbox  # noqa: E402
from course_lib.grading.sandbox import Sandbox  # noqa: E402
from tests.grading.problem_sets import KEY, SETS  # noqa: E402
from tests.grading.sample_class import HOSTILE, make  # noqa: E402


def busy() -> float:
    """Seconds of processor time that the machine has spent on anything."""
    times = psutil.cpu_times()
    return times.user + times.system


def background(seconds: float = 5.0) -> float:
    """Processors that are busy with something else."""
    before = busy()
    time.sleep(seconds)
    return (busy() - before) / seconds


def timed(command: list[str]) -> dict[str, float]:
    """Wall and processor seconds of a command, which must succeed."""
    before, start = busy(), time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    return {"wall": time.perf_counter() - start, "machine": busy() - before}


def as_intended(table: Path, intended: dict[str, dict[str, int]]) -> int:
    """How many students got the points of every question that they should."""
    with table.open(newline="", encoding="utf-8") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    return sum(
        all(int(rows[student][q]) == points for q, points in of.items())
        for student, of in intended.items()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=200, help="submissions")
    parser.add_argument("--set", default=SETS[0], choices=SETS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--hostile", action="store_true", help="ten of them are hostile")
    parser.add_argument("--unsafe", action="store_true", help="without isolation, to compare")
    size = parse(parser, "grading", tiny={"size": 4}, quick={"size": 60})
    if size.hostile and size.unsafe:
        parser.error("hostile submissions need isolation; leave --unsafe out")
    try:
        Sandbox(kind="unsafe" if size.unsafe else "cold").close()
    except NoSandbox as reason:
        print(f"Nothing is timed. {reason}")
        write(size, [Row(f"grading {size.size} submissions", "s", None)], reason=str(reason))
        return

    with tempfile.TemporaryDirectory(prefix="class-") as folder:
        root = Path(folder)
        intended = make(root / "in", size.set, size.size, HOSTILE if size.hostile else ())
        words = ["grade", str(root / "in"), "-o", str(root / "grades.csv"), "--set", size.set]
        words += ["--key", str(KEY), "--jobs", str(size.jobs), *["--unsafe"][: size.unsafe]]
        command, runs = [sys.executable, "-m", "course_lib.grading.cli", *words], {}
        others = background()
        for name in ("graded", "again, unchanged"):
            runs[name] = timed(command)
            runs[name]["cpu"] = runs[name]["machine"] - others * runs[name]["wall"]
        right = as_intended(root / "grades.csv", intended)

    print(f"{size.size} submissions to {size.set}, {size.jobs} at a time on {psutil.cpu_count()}")
    print(f"cores, of which others kept {others:.1f} busy; {right} graded as intended")
    print(f"{'':18}{'wall, s':>10}{'CPU, s':>10}{'CPU, s each':>14}")
    for name, row in runs.items():
        print(f"{name:18}{row['wall']:10.1f}{row['cpu']:10.1f}{row['cpu'] / size.size:14.2f}")
    rows = [
        Row(f"grading {size.size} submissions, {name}", "s", run["wall"])
        for name, run in runs.items()
    ]
    write(size, rows, runs=runs, others=others, as_intended=right)


if __name__ == "__main__":
    main()
