"""The direction of a patch in a model of three neurons, to turn, and what the patch then does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import drawable, validate
from course_lib.widgets.explorable import Explorable, Slider, explorable, rounded

if TYPE_CHECKING:
    from jaxtyping import Float

    from course_lib.causal import ThreeNeurons

NAMED = {
    "e₁ + e₂, the illusory direction": ("e₁+e₂", [1, 1, 0]),
    "e₃, the true axis": ("e₃", [0, 0, 1]),
    "the read-out, 2 e₂ + e₃": ("w", [0, 2, 1]),
    "e₁ + e₃": ("e₁+e₃", [1, 0, 1]),
    "e₁ + e₂ + e₃": ("e₁+e₂+e₃", [1, 1, 1]),
    "e₁, disconnected": ("e₁", [1, 0, 0]),
    "e₂, dormant": ("e₂", [0, 1, 0]),
}
AWAKE = (0.0, 0.1, 0.25, 0.5, 1.0)
CURVE = 181  # points of the line where all is recovered


def patch_direction_explorable(
    model: ThreeNeurons,
    landings: Float[Tensor, "n 3"],
    awake: Sequence[float] = AWAKE,
    start: tuple[int, int] = (0, 0),
) -> Explorable:
    """The half sphere of directions, seen from e3, with one to turn, beside what its patch does.

    `landings` are directions where searches ended, of any norm but 0; v and -v are one patch, and
    are drawn where v3 is not negative. `awake` are shares of inputs on which neuron 2 has unit
    noise. `start` holds the positions of the two sliders: a row of `NAMED`, and a share. All that
    the page shows it computes from the model's weights.

    Raises ValueError for landings that do not fit, shares outside 0 to 1 or fewer than two of
    them, and a start that is not there; TypeError for what is no such model and no tensor.
    """
    validate.like("model", model, "effect", "w_in", "w_out")
    landings = drawable.numbers("landings", landings, ("n", 3))
    if (landings == 0).all(dim=1).any():
        raise ValueError("landings has a row of zeros; give directions.")
    shares = drawable.numbers("awake", awake, ("n_shares",), 0.0, 1.0).tolist()
    sizes = (len(NAMED), len(shares))
    start = drawable.start(start, "a row of NAMED and of awake", sizes)
    named = torch.tensor([v for _, v in NAMED.values()]).double()
    effects = [f"{value + 0.0:.2f}" for value in model.effect(named).tolist()]
    return explorable(
        "patch_direction.js",
        title="A patching direction to turn",
        sliders=[
            Slider("Go to", list(NAMED), start[0]),
            Slider("Neuron 2 is awake on", [f"{s:.0%} of the inputs" for s in shares], start[1]),
        ],
        data={
            "w_in": model.w_in.tolist(),
            "w_out": model.w_out.tolist(),
            "named": [
                {"mark": mark, "v": v}
                for (mark, _), v in zip(NAMED.values(), rounded(_unit(named), 6), strict=True)
            ],
            "landings": rounded(_near(_unit(landings)), 3),
            "curve": rounded(_curve(model), 4),
            "awake": shares,
        },
        caption=(
            "Left: every direction v of a patch in the model h = (x, 0, x), y = 2 h₂ + h₃, as a "
            "point of the half sphere seen from e₃ (equal areas; v and -v are the same patch, so "
            "opposite points of the rim are one). Colour: the share of the change in y that "
            "patching along v recovers, orange above 0 and blue below. Line: all of it. "
            "Dots: where the searches of this chapter landed. Drag the ringed point, or reach it "
            "with Tab and use the arrow keys (with Shift in small steps). Right: what v does, what "
            "its parts do, and how well the patch does what was meant, input by input (R²), once "
            "neuron 2 no longer sleeps. With one answer the row space is a line, so the row-space "
            "part alone is the read-out w, whatever v is."
        ),
        start_text=(
            f"v points along {list(NAMED)[start[0]]}: patching along it recovers "
            f"{effects[start[0]]} of the change in y."
        ),
        start_table=[
            ["direction", "share recovered"],
            *([name, effect] for name, effect in zip(NAMED, effects, strict=True)),
        ],
    )


def _unit(v: Tensor) -> Tensor:
    v = v.detach().cpu().double()
    return v / v.norm(dim=1, keepdim=True)


def _near(v: Tensor) -> Tensor:
    """Directions have two ends: the one with v3 ≥ 0."""
    return v.where(v[:, 2:] >= 0, -v)


def _curve(model: ThreeNeurons) -> Float[Tensor, "m 3"]:
    """Unit vectors whose patch recovers 1, by angle from e1 to e2.

    At the angle φ, v = s u + c e3 with u = (cos φ, sin φ, 0), and the effect is a s² + b s c + c²
    with a that of u: it is s² + c² where s / c = b / (1 - a). The curve goes from e3, where b = 0,
    half a turn to e3 again, and touches the rim where a = 1.
    """
    e1, e2, e3 = torch.eye(3).double()

    def mixed(u: Tensor) -> Tensor:
        return 2 * model.effect(u + e3) - model.effect(u) - model.effect(e3)

    first = torch.atan2(-mixed(e1), mixed(e2))
    angle = first + torch.linspace(0, torch.pi, CURVE).double()
    u = angle.cos()[:, None] * e1 + angle.sin()[:, None] * e2
    return _unit(mixed(u)[:, None] * u + (1 - model.effect(u)).clamp(min=0)[:, None] * e3)
