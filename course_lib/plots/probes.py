"""Figures of probes: what a score is worth beside its controls, where and when it is high."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import validate
from course_lib.plots.style import COLORS

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

MARKERS = ("o", "s", "^", "D", "v", "P")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))


def score_dots(
    panels: Mapping[str, Mapping[str, Mapping[str, float]]],
    xlabel: str,
    chance: float | None = None,
    limits: tuple[float, float] = (0.0, 1.02),
) -> Figure:
    """A score by panel, series (a marker) and row; a dotted line stands at `chance`.

    Args:
        panels: panel -> series -> row -> score. Scores below the limits are drawn at the edge.
    """
    rows = {panel: list(next(iter(series.values()))) for panel, series in panels.items()}
    tallest = max(len(names) for names in rows.values())
    figure, axes = plt.subplots(
        1, len(panels), figsize=(3.4 * len(panels) + 1, 0.34 * tallest + 1.7), squeeze=False
    )
    for ax, (panel, series) in zip(axes[0], panels.items(), strict=True):
        for (name, values), color, marker in zip(series.items(), COLORS, MARKERS, strict=False):
            x = [max(values[row], limits[0]) for row in rows[panel]]
            look = {"color": color, "markersize": 7, "alpha": 0.85, "clip_on": False}
            ax.plot(x, range(len(x)), marker, label=name, **look)
        if chance is not None:
            ax.axvline(chance, color="0.5", linestyle=":")
        ax.set(title=panel, xlabel=xlabel, xlim=limits, ylim=(len(rows[panel]) - 0.5, -0.5))
        ax.set_yticks(range(len(rows[panel])), rows[panel])
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def site_maps(
    maps: Mapping[str, Float[Tensor, "n_sites n_positions"]],
    sites: Sequence[str],
    positions: Sequence[str],
    label: str,
    limits: tuple[float, float] = (0.5, 1.0),
) -> Figure:
    """A score at every site (a row, the first at the bottom) and position, one map per title."""
    shape = (len(sites), len(positions))
    figure, axes = plt.subplots(
        1, len(maps), figsize=(0.32 * shape[1] * len(maps) + 1.9, 0.3 * shape[0] + 1.9),
        sharey=True, squeeze=False,
    )  # fmt: skip
    for ax, (title, values) in zip(axes[0], maps.items(), strict=True):
        validate.shape(title, values, shape)
        low, high = limits
        drawn = ax.imshow(values, vmin=low, vmax=high, cmap="cividis", origin="lower")
        ax.set_aspect("auto")
        ax.set_xticks(range(shape[1]), positions, rotation=90, fontsize=8)
        ax.set_yticks(range(shape[0]), sites)
        ax.spines[:].set_visible(False)
        ax.set(title=title, xlabel="token read last")
    figure.colorbar(drawn, ax=axes[0].tolist(), label=label, shrink=0.9)
    return figure


def curves(
    x: Sequence[float],
    panels: Mapping[str, Mapping[str, Float[Tensor, "n_x n_seeds"]]],
    xlabel: str,
    ylabel: str,
    *,
    ticks: Sequence[str] | None = None,
    chance: float | None = None,
    ylim: tuple[float, float] | None = None,
) -> Figure:
    """One panel per title: of each series the mean over seeds, in a band from least to most.

    `ticks`: names of the entries of x, which then stand at equal distances. A dotted line stands at
    `chance`.
    """
    figure, axes = plt.subplots(
        1, len(panels), figsize=(3.7 * len(panels) + 0.6, 3.2), sharey=True, squeeze=False
    )
    places = list(x) if ticks is None else list(range(len(x)))
    for ax, (title, series) in zip(axes[0], panels.items(), strict=True):
        for k, (name, values) in enumerate(series.items()):
            validate.shape(name, values, (len(x), "n_seeds"))
            color, line = COLORS[k % len(COLORS)], LINES[k % len(LINES)]
            low, high = values.aminmax(dim=1)
            ax.fill_between(places, low, high, color=color, alpha=0.15, linewidth=0)
            marker = {"marker": MARKERS[k % len(MARKERS)]} if len(x) < 15 else {}
            ax.plot(places, values.mean(1), color=color, linestyle=line, label=name, **marker)
        if chance is not None:
            ax.axhline(chance, color="0.5", linestyle=":")
        if ticks is not None:
            ax.set_xticks(places, ticks, rotation=45)
        ax.set(title=title, xlabel=xlabel, ylim=ylim)
        ax.legend(fontsize=8)
    axes[0][0].set_ylabel(ylabel)
    return figure


def predicted_places(
    truth: Float[Tensor, "n 2"],
    panels: Mapping[str, tuple[Float[Tensor, "n_test 2"], Bool[Tensor, " n"]]],
) -> Figure:
    """A map per title: an arrow from where each held-out place is to where the probe puts it.

    `panels`: title -> (predictions of the held-out places, which of all places are held out). The
    others are grey dots.
    """
    figure, axes = plt.subplots(
        1, len(panels), figsize=(3.4 * len(panels), 3.7), sharey=True, squeeze=False
    )
    low, high = truth.min(), truth.max()
    edge = 0.08 * (high - low)
    for ax, (title, (predicted, held_out)) in zip(axes[0], panels.items(), strict=True):
        there = truth[held_out]
        validate.shape(title, predicted, tuple(there.shape))
        ax.plot(*truth[~held_out].T, ".", color="0.75", markersize=3)
        way = (predicted - there).T
        look = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.006}
        ax.quiver(*there.T, *way, color=COLORS[1], **look)
        ax.plot(*there.T, ".", color=COLORS[0], markersize=4)
        ax.set(title=title, xlabel="east", xlim=(low - edge, high + edge), aspect="equal")
        ax.set_ylim(low - edge, high + edge)
    axes[0][0].set_ylabel("north")
    return figure
