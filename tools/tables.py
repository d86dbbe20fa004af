"""The parts of the book's pages that are made from runs: ledger, costs, catch rates, chapter table.

A page holds `<!-- generated: NAME --> ... <!-- end -->`; `fill` puts the text for NAME between.
Every number comes from the records and outputs in `_build/notebooks` or from a run made here.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import yaml

from course_lib.claims.card import interval
from course_lib.runtime import write_file
from tools import records

CLAIM = "application/vnd.course.claim+json"
REGION = re.compile(r"<!-- generated: (\w+) -->.*?<!-- end -->", re.DOTALL)


@dataclass(frozen=True)
class Chapter:
    """A chapter's notebook and the notebooks below it, as paths relative to the repository."""

    notebook: Path
    sections: tuple[Path, ...]


def chapters(root: Path) -> list[Chapter]:
    """The chapters that are notebooks, in the order of `_toc.yml`."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    return [
        Chapter(
            Path(f"{entry['file']}.ipynb"),
            tuple(Path(f"{section['file']}.ipynb") for section in entry.get("sections", [])),
        )
        for part in toc["parts"]
        for entry in part["chapters"]
        if (root / f"{entry['file']}.ipynb").exists()
    ]


def notebooks(root: Path) -> list[Path]:
    """All notebooks of the book, in reading order, relative to the repository."""
    return [path for one in chapters(root) for path in (one.notebook, *one.sections)]


def fill(text: str, root: Path, page: Path) -> str:
    """Fill every generated region of a page.

    page: its path relative to `root`. Raises ValueError if a region has no generator.
    """

    def replace(region: re.Match[str]) -> str:
        name = region[1]
        if name not in GENERATORS:
            raise ValueError(
                f"{page}: no generated region is called {name!r}; use one of {sorted(GENERATORS)}"
            )
        return GENERATORS[name](root, page)

    return REGION.sub(replace, text)


def chapter_table(root: Path, page: Path) -> str:
    """One row per chapter: links, the claims it tests, what it costs."""
    rows = []
    for chapter in chapters(root):
        below = ", ".join(
            f"[{path.parts[0]}]({_relative(path, page)})" for path in chapter.sections
        )
        found = _claims(root, chapter.notebook)
        name = _link(root, page, chapter.notebook)
        rows.append((name, below, _counts(found), _cost(root, chapter.notebook)))
    return _table(("Chapter", "Practice", "Claims tested", "Measured cost"), rows)


def ledger(root: Path, page: Path) -> str:
    """Every claim of every chapter with its measured value, its band and its status."""
    parts, everything = [], []
    for chapter in chapters(root):
        found = _claims(root, chapter.notebook)
        everything += found
        if found:
            rows = [_claim_row(claim) for claim in found]
            parts += [
                f"## {_link(root, page, chapter.notebook)}",
                _counts(found) + ".",
                _table(
                    ("The paper states", "Measured here", "Band over seeds", "Needed", "Status"),
                    rows,
                ),
            ]
    return "\n\n".join([f"In all {_counts(everything)}.", *parts])


def check_table(root: Path, page: Path) -> str:
    """How many named wrong answers each exercise's check rejects."""
    rows = [(row["title"], str(row["wrong"]), str(row["caught"])) for row in catch_rates(root)]
    return _table(("Exercise", "Wrong answers tried", "Rejected"), rows)


def catch_rates(root: Path) -> list[dict[str, Any]]:
    """`tools.exercises.catch_rates()`, kept until the library or the wrong answers change."""
    kept = root / "_build" / "checks.json"
    key = records.inputs_digest(root, root / "tests" / "wrong_answers", root / "tools")
    if kept.exists():
        known = json.loads(kept.read_text(encoding="utf-8"))
        if known["inputs"] == key:
            return known["rates"]
    from tools.exercises import catch_rates as measure

    rates = measure()
    write_file(kept, json.dumps({"inputs": key, "rates": rates}, indent=2) + "\n")
    return rates


