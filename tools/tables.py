"""The parts of the book's pages that are made from runs: ledger, costs, catch rates, chapter table.

A page holds `<!-- generated: NAME --> ... <!-- end -->`; `fill` puts the text for NAME between.
Every number comes from the records and outputs in `_build/notebooks` or from a run made here.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import yaml

from course_lib.claims.card import interval
from tools import (
    bands,
    bench_page,
    devices,
    faults_page,
    history,
    records,
    scaling,
    set_cards,
    teaching,
    topics,
)
from tools.course_map import course_map
from tools.markdown import plain, relative, table

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
        below = ", ".join(f"[{path.parts[0]}]({relative(path, page)})" for path in chapter.sections)
        found = _claims(root, chapter.notebook)
        name = _link(root, page, chapter.notebook)
        rows.append((name, below, _counts(found), _cost(root, chapter.notebook)))
    return table(("Chapter", "Practice", "Claims tested", "Measured cost"), rows)


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
                table(
                    ("The paper states", "Measured here", "Band over seeds", "Needed", "Status"),
                    rows,
                ),
            ]
    return "\n\n".join([f"In all {_counts(everything)}.", *parts])


def claims(root: Path) -> list[dict[str, Any]]:
    """Every claim of every chapter, as its last run recorded it."""
    return [claim for chapter in chapters(root) for claim in _claims(root, chapter.notebook)]


def changes(root: Path, page: Path) -> str:
    """What moved since the editions that are stored."""
    return history.page_of(root, history.of(claims(root)))


def alarms(root: Path, page: Path) -> str:
    """How often a band is left by chance."""
    return bands.reliability(root)


def check_table(root: Path, page: Path) -> str:
    """How many named wrong answers lose what they should, by chapter, problem set and in all.

    Raises ValueError when they are too few.
    """
    from tools import caught

    found = [
        (f"[{title}]({relative(notebook, page)})", caught.of_chapter(name))
        for name, title, notebook in teaching.chapters_with_exercises(root)
    ]
    for one in set_cards.cards(root):
        rate = caught.Rate(one["name"], one["judged"], one["wrong"], one["caught"])
        found.append((plain(one["title"]), rate))
    rates = [rate for _, rate in found]
    share = caught.in_all(rates)
    rows = [(name, str(r.questions), str(r.wrong), str(r.caught)) for name, r in found]
    sums = [sum(getattr(r, part) for r in rates) for part in ("questions", "wrong", "caught")]
    rows.append(("**All**", str(sums[0]), str(sums[1]), f"{sums[2]}, which is **{share:.1%}**"))
    return table(("Chapter or problem set", "Questions", "Wrong answers tried", "Caught"), rows)


def mutant_table(root: Path, page: Path) -> str:
    """How many small edits of the solutions are rejected, by chapter and problem set.

    What survives is listed for chapters alone: in a problem set it is a part of the key.
    """
    from tools import mutants

    exercises = [(one, mutants.results(one.notebook.stem)) for one in chapters(root)]
    found = [(_link(root, page, one.notebook), mutants.counts(rows)) for one, rows in exercises]
    found += [(plain(one["title"]), one["mutants"]) for one in set_cards.cards(root)]
    total = {part: sum(counted[part] for _, counted in found) for part in mutants.counts([])}
    rows = [
        (
            name,
            str(counted["killed"]),
            str(counted["alive"]),
            f"{mutants.rate(counted):.1%}" if counted["killed"] else "not measured",
            str(counted["equivalent"]),
            str(counted["stillborn"]),
        )
        for name, counted in [*found, ("**All**", total)]
    ]
    heads = ("Chapter or problem set", "Rejected", "Accepted", "Rate", "No error", "Do not run")
    alive = [
        f"- {plain(row['exercise'])}: `{one['change']}`"
        for _, rows in exercises
        for row in rows
        for one in row["open"]
    ]
    told = "No error in an exercise is accepted."
    if alive:
        told = "Edits of exercises that are accepted though they are errors:\n\n" + "\n".join(alive)
    return f"{table(heads, rows)}\n\n{told}"


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
    return f"{limits}\n\n{table(heads, rows)}"


def cost(root: Path, page: Path) -> str:
    """The measured cost of the page's own notebook, in one phrase."""
    record = records.load(root, root / page)
    return f"{_cost(root, page)}, no download, measured on {record.machine}"


def crowding(root: Path, page: Path) -> str:
    """The picture of the landing page."""
    from course_lib.widgets.crowding import crowding_explorable

    return _raw(crowding_explorable().html)


def map_of_chapters(root: Path, page: Path) -> str:
    """Which chapter builds on which, as a picture of links."""
    return _raw(course_map(root, page))


def topic_finder(root: Path, page: Path) -> str:
    """One row per term: where it is taught, practised, computed, and which claims are about it."""
    everything = claims(root)
    found = topics.topics(root, [(one.notebook, list(one.sections)) for one in chapters(root)])
    rows = []
    for topic in found:
        told = ((c["paper"], f"{c['states']} {c['measures']}") for c in everything)
        about = (paper for paper, said in told if topic.pattern.search(said))
        papers = list(dict.fromkeys(about))[: topics.MOST]
        rows.append(
            (
                f"{{term}}`{topic.term}`",
                ", ".join(_link(root, page, path) for path in topic.chapters),
                ", ".join(f"[{n}]({relative(path, page)})" for path, n in topic.exercises),
                ", ".join(f"`{name}`" for name in topic.functions),
                " ".join(f"{{cite:p}}`{paper}`" for paper in papers),
            )
        )
    return table(("Term", "Chapters", "Exercises", "In `course_lib`", "Claims of"), rows)


GENERATORS = {
    "topics": topic_finder,
    "crowding": crowding,
    "map": map_of_chapters,
    "chapters": chapter_table,
    "ledger": ledger,
    "alarms": alarms,
    "history": changes,
    "checks": check_table,
    "mutants": mutant_table,
    "runtimes": run_times,
    "benchmarks": bench_page.page_of,
    "faults": faults_page.page_of,
    "cost": cost,
    **scaling.GENERATORS,
    **devices.GENERATORS,
    **teaching.GENERATORS,
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
    measured = f"**{claim['value']:.4g}**: {plain(claim['measures'])}"
    if claim["full"] is not None:
        measured += f"; at full size {claim['full']:.4g}"
    band = "no stored runs"
    if claim["band"]:
        band = f"{interval(*claim['band'])}, {claim['n_seeds']} seeds"
    status = f"**{claim['status']}**"
    if claim["contested"]:
        status += f"; contested: {plain(claim['contested'])}"
    source = f"{{cite:p}}`{claim['paper']}`, {plain(claim['where'])}"
    states = f"{plain(claim['states'])} {source}"
    return states, measured, band, interval(*claim["expected"]), status


def _raw(page: str) -> str:
    return f"````{{raw}} html\n{page}\n````"


def _cost(root: Path, notebook: Path) -> str:
    record = records.load(root, root / notebook)
    return f"{record.cpu_seconds:.0f} CPU seconds, {record.peak_mb:.0f} MB peak"


def _link(root: Path, page: Path, notebook: Path) -> str:
    return f"[{title(root, notebook)}]({relative(notebook, page)})"
