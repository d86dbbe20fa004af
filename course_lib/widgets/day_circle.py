"""The point that stands for a day, to drag around its circle, and what the model then answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from course_lib import drawable, validate
from course_lib.widgets.explorable import Explorable, Slider, explorable, rounded

if TYPE_CHECKING:
    from jaxtyping import Float

MOST_TURNS = 1000  # of days around their circle


def day_circle_explorable(
    answers: Float[Tensor, "n_days n_radii n_steps n_days"],
    radii: Float[Tensor, " n_radii"],
    names: Sequence[str],
    frequency: int = 1,
    start: tuple[int, int, int] = (0, 0, 0),
) -> Explorable:
    """A point in the plane of a circle, beside the probabilities of the answers.

    `answers[offset, radius, step]` are those to "offset + 1 days from the start" with the point at
    `radii[radius]` and at `step / n_steps` of a turn; day j stands at `frequency · j / n_days` of a
    turn. What is missing to 1 goes to words that are no day. `start` is the offset, the radius and
    the step shown first.

    Raises ValueError for shapes that do not fit, probabilities that are none, radii that do not
    rise from 0 or more, fewer than 3 days, and a start that is not there; TypeError for what is
    no tensor, number or text.
    """
    names = drawable.texts("names", names, 3)
    n = len(names)
    validate.shape("answers", answers, (n, "n_radii", "n_steps", n))
    validate.probability("answers", answers)
    validate.finite("answers, summed over days", answers.sum(-1), 0.0, 1.0 + 1e-4)
    validate.number("frequency", frequency, -MOST_TURNS, MOST_TURNS)
    radii = drawable.numbers("radii", radii, (answers.shape[1],), 0.0)
    if len(radii) < 2 or (radii.diff() <= 0).any():
        raise ValueError(f"radii is {radii.tolist()}; they must rise, at least two of them.")
    sizes = answers.shape[:3]
    start = offset, radius, step = drawable.start(start, "an offset, a radius and a step", sizes)

    def at(turn: float, length: float = 1.0) -> list[float]:
        angle = 2 * math.pi * turn
        return [round(length * math.cos(angle), 4), round(length * math.sin(angle), 4)]

    x, y = at(step / sizes[2], radii[radius].item())
    first = answers[start]
    days = [f"{k + 1} day{'s' if k else ''}" for k in range(n)]
    return explorable(
        "day_circle.js",
        title="A day to drag",
        sliders=[Slider("Added", days, offset)],
        data={
            "names": list(names),
            "places": [at(frequency * j / n) for j in range(n)],
            "radii": rounded(radii),
            "steps": sizes[2],
            "start": {"x": x, "y": y},
            "p": (1000 * answers).round().int().tolist(),
        },
        caption=(
            "Left: the plane of the fitted circle, at the position of the start's name; all else "
            "in the vector is at its mean. Drag the point, or reach it with Tab and use the arrow "
            "keys (with Shift in small steps). Right: the model's answers, computed in this "
            "chapter's notebook for the nearest of "
            f"{sizes[1] * sizes[2]} positions; in colour, the answer that belongs to the nearest "
            "day."
        ),
        start_text=(
            f"{days[offset]} from the point at {radii[radius].item():.2f} of the radius, "
            f"{step / sizes[2]:.2f} of a turn: the model says {names[int(first.argmax())]} with "
            f"probability {first.max().item():.2f}."
        ),
        start_table=[
            ["answer", "probability"],
            *([name, f"{p:.2f}"] for name, p in zip(names, first.tolist(), strict=True)),
            ["no day", f"{max(0.0, 1 - first.sum().item()):.2f}"],
        ],
    )
