"""Figures of memories, and of particles that several diffusion models steer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import drawable, validate
from course_lib.plots.style import COLORS

if TYPE_CHECKING:
    from jaxtyping import Float, Int


def winner_grids(
    codes: Sequence[Int[Tensor, " n_modules"]], n_cells: int, titles: Sequence[str]
) -> Figure:
    """Codes as grids, a column per module and a row per cell; winners shared with the first code
    are blue, others orange."""
    validate.positive_int("n_cells", n_cells)
    codes = drawable.some("codes", codes)
    titles = drawable.labels("titles", titles, len(codes))
    n_modules = len(validate.shape("codes[0]", codes[0], ("n_modules",)))
    codes = [
        drawable.wholes(f"codes[{i}]", code, (n_modules,), 0, n_cells - 1)
        for i, code in enumerate(codes)
    ]
    first = codes[0]
    figure, axes = plt.subplots(1, len(codes), figsize=(3 * len(codes), 2.7), squeeze=False)
    for ax, code, title in zip(axes[0], codes, titles, strict=True):
        same = (code == first).tolist()
        modules = range(len(first))
        ax.scatter(
            modules, code.tolist(), s=26, marker="s", lw=0,
            color=[COLORS[0] if shared else COLORS[1] for shared in same],
        )  # fmt: skip
        ax.set(title=title, xlabel="module", xlim=(-1, len(first)), ylim=(-1, n_cells))
        ax.set(xticks=[], yticks=[])
        for module in modules:
            ax.axvline(module, color="0.92", zorder=0)
    axes[0][0].set_ylabel("cell")
    return figure


def particles(
    clouds: Sequence[Float[Tensor, "n 2"]],
    titles: Sequence[str],
    means: Float[Tensor, "n_models n_components 2"],
    stds: Sequence[float],
) -> Figure:
    """Samples in the plane, one panel per way of combining models; circles are the models' modes
    at three standard deviations, one colour per model."""
    clouds = drawable.each("clouds", clouds, ("n", 2))
    titles = drawable.labels("titles", titles, len(clouds))
    means = drawable.numbers("means", means, ("n_models", "n_components", 2))
    if len(means) > len(COLORS):
        raise ValueError(f"means are of {len(means)} models; there are {len(COLORS)} colours.")
    stds = drawable.listed("stds", stds, len(means), 0.0)
    figure, axes = plt.subplots(
        1, len(clouds), figsize=(2.6 * len(clouds), 3), sharex=True, sharey=True, squeeze=False
    )
    for ax, cloud, title in zip(axes[0], clouds, titles, strict=True):
        ax.scatter(*cloud.T.tolist(), s=4, alpha=0.4, color="0.25", lw=0)
        for centres, std, color in zip(means.tolist(), stds, COLORS, strict=False):
            for centre in centres:
                ax.add_patch(plt.Circle(centre, 3 * std, fill=False, color=color, lw=1.5))
        ax.set(title=title, aspect="equal", xlabel="$x_1$")
    axes[0][0].set_ylabel("$x_2$")
    return figure
