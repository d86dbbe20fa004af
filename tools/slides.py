"""Slides of a chapter, made from its executed notebook: `python -m tools.slides FOLDER`.

The figures are the notebook's own outputs, the words its own first sentences; the whole text
stands in the notes, which the key n shows. A deck is one HTML file that asks no other host.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from importlib.util import find_spec
from pathlib import Path

import nbformat
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from course_lib.claims.card import interval
from course_lib.runtime import write_file
from course_lib.study import exercises
from tools import records, tables

ROOT = Path(__file__).resolve().parent.parent
MATHJAX = "mathjax/tex-svg-full.js"
PARTS = Path(__file__).with_name("deck")
LEFT_OUT = ("Exercises", "Back to your prediction", "One picture you can move", "Scale up")
SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z*\"“$0-9])")
SEEN = re.compile(r"\*\*What to see\.?\*\*\s*")


@dataclass
class Slide:
    """A heading, what stands on the slide and what stands in its notes, in Markdown."""

    heading: str
    body: str = ""
    picture: str = ""
    alt: str = ""
    notes: list[str] = field(default_factory=list)


def deck(executed: nbformat.NotebookNode, chapter: str, mathjax: str = "") -> str:
    """The deck of an executed chapter, "02_toy_models", as HTML.

    mathjax: address of the script for formulas; without one it becomes part of the file.
    """
    number, made = int(chapter[:2]), [*slides(executed), *_exercise_slide(chapter)]
    script = f'<script src="{mathjax}"></script>' if mathjax else f"<script>{_mathjax()}</script>"
    title = escape(f"{number}. {_plain(made[0].heading)}")
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}: slides</title>",
            '<link rel="icon" href="data:,">',
            f"<style>{(PARTS / 'deck.css').read_text(encoding='utf-8')}</style>",
            "<script>window.MathJax = {tex: {inlineMath: [['\\\\(', '\\\\)']]}, "
            "options: {enableMenu: false}};</script>",
            f"{script}</head>\n<body><main>",
            *(_section(slide, k, len(made), number) for k, slide in enumerate(made, start=1)),
            f"</main><script>{(PARTS / 'deck.js').read_text(encoding='utf-8')}</script>",
            "</body></html>\n",
        ]
    )


def slides(executed: nbformat.NotebookNode) -> Iterator[Slide]:
    """The slides of an executed chapter, in its order."""
    claims, heading, here = [], "", None
    for cell in executed.cells:
        if cell.cell_type == "markdown":
            for title, text in _by_heading(cell.source):
                if title is None:
                    if here:
                        _see(here, text)
                    continue
                if here and not _is_left_out(heading):
                    yield here
                heading, here = title, _slide(title, text)
            continue
        if here is None or _is_left_out(heading):
            continue
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                yield here
                alt = _alt(cell, output)
                here = Slide(heading, alt=alt, picture=data["image/png"].replace("\n", ""))
            elif tables.CLAIM in data:
                claims.append(data[tables.CLAIM])
            elif SEEN.search(data.get("text/markdown", "")):
                _see(here, data["text/markdown"])
    if here and not _is_left_out(heading):
        yield here
    yield from _claim_slides(claims)


def _see(slide: Slide, text: str) -> None:
    """Put what there is to see on the slide, and the whole text into its notes."""
    if SEEN.search(text):
        slide.body += "\n\n" + _first(SEEN.split(text)[-1], 2 if slide.picture else 1)
    slide.notes.append(text)


def _by_heading(source: str) -> Iterator[tuple[str | None, str]]:
    """The parts of a Markdown cell; the title is None for text that goes on with what was."""
    pieces = re.split(r"(?m)^#{1,2} (.+)$", source)
    if pieces[0].strip():
        yield None, pieces[0].strip()
    for title, text in zip(pieces[1::2], pieces[2::2], strict=True):
        yield title.strip(), text.strip()


def _slide(title: str, text: str) -> Slide:
    if _is_left_out(title):
        return Slide(title, notes=[text])
    promise = re.search(r"\*\*The promise\.\*\*\s*(.+)", text)
    if promise:
        can = re.search(r"\*\*After this chapter you can\*\*\s*(.+)", text)
        goals = re.split(r";\s*(?:and\s+)?", can[1].rstrip(".")) if can else []
        body = promise[1] + "\n\nAfter it you can\n\n" + "\n".join(f"- {goal}" for goal in goals)
        return Slide(title, body, notes=[text])
    if title == "First, a prediction":
        return Slide(title, re.sub(r"Commit before you read on.*", "", text, flags=re.DOTALL))
    if title == "Try to refute it":
        return Slide(title, text, notes=[])
    leads = re.findall(r"\*\*(?:What we do|The idea|Why[^*]*)\.\*\*[^\n]*", text)
    if leads:
        body = "\n\n".join(_first(lead, 2) for lead in leads)
    else:
        body = _first(text.split("\n\n")[0], 2)
    formulas = re.findall(r"\$\$.+?\$\$", text, re.DOTALL)[:3]
    return Slide(title, "\n\n".join([body, *(f for f in formulas if f not in body)]), notes=[text])


def _is_left_out(title: str) -> bool:
    return title in LEFT_OUT


def _first(text: str, count: int) -> str:
    """The first sentences of the first paragraph; a heading in bold before them is none."""
    paragraph = text.strip().split("\n\n")[0].replace("\n", " ")
    lead, rest = re.fullmatch(r"(\*\*[^*]{3,40}[.:]\*\* )?(.*)", paragraph).groups("")
    chosen = " ".join(SENTENCE.split(rest)[:count])
    return lead + chosen + ("**" if chosen.count("**") % 2 else "")


def _alt(cell: nbformat.NotebookNode, output: nbformat.NotebookNode) -> str:
    own = output.get("metadata", {}).get("image/png", {}).get("alt")
    return own or cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")


def _claim_slides(claims: list[dict]) -> Iterator[Slide]:
    for start in range(0, len(claims), 4):
        rows = "".join(
            f"<tr><td>{escape(one['states'])}</td><td>{one['value']:.3g}: "
            f"{escape(one['measures'])}</td><td>{interval(*one['expected'])}</td>"
            f"<td>{escape(one['status'])}</td></tr>"
            for one in claims[start : start + 4]
        )
        heads = "".join(f"<th>{h}</th>" for h in ("Stated", "Measured", "Needed", "Status"))
        yield Slide("What was stated, what was measured", f"<table><tr>{heads}</tr>{rows}</table>")


def _exercise_slide(chapter: str) -> Iterator[Slide]:
    found = [one for one in exercises() if one.chapter == chapter]
    rows = [f"| {e.number} | {e.title} | {e.objective} | {e.minutes} |" for e in found]
    if found:
        heads = "| | Exercise | After it you can | Minutes |\n|---|---|---|---|"
        yield Slide("Exercises", "\n".join([heads, *rows]))


def _section(slide: Slide, place: int, of: int, number: int) -> str:
    tag = "h1" if place == 1 else "h2"
    heading = f"{number}. {slide.heading}" if place == 1 else slide.heading
    picture = f'<img src="data:image/png;base64,{slide.picture}" alt="{escape(slide.alt)}">'
    notes = "\n\n".join([slide.alt, *slide.notes] if slide.picture else slide.notes).strip()
    return "\n".join(
        [
            f'<section id="s{place}"><{tag}>{_inline(heading)}</{tag}>',
            picture if slide.picture else "",
            _html(slide.body),
            f'<aside class="notes">{_html(notes)}</aside>' if notes else "",
            f'<span class="number">{place} / {of}</span></section>',
        ]
    )


def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": True}).enable("table")
    dollarmath_plugin(made, renderer=lambda text, options: escape(text))
    made.add_render_rule("math_inline", lambda s, t, k, o, e: f"\\({escape(t[k].content)}\\)")
    made.add_render_rule("math_block", lambda s, t, k, o, e: f"\\[{escape(t[k].content)}\\]\n")
    return made


def _html(text: str) -> str:
    return _lower(_markdown().render(_plain(text)))


def _inline(text: str) -> str:
    return _markdown().renderInline(_plain(text))


def _plain(text: str) -> str:
    """Markdown without what only the book can follow: relative links, roles, generated parts."""
    text = re.sub(r"<!-- generated.*?<!-- end -->", "", text, flags=re.DOTALL)
    text = re.sub(r"\[([^\]]*)\]\((?!https?:)[^)\s]*\)", r"\1", text)
    return re.sub(r"\{[a-z:]+\}`([^`<]*)(?:<[^`]*)?`", r"\1", text)


def _lower(html: str) -> str:
    """Headings inside a slide stand below the slide's own."""
    return re.sub(r"<(/?)h[1-6]>", r"<\1h3>", html)


def _mathjax() -> str:
    folder = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static"
    return (folder / MATHJAX).read_text(encoding="utf-8")


def write(root: Path, folder: Path, mathjax: str = "") -> list[Path]:
    """Write the deck of every chapter to `folder`; the notebooks must have been executed."""
    written = []
    for chapter in tables.chapters(root):
        executed = records.record_path(root, root / chapter.notebook).with_suffix(".ipynb")
        notebook, name = nbformat.read(executed, as_version=4), chapter.notebook.stem
        written.append(write_file(folder / f"{name}.html", deck(notebook, name, mathjax)))
    return written


if __name__ == "__main__":
    print(*write(ROOT, Path(sys.argv[1])), sep="\n")
