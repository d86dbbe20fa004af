"""Figures of dictionaries with structure: trees, two views, functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import drawable, validate
from course_lib.plots.style import COLORS

if TYPE_CHECKING:
    from jaxtyping import Float

MARKERS = ("o", "s", "^", "D")


def cosine_maps(
    cosines: Sequence[Float[Tensor, "n_features n_features"]],
    titles: Sequence[str],
    names: Sequence[str],
) -> Figure:
    """Cosine of each planted direction (row) with each matched latent's (column)."""
    names = drawable.labels("names", names)
    cosines = drawable.each("cosines", cosines, (len(names), len(names)), gaps=True)
    titles = drawable.labels("titles", titles, len(cosines))
    figure, axes = plt.subplots(
        1, len(cosines), figsize=(3.3 * len(cosines), 3.6), sharey=True, squeeze=False
    )
    for ax, cosine, title in zip(axes[0], cosines, titles, strict=True):
        image = ax.imshow(cosine, cmap="PuOr_r", vmin=-1, vmax=1)
        ax.set(title=title, xlabel="latent matched with")
        ax.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
        ax.set_yticks(range(len(names)), names, fontsize=7)
        ax.spines[:].set_visible(False)
    axes[0][0].set_ylabel("planted feature")
    figure.colorbar(image, ax=axes, label="cosine", shrink=0.75)
    return figure


def method_dots(
    panels: Mapping[str, Mapping[str, Float[Tensor, "n_groups n_seeds"]]],
    groups: Sequence[str],
    truth: Mapping[str, float],
    title: str,
) -> Figure:
    """One panel per quantity, one row per method, one dot per seed; groups differ in colour.

    A line stands at the `truth` of a quantity where there is one.
    """
    groups = drawable.labels("groups", groups)
    drawn = {
        quantity: drawable.by_name(
            f"panels[{quantity!r}]", methods, (len(groups), "n_seeds"), gaps=True
        )
        for quantity, methods in drawable.named("panels", panels).items()
    }
    drawable.by_name("truth", truth, (), least=0)
    methods = drawable.rows("panels", drawn)
    width = 2.1 * len(drawn) + 1.2
    height = 0.38 * len(methods) + 1.25
    figure, axes = plt.subplots(1, len(drawn), figsize=(width, height), sharey=True, squeeze=False)
    for ax, (quantity, values) in zip(axes[0], drawn.items(), strict=True):
        _rows_of_dots(ax, [values[method] for method in methods], groups)
        if quantity in truth:
            ax.axvline(truth[quantity], color="0.6", lw=1, ls="--", zorder=0)
        ax.set_xlabel(quantity)
        ax.margins(x=0.12)
    axes[0][0].set(yticks=range(len(methods)), yticklabels=methods)
    axes[0][0].invert_yaxis()
    figure.suptitle(title, fontsize=11)
    if len(groups) > 1:
        handles = axes[0][0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=len(groups))
    return figure


def _rows_of_dots(ax: Axes, rows: Sequence[Tensor], groups: Sequence[str]) -> None:
    for row, values in enumerate(rows):
        for k, seeds in enumerate(values):
            shift = 0.3 * (k - (len(groups) - 1) / 2)
            label = str(groups[k]) if row == 0 else None
            y = [row + shift] * len(seeds)
            marker, color = MARKERS[k % len(MARKERS)], COLORS[k % len(COLORS)]
            ax.plot(seeds, y, marker, color=color, alpha=0.75, label=label)


