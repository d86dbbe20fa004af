"""Figures of directions: how they are packed, read back, signed and chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from course_lib import drawable, validate
from course_lib.plots.style import COLORS

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

MARKERS = "osD^v"
STYLES = ("-", "--", ":")
ROUNDED = 1 + 1e-3  # how large a cosine may be, as it is rounded


def cosine_histograms(cosines: Mapping[int, Float[Tensor, " pairs"]]) -> Figure:
    """Cosines between random directions, one outline per number of dimensions."""
    cosines = drawable.by_name("cosines", cosines, ("pairs",), -ROUNDED, ROUNDED, most=len(COLORS))
    figure, ax = plt.subplots(figsize=(6.5, 3.2))
    bins = np.linspace(-1, 1, 81)
    for (d, values), color in zip(cosines.items(), COLORS, strict=False):
        label = f"$d$ = {d}, spread {values.square().mean().sqrt():.2f}"
        ax.hist(values.numpy(), bins, density=True, histtype="step", color=color, label=label)
    ax.set(title="Two random directions", xlabel="cosine", ylabel="density")
    ax.legend()
    return figure


def packing_curves(
    sizes: Sequence[int],
    coherence: Mapping[str, Float[Tensor, "n_sizes n_seeds"]],
    bound: Sequence[float],
    d: int,
) -> Figure:
    """Largest |cos| of n directions in d dimensions, each seed a mark, with the bound below."""
    sizes, n = drawable.listed("sizes", sizes), len(sizes)
    bound = drawable.listed("bound", bound, n)
    validate.positive_int("d", d)
    coherence = drawable.by_name(
        "coherence", coherence, (n, "n_seeds"), 0, ROUNDED, most=len(MARKERS)
    )
    figure, ax = plt.subplots(figsize=(6.5, 3.8))
    for k, (name, values) in enumerate(coherence.items()):
        ax.plot(sizes, values.amin(dim=1), color=COLORS[k], lw=1)
        ax.plot(sizes, values, MARKERS[k], color=COLORS[k], alpha=0.6)
        ax.plot([], [], f"{MARKERS[k]}-", color=COLORS[k], label=name)
    ax.plot(sizes, bound, color="black", ls="--", label="Welch bound")
    last = d * (d + 1) // 2
    ax.axvline(last, color="0.8", zorder=0)
    ax.annotate(f"$d(d+1)/2$ = {last}", (last, 0.02), xytext=(4, 0), textcoords="offset points")
    ax.set(ylim=(0, 1), xlabel="directions, $n$", ylabel="coherence μ (largest |cos|)")
    ax.set_title(f"Packing directions into {d} dimensions")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def readout_curves(
    ks: Sequence[int],
    measured: Mapping[str, Float[Tensor, " n_ks"]],
    predicted: Mapping[str, Float[Tensor, " n_ks"]],
) -> Figure:
    """Share of inputs read without a mistake against the active bits: marks; lines: predicted."""
    ks, n = drawable.listed("ks", ks), len(ks)
    measured = drawable.by_name("measured", measured, (n,), most=len(MARKERS))
    predicted = drawable.by_name("predicted", predicted, (n,), parts=measured)
    figure, ax = plt.subplots(figsize=(6.5, 3.4))
    for k, (name, share) in enumerate(measured.items()):
        ax.plot(ks, predicted[name], color=COLORS[k], lw=1.2)
        ax.plot(ks, share, MARKERS[k], color=COLORS[k], label=name)
    ax.axhline(0.5, color="0.85", zorder=0)
    ax.set(title="Bits read with one look", xlabel="active bits, $k$")
    ax.set(ylabel="share of inputs without a mistake")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(title="lines: predicted")
    return figure


def transition_map(
    dimensions_per_feature: Sequence[float],
    active_per_dimension: Sequence[float],
    success: Float[Tensor, "n_k n_sizes"],
    lines: Mapping[str, Sequence[float]],
) -> Figure:
    """Share of codes read back over d/n and k/d, and what theories say as lines over d/n."""
    x = np.asarray(drawable.listed("dimensions_per_feature", dimensions_per_feature))
    y = np.asarray(drawable.listed("active_per_dimension", active_per_dimension))
    success = drawable.numbers("success", success, (len(y), len(x)), gaps=True)
    for name, line in drawable.named("lines", lines, most=len(STYLES)).items():
        drawable.listed(f"lines[{name!r}]", line, len(x), gaps=True)
    figure, ax = plt.subplots(figsize=(6.8, 4))
    mesh = ax.pcolormesh(x, y, success.numpy(), cmap="cividis", vmin=0, vmax=1, shading="nearest")
    outlined = {"color": "white", "path_effects": [withStroke(linewidth=4, foreground="black")]}
    for (name, line), style in zip(lines.items(), STYLES, strict=False):
        ax.plot(x, line, style, lw=2, **outlined)
        middle = len(x) // 2
        ax.annotate(name, (x[middle], line[middle]), xytext=(0, 8), ha="center", weight="bold",
                    textcoords="offset points", **outlined)  # fmt: skip
    ax.set(xlabel="dimensions per feature, $d/n$", ylabel="active features per dimension, $k/d$")
    ax.set(title="Where sparse codes can be read back", ylim=(0, y[-1]))
    figure.colorbar(mesh, label="share of codes read back")
    return figure


def surfaces(
    outputs: Sequence[Float[Tensor, "side side"]],
    titles: Sequence[str],
    points: Float[Tensor, "n 2"],
    answers: Bool[Tensor, " n"],
) -> Figure:
    """Probability of yes over the unit square with a margin, and the points with their answers."""
    outputs = drawable.each("outputs", outputs, ("side", "side"))
    titles = drawable.labels("titles", titles, len(outputs))
    if small := [len(output) for output in outputs if len(output) < 2]:
        raise ValueError(
            f"an entry of outputs has {small[0]} point along each side; give 2 or more."
        )
    points = drawable.numbers("points", points, ("n", 2))
    answers = drawable.wholes("answers", answers, (len(points),), 0, 1)
    figure, axes = plt.subplots(
        1, len(outputs), figsize=(3.1 * len(outputs), 3.4), sharey=True, squeeze=False
    )
    extent = (-0.25, 1.25, -0.25, 1.25)
    for ax, output, title in zip(axes[0], outputs, titles, strict=True):
        image = ax.imshow(
            output.numpy(), origin="lower", extent=extent, cmap="PuOr", vmin=0, vmax=1
        )
        ax.contour(output.numpy(), levels=[0.5], extent=extent, colors="black", linewidths=1)
        for (x, y), yes in zip(points.tolist(), answers.tolist(), strict=True):
            ax.plot(x, y, "o" if yes else "X", color="white", markeredgecolor="black", ms=9)
        ax.set(title=title, xlabel="input 1", xticks=[0, 1], yticks=[0, 1])
    axes[0][0].set_ylabel("input 2")
    figure.colorbar(image, ax=axes, label="probability of yes", shrink=0.8)
    return figure


def attention_maps(
    scores: Sequence[Float[Tensor, "n_questions n_inputs"]],
    triples: Int[Tensor, "n_questions 3"],
    titles: Sequence[str],
) -> Figure:
    """Scores of the inputs for each question, with a ring around those that decide the answer."""
    scores = drawable.each("scores", scores, ("n_questions", "n_inputs"))
    titles = drawable.labels("titles", titles, len(scores))
    for table in scores:
        n_questions, n_inputs = table.shape
        triples = drawable.wholes("triples", triples, (n_questions, 3), 0, n_inputs - 1)
    figure, axes = plt.subplots(
        1, len(scores), figsize=(4.4 * len(scores), 2.9), sharey=True, squeeze=False
    )
    limit = max(table.abs().max().item() for table in scores)
    for ax, table, title in zip(axes[0], scores, titles, strict=True):
        image = ax.imshow(table.numpy(), cmap="PuOr_r", vmin=-limit, vmax=limit, aspect="auto")
        for question, inputs in enumerate(triples.tolist()):
            ax.plot(inputs, 3 * [question], "o", mfc="none", color="black", ms=9)
        ax.set(title=title, xlabel="variable")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0][0].set_ylabel("question")
    figure.colorbar(image, ax=axes, label="score", shrink=0.9)
    return figure
