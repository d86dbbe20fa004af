"""The scaling law under one's hands: frequency law, signed decay and size."""

from collections.abc import Sequence

import torch
from torch import Tensor

from course_lib import drawable, validate
from course_lib.superposition import (
    REPRESENTED_NORM,
    fit_power_law,
    mean_squared_overlap,
    represented_fraction,
    unrepresented_mass,
)
from course_lib.widgets.explorable import Explorable, Slider, explorable, rounded

N_RANKS = 60


def scaling_law_explorable(
    laws: Sequence[str],
    decays: Sequence[float],
    sizes: Sequence[int],
    loss: Tensor,
    W: Sequence[Tensor],
    p: Tensor,
    second_moment: float,
    start: tuple[int, int, int] = (0, 0, 0),
) -> Explorable:
    """Loss against size beside the row norms by rank, for a grid of trained toy models.

    laws [n_laws] and decays [n_decays] name the grid, sizes [n_sizes] the hidden dimensions.
    loss [n_laws, n_decays, n_sizes]; W: one tensor [n_laws, n_decays, n_features, size] per size;
    p [n_laws, n_features], how often each feature is active, most frequent first; second_moment:
    E v² of an active feature's magnitude, which turns the mass left out into a predicted loss.
    `start` is the law, the decay and the size shown first.

    Raises ValueError for shapes that do not fit each other, numbers that are not finite or out of
    range, and a start outside the grid; TypeError for what is no number, text or tensor.
    """
    laws = drawable.texts("laws", laws)
    for k, decay in enumerate(validate.sequence("decays", decays)):
        validate.number(f"decays[{k}]", decay)
    for k, size in enumerate(validate.sequence("sizes", sizes)):
        validate.positive_int(f"sizes[{k}]", size)
    validate.number("second_moment", second_moment, 0.0)
    grid = (len(laws), len(decays), len(sizes))
    loss = drawable.numbers("loss", loss, grid, 0.0)
    p = drawable.numbers("p", p, (grid[0], "n_features"), 0.0, 1.0)
    n = p.shape[1]
    if len(validate.sequence("W", W)) != len(sizes):
        raise ValueError(f"W holds {len(W)} tensors; it must hold one per size, {len(sizes)}.")
    W = [
        drawable.numbers(f"W at size {m}", weights, (*grid[:2], n, m))
        for m, weights in zip(sizes, W, strict=True)
    ]
    start = drawable.start(start, "a law, a decay and a size", grid)

    def by_size(measure) -> Tensor:
        return torch.stack([measure(weights) for weights in W], dim=-1)

    fit = fit_power_law(torch.tensor(sizes), loss)
    predicted = second_moment * by_size(lambda w: unrepresented_mass(w, p[:, None]))
    represented = by_size(lambda w: (n * represented_fraction(w)).round())
    rank = torch.logspace(0, torch.tensor(float(n)).log10(), N_RANKS).round().long().unique()
    norm = torch.stack([w.norm(dim=-1)[..., rank - 1] for w in W], dim=2)
    sized = zip(sizes, W, strict=True)
    overlap = torch.stack([m * mean_squared_overlap(w) for m, w in sized], dim=-1)
    data = {
        "sizes": list(sizes),
        "laws": list(laws),
        "decays": list(decays),
        "n": n,
        "loss": rounded(loss, 4),
        "predicted": rounded(predicted.clamp(min=1e-6), 6),
        "exponent": rounded(fit.exponent),
        "r2": rounded(fit.r2, 4),
        "represented": represented.long().tolist(),
        "overlap": rounded(overlap.nan_to_num(0.0)),
        "rank": rank.tolist(),
        "norm": rounded(norm, 2),
        "threshold": REPRESENTED_NORM,
    }
    law, decay, size = start
    rows = [["m", *(str(m) for m in sizes)], ["loss", *(f"{v:.3f}" for v in loss[law, decay])]]
    rows.append(["represented", *(f"{v:.0f}" for v in represented[law, decay])])
    rows.append(["m · mean cos²", *(f"{v:.2f}" for v in overlap[law, decay])])
    return explorable(
        "scaling_law.js",
        title=f"{n} features, {sizes[0]} to {sizes[-1]} dimensions: how does the loss fall?",
        sliders=[
            Slider("Frequency law", list(laws), law),
            Slider("Weight decay", [f"{d:+.1f}".replace("-", "\u2212") for d in decays], decay),
            Slider("Size m", [str(m) for m in sizes], size),
        ],
        data=data,
        caption=(
            "Every position is a model trained in this chapter's notebook. Left, on logarithmic "
            "axes: the loss at each size (dots), the losses at the other decays (faint), a line "
            "that falls as 1/m (dotted), and what the features that are not represented would "
            "cost if all others were rebuilt exactly (squares; outside the frame where hardly any "
            "is left out). Right: how long each feature's row of W is, from the most frequent "
            "feature on the left to the rarest."
        ),
        start_text=(
            f"With {laws[law]} frequencies and decay {decays[decay]:+.1f} the loss falls as m to "
            f"the power -{fit.exponent[law, decay]:.2f} (R² {fit.r2[law, decay]:.3f})."
        ),
        start_table=rows,
    )
