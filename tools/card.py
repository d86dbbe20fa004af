"""Draws `book/static/card.png`, which stands with a shared link: `python -m tools.card`."""

import math
from pathlib import Path

from matplotlib import pyplot as plt

CARD = Path(__file__).resolve().parent.parent / "book" / "static" / "card.png"
INK, ACCENT, PAPER = "#1c2430", "#0072b2", "#ffffff"


def draw() -> plt.Figure:
    """Title on the left, five features in the plane on the right; 1200 by 630 pixels."""
    figure = plt.figure(figsize=(12, 6.3), dpi=100, facecolor=PAPER)
    figure.text(
        0.06, 0.62, "Features in\nSuperposition", size=52, weight="bold", color=INK, va="center"
    )
    figure.text(
        0.06, 0.3, "A hands-on course on sparse autoencoders,\nlinear representations and steering",
        size=21, color=INK, va="center",
    )  # fmt: skip
    axes = figure.add_axes(
        (0.6, 0.1, 0.36, 0.8), aspect="equal", xlim=(-1.25, 1.25), ylim=(-1.25, 1.25)
    )
    axes.axis("off")
    axes.add_patch(plt.Circle((0, 0), 1, fill=False, color=INK, alpha=0.3))
    for k in range(5):
        angle = math.pi / 2 - 2 * math.pi * k / 5
        axes.annotate(
            "", (math.cos(angle), math.sin(angle)), (0, 0),
            arrowprops={"color": ACCENT, "width": 5, "headwidth": 22, "shrink": 0},
        )  # fmt: skip
    return figure


if __name__ == "__main__":
    draw().savefig(CARD, metadata={"Software": None})
    print(f"{CARD} is drawn.")
