"""Figures that compare architectures: fronts, activity, absorption, rankings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import drawable, validate
from course_lib.plots.style import COLORS

if TYPE_CHECKING:
    from jaxtyping import Float

    from course_lib.sae.front import Front

MARKERS = "osD^vPX"


def fronts(
    architectures: Mapping[str, Front],
    measures: Mapping[str, str],
    true_l0: float,
    controls: Mapping[str, tuple[Tensor, Tensor]] | None = None,
) -> Figure:
    """One panel per measure of a `Front` (attribute to label): medians as lines, seeds as dots.

    FVU has a logarithmic axis, and `controls`, by name (l0 [k], fvu [k]), are drawn beside it.
    """
    drawable.one_number("true_l0", true_l0)
    drawable.named("architectures", architectures)
    shown = {}
    for measure, label in drawable.named("measures", measures).items():
        validate.text("a key of measures", measure)
        if not validate.text(f"measures[{measure!r}]", label):
            raise ValueError(f"measures[{measure!r}] is empty; it must be a label.")
        shown[measure] = {
            name: _curve(f"architectures[{name!r}]", front, measure)
            for name, front in architectures.items()
        }
    controls = drawable.named("controls", {} if controls is None else controls, least=0)
    controls = {name: _control(f"controls[{name!r}]", pair) for name, pair in controls.items()}
    figure, axes = plt.subplots(1, len(measures), figsize=(3.3 * len(measures) + 1.2, 3.5),
                                squeeze=False)  # fmt: skip
    for ax, (measure, label) in zip(axes[0], measures.items(), strict=True):
        for place, (name, (l0, values)) in enumerate(shown[measure].items()):
            look = _look(place)
            middle = l0.median(dim=1).values, values.median(dim=1).values
            ax.plot(*middle, label=name, lw=1.4, **look)
            ax.plot(l0.flatten(), values.flatten(), ".", color=look["color"], ms=3)
        if measure == "fvu":
            ax.set_yscale("log")
            for name, (l0, fvu) in controls.items():
                ax.plot(l0, fvu, color="0.55", ls="--", lw=1)
                ax.annotate(name, (float(l0[-1]), float(fvu[-1])), color="0.4", fontsize=8)
        ax.axvline(true_l0, color="0.8", lw=1, zorder=0)
        title = label[0].upper() + label[1:]
        ax.set(xlabel="L0: active latents per input", ylabel=label, title=title)
    handles, names = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center")
    return figure


def activity(
    active: Mapping[str, Float[Tensor, " n_counts"]], counts: Sequence[int], title: str
) -> Figure:
    """Mean number of active latents against the number of features that are on."""
    counts, n = drawable.listed("counts", counts), len(counts)
    active = drawable.by_name("active", active, (n,), gaps=True)
    figure, ax = plt.subplots(figsize=(5.4, 3.4))
    ax.plot(counts, counts, color="0.8", lw=1, zorder=0, label="as many as there are")
    for place, (name, values) in enumerate(active.items()):
        ax.plot(counts, values, label=name, **_look(place))
    ax.set(xlabel="features on in the input", ylabel="active latents", title=title)
    ax.legend()
    return figure


def thresholds(values: Mapping[str, Float[Tensor, " n"]], start: float, title: str) -> Figure:
    """Histograms of learnt thresholds, with the value they all started from."""
    values = drawable.by_name("values", values, ("n",), 0.0, most=len(COLORS))
    drawable.one_number("start", start)
    figure, ax = plt.subplots(figsize=(5.4, 2.8))
    top = max(float(v.max()) for v in values.values())
    for place, (name, v) in enumerate(values.items()):
        ax.hist(v.numpy(), bins=40, range=(0, top), histtype="step", lw=1.5, label=name,
                color=COLORS[place])  # fmt: skip
    ax.axvline(start, color="0.5", ls="--", lw=1, label="start")
    ax.set(xlabel="threshold, in units of x", ylabel="latents", title=title)
    ax.legend()
    return figure


def dolls(
    prefixes: Mapping[str, Sequence[int]], fvu: Mapping[str, Float[Tensor, "n_prefixes n_seeds"]]
) -> Figure:
    """FVU of the first m latents alone."""
    fvu, shown = drawable.named("fvu", fvu), {}
    prefixes = drawable.named("prefixes", prefixes, fvu)
    for name, values in fvu.items():
        sizes = drawable.listed(f"prefixes[{name!r}]", prefixes[name])
        shown[name] = drawable.numbers(f"fvu[{name!r}]", values, (len(sizes), "n_seeds"), 0.0)
    figure, ax = plt.subplots(figsize=(5.4, 3.4))
    for place, (name, values) in enumerate(shown.items()):
        look = _look(place)
        ax.plot(prefixes[name], values.median(dim=1).values, label=name, **look)
        for seed in values.T:
            ax.plot(prefixes[name], seed, ".", color=look["color"], ms=3)
    ax.set(xlabel="latents used, from the first", ylabel="FVU", yscale="log")
    ax.set_title("Each prefix on its own")
    ax.legend()
    return figure


def absorption(
    rates: Mapping[str, Float[Tensor, "n_sparsities n_seeds"]], labels: Sequence[str], title: str
) -> Figure:
    """A dot per seed, one column per architecture, one colour per sparsity."""
    labels = drawable.labels("labels", labels, most=len(MARKERS))
    rates = drawable.by_name("rates", rates, (len(labels), "n_seeds"), gaps=True)
    figure, ax = plt.subplots(figsize=(6.6, 3.4))
    for place, values in enumerate(rates.values()):
        for k, (row, label) in enumerate(zip(values, labels, strict=True)):
            at = place + 0.22 * (k - (len(labels) - 1) / 2)
            shown = {"label": label} if place == 0 else {}
            ax.plot(torch.full_like(row, at), row, MARKERS[k], color=COLORS[k], ms=5, alpha=0.8,
                    **shown)  # fmt: skip
    ax.set_xticks(range(len(rates)), list(rates), rotation=20)
    ax.set(xlabel="architecture", ylabel="absorption rate", title=title, ylim=(-0.03, 1.0))
    ax.legend()
    return figure


def ranking(fvu: Mapping[str, Float[Tensor, "n_worlds n_seeds"]], worlds: Sequence[str]) -> Figure:
    """FVU of every architecture in several worlds, joined by lines that cross where ranks change.

    Each world's values are divided by their geometric mean over the architectures.
    """
    worlds = drawable.labels("worlds", worlds)
    least = torch.finfo(torch.float32).tiny  # its logarithm is finite
    fvu = drawable.by_name("fvu", fvu, (len(worlds), "n_seeds"), least)
    if len({values.shape for values in fvu.values()}) > 1:
        raise ValueError("the entries of fvu are of different numbers of seeds; give equally many.")
    logs = torch.stack([values.log() for values in fvu.values()])  # [architecture, world, seed]
    relative = (logs - logs.mean(dim=(0, 2), keepdim=True)).exp()
    figure, ax = plt.subplots(figsize=(6.2, 3.6))
    for place, (name, values) in enumerate(zip(fvu, relative, strict=True)):
        look = _look(place)
        ax.plot(range(len(worlds)), values.mean(dim=1), label=name, lw=1.4, **look)
        for seed in values.T:
            ax.plot(range(len(worlds)), seed, ".", color=look["color"], ms=3)
    ax.set_xticks(range(len(worlds)), list(worlds))
    ax.set(yscale="log", ylabel="FVU, relative to the mean", xlabel="world")
    ax.set_title("Which ranking survives?")
    figure.legend(loc="outside right center")
    return figure


def _curve(name: str, front: Front, measure: str) -> tuple[Tensor, Tensor]:
    """The l0 and a measure of a front, [n_sparsities, n_seeds] both."""
    validate.like(name, front, "l0", measure)
    l0 = drawable.numbers(f"{name}.l0", front.l0, ("n_sparsities", "n_seeds"), gaps=True)
    return l0, drawable.numbers(f"{name}.{measure}", getattr(front, measure), l0.shape, gaps=True)


def _control(name: str, pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    l0, fvu = drawable.some(name, pair, 2)
    l0 = drawable.numbers(f"{name}[0]", l0, ("k",))
    return l0, drawable.numbers(f"{name}[1]", fvu, (len(l0),))


def _look(place: int) -> dict[str, str]:
    return {"color": COLORS[place % len(COLORS)], "marker": MARKERS[place % len(MARKERS)]}
