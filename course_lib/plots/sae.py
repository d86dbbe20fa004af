"""Figures of sparse autoencoders on worlds whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import drawable, validate
from course_lib.plots.style import COLORS
from course_lib.sae.recovery import FOUND_COSINE, match

if TYPE_CHECKING:
    from jaxtyping import Float

    from course_lib.sae.trainer import Trainer


def seed_lines(
    ax: Axes, x: Float[Tensor, " n_x"], values: Float[Tensor, "n_x n_seeds"], **line: object
) -> None:
    """The mean over seeds as a line, every seed as a dot on it."""
    validate.instance("ax", ax, Axes)
    x = drawable.numbers("x", x, ("n_x",))
    values = drawable.numbers("values", values, (len(x), "n_seeds"), gaps=True)
    (drawn,) = ax.plot(x, values.mean(dim=-1), **line)
    for seed in values.T:
        ax.plot(x, seed, ".", color=drawn.get_color(), alpha=0.6, markersize=5)


def sweep(
    x: Float[Tensor, " n_x"],
    panels: Mapping[str, Mapping[str, Float[Tensor, "n_x n_seeds"]]],
    xlabel: str,
    titles: Sequence[str],
    ticks: Sequence[float] | None = None,
) -> Figure:
    """One panel per y label, with a line over x (mean and single seeds) for each named quantity.

    With `ticks` the axis is logarithmic and carries these alone.
    """
    x = drawable.numbers("x", x, ("n_x",))
    drawn = drawable.panels(panels, (len(x), "n_seeds"))
    titles = drawable.labels("titles", titles, len(drawn))
    ticks = None if ticks is None else drawable.listed("ticks", ticks)
    figure, axes = plt.subplots(1, len(drawn), figsize=(3.3 * len(drawn), 2.9), squeeze=False)
    for ax, (ylabel, lines), title in zip(axes[0], drawn.items(), titles, strict=True):
        for name, values in lines.items():
            seed_lines(ax, x, values, label=str(name))
        ax.set(title=title, xlabel=xlabel, ylabel=ylabel, ylim=(0, None))
        if ticks is not None:
            ax.set_xscale("log")
            ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            ax.minorticks_off()
    if len(next(iter(drawn.values()))) > 1:
        axes[0][0].legend()
    return figure


def similarity_strip(
    values: Mapping[str, Float[Tensor, " n"]],
    title: str,
    xlabel: str,
    threshold: float | None = None,
) -> Figure:
    """One row of dots per name, the mean as a bar across it; a line at `threshold`."""
    values = drawable.by_name("values", values, ("n",), gaps=True)
    if threshold is not None:
        drawable.one_number("threshold", threshold)
    figure, ax = plt.subplots(figsize=(7, 0.42 * len(values) + 0.9))
    _strip(ax, values, title, xlabel, threshold)
    return figure


def found_features(trainer: Trainer, D: Float[Tensor, "n_features d_in"]) -> Figure:
    """Instances of one SAE in training: each feature's cosine with its latent, FVU and L0 so far.

    Features D and latents are paired one to one (`recovery.match`).
    """
    validate.like("trainer", trainer, "saes", "history", "steps")
    W_dec, history = trainer.saes[0].W_dec.detach().cpu(), trainer.history[0]
    D = drawable.numbers("D", D, ("n_features", W_dec.shape[-1]))
    pairs = [match(W, D) for W in W_dec.reshape(-1, *W_dec.shape[-2:])]
    figure, (left, *panels) = plt.subplots(1, 3, figsize=(9.5, 2.7), width_ratios=(2, 1, 1))
    rows = {
        f"start {i}:\n{int(pair.found.sum())} of {len(D)}": pair.cosine
        for i, pair in enumerate(pairs)
    }
    _strip(left, rows, "Features found", "cosine of a feature and its latent", FOUND_COSINE)
    for ax, name, title in zip(panels, ("fvu", "l0"), ("FVU", "L0"), strict=True):
        for values in history.get(name, torch.empty(0)).reshape(-1, len(pairs)).T:
            ax.plot(history["step"] if len(values) else [], values, lw=1)
        ax.set(title=title, xlabel="step", xlim=(0, trainer.steps), ylim=(0, None))
    return figure


def _strip(
    ax: Axes,
    values: Mapping[str, Float[Tensor, " n"]],
    title: str,
    xlabel: str,
    threshold: float | None,
) -> None:
    for row, dots in enumerate(values.values()):
        spread = torch.linspace(-0.28, 0.28, len(dots)).roll(len(dots) // 3)
        ax.plot(dots, row + spread, ".", color=COLORS[0], alpha=0.45)
        ax.plot([dots.mean()] * 2, [row - 0.36, row + 0.36], color=COLORS[1], lw=2.5)
    if threshold is not None:
        ax.axvline(threshold, color="0.6", lw=1, ls="--")
    ax.set(yticks=range(len(values)), yticklabels=list(values), xlim=(0, 1.02), xlabel=xlabel)
    ax.set_title(title)
    ax.invert_yaxis()


def encoder_panels(
    planted: Float[Tensor, " batch"],
    latents: Sequence[Float[Tensor, " batch"]],
    coefficients: Sequence[float],
    title: str,
) -> Figure:
    """What one latent says against what was planted, a panel per L1 coefficient λ.

    Dashed: the truth, z = a. Solid: z = a - λ/2, the best code of a feature that is alone.
    """
    planted = drawable.numbers("planted", planted, ("batch",))
    latents = drawable.each("latents", latents, (len(planted),))
    coefficients = drawable.listed("coefficients", coefficients, len(latents))
    figure, axes = plt.subplots(
        1, len(latents), figsize=(2.9 * len(latents), 2.9), sharey=True, squeeze=False
    )
    a = torch.linspace(0, float(planted.max()), 50)
    for ax, z, coefficient in zip(axes[0], latents, coefficients, strict=True):
        ax.plot(planted, z, ".", color=COLORS[0], alpha=0.3, markersize=3)
        ax.plot(a, a, "--", color="0.5", lw=1, label="$z = a$")
        shrunk = (a - coefficient / 2).clamp(min=0)
        ax.plot(a, shrunk, color=COLORS[1], label=r"$z = (a - \lambda/2)^+$")
        ax.set(title=f"{title}, λ = {coefficient:.2g}", xlabel="planted magnitude $a$")
    axes[0][0].set_ylabel("latent $z$")
    axes[0][0].legend(loc="upper left")
    return figure


def law(
    x: Float[Tensor, " n_x"],
    measured: Mapping[str, Float[Tensor, "n_x n_seeds"]],
    predicted: Mapping[str, Float[Tensor, " n_x"]],
    labels: tuple[str, str, str],
) -> Figure:
    """Predictions as lines and measurements as dots; `labels` are the title and both axes'."""
    x = drawable.numbers("x", x, ("n_x",))
    measured = drawable.by_name("measured", measured, (len(x), "n_seeds"), gaps=True, least=0)
    predicted = drawable.by_name("predicted", predicted, (len(x),), gaps=True, least=0)
    labels = drawable.labels("labels", labels, 3)
    figure, ax = plt.subplots(figsize=(6, 3.4))
    for style, (name, line) in zip(cycle(("-", "--", ":")), predicted.items(), strict=False):
        ax.plot(x, line, style, color="0.35", label=str(name))
    for (name, dots), color in zip(measured.items(), cycle(COLORS), strict=False):
        points = x[:, None].expand_as(dots)
        ax.plot(points.flatten(), dots.flatten(), "o", color=color, label=str(name), alpha=0.8)
    ax.set(title=labels[0], xlabel=labels[1], ylabel=labels[2])
    ax.legend()
    return figure