def run_times(root: Path, page: Path) -> str:
    """What the last passed run of every notebook cost, and the total."""
    found = [(path, records.load(root, root / path)) for path in notebooks(root)]
    rows = [
        (
            _link(root, page, path),
            f"{record.cpu_seconds:.1f}",
            f"{record.peak_mb:.0f}",
            f"{record.wall_seconds:.1f}",
            record.date,
            record.machine,
        )
        for path, record in found
    ]
    cpu = sum(record.cpu_seconds for _, record in found)
    wall = sum(record.wall_seconds for _, record in found)
    peak = max((record.peak_mb for _, record in found), default=0)
    rows.append((f"All {len(found)}", f"{cpu:.0f}", f"{peak:.0f} at most", f"{wall:.0f}", "", ""))
    heads = ("Notebook", "CPU seconds", "Peak MB", "Wall seconds", "Date", "Machine")
    limits = (
        f"A notebook may take {records.CPU_SECONDS_BUDGET:.0f} CPU seconds "
        f"and {records.PEAK_MB_BUDGET:.0f} MB; the tests name one that takes more and fail on more "
        "memory or twice the time."
    )
    return f"{limits}\n\n{_table(heads, rows)}"


def cost(root: Path, page: Path) -> str:
    """The measured cost of the page's own notebook, in one phrase."""
    record = records.load(root, root / page)
    return f"{_cost(root, page)}, no download, measured on {record.machine}"


GENERATORS = {
    "chapters": chapter_table,
    "ledger": ledger,
    "checks": check_table,
    "runtimes": run_times,
    "cost": cost,
}


def title(root: Path, notebook: Path) -> str:
    """The first heading of a notebook; raises ValueError if it has none."""
    for cell in nbformat.read(root / notebook, as_version=4).cells:
        found = re.search(r"^# (.+)$", cell.source, re.MULTILINE)
        if cell.cell_type == "markdown" and found:
            return found[1].strip()
    raise ValueError(f"{notebook} has no title; begin its first Markdown cell with '# '")


def _claims(root: Path, notebook: Path) -> list[dict[str, Any]]:
    return records.outputs(records.record_path(root, root / notebook).with_suffix(".ipynb"), CLAIM)


def _counts(claims: Sequence[dict[str, Any]]) -> str:
    counted = Counter(claim["status"] for claim in claims)
    noun = "claim" if len(claims) == 1 else "claims"
    details = ", ".join(f"{number} {status}" for status, number in counted.most_common())
    return f"{len(claims)} {noun}: {details}" if claims else "no claims"


def _claim_row(claim: dict[str, Any]) -> tuple[str, ...]:
    measured = f"**{claim['value']:.4g}**: {_plain(claim['measures'])}"
    if claim["full"] is not None:
        measured += f"; at full size {claim['full']:.4g}"
    band = "no stored runs"
    if claim["band"]:
        band = f"{interval(*claim['band'])}, {claim['n_seeds']} seeds"
    status = f"**{claim['status']}**"
    if claim["contested"]:
        status += f"; contested: {_plain(claim['contested'])}"
    source = f"{{cite:p}}`{claim['paper']}`, {_plain(claim['where'])}"
    states = f"{_plain(claim['states'])} {source}"
    return states, measured, band, interval(*claim["expected"]), status


def _plain(text: str) -> str:
    """Text without Markdown's meanings; `_table` takes care of the bar."""
    return re.sub(r"([\\`*_$<\[\]])", r"\\\1", text)


def _cost(root: Path, notebook: Path) -> str:
    record = records.load(root, root / notebook)
    return f"{record.cpu_seconds:.0f} CPU seconds, {record.peak_mb:.0f} MB peak"


def _link(root: Path, page: Path, notebook: Path) -> str:
    return f"[{title(root, notebook)}]({_relative(notebook, page)})"


def _relative(target: Path, page: Path) -> str:
    return Path(os.path.relpath(target, page.parent)).as_posix()


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    )
