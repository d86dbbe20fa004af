"""Figures of directions under two inner products: tables of cosines, spreads, simplices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import drawable
from course_lib.plots.style import COLORS

if TYPE_CHECKING:
    from jaxtyping import Float, Int

MARKERS = ("o", "s", "^", "D", "v", "P")


def cosine_tables(
    rows: Mapping[str, Mapping[str, Float[Tensor, "n n"]]], names: Sequence[str]
) -> Figure:
    """Heat maps of cosines: a row of panels per product, one panel per case, one scale for all."""
    names = drawable.labels("names", names)
    n = len(names)
    rows = {
        product: drawable.by_name(f"rows[{product!r}]", panels, (n, n), gaps=True)
        for product, panels in drawable.named("rows", rows).items()
    }
    n_columns = max(len(panels) for panels in rows.values())
    for product, panels in rows.items():
        if len(panels) < n_columns:
            raise ValueError(
                f"rows[{product!r}] has {len(panels)} panels and another row {n_columns}; "
                "give every row as many."
            )
    side = 0.28 * n + 0.9
    size = (side * n_columns + 1.7, side * len(rows) + 0.6)
    figure, axes = plt.subplots(len(rows), n_columns, figsize=size, squeeze=False)
    for line, (product, panels) in zip(axes, rows.items(), strict=True):
        for ax, (case, table) in zip(line, panels.items(), strict=True):
            image = ax.imshow(table.numpy(), cmap="PuOr_r", vmin=-1, vmax=1)
            ax.set_xticks(range(n), names, rotation=90, fontsize=8)
            ax.set_yticks(range(n), names, fontsize=8)
            ax.set_title(case, fontsize=10)
            ax.spines[:].set_visible(False)
            ax.label_outer()
        line[0].set_ylabel(product)
    figure.colorbar(image, ax=axes, label="cosine", shrink=0.8)
    return figure


def spreads(
    x: Sequence[float] | Sequence[str],
    series: Mapping[str, Float[Tensor, "n_x n_runs"]],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    zero: bool = True,
) -> Figure:
    """The median of several runs along x for each series, with all runs between two faint lines."""
    places, words = drawable.places("x", x)
    series = drawable.by_name(
        "series", series, (len(places), "n_runs"), gaps=True, most=len(MARKERS)
    )
    figure, ax = plt.subplots(figsize=(6.4, 3.5))
    for (name, values), color, marker in zip(series.items(), COLORS, MARKERS, strict=False):
        low, high = values.amin(1), values.amax(1)
        ax.fill_between(places, low, high, color=color, alpha=0.15, linewidth=0)
        ax.plot(places, values.median(1).values, marker + "-", color=color, label=name)
    if words:
        ax.set_xticks(places, words)
    if zero:
        ax.set_ylim(0, None)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    figure.legend(loc="outside lower center", ncols=2, fontsize=8.5)
    return figure


def dot_rows(rows: Mapping[str, Float[Tensor, " n"]], *, title: str, xlabel: str) -> Figure:
    """One row of dots for each set of numbers, at slightly different heights, and their median."""
    rows = drawable.by_name("rows", rows, ("n",))
    figure, ax = plt.subplots(figsize=(6.6, 0.42 * len(rows) + 1.4))
    for y, values in enumerate(rows.values()):
        height = y + 0.5 * (torch.arange(len(values)) * 0.618 % 1 - 0.5)
        color = COLORS[y % len(COLORS)]
        ax.plot(values, height, ".", color=color, markersize=5, alpha=0.6)
        ax.plot([values.median()] * 2, [y - 0.36, y + 0.36], color="0.1", linewidth=2)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.invert_yaxis()
    ax.set(title=title, xlabel=xlabel)
    return figure


def simplex_words(
    points: Float[Tensor, "n 2"],
    group: Int[Tensor, " n"],
    corners: Float[Tensor, "k 2"],
    names: Sequence[str],
    *,
    title: str,
) -> Figure:
    """Words in the plane of the corners of a simplex; words of no corner have `group` -1."""
    names = drawable.labels("names", names, most=len(MARKERS))
    k = len(names)
    points = drawable.numbers("points", points, ("n", 2))
    corners = drawable.numbers("corners", corners, (k, 2))
    group = drawable.wholes("group", group, (len(points),), -1, k - 1)
    figure, ax = plt.subplots(figsize=(5.4, 4.2))
    ax.plot(*points[group < 0].T, "x", color="0.6", label="others", markersize=4)
    for k, (name, color, marker) in enumerate(zip(names, COLORS, MARKERS, strict=False)):
        ax.plot(*points[group == k].T, marker, color=color, label=name, alpha=0.7)
    around = torch.cat([corners, corners[:1]])
    ax.plot(*around.T, "-", color="0.2", linewidth=1.2)
    ax.set(title=title, xlabel="first axis of the plane", ylabel="second axis", aspect="equal")
    figure.legend(loc="outside right upper", fontsize=8.5)
    return figure
