"""Figures of boards that a model keeps: what is on them, what is read, what edits do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import drawable, validate
from course_lib.data.games import EMPTY
from course_lib.plots.style import COLORS

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STONES = ("0.1", "white")


def board_row(
    boards: Int[Tensor, "n cells"],
    laws: Float[Tensor, "n cells"],
    legal: Bool[Tensor, "n cells"],
    titles: Sequence[str],
) -> Figure:
    """Boards side by side: stones, the law of the next move as a shade, legal cells framed.

    Args:
        boards: 0 is drawn as a black stone, 1 as a white one, 2 is empty.
    """
    titles = drawable.labels("titles", titles)
    n = len(titles)
    boards = drawable.wholes("boards", boards, (n, "cells"), 0, EMPTY)
    size = round(boards.shape[1] ** 0.5)
    if not boards.shape[1] == size**2 > 0:
        raise ValueError(f"boards have {boards.shape[1]} cells; a board is square, such as of 36.")
    laws = drawable.numbers("laws", laws, (n, size**2), 0.0)
    legal = drawable.wholes("legal", legal, (n, size**2), 0, 1)
    figure, axes = plt.subplots(
        1, len(titles), figsize=(2.5 * len(titles) + 0.8, 2.9), squeeze=False
    )
    top = laws.max().item()
    for ax, board, law, fine, title in zip(axes[0], boards, laws, legal, titles, strict=True):
        image = ax.imshow(law.view(size, size).numpy(), cmap="Oranges", vmin=0, vmax=1.5 * top)
        for cell in range(size**2):
            y, x = divmod(cell, size)
            if board[cell] != EMPTY:
                face = STONES[int(board[cell])]
                ax.add_patch(plt.Circle((x, y), 0.36, facecolor=face, edgecolor="0.1"))
            elif fine[cell]:
                frame = (x - 0.42, y - 0.42), 0.84, 0.84
                ax.add_patch(plt.Rectangle(*frame, fill=False, edgecolor=COLORS[0], linewidth=2))
        ax.set_xticks(range(size), [chr(65 + k) for k in range(size)])
        ax.set_yticks(range(size), [str(k + 1) for k in range(size)])
        ax.tick_params(length=0)
        ax.set_title(title)
    figure.colorbar(image, ax=list(axes[0]), label="probability")
    return figure


def runs(
    panels: Mapping[str, Mapping[str, Sequence[Sequence[float]]]],
    x: Sequence[float] | Sequence[str],
    xlabel: str,
    ylabel: str,
    *,
    logarithmic: bool = False,
    lines: Mapping[str, tuple[str, float]] | None = None,
) -> Figure:
    """Several runs of each kind against x: one colour and marker a kind, one thin line a run.

    Args:
        panels: panel -> kind -> runs [n_runs][len(x)].
        x: places, or names of places.
        logarithmic: whether x is.
        lines: panel -> what a dotted line says, and where it stands.
    """
    places, words = drawable.places("x", x)
    if words and logarithmic:
        raise ValueError("x has names of places; a logarithmic axis has numbers.")
    panels = _panels(panels, len(places))
    lines = drawable.named("lines", {} if lines is None else lines, least=0)
    lines = {panel: _line(f"lines[{panel!r}]", line) for panel, line in lines.items()}
    figure, axes = plt.subplots(
        1, len(panels), figsize=(3.5 * len(panels) + 1.2, 3.2), squeeze=False
    )
    for ax, (panel, kinds) in zip(axes[0], panels.items(), strict=True):
        for (kind, rows), color, marker in zip(kinds.items(), COLORS, MARKERS, strict=False):
            for k, row in enumerate(rows):
                label = kind if k == 0 else None
                ax.plot(places, row, marker=marker, color=color, linewidth=0.9, label=label)
        if panel in lines:
            says, where = lines[panel]
            ax.axhline(where, color="0.5", linestyle=":", label=says)
        ax.set(title=panel, xlabel=xlabel, ylabel=ylabel if ax is axes[0][0] else "")
        if words:
            ax.set_xticks(places, words)
        if logarithmic:
            ax.set_xscale("log")
            ax.set_xticks(places, [f"{place:g}" for place in places], minor=False)
            ax.minorticks_off()
    names: dict[str, object] = {}
    for ax in axes[0]:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            names.setdefault(label, handle)
    figure.legend(names.values(), names, loc="outside lower center", ncols=min(4, len(names)))
    return figure


def exclusive_or(
    points: Float[Tensor, "n 2"],
    stone: Int[Tensor, " n"],
    player: Int[Tensor, " n"],
    axes_labels: tuple[str, str],
    title: str,
) -> Figure:
    """Activations in a plane: colour says whose stone it is, the marker whose turn.

    Args:
        stone, player: 0 for Black, 1 for White.
    """
    points = drawable.numbers("points", points, ("n", 2))
    stone = drawable.wholes("stone", stone, (len(points),), 0, 1)
    player = drawable.wholes("player", player, (len(points),), 0, 1)
    axes_labels = drawable.labels("axes_labels", axes_labels, 2)
    figure, ax = plt.subplots(figsize=(5.6, 3.6))
    for turn, marker in enumerate(MARKERS[:2]):
        for colour, name in enumerate(("black", "white")):
            here = points[(stone == colour) & (player == turn)]
            mover = ("Black", "White")[turn]
            ax.plot(*here.T, marker, linestyle="none", markersize=4, alpha=0.7,
                    color=COLORS[colour], label=f"{name} stone, {mover} to move")  # fmt: skip
    ax.set(xlabel=axes_labels[0], ylabel=axes_labels[1], title=title)
    figure.legend(loc="outside right upper", fontsize=8)
    return figure


def probe_dots(
    rows: Mapping[str, Mapping[str, Sequence[float]]], xlabel: str, title: str
) -> Figure:
    """A row per question; one marker per kind of probe, once for each run.

    Args:
        rows: row -> kind -> values of the runs.
    """
    for row, values in drawable.named("rows", rows).items():
        for kind, runs_of_kind in drawable.named(f"rows[{row!r}]", values, least=0).items():
            drawable.listed(f"rows[{row!r}][{kind!r}]", runs_of_kind, gaps=True)
    kinds = list(dict.fromkeys(kind for row in rows.values() for kind in row))
    if len(kinds) > len(MARKERS):
        raise ValueError(f"rows have {len(kinds)} kinds; a figure can tell {len(MARKERS)} apart.")
    figure, ax = plt.subplots(figsize=(7, 0.34 * len(rows) + 1.7))
    for kind, color, marker in zip(kinds, COLORS, MARKERS, strict=False):
        pairs = [(v, y) for y, row in enumerate(rows.values()) for v in row.get(kind, ())]
        ax.plot(*zip(*pairs, strict=True), marker, linestyle="none", color=color, label=kind,
                markersize=6)  # fmt: skip
    ax.set(xlabel=xlabel, title=title)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.invert_yaxis()
    ax.grid(axis="y", color="0.9")
    figure.legend(loc="outside right upper", fontsize=8)
    return figure


def _panels(
    panels: Mapping[str, Mapping[str, Sequence[Sequence[float]]]], n: int
) -> dict[str, dict[str, list[Sequence[float]]]]:
    """The runs of each panel and kind, each of n values, or gaps."""
    return {
        panel: {
            kind: [
                drawable.listed(f"panels[{panel!r}][{kind!r}][{k}]", row, n, gaps=True)
                for k, row in enumerate(validate.items(f"panels[{panel!r}][{kind!r}]", rows))
            ]
            for kind, rows in drawable.named(f"panels[{panel!r}]", kinds, most=len(MARKERS)).items()
        }
        for panel, kinds in drawable.named("panels", panels).items()
    }


def _line(name: str, given: tuple[str, float]) -> tuple[str, float]:
    says, where = drawable.some(name, given, 2)
    drawable.one_number(f"{name}[1]", where)
    return says, where
