"""Superposition in ten seconds: more and more features in a plane, one or several active."""

import torch

from course_lib.widgets.explorable import Explorable, Slider, explorable

SIZES = range(4, 12)  # of features; `crowding.js` counts from the same 4
START = 5


def crowding_explorable() -> Explorable:
    """Features at equal angles in two dimensions, and what each of them reads from their sum.

    The page counts, for every choice of k active features, whether the k largest readings
    ReLU(w_i·x) name them.
    """
    angle = torch.pi / 2 - 2 * torch.pi * torch.arange(START) / START
    w = torch.stack([angle.cos(), angle.sin()], -1)
    readings = (w @ w[0]).relu()
    return explorable(
        "crowding.js",
        title="Superposition in ten seconds",
        sliders=[
            Slider("Features", [str(n) for n in SIZES], SIZES.index(START)),
            Slider("Active at once", ["1", "2", "3"]),
        ],
        data={},
        caption=(
            "Each feature has a direction. The network holds only the sum of the active ones, "
            "one point of the plane (blue), and every feature reads how far the point lies along "
            "its direction. First add features. Then let more of them be active at once."
        ),
        start_text=(
            f"{START} features share 2 dimensions, feature 1 is active: it reads 1, the loudest of "
            f"the others {readings[1:].max():.2f}."
        ),
        start_table=[
            ["feature", *(str(i + 1) for i in range(START))],
            ["reads", *(f"{value:.2f}" for value in readings.tolist())],
        ],
    )
