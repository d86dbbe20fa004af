"""What a probe reads at every layer and token, and what its controls read there."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from course_lib import drawable
from course_lib.validate import instance, positive_int, probability, shape
from course_lib.widgets.explorable import Explorable, Slider, explorable, rounded

TRAINED = "trained network"


def probe_map_explorable(
    scores: Mapping[str, Mapping[str, Tensor]],
    layers: Sequence[str],
    tokens: Sequence[str],
    break_at: int,
    start: tuple[int, int] = (0, 0),
) -> Explorable:
    """A map of accuracies by layer and token: one slider for the concept, one for the control.

    scores: concept -> network or control -> accuracies [n_layers, n_tokens], NaN where there is
        none. The first entry of each concept is the trained network; for every other entry there
        is also a view of how far the first is above it.
    layers, tokens: names of the rows, the first at the bottom, and of the columns.
    break_at: the column that begins the second panel.
    start: the concept and the view that are shown first.

    Raises ValueError for shapes that do not fit, scores outside [0, 1], concepts with different
    entries, and a start that is no position; TypeError for what is no dict of tensors and no list
    of texts.
    """
    concepts = drawable.texts("scores", drawable.named("scores", scores))
    for concept, entries in scores.items():
        drawable.texts(concept, drawable.named(concept, entries))
    layers, tokens = drawable.texts("layers", layers), drawable.texts("tokens", tokens)
    kinds = list(scores[concepts[0]])
    if any(list(entries) != kinds for entries in scores.values()):
        raise ValueError(f"scores has {concepts}; each concept must have the same entries.")
    if positive_int("break_at", break_at) >= len(tokens):
        raise ValueError(f"break_at is {break_at}; it must be below {len(tokens)}, the columns.")
    size = (len(layers), len(tokens))
    maps = []
    for concept, entries in scores.items():
        for kind, values in entries.items():
            name = f"{concept}, {kind}"
            shape(name, instance(name, values, Tensor), size)
            probability(name, values.nan_to_num(0.5))
        maps.append([_with_gaps(values) for values in entries.values()])
    views = [[k, -1] for k in range(len(kinds))] + [[0, k] for k in range(1, len(kinds))]
    shown = [kinds[a] if b < 0 else f"{kinds[a]} minus {kinds[b]}" for a, b in views]
    concept, view = drawable.start(start, "a concept and a view", (len(concepts), len(views)))
    first = maps[concept][views[view][0]]
    rows = [["layer", *tokens]]
    for layer, values in reversed(list(zip(layers, first, strict=True))):
        rows.append([layer, *("" if v is None else f"{v:.2f}" for v in values)])
    return explorable(
        "probe_map.js",
        title="What a probe reads, layer by token",
        sliders=[
            Slider("What is asked", concepts, concept),
            Slider("What is shown", shown, view),
        ],
        data={
            "maps": maps,
            "views": views,
            "concepts": concepts,
            "shown": shown,
            "layers": list(layers),
            "tokens": list(tokens),
            "breakAt": break_at,
        },
        caption=(
            "Each cell is the held-out accuracy, in per cent, of a linear probe fitted at this "
            "layer behind this token; a view with 'minus' shows the difference, in points. An "
            "empty cell: the same word stands there in all documents, so there is no control task."
        ),
        start_text=(
            f"{concepts[concept]}, {shown[view]}: the table has the accuracy of "
            f"{kinds[views[view][0]]} at every layer and token."
        ),
        start_table=rows,
    )


def _with_gaps(values: Tensor) -> list[list[float | None]]:
    gaps = values.isnan().tolist()
    numbers = rounded(values.nan_to_num(0.0))
    return [
        [None if gap else number for gap, number in zip(*row, strict=True)]
        for row in zip(gaps, numbers, strict=True)
    ]
