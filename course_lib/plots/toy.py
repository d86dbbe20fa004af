"""Figures of toy models of superposition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import validate
from course_lib.plots.style import COLORS
from course_lib.superposition import PHASES, REPRESENTED_NORM, Trainer

if TYPE_CHECKING:
    from jaxtyping import Float, Int

AVERAGED_STEPS = 25  # to a point of a loss that is drawn while it falls


def _models(
    name: str, tensors: Sequence[Tensor], titles: Sequence[str], axes: tuple[int | str, ...]
) -> list[Tensor]:
    """The tensors of the panels, on the CPU, and a title for each; else TypeError, ValueError."""
    tensors = validate.items(name, tensors)
    validate.like("titles", titles, "__len__", "__iter__")
    if not tensors or len(tensors) != len(titles):
        raise ValueError(
            f"{name} has {len(tensors)} entries and titles {len(titles)}; give one title for each "
            "panel, and one panel at least."
        )
    entry = f"an entry of {name}"
    shown = [validate.shape(entry, validate.finite(entry, one), axes) for one in tensors]
    return [one.detach().cpu() for one in shown]


def _panels(n: int, size: float) -> tuple[Figure, list[Axes]]:
    figure, axes = plt.subplots(1, n, figsize=(size * n, size + 0.4), squeeze=False)
    return figure, list(axes[0])


def gram_map(Ws: Sequence[Float[Tensor, "n_features d_hidden"]], titles: Sequence[str]) -> Figure:
    """W Wᵀ of each model as a heat map: diagonal, how much a feature is stored; else overlaps."""
    Ws = _models("Ws", Ws, titles, ("n_features", "d_hidden"))
    figure, axes = _panels(len(Ws), 2.1)
    for ax, W, title in zip(axes, Ws, titles, strict=True):
        image = ax.imshow((W @ W.T).numpy(), cmap="PuOr_r", vmin=-1, vmax=1)
        ax.set(title=title, xlabel="feature", xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    axes[0].set_ylabel("feature")
    figure.colorbar(image, ax=axes, label="overlap $W_i\\cdot W_j$", shrink=0.8)
    return figure


def feature_arrows(Ws: Sequence[Float[Tensor, "n_features 2"]], titles: Sequence[str]) -> Figure:
    """The rows of W as arrows in the plane, one panel per model; the circle has radius 1."""
    Ws = _models("Ws", Ws, titles, ("n_features", 2))
    figure, axes = _panels(len(Ws), 2.1)
    _arrows(axes, Ws, titles)
    return figure


def kept_features(trainer: Trainer) -> Figure:
    """A toy model in training: arrows and features kept (|W_i| > 0.5) of each instance, and losses.

    Models have two hidden dimensions. A point of a loss is the mean of 25 steps.
    """
    validate.like("trainer", trainer, "model", "losses")
    W, losses = trainer.model.W, trainer.losses
    validate.shape("W", W, ("n_instances", "n_features", 2))
    figure, (*axes, last) = _panels(len(W) + 1, 2.1)
    kept = (W.detach().norm(dim=-1) > REPRESENTED_NORM).sum(dim=-1)
    _arrows(axes, W, [f"start {i}: {k} kept" for i, k in enumerate(kept.tolist())])
    width = min(AVERAGED_STEPS, len(losses))
    means = losses.detach().cpu().unfold(0, width, width).mean(dim=-1)
    steps = width * np.arange(1, len(means) + 1)
    for i, line in enumerate(means.T):
        last.plot(steps, line, color=COLORS[i % len(COLORS)], label=f"start {i}", lw=1)
    last.set(title="loss", xlabel="step", xlim=(0, len(losses)), ylim=(0, None))
    last.legend(fontsize=7)
    return figure


def _arrows(axes: Sequence[Axes], Ws: Sequence[Tensor], titles: Sequence[str]) -> None:
    for ax, W, title in zip(axes, Ws, titles, strict=True):
        ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.8"))
        for i, (x, y) in enumerate(W.detach().cpu().tolist()):
            color = COLORS[i % len(COLORS)]
            ax.plot([0, x], [0, y], color=color, lw=2)
            ax.plot(x, y, "o", color=color)
            if x * x + y * y > REPRESENTED_NORM**2:
                ax.annotate(str(i), (1.16 * x, 1.16 * y), ha="center", va="center", color=color)
        ax.set(title=title, xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), aspect="equal")
        ax.set(xlabel="hidden dimension 1", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    axes[0].set_ylabel("hidden dimension 2")


def phase_maps(
    probability: Float[Tensor, " n_p"],
    importance: Float[Tensor, " n_r"],
    phases: Sequence[Int[Tensor, "n_p n_r"]],
    titles: Sequence[str],
) -> Figure:
    """Maps of which state of `PHASES` wins, over relative importance and probability."""
    phases = _models("phases", phases, titles, ("n_p", "n_r"))
    n_p, n_r = phases[0].shape
    probability = validate.shape(
        "probability", validate.probability("probability", probability), (n_p,)
    )
    importance = validate.shape(
        "importance", validate.finite("importance", importance, 0.0), (n_r,)
    )
    figure, axes = plt.subplots(
        1, len(phases), figsize=(3.3 * len(phases), 3.6), sharey=True, squeeze=False
    )
    colors = ListedColormap(["0.5", COLORS[0], COLORS[4], COLORS[1]])
    norm = BoundaryNorm(np.arange(-1.5, 3.5), 4)
    for ax, phase, title in zip(axes[0], phases, titles, strict=True):
        mesh = ax.pcolormesh(
            importance.numpy(), probability.numpy(), phase.numpy(), cmap=colors, norm=norm
        )
        ax.set(title=title, xscale="log", yscale="log", xlabel="importance of feature 2, $r$")
    axes[0][0].set_ylabel("probability that a feature is active, $p$")
    bar = figure.colorbar(mesh, ax=axes, ticks=[0, 1, 2], location="bottom", shrink=0.9)
    bar.ax.set_xlim(-0.5, 2.5)
    bar.ax.set_xticklabels(PHASES)
    return figure


def dimensionality_strip(
    probability: Float[Tensor, " n_models"],
    dimensionality: Float[Tensor, "n_models n_features"],
    average: Float[Tensor, " n_models"],
    marks: dict[str, float],
) -> Figure:
    """Each feature's dimensionality against 1/p, with the average D* and named fractions."""
    probability = validate.probability("probability", probability)
    dimensionality = validate.finite("dimensionality", dimensionality)
    average = validate.finite("average", average)
    validate.tensors(
        "any", dimensionality=(dimensionality, "n_models n_features"),
        probability=(probability, "n_models"), average=(average, "n_models"),
    )  # fmt: skip
    for name, fraction in validate.instance("marks", marks, dict).items():
        validate.number(f"marks[{name!r}]", fraction)
    figure, ax = plt.subplots(figsize=(7.5, 4))
    label_at = np.inf
    for name, fraction in sorted(marks.items(), key=lambda mark: -mark[1]):
        ax.axhline(fraction, color="0.85", lw=1, zorder=0)
        label_at = min(fraction, label_at - 0.05)
        ax.annotate(name, (1.01, label_at), xycoords=("axes fraction", "data"), va="center")
    inverse = (1 / probability)[:, None].expand_as(dimensionality)
    ax.scatter(
        inverse, dimensionality, s=9, alpha=0.25, color=COLORS[0], lw=0, label="feature, $D_i$"
    )
    order = probability.argsort()
    ax.plot(1 / probability[order], average[order], color=COLORS[1], label="$m/\\|W\\|_F^2$")
    ax.set(xscale="log", ylim=(-0.02, 1.05), ylabel="share of a dimension")
    ax.set(xlabel="$1/p$: inputs per activation of a feature", title="Dimensions per feature")
    ax.legend(loc="upper right")
    return figure


def neuron_stacks(
    Ws: Sequence[Float[Tensor, "n_features d_hidden"]], titles: Sequence[str]
) -> Figure:
    """Each hidden neuron's |weights| stacked, one colour a feature; tall mixed bars share."""
    Ws = _models("Ws", Ws, titles, ("n_features", "d_hidden"))
    figure, axes = plt.subplots(1, len(Ws), figsize=(3.4 * len(Ws), 3), squeeze=False, sharey=True)
    for ax, W, title in zip(axes[0], Ws, titles, strict=True):
        weights = W.abs()
        order = weights.max(dim=0).values.argsort(descending=True)
        bottom = np.zeros(weights.shape[1])
        colors = plt.get_cmap("cividis")(np.linspace(0, 1, len(weights)))
        for row, color in zip(weights[:, order].numpy(), colors, strict=True):
            ax.bar(range(len(row)), row, bottom=bottom, color=color, edgecolor="white", lw=0.4)
            bottom += row
        ax.set(title=title, xlabel="hidden neuron", xticks=[])
    axes[0][0].set_ylabel("|weight| from each feature, stacked")
    return figure
