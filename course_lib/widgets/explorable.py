"""The base of every picture that moves without a kernel: numbers, sliders and one drawing script.

The HTML is self-contained. It asks no host for anything, leaves nothing on `window`, and works in
the static book, in JupyterLab and in Colab. Python sends numbers; `explorable.js` builds the
sliders; the drawing script turns the numbers and the slider positions into SVG and one sentence.
A picture that needs other controls has no sliders, and its script fills the stage itself.
The pages of the book keep the numbers in files of their own until the picture is near the screen.
"""

import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from torch import Tensor


@dataclass(frozen=True)
class Slider:
    """One slider: its positions are the entries of `shown`, the text beside it at each position.

    Raises ValueError if there are fewer than two positions or `start` is not one of them.
    """

    label: str
    shown: Sequence[str]
    start: int = 0

    def __post_init__(self) -> None:
        if len(self.shown) < 2:
            raise ValueError(
                f"slider {self.label!r}: shown has {len(self.shown)} value(s); "
                "give at least 2, or drop the slider"
            )
        if not 0 <= self.start < len(self.shown):
            raise ValueError(
                f"slider {self.label!r}: start = {self.start} is not a position; "
                f"give an integer from 0 to {len(self.shown) - 1}"
            )


@dataclass(frozen=True)
class Explorable:
    """A picture that moves; put it last in a cell, and the page shows it.

    `str(picture)` and the notebook's plain-text output say in words what it shows at the start.
    """

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}

    def __str__(self) -> str:
        return self.text


def explorable(
    script: str,
    *,
    title: str,
    sliders: Sequence[Slider] = (),
    data: Mapping[str, object],
    caption: str,
    start_text: str,
    start_table: Sequence[Sequence[str]],
    style: str | None = None,
) -> Explorable:
    """Join data, sliders and the drawing function in `script` into one displayable object.

    script: a file of this package that defines `draw(data, positions)`, or `fill(stage, data)` if
        there are no sliders; `explorable.js` says what it returns.
    data: anything JSON can hold; NaN and infinity raise ValueError.
    caption: one or two sentences under the picture.
    start_text, start_table: the start state in words and as rows of text (first row and first
        column are headings), for readers without JavaScript.
    style: a file of this package with style rules for this picture alone.
    """
    package = files(__package__)
    css, base, draw, own_css = (
        package.joinpath(name).read_text(encoding="utf-8") if name else ""
        for name in ("explorable.css", "explorable.js", script, style)
    )
    settings = {
        "sliders": [{"label": s.label, "shown": list(s.shown), "start": s.start} for s in sliders],
        "data": data,
    }
    try:
        numbers = json.dumps(settings, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise ValueError(f"data holds NaN or infinity ({error}); give finite numbers") from None
    numbers = numbers.replace("<", "\\u003c")  # no "</script>" can end the block early
    key = hashlib.sha256("\0".join((title, caption, numbers, draw)).encode()).hexdigest()[:12]
    page = f"""\
<figure class="course-explorable" data-explorable="{key}" aria-label="{html.escape(title)}">
<style>
{css}{own_css}</style>
<p class="title">{html.escape(title)}</p>
<div class="stage">
<p>{html.escape(start_text)}</p>
{_table(start_table)}
<p>With JavaScript on (in a notebook: run the cell), controls and a drawing stand here.</p>
</div>
<figcaption>{html.escape(caption)}</figcaption>
<script type="application/json">{numbers}</script>
<script>
(() => {{
"use strict";
{base}
{draw}
start("{key}", {"withSliders(draw)" if sliders else "fill"});
}})();
</script>
</figure>"""
    return Explorable(html=page, text=f"{title}\n{start_text}")


def rounded(values: Tensor, decimals: int = 3) -> list:
    """A tensor as lists of numbers with few decimals, for `data`; -0.0 becomes 0.0."""

    def walk(entry: list | float) -> list | float:
        return [walk(e) for e in entry] if isinstance(entry, list) else round(entry, decimals) + 0.0

    return walk(values.detach().cpu().double().tolist())


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = [[html.escape(cell) for cell in row] for row in rows]
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    lines = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in body
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"
