"""Four counts of features against the truth: density and dictionary sliders."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from course_lib import drawable, validate
from course_lib.widgets.explorable import Explorable, Slider, explorable, rounded


def measures_explorable(
    stored: Tensor,
    measured: Mapping[str, Tensor],
    fvu: Tensor,
    probabilities: Sequence[float],
    per_dimension: Sequence[int],
    d_hidden: int,
    start: tuple[int, int] = (0, 0),
) -> Explorable:
    """What each measure counts, against the number of features stored, for a grid of models.

    stored [n_p, n_sizes, n_seeds] is the truth. measured {name: [n_dictionaries, n_p, n_sizes,
    n_seeds]} are the counts, and fvu of the same shape what the SAE behind them leaves.
    `probabilities` [n_p] belong to the first slider, `per_dimension` [n_dictionaries], latents per
    hidden dimension, to the second; `start` is the pair of positions that is shown first. Numbers
    are rounded to 2 decimals.

    Raises ValueError for shapes that do not fit each other, numbers that are not finite or
    negative, and a start that is no position; TypeError for what is no tensor.
    """
    validate.positive_int("d_hidden", d_hidden)
    p = drawable.numbers("probabilities", probabilities, ("n_p",), 0.0, 1.0)
    for k, ratio in enumerate(validate.sequence("per_dimension", per_dimension)):
        validate.number(f"per_dimension[{k}]", ratio, 0.0)
    truth = drawable.numbers("stored", stored, (len(p), "n_sizes", "n_seeds"), 0.0)
    full = (len(per_dimension), *truth.shape)
    drawable.texts("measured", drawable.named("measured", measured))
    tables = {name: drawable.numbers(name, values, full, 0.0) for name, values in measured.items()}
    error = drawable.numbers("fvu", fvu, full, 0.0)
    sizes = (len(p), len(per_dimension))
    density, dictionary = drawable.start(start, "a pair of positions", sizes)
    counts = torch.stack(list(tables.values()))
    shown = [f"{q:.2g}" for q in p.tolist()]
    sizes_shown = [f"{k} ({k * d_hidden} latents)" for k in per_dimension]
    return explorable(
        "measures.js",
        title=f"Counting features in {d_hidden} dimensions",
        sliders=[
            Slider("Chance that a feature is on", shown, density),
            Slider("SAE latents per dimension", sizes_shown, dictionary),
        ],
        data={
            "names": list(tables),
            "stored": rounded(truth, 2),
            "measured": rounded(counts, 2),
            "fvu": rounded(error, 3),
            "d_hidden": d_hidden,
            "top": round(1.05 * max(counts.max().item(), truth.max().item()), 2),
        },
        caption=(
            f"Every position shows {truth[0].numel()} models trained in this chapter's notebook, "
            f"{truth.shape[2]} seeds of {truth.shape[1]} sizes, and SAEs trained on them. Left: a "
            "mark is one model; on the diagonal a count is right. Right: the mean of count over "
            "truth, 1 where a measure is right on average, with the smallest and the largest "
            "model as marks."
        ),
        start_text=(
            f"Features on with probability {shown[density]}, {sizes_shown[dictionary]} per "
            "dimension. The table has the mean counts, one row for each number of features stored."
        ),
        start_table=_table(truth[density], counts[:, dictionary, density], list(tables)),
    )


def _table(truth: Tensor, counts: Tensor, names: list[str]) -> list[list[str]]:
    stored, means = truth.mean(-1).tolist(), counts.mean(-1).T.tolist()
    rows = [[f"{s:.0f}", *(f"{v:.1f}" for v in row)] for s, row in zip(stored, means, strict=True)]
    return [["stored", *names], *rows]