def dead_bars(
    dead: Mapping[str, Float[Tensor, " n_seeds"]],
    missing: Mapping[str, Float[Tensor, " n_seeds"]],
    title: str,
) -> Figure:
    """How many latents are dead and how many features nobody found, for each way of training."""
    dead = drawable.by_name("dead", dead, ("n_seeds",), gaps=True)
    missing = drawable.by_name("missing", missing, ("n_seeds",), gaps=True)
    if dead.keys() != missing.keys():
        raise ValueError(
            f"dead has the keys {list(dead)} and missing {list(missing)}; they must be the same."
        )
    figure, ax = plt.subplots(figsize=(7, 0.5 * len(dead) + 1.1))
    for shift, counts, color, name in (
        (-0.19, dead, COLORS[6], "dead latents"),
        (0.19, missing, COLORS[4], "features not found"),
    ):
        for row, seeds in enumerate(counts[way] for way in dead):
            y = row + shift
            ax.barh(y, seeds.mean(), 0.36, color=color, label=str(name) if row == 0 else None)
            ax.plot(seeds, [y] * len(seeds), "o", color="0.6", markersize=3)
    ax.set(title=title, yticks=range(len(dead)), yticklabels=list(dead), xlabel="number")
    ax.invert_yaxis()
    ax.legend()
    return figure


