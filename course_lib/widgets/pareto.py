"""A front that one can walk: world, architecture and sparsity sliders."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from course_lib import drawable, validate
from course_lib.sae.front import Front
from course_lib.widgets.explorable import Explorable, Slider, explorable, rounded

BARS = {
    "gamma": "size of x̂ (1 is right)",
    "found": "features found",
    "mmcs": "best cosine (MMCS)",
    "dead": "dead latents",
    "absorption": "parents absorbed",
}


def pareto_explorable(
    fronts: Mapping[str, Mapping[str, Front]],
    true_l0: Sequence[float],
    absorption: Mapping[str, Mapping[str, Tensor]],
    start: tuple[int, int, int] = (0, 0, 0),
) -> Explorable:
    """L0 against FVU for every architecture, beside what else is known of the SAE one stands on.

    fronts: {world: {architecture: Front}}, the same architectures and numbers of sparsities and
        seeds in every world.
    true_l0: mean number of active features of each world.
    absorption: {world: {architecture: [n_sparsities, n_seeds]}} for worlds with a tree.
    start: the world, the architecture and the sparsity shown first.

    Raises ValueError for fronts that do not fit each other or numbers that are not finite, and for
    a start that is not there; TypeError for what is no dict of fronts or of tensors.
    """
    worlds = drawable.texts("fronts", drawable.named("fronts", fronts))
    drawable.named("absorption", absorption, least=0)
    for world in worlds:
        names = drawable.texts(world, drawable.named(world, fronts[world]))
        for name, front in fronts[world].items():
            validate.instance(f"{name} of {world}", front, Front)
        rates = drawable.named("absorption", absorption[world]) if world in absorption else names
        if missing := [name for name in names if name not in rates]:
            raise ValueError(f"absorption of {world} has no {missing[0]!r}; it must hold {names}.")
    for k, l0 in enumerate(validate.sequence("true_l0", true_l0)):
        validate.number(f"true_l0[{k}]", l0, 0.0)
    if any(list(world) != names for world in fronts.values()) or len(true_l0) != len(worlds):
        raise ValueError(
            "fronts must hold the same architectures in every world, and true_l0 one number for "
            f"each of the {len(worlds)} worlds."
        )
    shape = drawable.numbers(
        "l0", fronts[worlds[0]][names[0]].l0, ("n_sparsities", "n_seeds")
    ).shape
    sizes = len(worlds), len(names), shape[0]
    start = drawable.start(start, "a world, an architecture and a sparsity", sizes)

    def measured(world: str, name: str, measure: str) -> list | None:
        if measure == "absorption" and world not in absorption:
            return None
        found = absorption[world][name] if measure == "absorption" else getattr(
            fronts[world][name], measure
        )  # fmt: skip
        validate.shape(f"{measure} of {name}", found, tuple(shape))
        return rounded(validate.finite(f"{measure} of {name}", found), 4)

    points = {
        measure: [[measured(world, name, measure) for name in names] for world in worlds]
        for measure in ("l0", "fvu", *BARS)
    }
    data = {"worlds": worlds, "names": names, "true_l0": list(true_l0), "bars": BARS, **points}
    first = {
        measure: torch.tensor(points[measure][start[0]][start[1]][start[2]]).mean().item()
        for measure in ("l0", "fvu", *BARS)
        if points[measure][start[0]][start[1]] is not None
    }
    return explorable(
        "pareto.js",
        title="A front you can walk",
        sliders=[
            Slider("World", worlds, start[0]),
            Slider("Architecture", names, start[1]),
            Slider("Sparsity", [f"point {k + 1} of {shape[0]}" for k in range(shape[0])], start[2]),
        ],
        data=data,
        caption=(
            f"Every point is the mean of {shape[1]} SAEs trained in this chapter's notebook from "
            "different initial weights; small dots are single ones. Left: further down and further "
            "left is better at compressing. Right: what else is true of the SAE you stand on. The "
            "worlds are planted, so all of it can be known."
        ),
        start_text=(
            f"{names[start[1]]} in the world {worlds[start[0]]!r}, sparsity {start[2] + 1} of "
            f"{shape[0]}, mean over {shape[1]} seeds."
        ),
        start_table=[
            ["measure", "mean"],
            *[[BARS.get(m, m.upper()), f"{value:.3f}"] for m, value in first.items()],
        ],
    )
