"""The page of your progress: one HTML file that needs no network and no script."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from course_lib.study import store
from course_lib.study.catalogue import Exercise, exercises

STYLE = """
:root { color-scheme: light dark; --ink: #1d2330; --quiet: #55607a; --line: #d5dae4;
  --paper: #fff; --done: #00664f; --open: #9a3d00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf2; --quiet: #aab4c8; --line: #3a4356;
  --paper: #14181f; --done: #5fd3b0; --open: #ffb27a; } }
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin: 2.5rem 0 .25rem; font-size: 1.25rem; }
p { margin: .25rem 0 .75rem; overflow-wrap: anywhere; } .quiet { color: var(--quiet); }
progress { width: 12rem; max-width: 100%; height: .75rem; accent-color: var(--done); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }
caption { text-align: left; color: var(--quiet); padding: .25rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0;
  border-bottom: 1px solid var(--line); font-weight: normal; }
thead th { color: var(--quiet); font-size: .875rem; }
.done { color: var(--done); font-weight: 600; } .begun { color: var(--open); }
"""


def write_page(path: str | Path) -> Path:
    """Write the page to `path` and return it. Raises OSError when it cannot be written."""
    from course_lib import validate
    from course_lib.runtime import write_file

    return write_file(validate.path("path", path), page(store.read()))


def page(kept: store.Kept) -> str:
    """The page as HTML: every chapter with its exercises and your predictions."""
    checks, predictions = _grouped(kept.checks, "name"), _grouped(kept.predictions, "chapter")
    chapters: dict[str, list[Exercise]] = defaultdict(list)
    for exercise in exercises():
        chapters[exercise.chapter].append(exercise)
    n_done = sum(_is_done(checks[exercise.name]) for exercise in exercises())
    left = sum(e.minutes for e in exercises() if not _is_done(checks[e.name]))
    parts = [
        "<h1>Features in Superposition: your progress</h1>",
        f"<p>{_bar(n_done, len(exercises()), 'All exercises')} {n_done} of {len(exercises())} "
        f"exercises done; about {left / 60:.0f} hours of exercises are left.</p>",
        f'<p class="quiet">Made from {escape(str(store.path() or "nothing"))} on this machine; '
        "nothing was sent anywhere.</p>",
    ]
    if kept.complaint:
        parts.append(f'<p class="begun" role="alert">{escape(kept.complaint)}</p>')
    for chapter, members in chapters.items():
        parts += _chapter(members, checks, predictions[chapter])
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Your progress</title><style>{STYLE}</style></head>\n<body><main>\n"
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    )


def _chapter(
    members: list[Exercise],
    checks: dict[str, list[dict[str, Any]]],
    predictions: list[dict[str, Any]],
) -> list[str]:
    title = members[0].chapter_title
    n_done = sum(_is_done(checks[exercise.name]) for exercise in members)
    return [
        f"<h2>{int(members[0].chapter[:2])}. {escape(title)}</h2>",
        f"<p>{_bar(n_done, len(members), title)} {n_done} of {len(members)} done</p>",
        _table(
            "Exercises",
            ("Exercise", "State", "Tries", "Last try", "Minutes"),
            (_exercise_row(exercise, checks[exercise.name]) for exercise in members),
        ),
        _table(
            "Your predictions",
            ("Question", "You said first", "You said last", "The run said"),
            (_prediction_row(found) for found in _grouped(predictions, "question").values()),
        )
        if predictions
        else '<p class="quiet">No prediction was compared yet.</p>',
    ]


def _exercise_row(exercise: Exercise, tries: list[dict[str, Any]]) -> tuple[str, ...]:
    if _is_done(tries):
        state = '<span class="done">✓ done</span>'
    elif tries:
        passed, cases = tries[-1]["passed"], tries[-1]["cases"]
        state = f'<span class="begun">✗ {passed} of {cases} cases pass</span>'
    else:
        state = "○ not begun"
    last = tries[-1]["at"][:10] if tries else ""
    title = f"{exercise.number} {escape(exercise.title)}"
    return title, state, str(len(tries) or ""), escape(last), str(exercise.minutes)


def _prediction_row(found: list[dict[str, Any]]) -> tuple[str, ...]:
    first, last = found[0], found[-1]
    cells = (last["question"], first["guess"], last["guess"], last["outcome"])
    return tuple(escape(cell) for cell in cells)


def _is_done(tries: list[dict[str, Any]]) -> bool:
    return any(one["done"] for one in tries)


def _grouped(entries: Iterable[dict[str, Any]], by: str) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in entries:
        groups[entry[by]].append(entry)
    return groups


def _bar(value: int, top: int, label: str) -> str:
    return f'<progress value="{value}" max="{top}" aria-label="{escape(label)}"></progress>'


def _table(caption: str, heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in rest) + "</tr>"
        for first, *rest in rows
    )
    return (
        f'<div class="scroll" tabindex="0"><table><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )
