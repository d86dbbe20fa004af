"""What do the notebooks of the book cost?  python benchmarks/notebooks.py

Runs nothing: reads the records that `make book` left of every notebook that passed on this
machine. Notebooks that ran elsewhere, or have changed since, are left out and counted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from _rows import Row, parse, write  # noqa: E402

from tools import records, tables  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options = parse(parser, "notebooks", tiny={})
    everything = tables.notebooks(ROOT)
    found = {
        path.as_posix(): records.load(ROOT, ROOT / path)
        for path in everything
        if records.is_current(ROOT, ROOT / path)
    }
    found = {name: one for name, one in found.items() if one.machine == records.machine()}

    print(f"{len(found)} of {len(everything)} notebooks have passed here as they stand")
    rows = []
    for what, unit, key, sum_up in (
        ("all {} notebooks, one core", "CPU s", "cpu_seconds", sum),
        ("the slowest of {} notebooks", "CPU s", "cpu_seconds", max),
        ("the largest of {} notebooks", "MiB", "peak_mb", max),
    ):
        complete = len(found) == len(everything)
        ours = sum_up(getattr(one, key) for one in found.values()) if complete else None
        rows.append(Row(what.format(len(everything)), unit, ours))
        told = f"{ours:,.1f}" if complete else "not measured here; run `make book`"
        print(f"{rows[-1].what:32}{unit:>6}  {told}")
    write(options, rows, records={name: vars(one) for name, one in sorted(found.items())})


if __name__ == "__main__":
    main()
