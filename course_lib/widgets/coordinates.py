"""One model in other coordinates: cosines that drift, cosines that do not, and frozen logits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from course_lib import drawable, validate
from course_lib.widgets.explorable import Explorable, Slider, explorable, rounded


@dataclass(frozen=True)
class Rewritten:
    """What was measured of one vocabulary, rewritten by several maps of several κ.

    Attributes:
        concepts: [n] names.
        euclidean, causal: [n_maps, n_kappas, n, n] cosines.
        words: [n_words] names.
        logits: [n_maps, n_kappas, n_words], of one context.
    """

    concepts: Sequence[str]
    euclidean: Tensor
    causal: Tensor
    words: Sequence[str]
    logits: Tensor


def coordinates_explorable(
    vocabularies: Mapping[str, Rewritten], kappas: Sequence[float], start: int = 0
) -> Explorable:
    """Two heat maps of cosines and the logits of one context, under maps A of growing κ.

    `kappas` [n_kappas] belong to the first slider, which starts at position `start`; the others
    choose the map and the vocabulary. Numbers are rounded to 2 decimals.

    Raises ValueError for no vocabulary, shapes that do not fit each other, numbers that are not
    finite, and a start that is no position; TypeError for what is no `Rewritten`, number or text.
    """
    values = drawable.numbers("kappas", kappas, ("n_kappas",), 1.0)
    drawable.texts("vocabularies", drawable.named("vocabularies", vocabularies))
    if validate.positive_int("start", start, 0) >= len(values):
        raise ValueError(f"start is {start}; it must be a position, 0 to {len(values) - 1}.")
    n_maps: int | str = "n_maps"
    for name, each in vocabularies.items():
        validate.instance(f"vocabularies[{name!r}]", each, Rewritten)
        n, n_words = (len(drawable.texts(k, getattr(each, k))) for k in ("concepts", "words"))
        for kind, axes in (("euclidean", (n, n)), ("causal", (n, n)), ("logits", (n_words,))):
            given = validate.instance(kind, getattr(each, kind), Tensor)
            n_maps = len(drawable.numbers(kind, given, (n_maps, len(values), *axes)))
    first, one = next(iter(vocabularies.items()))
    shown = [f"{kappa:g}" for kappa in values.tolist()]
    sliders = [Slider("Condition number κ of A", shown, start)]
    if n_maps > 1:
        sliders.append(Slider("Map A", [f"{k + 1} of {n_maps}" for k in range(n_maps)]))
    if len(vocabularies) > 1:
        sliders.append(Slider("Vocabulary", list(vocabularies)))
    return explorable(
        "coordinates.js",
        title="The same model in other coordinates",
        sliders=sliders,
        data={
            "n_maps": n_maps,
            "kappas": shown,
            "vocabularies": [
                {
                    "name": name,
                    "concepts": list(each.concepts),
                    "words": list(each.words),
                    "euclidean": rounded(each.euclidean, 2),
                    "causal": rounded(each.causal, 2),
                    "logits": rounded(each.logits, 2),
                }
                for name, each in vocabularies.items()
            ],
        },
        caption=(
            "Every unembedding γ becomes Aγ and every context λ becomes A⁻ᵀλ. All numbers were "
            "computed anew for each map in this chapter's notebook. Orange: cosine above 0, blue: "
            "below. The dot beside a bar stands where the bar ended at κ = 1."
        ),
        start_text=(
            f"{first}, rewritten with κ = {shown[start]}. The table has the Euclidean cosines of "
            "its concepts."
        ),
        start_table=_table(one.concepts, one.euclidean[0, start]),
    )


def _table(names: Sequence[str], cosines: Tensor) -> list[list[str]]:
    rows = zip(names, cosines.tolist(), strict=True)
    return [["", *names], *([name, *(f"{c:.2f}" for c in row)] for name, row in rows)]
