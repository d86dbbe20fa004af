"""Figures of steering: one for each report, maps of strength by layer, methods side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import drawable, validate
from course_lib.plots.style import COLORS
from course_lib.steering.evaluation import (
    OPPOSITE,
    RANDOM,
    VECTOR,
    SteeringReport,
    estimate,
    interval,
)

if TYPE_CHECKING:
    from jaxtyping import Float

GREY = "0.65"


def report(found: SteeringReport, *, kl: float | None = None) -> Figure:
    """All of a report: response, likelihoods, margin, divergence, broken rules, off-target.

    Bands and bars are 95 % bootstrap intervals of the mean over contexts.

    Args:
        kl: a budget, drawn where the KL is; off-target effects are those at the largest strength
            within it, or at the largest of all without one.
    """
    validate.instance("found", found, SteeringReport)
    if kl is not None:
        drawable.one_number("kl", kl)
    figure, axes = plt.subplots(2, 3, figsize=(10.5, 6))
    _response(axes[0, 0], found)
    _likelihoods(axes[0, 1], found)
    _margin(axes[0, 2], found)
    _divergence(axes[1, 0], found, kl)
    _violations(axes[1, 1], found)
    index = found.within(kl) if kl is not None else None
    _off_target(axes[1, 2], found, len(found.strengths) - 1 if index is None else index)
    figure.suptitle(f"{found.behaviour}: {found.source}")
    return figure


def strength_by_layer(
    values: Float[Tensor, "n_layers n_strengths"],
    layers: Sequence[str],
    strengths: Sequence[float],
    label: str = "effect (nats)",
) -> Figure:
    """A map of one number over layers and strengths, with the number in each cell."""
    values = drawable.numbers("values", values, ("n_layers", "n_strengths"))
    layers = drawable.labels("layers", layers, len(values))
    strengths = drawable.listed("strengths", strengths, values.shape[1])
    figure, ax = plt.subplots(figsize=(1.6 + 0.75 * len(strengths), 1.4 + 0.45 * len(layers)))
    limit = values.abs().max().item() or 1.0
    image = ax.imshow(values.numpy(), cmap="PuOr_r", vmin=-limit, vmax=limit, aspect="auto")
    for row, cells in enumerate(values.tolist()):
        for column, value in enumerate(cells):
            color = "white" if abs(value) > 0.6 * limit else "black"
            ax.text(column, row, f"{value:.1f}", ha="center", va="center", color=color)
    ax.set_xticks(range(len(strengths)), [f"{s:g}" for s in strengths])
    ax.set_yticks(range(len(layers)), layers)
    ax.set(xlabel="strength", title="Strength by layer")
    figure.colorbar(image, label=label)
    return figure


def methods(rows: Sequence[dict[str, Any]], names: Sequence[str] | None = None) -> Figure:
    """The effects of `compare`'s rows with intervals, and what random directions do (crosses).

    A row whose strengths were all too dear is named and has no mark.
    """
    rows = [_method(f"rows[{i}]", row) for i, row in enumerate(drawable.some("rows", rows))]
    names = [row["source"] for row in rows] if names is None else names
    names = drawable.labels("names", names, len(rows))
    figure, ax = plt.subplots(figsize=(7, 1.2 + 0.4 * len(rows)))
    for place, row in enumerate(rows):
        if row["strength"] is None:
            ax.text(0, place, " too dear at every strength", va="center", color=GREY)
            continue
        mean, low, high = row["effect"]
        ax.plot([low, high], [place, place], color=COLORS[0], lw=2)
        ax.plot(mean, place, "o", color=COLORS[0])
        ax.plot(row["random"], place, "x", color=COLORS[1])
    ax.plot([], [], "o-", color=COLORS[0], label="vector, 95 %")
    ax.plot([], [], "x", color=COLORS[1], ls="", label="random, equal norm")
    ax.axvline(0, color="0.85", zorder=0)
    ax.set_yticks(range(len(rows)), names)
    ax.invert_yaxis()
    ax.set(xlabel="log-odds gained (nats)", title="Methods at equal cost")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _method(name: str, row: Any) -> dict[str, Any]:
    """A row of `compare`, which has what is drawn; else TypeError, ValueError."""
    drawable.named(name, row, ("source", "strength"))
    if row["strength"] is not None:
        drawable.named(name, row, ("effect", "random"))
        drawable.listed(f"{name}['effect']", row["effect"], 3)
        drawable.one_number(f"{name}['random']", row["random"])
    return row


# --- the panels of a report -----------------------------------------------------------------------


def _band(ax: Axes, x: Tensor, values: Tensor, color: str, label: str) -> None:
    """The mean over the last axis, and its interval."""
    low, high = interval(values).unbind(-1)
    ax.fill_between(x.numpy(), low.numpy(), high.numpy(), color=color, alpha=0.2, lw=0)
    ax.plot(x, values.mean(dim=-1), "o-", color=color, label=label)


def _response(ax: Axes, found: SteeringReport) -> None:
    s, effect = found.strengths, found.effect
    for other in effect[RANDOM:].mean(dim=-1):
        ax.plot(s, other, color=GREY, lw=0.8, label="_")
    ax.plot([], [], color=GREY, label="random")
    _band(ax, s, effect[VECTOR], COLORS[0], "vector")
    _band(ax, -s, effect[OPPOSITE], COLORS[1], "opposite")
    if found.prompt_effect is not None:
        ax.axhline(found.prompt_effect.mean(), color="black", ls="--", lw=1, label="prompt")
    ax.axhline(0, color="0.85", zorder=0)
    ax.set(title="Response", xlabel="strength", ylabel="log-odds gained (nats)")
    ax.legend(loc="lower right")


def _likelihoods(ax: Axes, found: SteeringReport) -> None:
    for run, color, label in ((VECTOR, COLORS[0], "vector"), (OPPOSITE, COLORS[1], "opposite")):
        gain, loss = found.gain[run].mean(dim=-1), found.loss[run].mean(dim=-1)
        ax.plot(gain, loss, "o-", color=color, label=label)
        ax.annotate(f"{found.strengths[-1]:g}", (gain[-1], loss[-1]), xytext=(4, 4),
                    textcoords="offset points", color=color)  # fmt: skip
    ax.axhline(0, color="0.85", zorder=0)
    ax.axvline(0, color="0.85", zorder=0)
    ax.set(title="Is it likelier, or the other less?", xlabel="Δ log p(shows it), nats")
    ax.set_ylabel("Δ log p(shows the opposite), nats")
    ax.legend()


def _margin(ax: Axes, found: SteeringReport) -> None:
    mean, low, high = found.margin().unbind(-1)
    ax.fill_between(
        found.strengths.numpy(), low.numpy(), high.numpy(), color=COLORS[2], alpha=0.2, lw=0
    )
    ax.plot(found.strengths, mean, "o-", color=COLORS[2])
    ax.axhline(0, color="black", lw=1)
    ax.set(title="Margin over random directions", xlabel="strength", ylabel="nats")


def _divergence(ax: Axes, found: SteeringReport, budget: float | None) -> None:
    s, kl = found.strengths, found.kl.mean(dim=-1)
    for other in kl[RANDOM:]:
        ax.plot(s, other, color=GREY, lw=0.8)
    ax.plot(s, kl[OPPOSITE], "o-", color=COLORS[1])
    ax.plot(s, kl[VECTOR], "o-", color=COLORS[0])
    if budget is not None:
        ax.axhline(budget, color="black", ls=":", lw=1)
        ax.annotate("budget", (s[0], budget), xytext=(0, 3), textcoords="offset points")
    ax.set(title="Cost elsewhere", xlabel="strength", ylabel="KL (nats a token)")
    ax.set(xscale="log", yscale="log")
    ax.set_xticks(s.tolist(), [f"{strength:g}" for strength in s.tolist()])
    ax.set_xticks([], minor=True)


def _violations(ax: Axes, found: SteeringReport) -> None:
    ax.set(title="Rules broken", xlabel="strength", ylabel="share of new tokens")
    if found.violations is None:
        ax.text(0.5, 0.5, "no rules were given", ha="center", transform=ax.transAxes, color=GREY)
        ax.set(xticks=[], yticks=[])
        return
    for run, color in ((RANDOM, GREY), (OPPOSITE, COLORS[1]), (VECTOR, COLORS[0])):
        _band(ax, found.strengths, found.violations[run], color, "_")
    ax.axhline(found.clean_violations.mean(), color="black", ls="--", lw=1)
    ax.set_ylim(bottom=0)


def _off_target(ax: Axes, found: SteeringReport, index: int) -> None:
    effects = {found.behaviour: found.effect[VECTOR, index]}
    effects |= {name: values[index] for name, values in found.off_target.items()}
    for place, values in enumerate(effects.values()):
        mean, low, high = estimate(values)
        ends = [[max(mean - low, 0.0)], [max(high - mean, 0.0)]]
        ax.barh(place, mean, color=COLORS[0] if place == 0 else COLORS[4],
                xerr=ends)  # fmt: skip
    ax.axvline(0, color="black", lw=1)
    ax.set_yticks(range(len(effects)), effects)
    ax.invert_yaxis()
    title = f"On and off target at strength {found.strengths[index]:g}"
    ax.set(title=title, xlabel="log-odds gained (nats)")
