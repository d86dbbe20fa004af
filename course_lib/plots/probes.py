"""Figures of probes: what a score is worth beside its controls, where and when it is high."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import drawable, validate
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

    Raises ValueError where a series has no score for a row, TypeError for what is no dict of dicts
    of numbers.
    """
    limits = _limits(limits)
    if chance is not None:
        drawable.one_number("chance", chance)
    validate.text("xlabel", xlabel)
    for panel, series in drawable.named("panels", panels).items():
        first = drawable.named(panel, next(iter(drawable.named(panel, series).values())))
        for name, scores in series.items():
            drawable.by_name(f"{name} of {panel}", scores, (), gaps=True, parts=first)
    rows = {panel: list(next(iter(series.values()))) for panel, series in panels.items()}
    tallest = max(len(names) for names in rows.values())
    figure, axes = plt.subplots(
        1, len(panels), figsize=(3.4 * len(panels) + 1, 0.34 * tallest + 1.7), squeeze=False
    )
    for ax, (panel, series) in zip(axes[0], panels.items(), strict=True):
        for k, (name, values) in enumerate(series.items()):
            color, marker = COLORS[k % len(COLORS)], MARKERS[k % len(MARKERS)]
            x = [max(values[row], limits[0]) for row in rows[panel]]
            y = [row + 0.14 * (k - (len(series) - 1) / 2) for row in range(len(x))]
            look = {"color": color, "markersize": 7, "alpha": 0.85, "clip_on": False}
            ax.plot(x, y, marker, label=name, **look)
        if chance is not None:
            ax.axvline(chance, color="0.5", linestyle=":")
        ax.set(title=panel, xlabel=xlabel, xlim=limits, ylim=(len(rows[panel]) - 0.5, -0.5))
        ax.set_yticks(range(len(rows[panel])), rows[panel])
    _one_legend(figure, axes[0][0], 2 if len(series) == 4 else 3)
    return figure


def site_maps(
    maps: Mapping[str, Float[Tensor, "n_sites n_positions"]],
    sites: Sequence[str],
    positions: Sequence[str],
    label: str,
    limits: tuple[float, float] = (0.5, 1.0),
) -> Figure:
    """A score at every site (a row, the first at the bottom) and position, one map per title.

    Raises ValueError for maps that do not fit the names, TypeError for what is no dict of tensors.
    """
    sites, positions = drawable.texts("sites", sites), drawable.texts("positions", positions)
    low, high = _limits(limits)
    shape = (len(sites), len(positions))
    validate.text("label", label)
    for title, values in drawable.named("maps", maps).items():
        validate.real(title, validate.shape(title, values, shape))
    figure, axes = plt.subplots(
        1, len(maps), figsize=(0.32 * shape[1] * len(maps) + 1.9, 0.3 * shape[0] + 1.9),
        sharey=True, squeeze=False,
    )  # fmt: skip
    for ax, (title, values) in zip(axes[0], maps.items(), strict=True):
        drawn = ax.imshow(values.numpy(), vmin=low, vmax=high, cmap="cividis", origin="lower")
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

    Panels of the same series have one legend, below.
    `ticks`: names of the entries of x, which then stand at equal distances. A dotted line stands at
    `chance`.

    Raises ValueError for values that do not fit x, TypeError for what is no dict of tensors.
    """
    n = len(drawable.numbers("x", x, ("n_x",)))
    if ticks is not None and len(ticks := drawable.texts("ticks", ticks)) != n:
        raise ValueError(f"ticks has {len(ticks)} names; x has {n} entries.")
    if chance is not None:
        drawable.one_number("chance", chance)
    if ylim is not None:
        for end in _pair("ylim", ylim):
            if end is not None:
                validate.number("ylim", end)
    validate.text("xlabel", xlabel)
    validate.text("ylabel", ylabel)
    for title, series in drawable.named("panels", panels).items():
        for name, values in drawable.named(title, series).items():
            validate.real(name, validate.shape(name, values, (n, "n_seeds")))
            if not values.is_floating_point() or not values.numel():
                raise TypeError(f"{name} has dtype {values.dtype} and {values.numel()} entries.")
    figure, axes = plt.subplots(
        1, len(panels), figsize=(3.7 * len(panels) + 0.6, 3.2), sharey=True, squeeze=False
    )
    shared = len({tuple(series) for series in panels.values()}) == 1
    places = list(x) if ticks is None else list(range(len(x)))
    for ax, (title, series) in zip(axes[0], panels.items(), strict=True):
        for k, (name, values) in enumerate(series.items()):
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
        if not shared:
            ax.legend(fontsize=8)
    if shared:
        _one_legend(figure, axes[0][0], 6)
    axes[0][0].set_ylabel(ylabel)
    return figure


def predicted_places(
    truth: Float[Tensor, "n 2"],
    panels: Mapping[str, tuple[Float[Tensor, "n_test 2"], Bool[Tensor, " n"]]],
) -> Figure:
    """A map per title: an arrow from where each held-out place is to where the probe puts it.

    `panels`: title -> (predictions of the held-out places, which of all places are held out). The
    others are grey dots.

    Raises ValueError for predictions that do not fit, TypeError for what is no tensor.
    """
    validate.tensors("floating", truth=(truth, "n 2"))
    validate.finite("truth", truth)
    for title, pair in drawable.named("panels", panels).items():
        if len(validate.items(title, pair)) != 2:
            raise ValueError(f"{title} has {len(pair)} entries; it must be predictions and a mask.")
        predicted, held_out = pair
        validate.shape(title, validate.real(title, predicted), ("n_test", 2))
        mask = f"the mask of {title}"
        validate.shape(mask, validate.whole(mask, held_out, 0, 1), (len(truth),))
        if held_out.dtype != torch.bool:
            raise TypeError(f"{mask} has dtype {held_out.dtype}; it must hold booleans.")
        validate.shape(title, predicted, (int(held_out.sum()), 2))
    figure, axes = plt.subplots(
        1, len(panels), figsize=(3.4 * len(panels), 3.7), sharey=True, squeeze=False
    )
    low, high = float(truth.min()), float(truth.max())
    edge = 0.08 * (high - low)
    for ax, (title, (predicted, held_out)) in zip(axes[0], panels.items(), strict=True):
        there = truth[held_out]
        ax.plot(*truth[~held_out].T.numpy(), ".", color="0.75", markersize=3)
        start, way = there.T.numpy(), (predicted - there).T.numpy()
        look = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.006}
        ax.quiver(*start, *way, color=COLORS[1], **look)
        ax.plot(*start, ".", color=COLORS[0], markersize=4)
        ax.set(title=title, xlabel="east", xlim=(low - edge, high + edge), aspect="equal")
        ax.set_ylim(low - edge, high + edge)
    axes[0][0].set_ylabel("north")
    return figure


def _limits(limits: tuple[float, float]) -> tuple[float, float]:
    low, high = (validate.number("limits", end) for end in _pair("limits", limits))
    if low >= high:
        raise ValueError(f"limits is {limits}; the second number must be larger than the first.")
    return low, high


def _pair(name: str, value: Any) -> tuple[Any, Any]:
    if isinstance(value, Tensor) or len(validate.sequence(name, value)) != 2:
        raise ValueError(
            f"{name} is {validate.SHOWN.repr(value)}; give the lowest and the highest."
        )
    first, second = value
    return first, second


def _one_legend(figure: Figure, ax: plt.Axes, columns: int) -> None:
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(columns, len(labels)))
