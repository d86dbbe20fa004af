"""One latent's encoder line as a picture that moves: L1 coefficient and bias sliders."""

from collections.abc import Sequence

import torch
from torch import Tensor

from course_lib import drawable
from course_lib.widgets.explorable import Explorable, Slider, explorable, rounded


def sae_encoder_explorable(
    planted: Tensor,
    pre: Tensor,
    line: Tensor,
    l1_coefficients: Sequence[float],
    bias_shifts: Sequence[float],
    start: tuple[int, int] = (0, 0),
) -> Explorable:
    """What one latent makes of its feature, for SAEs that differ in their L1 coefficient λ.

    planted [n_inputs] is the feature's magnitude in each input, 0 where it is off. pre
    [n_lambda, n_inputs] are the pre-activations of its latent in the SAE of each λ, and line
    [n_lambda, 2] slope and intercept of their mean over the other features. `l1_coefficients`
    [n_lambda] belong to the first slider; `bias_shifts` [n_shift], what is added to the latent's
    bias, to the second. `start` is the pair of positions that is shown first. Numbers are rounded
    to 3 decimals. Rows of W_dec must have norm 1, for the ideal code drawn beside it, a - λ/2.

    Raises ValueError for shapes that do not fit, numbers that are not finite, negative λ or
    magnitudes, a feature that is never on or never off, and a start that is no position; TypeError
    for what is no tensor.
    """
    planted = drawable.numbers("planted", planted, ("n_inputs",), 0.0)
    on = planted > 0
    if on.all() or not on.any():
        raise ValueError(
            f"planted has {int(on.sum())} of {len(on)} inputs with the feature on; the picture "
            "needs inputs with it and without it."
        )
    coefficients = drawable.numbers("l1_coefficients", l1_coefficients, ("n_lambda",), 0.0)
    shifts = drawable.numbers("bias_shifts", bias_shifts, ("n_shift",))
    sizes = (len(coefficients), len(shifts))
    pre = drawable.numbers("pre", pre, (sizes[0], len(on)))
    line = drawable.numbers("line", line, (sizes[0], 2))
    start = drawable.start(start, "a pair of positions", sizes)
    shown = [f"{value:.3g}" for value in coefficients.tolist()]
    shown_shifts = ["as trained" if s == 0 else f"{s:+.2f}" for s in shifts.tolist()]
    active = pre + shifts[start[1]] > 0
    missed, false = 1 - active[:, on].float().mean(dim=1), active[:, ~on].float().mean(dim=1)
    here = start[0]
    return explorable(
        "sae_encoder.js",
        title="One feature, one latent: what λ does to the line",
        sliders=[
            Slider("L1 coefficient λ", shown, start[0]),
            Slider("Added to the bias", shown_shifts, start[1]),
        ],
        data={
            "planted": rounded(torch.where(on, planted.clamp_min(1e-3), 0.0)),  # on stays on
            "pre": rounded(pre),
            "line": rounded(line),
            "coefficients": rounded(coefficients),
            "shifts": rounded(shifts),
        },
        caption=(
            f"Every position of the first slider is an SAE trained in this chapter's notebook on "
            f"the same world; the points are {int(on.sum())} inputs with one feature on and "
            f"{int((~on).sum())} with it off (left of zero), seen by the latent that found it. "
            "The second slider moves that latent's bias after training. Other features that are "
            "on at the same time push a point off the line."
        ),
        start_text=(
            f"At λ = {shown[here]} the latent's line is {line[here, 0]:.2f} a "
            f"{line[here, 1] + shifts[start[1]]:+.2f}, where a is the planted magnitude; it misses "
            f"{missed[here]:.0%} of the inputs with the feature and fires on {false[here]:.0%} of "
            "those without. The table says the same for every λ."
        ),
        start_table=[
            ["λ", "slope", "intercept", "missed", "false alarms"],
            *(
                [name, f"{s:.2f}", f"{i:.2f}", f"{m:.0%}", f"{f:.0%}"]
                for name, s, i, m, f in zip(
                    shown, line[:, 0], line[:, 1] + shifts[start[1]], missed, false, strict=True
                )
            ),
        ],
    )
