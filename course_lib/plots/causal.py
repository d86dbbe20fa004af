"""Figures of causal tests: where a patch recovers the answer, and where a search has landed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import drawable, validate
from course_lib.plots.style import COLORS

if TYPE_CHECKING:
    from jaxtyping import Float

SIDE = 121  # points along each axis of the sphere's map


def recovered_map(
    recovered: Float[Tensor, "rows columns"], rows: Sequence[str], columns: Sequence[str]
) -> Figure:
    """The share recovered by each patch: 0 is white, 1 or more, and -1 or less, are darkest."""
    rows = drawable.labels("rows", rows)
    columns = drawable.labels("columns", columns)
    recovered = drawable.numbers("recovered", recovered, (len(rows), len(columns)), gaps=True)
    figure, ax = plt.subplots(figsize=(2 + 0.5 * len(columns), 1.6 + 0.3 * len(rows)))
    image = ax.imshow(recovered.numpy(), cmap="PuOr_r", vmin=-1, vmax=1, aspect="auto")
    ax.set_xticks(range(len(columns)), columns, rotation=60, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(rows)), rows)
    figure.colorbar(image, label="share recovered", extend="both")
    return figure


def landings(
    effect: Callable[[Float[Tensor, "*n 3"]], Float[Tensor, "*n"]],
    directions: Float[Tensor, "n 3"],
    named: dict[str, Float[Tensor, " 3"]] | None = None,
) -> Figure:
    """The sphere of directions as a map of equal areas, coloured by what a patch recovers.

    The black line is where all is recovered; dots are directions that were found, turned to the
    side where v3 is not negative, as v and -v are the same patch.
    """
    validate.function("effect", effect)
    directions = _directions("directions", directions, ("n", 3))
    named = drawable.named("named", {} if named is None else named, least=0)
    named = {name: _directions(f"named[{name!r}]", one, (3,)) for name, one in named.items()}
    angle = torch.linspace(-torch.pi, torch.pi, SIDE).double()
    height = torch.linspace(0, 1, SIDE).double()
    radius = (1 - height.square()).sqrt()[:, None]
    grid = torch.stack(
        [radius * angle.cos(), radius * angle.sin(), height[:, None].expand(-1, SIDE)], dim=-1
    )
    values = drawable.numbers("effect(directions)", effect(grid), (SIDE, SIDE)).numpy()
    degrees, height = angle.rad2deg().numpy(), height.numpy()
    figure, ax = plt.subplots(figsize=(7.5, 4))
    mesh = ax.pcolormesh(degrees, height, values, cmap="PuOr_r", vmin=-2, vmax=2, shading="nearest")
    ax.contour(degrees, height, values, levels=[1.0], colors="black", linewidths=1)
    x, y = _on_map(directions)
    ax.plot(x, y, ".", color=COLORS[2], ms=6, alpha=0.7)
    for name, direction in named.items():
        x, y = _on_map(direction[None])
        ax.plot(x, y, "*", color="black", ms=9)
        ax.annotate(name, (x[0], y[0]), xytext=(6, -12), textcoords="offset points")
    ax.set(xlabel="angle from $e_1$ to $e_2$ (degrees)", ylabel="$v_3$", ylim=(-0.02, 1.02))
    ax.set_title("What patching along a direction recovers")
    figure.colorbar(mesh, label="share recovered", extend="both")
    return figure


def _directions(name: str, given: Tensor, axes: Sequence[int | str]) -> Tensor:
    found = drawable.numbers(name, given, axes)
    if not found.double().norm(dim=-1).all():
        raise ValueError(f"{name} has a row of zeros; a direction has a length.")
    return found


def _on_map(directions: Tensor) -> tuple[Tensor, Tensor]:
    v = directions.double() / directions.double().norm(dim=-1, keepdim=True)
    v = torch.where(v[:, 2:] < 0, -v, v)
    return torch.atan2(v[:, 1], v[:, 0]).rad2deg(), v[:, 2]
