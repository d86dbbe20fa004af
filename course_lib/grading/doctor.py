"""What this machine can do for grading, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NEEDED = {
    "features-in-superposition": "In the folder of the course: pip install -e .",
    "torch": "Nothing can be graded: pip install torch",
    "numpy": "Nothing can be graded: pip install numpy",
    "scipy": "`course similarity` needs it: pip install scipy",
}


def examine() -> tuple[list[str], bool]:
    """Lines that say it, and whether submissions can be graded safely."""
    from course_lib.grading.cli import sets

    lines = [f"python      {platform.python_version()} in {sys.prefix}"]
    for package, wanted_for in NEEDED.items():
        try:
            lines.append(f"{package.split('-')[0]:<11} {version(package)}")
        except PackageNotFoundError:
            lines.append(f"{package.split('-')[0]:<11} NOT INSTALLED. {wanted_for}")
    lines.append(f"machine     {platform.system()} {platform.release()}, {os.cpu_count()} cores")
    for what, place, of, least, remedy in (
        ("disk", "free here", shutil.disk_usage(Path.cwd()).free, 1.0, "Make room."),
        ("memory", "free", _memory(), 4.0, "Close programs, or grade with --jobs 1."),
    ):
        amount = "unknown" if of is None else f"{of / 2**30:.1f} GB {place}"
        short = of is not None and of < least * 2**30
        lines.append(f"{what:<11} {amount}{f', less than {least:g}. {remedy}' if short else ''}")
    try:
        lines.append(f"sets        {', '.join(sets(None))}")
    except ValueError as reason:
        lines.append(f"sets        NONE. {reason}")
    if any("Nothing can be graded" in line for line in lines):
        return [*lines, "isolation   not tried: install what is missing first"], False

    from course_lib.grading.refusal import NoSandbox
    from course_lib.grading.sandbox import Sandbox
    from course_lib.grading.talk import Job

    try:
        with Sandbox() as sandbox:
            started = time.monotonic()
            sandbox.run(Job([], [], ([], [])))
            took = time.monotonic() - started
            lines.append(f"isolation   bubblewrap, {sandbox.kind}: {took:.2f} s for an empty one")
            return lines, True
    except NoSandbox as reason:
        return [*lines, f"isolation   NONE. {reason}"], False


def _memory() -> int | None:
    """Bytes of memory that programs can still have, where Linux says it."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    told = dict(line.split(":") for line in lines)
    return int(told["MemAvailable"].split()[0]) * 1024
