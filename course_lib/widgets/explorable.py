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
from numbers import Integral, Real

from torch import Tensor

from course_lib import drawable, validate


@dataclass(frozen=True)
class Slider:
    """One slider: its positions are the entries of `shown`, the text beside it at each position.

    Raises ValueError if there are fewer than two positions or `start` is not one of them, and
    TypeError for what is no text, list or whole number.
    """

    label: str
    shown: Sequence[str]
    start: int = 0

    def __post_init__(self) -> None:
        validate.text("label", self.label)
        if isinstance(validate.sequence("shown", self.shown), Tensor) or not all(
            isinstance(entry, (str, Real)) for entry in self.shown
        ):
            raise TypeError(f"slider {self.label!r}: shown holds what is no text; give texts")
        if isinstance(self.start, bool) or not isinstance(self.start, Integral):
            raise TypeError(f"slider {self.label!r}: start is no whole number")
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
    data: anything JSON can hold.
    caption: one or two sentences under the picture.
    start_text, start_table: the start state in words and as rows of text (first row and first
        column are headings), for readers without JavaScript.
    style: a file of this package with style rules for this picture alone.

    Raises ValueError for a script or style that this package does not have, NaN and infinity in
    the data, a table without rows and texts that no file can hold; TypeError for what is no text,
    no list of sliders, or nothing that JSON can hold.
    """
    package = files(__package__)
    names = sorted(file.name for file in package.iterdir())
    validate.choice("script", script, [name for name in names if name.endswith(".js")])
    if style is not None:
        validate.choice("style", style, [name for name in names if name.endswith(".css")])
    for name, text in (("title", title), ("caption", caption), ("start_text", start_text)):
        validate.text(name, text)
    if isinstance(validate.sequence("sliders", sliders), Tensor):
        raise TypeError("sliders is a tensor; it must be a list of sliders.")
    for k, slider in enumerate(sliders):
        validate.instance(f"sliders[{k}]", slider, Slider)
    drawable.named("data", data, least=0)
    rows = drawable.some("start_table", start_table)
    rows = [drawable.texts(f"start_table[{k}]", row) for k, row in enumerate(rows)]
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
    except (TypeError, RecursionError) as error:
        raise TypeError(f"data holds what JSON cannot ({error}); give numbers and texts") from None
    numbers = numbers.replace("<", "\\u003c")  # no "</script>" can end the block early
    text = "\0".join((title, caption, numbers, draw))
    key = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:12]
    page = f"""\
<figure class="course-explorable" data-explorable="{key}" aria-label="{html.escape(title)}">
<style>
{css}{own_css}</style>
<p class="title">{html.escape(title)}</p>
<div class="stage">
<p>{html.escape(start_text)}</p>
{_table(rows)}
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
    try:
        page.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"a text of the picture cannot be stored ({error}); change it") from None
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