def tuning(
    cells: Mapping[str, Sequence[Mapping[str, object]]],
    score: str,
    ylabel: str,
    settings: Mapping[str, Sequence[str]],
) -> Figure:
    """What was tried: a panel per method, its score over the learning rate, a line per setting.

    `settings` names the keys of a method's cells that tell its lines apart; the best is circled.
    """
    validate.text("score", score)
    drawable.named("cells", cells)
    drawable.named("settings", settings, cells)
    points = {
        method: _points(f"cells[{method!r}]", tried, score, settings[method])
        for method, tried in cells.items()
    }
    figure, axes = plt.subplots(
        1, len(cells), figsize=(2.2 * len(cells) + 0.5, 2.9), sharey=True, squeeze=False
    )
    for ax, (method, lines) in zip(axes[0], points.items(), strict=True):
        for k, (label, line) in enumerate(lines.items()):
            ax.plot(*zip(*sorted(line), strict=True), ".-", color=COLORS[k % 6], label=label)
        ax.set(title=method, xlabel="learning rate", xscale="log")
        ax.set_xticks([0.003, 0.01, 0.03, 0.1], ["0.003", "0.01", "0.03", "0.1"])
        ax.minorticks_off()
        if settings[method]:
            ax.legend(fontsize=7, title=", ".join(settings[method]), title_fontsize=7)
    axes[0][0].set_ylabel(ylabel)
    return figure


def _points(
    name: str, tried: Any, score: str, keys: Sequence[str]
) -> dict[str, list[tuple[float, float]]]:
    """Learning rates and scores of a method's cells, by what tells their lines apart."""
    keys = [validate.text("a key of settings", k) for k in validate.items("settings", keys)]
    lines: dict[str, list[tuple[float, float]]] = {}
    for i, cell in enumerate(validate.items(name, tried)):
        drawable.named(f"{name}[{i}]", cell, ("lr", score, *keys))
        drawable.one_number(f"{name}[{i}]['lr']", cell["lr"])
        drawable.one_number(f"{name}[{i}][{score!r}]", cell[score], gaps=True)
        label = ", ".join(str(cell[key]) for key in keys)
        lines.setdefault(label, []).append((cell["lr"], cell[score]))
    return lines


def view_scatter(
    means: Sequence[Float[Tensor, "2 d_sae"]], titles: Sequence[str], views: tuple[str, str]
) -> Figure:
    """Each latent's mean activation on one view against that on the other.

    Latents of a split dictionary lie on the axes, those that serve both views on the diagonal.
    """
    means = drawable.each("means", means, (2, "d_sae"))
    titles = drawable.labels("titles", titles, len(means))
    views = drawable.labels("views", views, 2)
    top = 1.08 * float(torch.cat([mean.flatten() for mean in means]).max())
    figure, axes = plt.subplots(1, len(means), figsize=(2.7 * len(means), 2.9), squeeze=False)
    for ax, mean, title in zip(axes[0], means, titles, strict=True):
        ax.plot([0, top], [0, top], color="0.8", lw=1, zorder=0)
        ax.plot(*mean, "o", color=COLORS[0], alpha=0.6, clip_on=False)
        ax.set(title=title, xlim=(0, top), ylim=(0, top), aspect="equal")
        ax.set_xlabel(f"mean on {views[0]}")
    axes[0][0].set_ylabel(f"mean on {views[1]}")
    return figure


def on_grids(
    functions: Mapping[str, Sequence[Float[Tensor, " n_points"]]], titles: Sequence[str]
) -> Figure:
    """Functions on the circle, one panel per grid, one line per name; the first is the truth."""
    drawn = {
        name: drawable.each(f"functions[{name!r}]", lines, ("n_points",), gaps=True)
        for name, lines in drawable.named("functions", functions, most=3).items()
    }
    for lines in drawn.values():
        titles = drawable.labels("titles", titles, len(lines))
    figure, axes = plt.subplots(
        1, len(titles), figsize=(3.3 * len(titles), 2.7), sharey=True, squeeze=False
    )
    for k, ax in enumerate(axes[0]):
        for style, (name, lines) in zip((".", "-", "--"), drawn.items(), strict=False):
            t = torch.arange(len(lines[k])) / len(lines[k])
            color = "0.6" if style == "." else COLORS[0 if style == "-" else 1]
            ax.plot(t, lines[k], style, color=color, label=str(name))
        ax.set(title=titles[k], xlabel="place $t$ on the circle")
    axes[0][0].set_ylabel("$x(t)$")
    axes[0][0].legend(fontsize=8)
    return figure
