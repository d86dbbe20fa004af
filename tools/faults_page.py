"""The table of kills in the book, made from what `tools.faults` stored on each machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tools.bench_page import stored
from tools.markdown import table

RESULTS = Path("benchmarks") / "faults"
HEADS = (
    "Job", "Killed at work", "Corrupt files", "Run to the end", "Of them, another result",
    "Files left behind", "Seconds of a run", "Minutes in all",
)  # fmt: skip
NOTHING = (
    "No kills are stored in this edition. `make faults` makes them on your machine; the next `make "
    "book` puts the table here."
)


def page_of(root: Path, page: Path) -> str:
    """For each machine its name, the versions, and a row for each job."""
    return "\n\n".join(map(_machine, stored(root, RESULTS))) or NOTHING


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A row as text, in the order of HEADS."""
    counts = (str(row[name]) for name in ("landed", "corrupt", "ends", "differed", "left"))
    name = f"{row['job']}: {row['what']}"
    return (name, *counts, f"{row['seconds']:.1f}", f"{row['minutes']:.0f}")


def _machine(found: dict[str, Any]) -> str:
    it = found["machine"]
    told = (
        f"{it['name']}, {it['system']}; Python {it['python']}, torch {it['torch']}; {it['date']}; "
        f"moments drawn from seed {found['seed']}."
    )
    return f"{told}\n\n{table(HEADS, map(cells, found['rows']))}"
