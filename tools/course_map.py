"""The map of the course: one line per chapter, and an arc from each chapter it builds on.

What a chapter builds on is said once, in its own header: titles of chapters that stand in italics
in the row *Prerequisites*.
"""

import html
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml

LINE = 36  # pixels between chapters
PART = 40  # more, above the name of a part
TEXT = 150  # where names begin; arcs stand to their left
WIDTH = 520
REACH = 15  # how far an arc bends for one line it spans


@dataclass(frozen=True)
class Stop:
    """One chapter on the map: its number, notebook, title, and the titles it builds on."""

    number: str
    notebook: Path
    title: str
    needs: tuple[str, ...]


def stops(root: Path) -> dict[str, list[Stop]]:
    """The chapters of each part, in the order of `_toc.yml`.

    Raises ValueError if a chapter has no number in its file name or no row *Prerequisites*.
    """
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    parts = {}
    for part in toc["parts"]:
        found = [
            _stop(root, Path(f"{entry['file']}.ipynb"))
            for entry in part["chapters"]
            if (root / f"{entry['file']}.ipynb").exists()
        ]
        if found:
            parts[part["caption"]] = found
    titles = {stop.title for found in parts.values() for stop in found}
    return {
        caption: [
            Stop(s.number, s.notebook, s.title, tuple(t for t in s.needs if t in titles))
            for s in found
        ]
        for caption, found in parts.items()
    }


def _stop(root: Path, notebook: Path) -> Stop:
    number = re.match(r"(\d+)_", notebook.name)
    first = nbformat.read(root / notebook, as_version=4).cells[0].source
    title = re.search(r"^# (.+)$", first, re.MULTILINE)
    needs = re.search(r"^\| Prerequisites \|(.+)\|", first, re.MULTILINE)
    if not (number and title and needs):
        raise ValueError(
            f"{notebook}: the first cell must hold '# title' and a row '| Prerequisites | ... |', "
            "and the file name must begin with the chapter's number"
        )
    return Stop(
        number[1].lstrip("0"), notebook, title[1], tuple(re.findall(r"\*([^*]+)\*", needs[1]))
    )


def course_map(root: Path, page: Path) -> str:
    """The map as an SVG whose lines are links, relative to `page`, within the page's HTML."""
    parts = stops(root)
    lines, places, y = [], {}, 0
    for caption, found in parts.items():
        y += PART
        lines.append(f'<text class="part" x="{TEXT}" y="{y}">{html.escape(caption)}</text>')
        for stop in found:
            y += LINE
            places[stop.title] = y
    up = "../" * (len(page.parts) - 1)
    for stop in (stop for found in parts.values() for stop in found):
        here = places[stop.title]
        arcs = "".join(_arc(places[title], here) for title in stop.needs)
        said = f"{stop.title}; builds on {', '.join(stop.needs)}" if stop.needs else stop.title
        lines.append(
            f'<a href="{up}{stop.notebook.with_suffix(".html").as_posix()}">'
            f"<title>{html.escape(said)}</title>"
            f'<rect x="0" y="{here - LINE // 2}" width="{WIDTH}" height="{LINE}"/>{arcs}'
            f'<circle cx="{TEXT - 18}" cy="{here}" r="6"/>'
            f'<text x="{TEXT}" y="{here}">{stop.number}. {html.escape(stop.title)}</text></a>'
        )
    return (
        f'<svg class="course-map" viewBox="0 0 {WIDTH} {y + LINE}" role="group" '
        f'aria-label="Map of the course: chapters, and what each builds on">\n'
        + "\n".join(lines)
        + "\n</svg>"
    )


def _arc(start: int, end: int) -> str:
    """A half ellipse on the left of the names, from one line down to another."""
    x, bend = TEXT - 18, min(TEXT - 30, REACH * (end - start) / LINE)
    down = (end - start) / 2
    return f'<path d="M {x} {start} A {bend:.0f} {down:.0f} 0 0 0 {x} {end}"/>'
