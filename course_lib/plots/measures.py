"""Figures of measures that claim to count features."""

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
    from jaxtyping import Float

MARKERS = ("o", "s", "^", "D", "v", "P")


def against_truth(
    truth: Float[Tensor, "n_p n_sizes n_seeds"],
    measured: Mapping[str, Float[Tensor, "n_p n_sizes n_seeds"]],
    probability: Float[Tensor, " n_p"],
    d_hidden: int,
) -> Figure:
    """One panel per measure: what it says against the number of features stored, a dot a seed.

    The diagonal is the truth; a line stands at the number of dimensions.
    """
    truth = drawable.numbers("truth", truth, ("n_p", "n_sizes", "n_seeds"))
    probability = drawable.numbers("probability", probability, (len(truth),))
    measured = drawable.by_name("measured", measured, truth.shape, gaps=True)
    drawable.one_number("d_hidden", d_hidden)
    figure, axes = plt.subplots(
        1, len(measured), figsize=(2.5 * len(measured), 3.1), sharey=True, squeeze=False
    )
    counts = torch.cat([values.flatten() for values in (truth, *measured.values())])
    top = 1.05 * float(counts[counts.isfinite()].max())
    for ax, (name, values) in zip(axes[0], measured.items(), strict=True):
        ax.axline((0, 0), slope=1, color="0.6", lw=1, zorder=0)
        ax.axhline(d_hidden, color="0.6", lw=1, ls=":", zorder=0)
        for k, p in enumerate(probability.tolist()):
            look = {"label": f"p = {p:.2g}", "alpha": 0.7}
            ax.plot(truth[k].flatten(), values[k].flatten(), **_mark(k), ls="", **look)
        ax.set(title=name, xlabel="features stored", xlim=(0, None), ylim=(0, top))
    axes[0][0].set_ylabel("features counted")
    handles = axes[0][0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=len(probability))
    return figure


def changes(
    x: Float[Tensor, " n_x"],
    panels: Mapping[str, Mapping[str, Float[Tensor, "n_x n_seeds"]]],
    xlabel: str,
    titles: Sequence[str],
) -> Figure:
    """One panel per y label: of each quantity the mean over seeds, and every seed as a thin line.

    Axes start at zero, so that a change looks as large as it is. Panels of the same quantities
    have one legend, below.
    """
    x = drawable.numbers("x", x, ("n_x",))
    drawn = drawable.panels(panels, (len(x), "n_seeds"))
    titles = drawable.labels("titles", titles, len(drawn))
    shared = len({tuple(lines) for lines in drawn.values()}) == 1
    figure, axes = plt.subplots(1, len(drawn), figsize=(2.9 * len(drawn), 2.9), squeeze=False)
    for ax, (ylabel, lines), title in zip(axes[0], drawn.items(), titles, strict=True):
        for k, (name, values) in enumerate(lines.items()):
            look = _mark(k)
            ax.plot(x, values, "-", color=look["color"], lw=0.7, alpha=0.5)
            ax.plot(x, values.mean(-1), **look, ls="-", label=str(name))
        ax.set(title=title, xlabel=xlabel, ylabel=ylabel, ylim=(0, None))
        if len(lines) > 1 and not shared:
            ax.legend(fontsize=8)
    if shared and len(lines) > 1:
        handles = ax.get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=min(len(lines), 2), fontsize=8)
    return figure


def _mark(k: int) -> dict[str, str]:
    return {"color": COLORS[k % len(COLORS)], "marker": MARKERS[k % len(MARKERS)]}
