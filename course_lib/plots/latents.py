"""Figures of latents that are used: what they fire on, where steering with them works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import drawable, validate
from course_lib.plots.style import COLORS

if TYPE_CHECKING:
    from jaxtyping import Float

MARKERS = ("o", "s", "^", "D", "v")
WORKS = 0.8  # share of a cell's contexts from which on it is outlined


def deciles(series: Mapping[str, Float[Tensor, " 10"]], label: str, title: str) -> Figure:
    """A share in each tenth of the firings of some latents, the strongest tenth on the left."""
    series = drawable.by_name("series", series, (10,), gaps=True, least=0)
    figure, ax = plt.subplots(figsize=(6, 3.2))
    looks = zip(series.items(), cycle(COLORS), cycle(MARKERS), strict=False)
    for (name, values), color, marker in looks:
        ax.plot(range(1, 11), values, marker + "-", color=color, label=str(name), markersize=4.5)
    ax.set(xlabel="tenth of the firings, strongest first", ylabel=label, title=title)
    ax.set(xticks=range(1, 11), ylim=(-0.03, 1.03))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def dose_maps(
    share: Float[Tensor, "n_acts n_groups n_strengths"],
    acts: Sequence[str],
    groups: Sequence[str],
    strengths: Sequence[float],
) -> Figure:
    """A map for each group of contexts: the share that is won, acts by strengths.

    Cells from 0.8 on, which work, are outlined.
    """
    acts, groups = drawable.labels("acts", acts), drawable.labels("groups", groups)
    strengths = drawable.listed("strengths", strengths)
    share = drawable.numbers("share", share, (len(acts), len(groups), len(strengths)), gaps=True)
    width = 1.6 + 0.36 * len(strengths) * len(groups)
    figure, axes = plt.subplots(
        1, len(groups), figsize=(width, 1.3 + 0.35 * len(acts)), sharey=True, squeeze=False
    )
    for ax, group, cells in zip(axes[0], groups, share.unbind(1), strict=True):
        image = ax.imshow(cells.numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for row, column in (cells >= WORKS).nonzero().tolist():
            box = (column - 0.5, row - 0.5)
            ax.add_patch(plt.Rectangle(box, 1, 1, fill=False, ec=COLORS[1], lw=2))
        ax.set_xticks(range(len(strengths)), [f"{s:g}" for s in strengths], fontsize=7)
        ax.set(title=group, xlabel="strength")
    axes[0][0].set_yticks(range(len(acts)), acts)
    figure.colorbar(image, ax=axes[0].tolist(), label="share won")
    return figure


def effects(
    rows: Mapping[str, Mapping[str, Any]], label: str, title: str, random: str = "random"
) -> Figure:
    """Each method's effect on each behaviour (a faint dot) and their mean with its interval.

    Args:
        rows: method -> "each", the effects, and "mean", (mean, low, high).
        random: the method that the others are held against, whose mean is a dotted line.
    """
    for method, row in drawable.named("rows", rows).items():
        name = f"rows[{method!r}]"
        drawable.named(name, row, ("each", "mean"))
        drawable.numbers(f"{name}['each']", row["each"], ("n",), gaps=True)
        drawable.numbers(f"{name}['mean']", row["mean"], (3,), gaps=True)
    validate.text("random", random)
    figure, ax = plt.subplots(figsize=(6.5, 1.2 + 0.42 * len(rows)))
    for place, (method, row) in enumerate(rows.items()):
        color = "0.5" if method == random else COLORS[0]
        mean, low, high = row["mean"]
        ax.plot(row["each"], [place] * len(row["each"]), "o", color=color, alpha=0.3, ms=4)
        ax.plot([low, high], [place + 0.18] * 2, color=color, lw=2)
        ax.plot(mean, place + 0.18, "D", color=color)
    if random in rows:
        ax.axvline(rows[random]["mean"][0], color="0.5", ls=":")
    ax.axvline(0, color="0.85", zorder=0)
    ax.set_yticks(range(len(rows)), rows)
    ax.invert_yaxis()
    ax.set(xlabel=label, title=title)
    return figure
