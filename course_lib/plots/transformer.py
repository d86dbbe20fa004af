"""Figures of SAEs inside a transformer: what their units stand for, and where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import drawable, validate
from course_lib.plots.style import COLORS

if TYPE_CHECKING:
    from jaxtyping import Float, Int

MARKERS = ("o", "s", "^", "D", "v")


def detector_dots(
    panels: Mapping[str, Mapping[str, Mapping[str, float]]],
    free: Mapping[str, Mapping[str, float]],
    title: str,
) -> Figure:
    """F1 by panel, attribute (a row) and kind of unit (a marker).

    Args:
        panels: panel -> kind of unit -> attribute -> F1.
        free: panel -> attribute -> the F1 of saying yes at every token, drawn as a grey line.

    Raises ValueError where a panel or an attribute has no F1, TypeError for what is no dict.
    """
    for panel, rows in drawable.named("free", free).items():
        drawable.by_name(f"free, {panel}", rows, (), gaps=True)
    for panel, kinds in drawable.named("panels", panels).items():
        if panel not in free:
            raise ValueError(f"free has nothing for {panel!r}; it must have every panel.")
        for kind, values in drawable.named(panel, kinds).items():
            drawable.by_name(f"{kind} of {panel}", values, (), gaps=True, parts=free[panel])
    validate.text("title", title)
    tallest = max(len(rows) for rows in free.values())
    figure, axes = plt.subplots(
        1, len(panels), figsize=(3.3 * len(panels) + 1, 0.24 * tallest + 1.6), squeeze=False
    )
    for ax, (panel, kinds) in zip(axes[0], panels.items(), strict=True):
        rows = list(free[panel])
        for y, attribute in enumerate(rows):
            ax.plot([0, free[panel][attribute]], [y, y], color="0.82", linewidth=5, zorder=1)
        for (kind, values), (color, marker) in zip(kinds.items(), _looks(), strict=False):
            x = [values[attribute] for attribute in rows]
            ax.plot(x, range(len(rows)), marker, color=color, label=kind, markersize=4.5)
        ax.set(title=panel, xlabel="F1 on new tokens", xlim=(0, 1.02), ylim=(len(rows) - 0.4, -0.6))
        ax.set_yticks(range(len(rows)), rows)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(title)
    return figure


def cost_dots(
    series: Mapping[str, Mapping[str, float]], line: float, meaning: str, title: str
) -> Figure:
    """What each change (a row) costs a model, on a logarithmic axis; one marker per series.

    A dotted line stands at `line`, which the legend explains with `meaning`.

    Raises ValueError where a series has nothing for a row, TypeError for what is no dict of dicts.
    """
    first = drawable.named("series", next(iter(drawable.named("series", series).values())))
    for name, costs in series.items():
        drawable.by_name(name, costs, (), gaps=True, parts=first)
    drawable.one_number("line", line)
    validate.text("meaning", meaning)
    validate.text("title", title)
    rows = list(next(iter(series.values())))
    figure, ax = plt.subplots(figsize=(6.8, 0.32 * len(rows) + 1.9))
    for (name, costs), (color, marker) in zip(series.items(), _looks(), strict=False):
        ax.plot([costs[row] for row in rows], range(len(rows)), marker, color=color, label=name)
    ax.axvline(line, color="0.5", linestyle=":", label=meaning)
    ax.set(xscale="log", xlabel="rise of the loss, in nats a token", title=title)
    ax.set_yticks(range(len(rows)), rows)
    ax.invert_yaxis()
    figure.legend(loc="outside right upper", fontsize=8)
    return figure


def head_families(
    counts: Int[Tensor, "n_heads n_families"], families: Sequence[str], title: str
) -> Figure:
    """How many latents of each family (a column) each head (a row) writes most of.

    Raises ValueError for counts that do not fit, TypeError for what is no tensor and no text.
    """
    families = drawable.texts("families", families)
    validate.tensors("any", counts=(counts, f"n_heads {len(families)}"))
    validate.finite("counts", counts, 0.0)
    validate.text("title", title)
    figure, ax = plt.subplots(figsize=(0.5 * len(families) + 2, 0.42 * len(counts) + 1.9))
    ax.imshow(counts.numpy(), cmap="Blues", aspect="auto", vmax=1.4 * max(1, int(counts.max())))
    for head, row in enumerate(counts.tolist()):
        for family, count in enumerate(row):
            if count:
                ax.text(family, head, str(count), ha="center", va="center", fontsize=9)
    ax.set_xticks(range(len(families)), families, rotation=45, ha="right")
    ax.set_yticks(range(len(counts)), [f"head {head}" for head in range(len(counts))])
    ax.spines[:].set_visible(False)
    ax.set_title(title)
    return figure


def source_bars(
    by_head: Float[Tensor, "n_heads n_tokens"], tokens: Sequence[str], title: str
) -> Figure:
    """What each token that was looked at adds to one latent, the heads stacked in colours.

    Raises ValueError for shares that do not fit, TypeError for what is no tensor and no text.
    """
    tokens = drawable.texts("tokens", tokens)
    validate.tensors("floating", by_head=(by_head, f"n_heads {len(tokens)}"))
    validate.finite("by_head", by_head)
    validate.text("title", title)
    figure, ax = plt.subplots(figsize=(0.26 * len(tokens) + 1.5, 3.2))
    above, below = by_head.new_zeros(len(tokens)), by_head.new_zeros(len(tokens))
    for head, (row, color) in enumerate(zip(by_head, cycle(COLORS), strict=False)):
        bottom = above.where(row >= 0, below)
        ax.bar(range(len(tokens)), row, bottom=bottom, color=color, label=f"head {head}")
        above, below = above + row.clamp(min=0), below + row.clamp(max=0)
    ax.axhline(0, color="0.3", linewidth=0.8)
    ax.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=8)
    ax.set(xlabel="token looked at", ylabel="adds to the pre-activation", title=title)
    ax.margins(x=0.01)
    ax.legend(ncols=2, fontsize=8)
    return figure


def ratio_dots(
    methods: Mapping[str, Sequence[float]], rows: Sequence[str], goal: float, title: str
) -> Figure:
    """How many times as likely something became, by method, on a logarithmic axis.

    Raises ValueError where a method has not one number for each row, TypeError for what is none.
    """
    rows = drawable.texts("rows", rows)
    for method, values in drawable.named("methods", methods).items():
        drawable.listed(method, values, len(rows), gaps=True)
    drawable.one_number("goal", goal)
    validate.text("title", title)
    figure, ax = plt.subplots(figsize=(7.2, 0.27 * len(rows) + 1.7))
    for (method, values), (color, marker) in zip(methods.items(), _looks(), strict=False):
        ax.plot(values, range(len(rows)), marker, color=color, label=method, markersize=6)
    ax.axvline(1, color="0.3", linewidth=0.8)
    ax.axvline(goal, color="0.6", linewidth=0.8, linestyle=":")
    ticks = [tick for tick in (0.5, 1, 2, 3, 5, 10, 20) if tick <= 1.2 * _most(methods)]
    ax.set(xscale="log", xlabel="times as likely as before", title=title)
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    ax.minorticks_off()
    ax.set_yticks(range(len(rows)), rows)
    ax.invert_yaxis()
    figure.legend(loc="outside right upper", fontsize=8)
    return figure


def _looks() -> Iterator[tuple[str, str]]:
    """A colour and a marker for one series after the other, as many as there are."""
    return zip(cycle(COLORS), cycle(MARKERS), strict=False)


def _most(methods: Mapping[str, Sequence[float]]) -> float:
    return max(max(values) for values in methods.values())
