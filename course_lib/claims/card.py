"""The card that a claim shows: words, and a strip with the stored seeds and the own value."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from course_lib.claims.core import chapter_runs

if TYPE_CHECKING:
    from course_lib.claims.core import Claim

STORED, OWN = "#2a8cc7", "#d9622b"
STATUS_COLOR = {
    "reproduced": "#1b8a5a",
    "partly reproduced": "#a07800",
    "contradicted at this size": "#c0392b",
    "not yet run over many seeds": "#6b7280",
    "asked of another model": "#6b7280",
}
WIDTH, HEIGHT, MARGIN, AXIS_Y = 360, 56, 26, 28


def interval(low: float | None, high: float | None) -> str:
    """An interval in words: "at least 0.6", "at most 0.02", "0.9 to 1.1"."""
    if low is None:
        return f"at most {high:.3g}"
    if high is None:
        return f"at least {low:.3g}"
    return f"{low:.3g} to {high:.3g}"


def summary(claim: Claim) -> str:
    """The numbers of a card in one sentence."""
    text = f"This run: {claim.value:.3g}. The statement needs {interval(*claim.expected)}."
    if claim.other_model:
        text += (
            f" It is of the model {claim.model!r} and judged by "
            f"no band; the {len(claim.runs.values)} stored seeds are of {claim.runs.model!r} and "
            f"lie between {min(claim.runs.values):.3g} and {max(claim.runs.values):.3g}."
        )
    elif claim.runs is not None:
        n = len(claim.runs.values)
        met = round(claim.share_expected * n)
        text += (
            f" {met} of {n} stored seeds meet it; they lie between {min(claim.runs.values):.3g} "
            f"and {max(claim.runs.values):.3g}, accepted band {interval(*claim.runs.band)}."
        )
        if claim.runs.full is not None:
            text += f" At full size: {claim.runs.full:.3g}."
    return text


def runs_table(chapter: str, full: str = "full size") -> str:
    """Markdown: the claims of a chapter over their stored seeds, and at COURSE_SCALE=full.

    full: the heading of the last column. Raises ValueError for a chapter that has no stored runs.
    """
    claims = chapter_runs(chapter)
    if not claims:
        raise ValueError(f"{chapter!r} has no stored runs: make bands CHAPTER={chapter}")
    n_seeds = len(next(iter(claims.values())).values)
    lines = [f"| claim | quick, {n_seeds} seeds | {full} |", "|---|---|---|"]
    for key, runs in claims.items():
        large = "not run" if runs.full is None else f"{runs.full:.3g}"
        quick = f"{min(runs.values):.3g} to {max(runs.values):.3g}"
        lines.append(f"| {key.replace('_', ' ')} | {quick} | {large} |")
    return "\n".join(lines)


def citation(paper: str) -> str:
    """The bibliography's key as a reader would say it: "elhage2022toy" is "Elhage 2022"."""
    found = re.match(r"([a-z]+)(\d{4})", paper)
    return f"{found[1].capitalize()} {found[2]}" if found else paper


def card_text(claim: Claim) -> str:
    """The card for a terminal."""
    return (
        f"Claim {claim.name}: {claim.status}\n"
        f"  {claim.states} ({citation(claim.paper)}, {claim.where})\n"
        f"  Measured: {claim.measures}. {summary(claim)}\n  Refuted if {claim.refuted_if}"
    )


def card_html(claim: Claim) -> str:
    """The card as self-contained HTML that follows the page's own light or dark colours."""
    color = STATUS_COLOR[claim.status]
    contested = f"<p><em>Contested:</em> {escape(claim.contested)}</p>" if claim.contested else ""
    return (
        f'<div class="course-claim" style="border:1px solid {color};border-left-width:6px;'
        'border-radius:4px;padding:.5em .9em;margin:1em 0;max-width:44em;line-height:1.45">'
        f'<p style="margin:.2em 0"><strong>Claim: {escape(claim.status)}</strong> · '
        f"{escape(citation(claim.paper))}, {escape(claim.where)}</p>"
        f'<p style="margin:.4em 0">{escape(claim.states)}</p>'
        f'<p style="margin:.4em 0"><em>Measured:</em> {escape(claim.measures)}.</p>'
        f"{strip(claim)}"
        f'<p style="margin:.4em 0">{escape(summary(claim))}</p>'
        f'<p style="margin:.4em 0"><em>Refuted if</em> {escape(claim.refuted_if)}</p>'
        f"{contested}</div>"
    )


def strip(claim: Claim) -> str:
    """An SVG number line: band shaded, needed interval as a thick line, seeds, own value."""
    runs = None if claim.other_model else claim.runs
    marks = [claim.value, *(edge for edge in claim.expected if edge is not None)]
    if runs is not None:
        marks += [*runs.values, *runs.band, *([runs.full] if runs.full is not None else [])]
    low, high = min(marks), max(marks)
    room = 0.06 * (high - low) or max(abs(high), 1.0) * 0.1
    low, high = low - room, high + room

    def at(value: float) -> float:
        return MARGIN + (value - low) / (high - low) * (WIDTH - 2 * MARGIN)

    left = at(low if claim.expected[0] is None else claim.expected[0])
    right = at(high if claim.expected[1] is None else claim.expected[1])
    parts = [
        f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{AXIS_Y}" y2="{AXIS_Y}" '
        'stroke="currentColor" stroke-opacity=".5"/>',
        f'<line x1="{left:.1f}" x2="{right:.1f}" y1="{AXIS_Y + 9}" y2="{AXIS_Y + 9}" '
        'stroke="#1b8a5a" stroke-width="4"/>',
    ]
    if runs is not None:
        a, b = at(runs.band[0]), at(runs.band[1])
        parts.append(
            f'<rect x="{a:.1f}" y="{AXIS_Y - 11}" width="{max(b - a, 1):.1f}" height="22" '
            f'fill="{STORED}" fill-opacity=".2"/>'
        )
        parts += [
            f'<circle cx="{at(value):.1f}" cy="{AXIS_Y}" r="3.5" fill="{STORED}" '
            'fill-opacity=".7"/>'
            for value in runs.values
        ]
        if runs.full is not None:
            x = at(runs.full)
            parts.append(
                f'<rect x="{x - 4:.1f}" y="{AXIS_Y - 4}" width="8" height="8" fill="none" '
                f'stroke="currentColor" stroke-width="2" transform="rotate(45 {x:.1f} {AXIS_Y})"/>'
            )
    x = at(claim.value)
    parts.append(
        f'<path d="M{x:.1f} {AXIS_Y - 3} l-6 -13 h12 z" fill="{OWN}"/>'
        f'<text x="{MARGIN}" y="{HEIGHT - 4}" font-size="11" fill="currentColor">{low:.3g}</text>'
        f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - 4}" font-size="11" fill="currentColor" '
        f'text-anchor="end">{high:.3g}</text>'
    )
    label = escape(
        f"Number line from {low:.3g} to {high:.3g}. {summary(claim)} Triangle: this run; dots: "
        "stored seeds; shaded: accepted band; line below: what the statement needs"
        + ("; diamond: full size." if runs is not None and runs.full is not None else "."),
        quote=True,
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}" '
        f'style="width:100%;max-width:32em;height:auto">{"".join(parts)}</svg>'
    )
