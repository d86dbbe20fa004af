"""What a vector does at every layer and strength, what it costs, and the text before and after."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from course_lib import drawable, validate
from course_lib.widgets.explorable import Explorable, Slider, explorable, rounded

ROUNDING = 1e-4  # how far below 0 a KL of equal distributions may come out
VIEWS = ("effect, nats", "KL, nats per word", "forbidden words, per cent")


def steering_map_explorable(
    effect: Mapping[str, Tensor],
    kl: Mapping[str, Tensor],
    forbidden: Mapping[str, Tensor],
    texts: Mapping[str, Sequence[Sequence[str]]],
    *,
    layers: Sequence[str],
    strengths: Sequence[str],
    prompt: str,
    before: str,
    shows: Sequence[str],
    opposes: Sequence[str],
    budget: float,
    start: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> Explorable:
    """A map of layers by strengths, and one story as it goes on with and without the vector.

    effect, kl, forbidden: vector -> [n_layers, n_strengths]: the change of the log odds (nats), KL
        from the model as it was (nats a word) and the share of the words written that the world
        forbids. The first vector is the one that is judged; others may be baselines.
    texts: vector -> [n_layers][n_strengths], what is written after `prompt`.
    layers, strengths: names of the rows, the first at the bottom, and of the columns.
    before: what is written after `prompt` without a vector.
    shows, opposes: words that show the behaviour, and words of its opposite.
    budget: the KL above which a cell has a dashed frame.
    start: vector, view, layer and strength that are shown first.

    Raises ValueError for vectors or shapes that do not fit, values that are not finite, a negative
    KL, a share outside [0, 1], and a start that is no position; TypeError for what is no dict of
    tensors, no text and no number.
    """
    vectors = drawable.texts("effect", drawable.named("effect", effect))
    layers, strengths = (
        drawable.texts("layers", layers),
        drawable.texts("strengths", strengths),
    )
    shows, opposes = drawable.texts("shows", shows, 0), drawable.texts("opposes", opposes, 0)
    validate.text("prompt", prompt)
    validate.text("before", before)
    validate.number("budget", budget, 0.0)
    size = (len(layers), len(strengths))
    for name, given in (("kl", kl), ("forbidden", forbidden), ("texts", texts)):
        if list(drawable.named(name, given)) != vectors:
            raise ValueError(f"{name} has the vectors {list(given)}; effect has {vectors}.")
    for vector in vectors:
        for name, given, limits in (
            ("effect", effect, ()),
            ("kl", kl, (-ROUNDING,)),
            ("forbidden", forbidden, (0.0, 1.0)),
        ):
            validate.instance(f"{name}, {vector}", given[vector], Tensor)
            drawable.numbers(f"{name}, {vector}", given[vector], size, *limits)
        rows = validate.items(f"texts, {vector}", texts[vector])
        told = [drawable.texts(f"texts, {vector}", row) for row in rows]
        if (len(told), *{len(row) for row in told}) != size:
            raise ValueError(f"texts, {vector} must have {size[0]} rows of {size[1]} texts.")
    limits = (len(vectors), len(VIEWS), *size)
    start = first, _, layer, strength = drawable.start(
        start, "a vector, a view, a layer and a strength", limits
    )
    vector = vectors[first]
    rows = [["layer", *strengths]]
    for name, values in reversed(list(zip(layers, effect[vector].tolist(), strict=True))):
        rows.append([name, *(f"{value:+.1f}" for value in values)])
    return explorable(
        "steering_map.js",
        title="A vector by layer and strength, with the text before and after",
        sliders=[
            *([Slider("Vector", vectors, first)] if len(vectors) > 1 else []),
            Slider("What the map shows", VIEWS, start[1]),
            Slider("Layer", layers, layer),
            Slider("Strength", strengths, strength),
        ],
        data={
            "maps": [[rounded(kind[v], 4) for kind in (effect, kl, forbidden)] for v in vectors],
            "texts": [[list(row) for row in texts[v]] for v in vectors],
            "vectors": vectors,
            "views": VIEWS,
            "layers": list(layers),
            "strengths": list(strengths),
            "prompt": prompt,
            "before": before,
            "shows": list(shows),
            "opposes": list(opposes),
            "budget": budget,
        },
        caption=(
            "The map has one cell for each layer and strength; the one in the thick frame is the "
            f"one whose text is shown. A dashed frame: KL above {budget:g} nats a word, so that "
            "more than the behaviour has changed. In the texts, words that show the behaviour are "
            "underlined, words of its opposite are in italics, and words that differ from the text "
            "without the vector are coloured."
        ),
        start_text=(
            f"{vector} at {layers[layer]}, strength {strengths[strength]}. After “{prompt}” comes "
            f"without it “{before}”, with it “{texts[vector][layer][strength]}”. The table has the "
            "change of the log odds, in nats, at every layer and strength."
        ),
        start_table=rows,
    )
