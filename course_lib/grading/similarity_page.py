"""The page of what is alike: pairs side by side, equal passages marked."""

from __future__ import annotations

from html import escape
from math import log2

from course_lib.grading.fingerprints import Passage
from course_lib.grading.report import PAGE, clean
from course_lib.grading.similarity import ALL, SHOWN, Alike, Comparison, Work

MAX_PAIRS, MAX_TEXT = 40, 20_000
STYLE = """<style>body { max-width: 90rem } td { vertical-align: top }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem } .sides pre { margin: 0 }
mark { background: #fde68a; color: inherit } mark.same { background: #c9d8ee }</style>"""
WORDS = (
    "<p><strong>Likeness is not guilt.</strong> Equal passages come from copying, from working "
    "together, from a common source, and from chance. Read both, and hear both students, before "
    "you conclude anything.</p><p>A passage that nearly everybody has weighs next to nothing; what "
    "was handed out and what the answer key says weighs nothing. Names, comments, texts in "
    "quotation marks, layout and the order of statements are left out of account. "
    "<mark>Marked so</mark>: in both, and rare in this class. <mark class='same'>Marked so</mark>: "
    "in both, and in others; such choices add up: ten that one in five makes are made by two "
    "students alike once in ten million. In a class of fewer than ten nobody is left to tell what "
    "is rare.</p>"
)


def page(title: str, found: Comparison) -> str:
    """The page of a comparison, as HTML."""
    shown = [pair for pair in found.pairs if pair.score >= SHOWN]
    median, high = found.usual
    parts = [
        STYLE,
        f"<h1>{_text(title)}: what is alike</h1>{WORDS}",
        f"<p>{len(found.works)} submissions. Half of all pairs score below {median:.2f}, 99 in 100 "
        f"below {high:.2f}; {len(shown)} reach {SHOWN}, where reading is worth it"
        f"{f', of which the first {MAX_PAIRS} are here' if len(shown) > MAX_PAIRS else ''}.</p>",
    ]
    if found.groups:
        rows = (f"<li>{_text(', '.join(group))}</li>" for group in found.groups)
        parts.append(f"<h2>Groups of three or more</h2><ul>{''.join(rows)}</ul>")
    parts += [_pair(pair, found) for pair in shown[:MAX_PAIRS]]
    if remarks := [work for work in found.works if work.remark]:
        rows = (f"<li>{_text(work.student)}: {_text(work.remark)}</li>" for work in remarks)
        parts.append(f"<h2>Not compared as the others</h2><ul>{''.join(rows)}</ul>")
    return PAGE.format(title=_text(title), body="\n".join(parts))


def _text(text: str) -> str:
    return escape(clean(text))


def _pair(pair: Alike, found: Comparison) -> str:
    scores = ", ".join(f"{_text(unit)} {score:.2f}" for unit, score in pair.scores.items())
    names = f"{_text(pair.first.student)} and {_text(pair.second.student)}"
    sides = []
    for unit in found.units:
        columns = [
            _marked(one, other, unit, found)
            for one, other in ((pair.first, pair.second), (pair.second, pair.first))
        ]
        if any("<mark" in column for column in columns):
            name = "other cells" if unit == ALL else unit
            boxes = "".join(f"<pre>{column}</pre>" for column in columns)
            sides.append(f"<h3>{_text(name)}</h3><div class='sides'>{boxes}</div>")
    return (
        f"<details><summary>{names}: {pair.score:.2f}</summary><p>Each by itself: {scores}</p>"
        f"{''.join(sides)}</details>"
    )


def _marked(one: Work, other: Work, unit: str, found: Comparison) -> str:
    """What `one` wrote in a unit, with marks where `other` wrote the same."""
    is_prose = unit in one.notebook.written and unit in found.units
    whole = unit if is_prose else ALL
    passages = one.passages.get(unit, [])
    if unit == ALL:
        named = {p.text for u, ps in one.passages.items() if u != ALL for p in ps}
        passages = [p for p in passages if p.text not in named]
    theirs = frozenset().union(*(p.prints for p in other.passages.get(whole, [])))
    texts = [one.notebook.written[unit]] if is_prose else one.notebook.cells
    marks: dict[tuple[int, int], str] = {}
    for passage in passages:
        if kind := _kind(passage, theirs, found.weights[whole], len(found.works)):
            lines = range(passage.first, passage.last + 1)
            marks |= {(passage.text, line): kind for line in lines}
    shown, left = [], MAX_TEXT
    for number in sorted({p.text for p in passages}):
        for line, text in enumerate(texts[number].split("\n"), start=1):
            left -= len(text) + 1
            if left < 0:
                return "\n".join([*shown, "… (cut here)"])
            kind = marks.get((number, line))
            shown.append(f"<mark class='{kind}'>{_text(text)}</mark>" if kind else _text(text))
        shown.append("")
    return "\n".join(shown)


def _kind(passage: Passage, theirs: frozenset[str], bits: dict[str, float], n: int) -> str:
    """Whether most of a passage is in the other's work: "rare", "same" or "" (no)."""
    own = {p: bits[p] for p in passage.prints if p in bits}
    equal = [own[p] for p in own if p in theirs]
    if not own or len(equal) < 0.6 * len(own):
        return ""
    return "rare" if sum(equal) >= 0.5 * log2(n) * len(equal) else "same"
