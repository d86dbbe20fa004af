"""Figures of what is not a direction: planes, circles, onions and alignment maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from numbers import Real
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import drawable, validate
from course_lib.plots.style import COLORS

if TYPE_CHECKING:
    from jaxtyping import Float


def planes(
    points: Sequence[Float[Tensor, "_ 2"]], titles: Sequence[str], n_shown: int = 600
) -> Figure:
    """Points of two-dimensional features, a panel each, all on the same scale."""
    points = drawable.each("points", points, ("points", 2), gaps=True)
    titles = drawable.labels("titles", titles, len(points))
    validate.positive_int("n_shown", n_shown, minimum=0)
    width = 2.3 * len(points)
    figure, axes = plt.subplots(1, len(points), figsize=(width, 2.7), sharey=True, squeeze=False)
    for ax, cloud, title in zip(axes[0], points, titles, strict=True):
        ax.plot(*cloud[:n_shown].T, ".", color=COLORS[0], alpha=0.5, markersize=3)
        ax.set(title=title, aspect="equal", xlabel="first coordinate")
    axes[0][0].set_ylabel("second coordinate")
    return figure


def circles(
    places: Sequence[Float[Tensor, "n_places 2"]],
    names: Sequence[Sequence[str]],
    titles: Sequence[str],
) -> Figure:
    """Places in the plane of their circle, joined in the order of the calendar.

    Coordinates are those of `Circle.coordinates`: on the fitted circle they have length 1.
    """
    places = drawable.each("places", places, ("n_places", 2))
    names = drawable.some("names", names, len(places))
    names = [
        drawable.labels(f"names[{i}]", words, len(points))
        for i, (words, points) in enumerate(zip(names, places, strict=True))
    ]
    for word in chain(*names):
        validate.text("a name of a place", word)
    titles = drawable.labels("titles", titles, len(places))
    figure, axes = plt.subplots(1, len(places), figsize=(3.0 * len(places), 3.2), squeeze=False)
    for ax, points, words, title in zip(axes[0], places, names, titles, strict=True):
        ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.8"))
        closed = torch.cat([points, points[:1]])
        ax.plot(*closed.T, "-", color=COLORS[5], lw=1)
        ax.plot(*points.T, "o", color=COLORS[0], markersize=5)
        for (x, y), word in zip(points.tolist(), words, strict=True):
            away = 1 + 0.3 / max(0.3, (x * x + y * y) ** 0.5)
            ax.annotate(word[:3], (x, y), (away * x, away * y), ha="center", va="center")
        ax.set(title=title, aspect="equal", xlim=(-1.75, 1.75), ylim=(-1.75, 1.75))
        ax.set(xlabel="cosine", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    axes[0][0].set_ylabel("sine")
    return figure


def success_dots(
    panels: Mapping[str, Mapping[str, float | Sequence[float]]],
    xlabel: str,
    title: str,
    chance: Mapping[str, float] | None = None,
) -> Figure:
    """Shares from 0 to 1: a panel per situation, a row per method, a dot per value.

    A dashed line stands at the chance of a panel where there is one.
    """
    for name, found in drawable.named("panels", panels).items():
        for method, values in drawable.named(f"panels[{name!r}]", found).items():
            alone = isinstance(values, Real) or getattr(values, "ndim", 1) == 0
            axes = () if alone else ("n",)
            drawable.numbers(f"panels[{name!r}][{method!r}]", values, axes, gaps=True)
    rows = drawable.rows("panels", panels)
    chance = {} if chance is None else chance
    drawable.by_name("chance", chance, (), least=0)
    size = (2.9 * len(panels) + 1.7, 0.34 * len(rows) + 1.2)
    figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False)
    for ax, (name, found) in zip(axes[0], panels.items(), strict=True):
        for row, values in enumerate(np.atleast_1d(found[method]) for method in rows):
            ax.plot(values, [row] * len(values), "o", color=COLORS[0], alpha=0.75, markersize=6)
        if name in chance:
            ax.axvline(chance[name], color="0.6", lw=1, ls="--", zorder=0)
        ax.set(title=name, xlabel=xlabel, xlim=(-0.04, 1.04))
        ax.grid(axis="y", color="0.92")
    axes[0][0].set(yticks=range(len(rows)), yticklabels=rows)
    axes[0][0].invert_yaxis()
    figure.suptitle(title, fontsize=11)
    return figure


def by_place(
    panels: Mapping[str, Mapping[str, Float[Tensor, " length"]]], ylabels: Sequence[str]
) -> Figure:
    """One panel per quantity, against the place in the sequence, a line per model."""
    drawn = {
        title: drawable.by_name(f"panels[{title!r}]", lines, ("length",), gaps=True)
        for title, lines in drawable.named("panels", panels).items()
    }
    ylabels = drawable.labels("ylabels", ylabels, len(drawn))
    figure, axes = plt.subplots(1, len(drawn), figsize=(3.6 * len(panels), 3.0), squeeze=False)
    for ax, (title, lines), ylabel in zip(axes[0], drawn.items(), ylabels, strict=True):
        for k, (label, values) in enumerate(lines.items()):
            place = range(1, len(values) + 1)
            ax.plot(place, values, "os^D"[k % 4] + "-", color=COLORS[k % 6], label=str(label))
        ax.set(title=title, xlabel="place in the sequence", ylabel=ylabel, xticks=list(place))
        ax.set_ylim(bottom=0)
        ax.legend(fontsize=8)
    return figure


def agreement_lines(
    lines: Mapping[str, Float[Tensor, "n_seeds n_maps"]], maps: Sequence[str], chance: float
) -> Figure:
    """Interchange intervention accuracy over maps, strictest first; mean and seeds."""
    maps = drawable.labels("maps", maps)
    lines = drawable.by_name("lines", lines, ("n_seeds", len(maps)), gaps=True, least=0)
    drawable.one_number("chance", chance)
    figure, ax = plt.subplots(figsize=(6.4, 3.4))
    for k, (label, values) in enumerate(lines.items()):
        style = {"color": COLORS[k // 2 % len(COLORS)], "ls": "-" if k % 2 == 0 else "--"}
        ax.plot(range(len(maps)), values.mean(0), "os^D"[k % 4], label=str(label), **style)
        ax.plot(range(len(maps)), values.T, ".", color=style["color"], alpha=0.35)
    ax.axhline(chance, color="0.7", lw=1, ls=":", zorder=0)
    ax.set(xticks=range(len(maps)), xticklabels=maps, ylim=(-0.03, 1.05))
    ax.set(ylabel="IIA", title="What a map may do, and what it then finds")
    ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