def firing_maps(
    rates: Sequence[Float[Tensor, "n_kinds n_latents"]], titles: Sequence[str], group: int
) -> Figure:
    """How often each latent fires on each kind of input; lines part groups of `group` kinds.

    Latents are ordered by the kind on which they fire most, and left out where they never do.
    """
    rates = drawable.each("rates", rates, ("n_kinds", "n_latents"))
    titles = drawable.labels("titles", titles, len(rates))
    validate.positive_int("group", group)
    figure, axes = plt.subplots(
        1, len(rates), figsize=(3.1 * len(rates), 3.4), sharey=True, squeeze=False
    )
    for ax, rate, title in zip(axes[0], rates, titles, strict=True):
        rate = rate[:, rate.max(dim=0).values > 0.05]
        weight = rate / rate.sum(dim=0)
        place = (weight * torch.arange(len(rate))[:, None]).sum(dim=0)
        image = ax.imshow(rate[:, place.argsort()], cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for line in range(group, len(rate), group):
            ax.axhline(line - 0.5, color="0.7", lw=0.5)
        ax.set(title=title, xlabel="latent", xticks=[], yticks=[])
    axes[0][0].set_ylabel(f"kind of input, in families of {group}")
    figure.colorbar(image, ax=axes, label="share of inputs on which it fires", shrink=0.9)
    return figure


def success_curves(
    k: Float[Tensor, " n_k"],
    curves: Mapping[str, Float[Tensor, " n_k"]],
    bounds: Mapping[str, float],
) -> Figure:
    """Share of codes read back against the number of active features; guarantees as a band."""
    k = drawable.numbers("k", k, ("n_k",))
    curves = drawable.by_name("curves", curves, (len(k),), gaps=True, least=0)
    for name, bound in validate.instance("bounds", bounds, Mapping).items():
        drawable.one_number(f"bounds[{name!r}]", bound)
    figure, ax = plt.subplots(figsize=(6.6, 3.4))
    for (name, curve), color in zip(curves.items(), cycle(COLORS), strict=False):
        ax.plot(k, curve, "o-", color=color, label=str(name))
        if name in bounds:
            ax.axvspan(0.5, bounds[name], color=color, alpha=0.12, lw=0)
    ax.axhline(0.5, color="0.7", lw=1, ls="--")
    ax.set(xlim=(0.5, None), xlabel="active features $k$", ylabel="share read back exactly")
    ax.set_xticks(k[::2])
    ax.set_title("Shaded: guaranteed by coherence")
    ax.legend()
    return figure


def histograms(
    values: Mapping[str, Float[Tensor, " n"]], title: str, xlabel: str, n_bins: int = 40
) -> Figure:
    """One histogram over [0, 1] per name, as shares of its entries."""
    values = drawable.by_name("values", values, ("n",), gaps=True, least=0)
    validate.positive_int("n_bins", n_bins)
    figure, ax = plt.subplots(figsize=(6, 3.2))
    for name, entries in values.items():
        share = torch.histc(entries, n_bins, 0.0, 1.0) / len(entries)
        ax.stairs(share, torch.linspace(0, 1, n_bins + 1), fill=True, alpha=0.5, label=str(name))
    ax.set(title=title, xlim=(0, 1), xlabel=xlabel, ylabel="share of pairs")
    ax.set_ylim(top=1.45 * ax.get_ylim()[1])  # room for the legend
    ax.legend(loc="upper left")
    return figure


def frontier(
    curves: Mapping[str, tuple[Float[Tensor, "n n_seeds"], Float[Tensor, "n n_seeds"]]],
    title: str,
) -> Figure:
    """FVU against L0 over a sweep of coefficients, one curve (mean of seeds) per name."""
    drawn = {}
    for name, pair in drawable.named("curves", curves, least=0).items():
        l0, fvu = drawable.some(f"curves[{name!r}]", pair, 2)
        l0 = drawable.numbers(f"L0 in curves[{name!r}]", l0, ("n", "n_seeds"), gaps=True)
        fvu = drawable.numbers(f"FVU in curves[{name!r}]", fvu, l0.shape, gaps=True)
        drawn[name] = l0, fvu
    figure, ax = plt.subplots(figsize=(5.6, 3.4))
    for name, (l0, fvu) in drawn.items():
        ax.plot(l0.mean(dim=-1), fvu.mean(dim=-1), "o-", label=str(name))
    ax.set(title=title, ylim=(0, None))
    ax.set(xlabel="active latents per input, L0", ylabel="FVU")
    ax.legend()
    return figure
