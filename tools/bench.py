"""Runs all of benchmarks/ and makes one table: `python -m tools.bench`, or `make bench`.

Prints the table and writes it, with the machine, to `benchmarks/results/<machine>.json`, from which
the book's page is made; commit that file. `--quick` takes minutes instead of half an hour; `--tiny`
shows that all scripts run, and stores nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from tools import records
from tools.bench_page import HEADS, RESULTS, cells, condition, left_out

ROOT = Path(__file__).resolve().parent.parent


def machine() -> dict[str, Any]:
    """What a reader must know to compare: processor, memory, versions, day, and load just now."""
    import psutil
    import torch

    gpu = torch.cuda.is_available()
    return {
        "name": records.machine(),
        "cores": psutil.cpu_count(logical=False) or os.cpu_count(),
        "threads": os.cpu_count(),
        "ram_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpu": torch.cuda.get_device_name() if gpu else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "date": date.today().isoformat(),
        "load": round(psutil.getloadavg()[0], 2),
    }


def measure(scripts: Sequence[Path], size: str, folder: Path) -> dict[str, Any]:
    """Run each script and collect what it hands on; one that fails is named and left out.

    size: "full", "quick" or "tiny"; folder: for what each script writes.
    """
    # Each script says how many threads it takes.
    environment = {name: v for name, v in os.environ.items() if name != "OMP_NUM_THREADS"}
    found: dict[str, Any] = {"machine": machine(), "size": size}
    found |= {"rows": [], "curves": [], "profiles": [], "failed": {}}
    for script in scripts:
        print(f"\n== {script.stem}", flush=True)
        told = folder / f"{script.stem}.json"
        told.unlink(missing_ok=True)
        command = [sys.executable, str(script), "--json", str(told)]
        command += [f"--{size}"] * (size != "full")
        code = subprocess.run(command, cwd=ROOT, env=environment).returncode
        content = json.loads(told.read_text(encoding="utf-8")) if told.exists() else {}
        if code or not isinstance(content.get("rows"), list):
            found["failed"][script.stem] = f"exit code {code}" if code else "it gave no figures"
            continue
        found["rows"] += [{"script": script.stem, **row} for row in content["rows"]]
        for key in ("curves", "profiles"):
            found[key] += content.get(key, [])
    return found


def table(found: dict[str, Any]) -> str:
    """All rows, in columns."""
    lines = [HEADS, *(cells(row) for row in found["rows"])]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def store(root: Path, found: dict[str, Any], folder: Path = RESULTS) -> Path:
    """Write the results under the machine's name; those of another machine stay."""
    from course_lib.files import write_sealed

    name = " ".join(filter(None, (found["machine"]["name"], found["machine"]["gpu"])))
    path = root / folder / f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.json"
    return write_sealed(path, found)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.bench")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", dest="size", action="store_const", const="quick", default="full")
    sizes.add_argument("--tiny", dest="size", action="store_const", const="tiny")
    size = parser.parse_args(arguments).size
    folder = ROOT / "_build" / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    found = measure(sorted((ROOT / "benchmarks").glob("[!_]*.py")), size, folder)
    print("", condition(found), "", table(found), *left_out(found), sep="\n")
    if size != "tiny":
        print(f"\nStored for the book: {store(ROOT, found).relative_to(ROOT)}")
    return 1 if found["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
