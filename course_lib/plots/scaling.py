"""Figures of losses that fall with size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
from torch import Tensor

from course_lib import drawable, validate
from course_lib.plots.style import COLORS
from course_lib.superposition import REPRESENTED_NORM, fit_power_law

if TYPE_CHECKING:
    from jaxtyping import Float

MARKS = "osD^vPX"


def losses_by_size(
    sizes: Float[Tensor, " n_sizes"],
    loss: Sequence[Mapping[str, Float[Tensor, "n_seeds n_sizes"]]],
    titles: Sequence[str],
) -> Figure:
    """Losses on logarithmic axes, one panel per mapping: every seed as a dot, and for each name
    the line fitted to the geometric mean of its seeds, with its 95 % confidence band and exponent.
    """
    sizes = _sizes(sizes)
    loss = [
        drawable.by_name(f"loss[{i}]", curves, ("n_seeds", len(sizes)), gaps=True)
        for i, curves in enumerate(drawable.some("loss", loss))
    ]
    titles = drawable.labels("titles", titles, len(loss))
    fits = [
        {name: fit_power_law(sizes, seeds.log().mean(dim=0).exp()) for name, seeds in one.items()}
        for one in loss
    ]
    figure, axes = plt.subplots(
        1, len(loss), figsize=(4.3 * len(loss), 3.9), sharey=True, squeeze=False
    )
    along = torch.logspace(sizes.min().log10(), sizes.max().log10(), 40, dtype=torch.double)
    for ax, curves, fitted, title in zip(axes[0], loss, fits, titles, strict=True):
        for k, (name, seeds) in enumerate(curves.items()):
            color = COLORS[k % len(COLORS)]
            fit = fitted[name]
            ax.fill_between(along, *fit.band(along), color=color, alpha=0.12, lw=0)
            label = rf"{name}: $\alpha_m$ = {fit.exponent:.2f}"
            ax.plot(along, fit(along), color=color, label=label)
            for seed in seeds:
                ax.plot(sizes, seed, MARKS[k % len(MARKS)], color=color, alpha=0.7)
        ax.set(title=title, yscale="log", xlabel="hidden dimensions, $m$")
        _size_axis(ax, sizes)
        ax.legend(loc="lower left", fontsize=9)
    axes[0][0].set_ylabel("loss, $L$")
    low = min(seeds.min() for curves in loss for seeds in curves.values())
    axes[0][0].set_ylim(0.3 * low.item(), None)
    return figure


def against_size(
    sizes: Float[Tensor, " n_sizes"],
    values: Mapping[str, Float[Tensor, "n_seeds n_sizes"]],
    *,
    reference: float | Float[Tensor, " n_sizes"],
    reference_name: str,
    ylabel: str,
    title: str,
) -> Figure:
    """A quantity against size: mean over seeds as a line, every seed as a dot, and a reference."""
    sizes = _sizes(sizes)
    values = drawable.by_name("values", values, ("n_seeds", len(sizes)), gaps=True, least=0)
    reference = validate.finite("reference", reference)
    if reference.ndim:
        reference = drawable.numbers("reference", reference, (len(sizes),))
    figure, ax = plt.subplots(figsize=(6.2, 3.6))
    for k, (name, seeds) in enumerate(values.items()):
        color, mark = COLORS[k % len(COLORS)], MARKS[k % len(MARKS)]
        ax.plot(sizes, seeds.mean(dim=0), color=color, marker=mark, label=str(name))
        for seed in seeds:
            ax.plot(sizes, seed, mark, color=color, alpha=0.5, ms=3)
    ax.plot(
        sizes, reference.detach().cpu().expand(len(sizes)), "--", color="0.4", label=reference_name
    )
    ax.set(title=title, xlabel="hidden dimensions, $m$", ylabel=ylabel)
    _size_axis(ax, sizes)
    ax.legend(fontsize=9)
    return figure


def norms_by_rank(
    W: Sequence[Float[Tensor, "n_features d_hidden"]], names: Sequence[str], title: str
) -> Figure:
    """The length of each row of W against the feature's rank in frequency, one colour per model."""
    W = drawable.each("W", W, ("n_features", "d_hidden"))
    names = drawable.labels("names", names, len(W))
    figure, ax = plt.subplots(figsize=(6.2, 3.4))
    for k, (rows, name) in enumerate(zip(W, names, strict=True)):
        rank = torch.arange(1, len(rows) + 1)
        color = COLORS[k % len(COLORS)]
        ax.plot(rank, rows.norm(dim=-1), ".", ms=3, color=color, label=str(name))
    ax.axhline(REPRESENTED_NORM, color="0.5", ls=":", lw=1)
    ax.set(title=title, xscale="log", xlabel="rank $i$ of the feature, 1 is the most frequent")
    ax.set_ylabel("row norm, $|W_i|$")
    ax.legend(markerscale=3, fontsize=9)
    return figure


def prediction(
    predicted: Mapping[str, Float[Tensor, "*models"]],
    measured: Mapping[str, Float[Tensor, "*models"]],
    title: str,
) -> Figure:
    """Measured losses against predicted ones on logarithmic axes, with the line of equality."""
    predicted = drawable.by_name("predicted", predicted, None, gaps=True)
    measured = drawable.named("measured", measured, predicted)
    measured = {
        name: drawable.numbers(f"measured[{name!r}]", measured[name], values.shape, gaps=True)
        for name, values in predicted.items()
    }
    figure, ax = plt.subplots(figsize=(4.6, 4.2))
    for k, name in enumerate(predicted):
        color, mark = COLORS[k % len(COLORS)], MARKS[k % len(MARKS)]
        points = predicted[name].flatten(), measured[name].flatten()
        ax.plot(*points, mark, color=color, alpha=0.7, label=str(name))
    ends = torch.cat([v.flatten() for v in (*predicted.values(), *measured.values())])
    ends = [0.9 * ends.min().item(), 1.1 * ends.max().item()]
    ax.plot(ends, ends, "--", color="0.4", label="as predicted")
    ax.set(title=title, xscale="log", yscale="log", aspect="equal", ylabel="measured loss")
    ax.set_xlabel(r"predicted loss, $\mathbb{E}v^2 \sum p_i$ over features left out")
    ax.legend(fontsize=9)
    return figure


def _sizes(sizes: Tensor) -> Tensor:
    """The sizes on the CPU, positive, for they stand on a logarithmic axis."""
    sizes = drawable.numbers("sizes", sizes, ("n_sizes",))
    if sizes.min() <= 0:
        raise ValueError(f"sizes has an entry of {sizes.min():g}; every entry must be above 0.")
    return sizes


def _size_axis(ax: plt.Axes, sizes: Tensor) -> None:
    """A logarithmic axis with the sizes themselves as ticks."""
    ax.set_xscale("log")
    names = [f"{size:g}" for size in sizes.tolist()]
    ax.xaxis.set(major_locator=FixedLocator(sizes.tolist()), major_formatter=FixedFormatter(names))
    ax.xaxis.set_minor_locator(NullLocator())
