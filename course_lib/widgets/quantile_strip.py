"""The firings of a latent from the strongest tenth to the weakest, and a threshold to move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import drawable, runtime, validate
from course_lib.sae.specificity import precision_by_decile, specificity
from course_lib.widgets.explorable import Explorable, Slider, explorable

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

TOPS = tuple(tenth / 10 for tenth in range(1, 11))
BEFORE, AFTER = 3, 1  # words shown on either side of the one that an example is about
PER_TENTH = 2


@dataclass(frozen=True)
class Strip:
    """One latent on some documents, and the concept that its label promises.

    Attributes:
        concept: the label, such as "drink".
        values: [docs, seq], the latent's activations, 0 where it is not active.
        present: [docs, seq], whether a token has the concept.
        words: for each document its words, `seq` of them.

    Raises ValueError for shapes that do not fit, values that are negative or not finite, and less
    than ten firings; TypeError for what is no tensor, list or text.
    """

    concept: str
    values: Float[Tensor, "docs seq"]
    present: Bool[Tensor, "docs seq"]
    words: Sequence[Sequence[str]]

    def __post_init__(self) -> None:
        validate.text("concept", self.concept)
        validate.instance("values", self.values, Tensor)
        drawable.numbers("values", self.values, ("docs", "seq"), 0.0)
        present = validate.whole("present", self.present, 0, 1)
        validate.shape("present", present, tuple(self.values.shape))
        words = validate.sequence("words", self.words)
        lengths = {len(drawable.texts(f"words[{k}]", row)) for k, row in enumerate(words)}
        if len(self.words) != len(self.values) or lengths != {self.values.shape[1]}:
            raise ValueError(
                f"words has {len(self.words)} documents of {sorted(lengths)} words; values needs "
                f"{list(self.values.shape)}."
            )
        if int((self.values > 0).sum()) < 10:
            raise ValueError(f"{self.concept!r}: the latent fires less than 10 times; show more.")


def quantile_strip_explorable(
    strips: Mapping[str, Strip], start: tuple[int, int] = (0, 0), seed: int = 0
) -> Explorable:
    """Two examples of each tenth of a latent's firings, and how many of them have the concept.

    One slider chooses the latent, one how many of the strongest tenths count as "present". The
    examples are drawn at random among all firings of a tenth, from different documents where that
    can be: none is chosen for what it shows.

    Args:
        strips: name of a latent -> its `Strip`; two at least.
        start: the latent, and the position of the second slider, shown first.
        seed: of the draw of examples.

    Raises ValueError for one strip alone and for a start that is no position; TypeError for what
    is no dict of strips and no seed.
    """
    names = drawable.texts("strips", drawable.named("strips", strips, least=2), 2)
    for name, strip in strips.items():
        validate.instance(f"strips[{name!r}]", strip, Strip)
    latent, top = drawable.start(start, "a latent and a position", (len(names), 10))
    latents = [{"name": name, **_data(strip, seed)} for name, strip in strips.items()]
    first = latents[latent]
    concept = first["concept"]
    kept = f"{first['precision'][top]:.0%} of what counts is {concept}"
    rows = [["tenth", f"{concept} in it", "an example", "is it?"]]
    for number, (share, examples) in enumerate(
        zip(first["tenths"], first["examples"], strict=True)
    ):
        before, word, after, on = examples[0]
        said = f"{before} [{word}] {after}".strip()
        rows.append([str(number + 1), f"{share:.0%}", said, "yes" if on else "no"])
    shown = [*(f"strongest {tenth}/10" for tenth in range(1, 10)), "all firings"]
    return explorable(
        "quantile_strip.js",
        title="From the strongest firing to the weakest",
        sliders=[Slider("Latent", names, latent), Slider("What counts as present", shown, top)],
        data={"latents": latents},
        caption=(
            "Left: for each tenth of the latent's firings two of them, drawn at random, the token "
            "it fires on in brackets; a filled square has the concept, an open one has not. Right: "
            "the share with the concept in each tenth. What does not count is faint."
        ),
        start_text=(
            f"{names[latent]}, {shown[top]}: {kept}. The table has an example of every tenth, "
            "strongest first."
        ),
        start_table=rows,
    )


def _data(strip: Strip, seed: int) -> dict[str, object]:
    """Numbers and examples of one latent."""
    values, present = strip.values.flatten().cpu(), strip.present.flatten().cpu()
    found = specificity(values, present, TOPS)
    order = values.argsort(descending=True, stable=True)[: int((values > 0).sum())]
    generator = runtime.generator(seed)
    seq = strip.values.shape[1]
    examples = []
    for tenth in range(10):
        ranks = torch.arange(len(order))
        places = order[10 * ranks // len(order) == tenth]
        places = places[torch.randperm(len(places), generator=generator)].tolist()
        chosen = {place // seq: place for place in reversed(places)}  # one of each document
        chosen = sorted(chosen.values(), key=places.index)[:PER_TENTH]
        chosen.sort(key=lambda place: -values[place].item())
        examples.append([_example(strip, *divmod(place, seq)) for place in chosen])
    return {
        "concept": strip.concept,
        "tenths": [round(share, 3) for share in precision_by_decile(values, present).tolist()],
        "least": [round(v, 3) for v in (found.thresholds / values.max()).tolist()],
        "precision": [round(v, 3) for v in found.precision.tolist()],
        "recall": [round(v, 3) for v in found.recall.nan_to_num(0.0).tolist()],
        "examples": examples,
    }


def _example(strip: Strip, doc: int, place: int) -> list[object]:
    words = strip.words[doc]
    before = " ".join(words[max(0, place - BEFORE) : place])
    after = " ".join(words[place + 1 : place + 1 + AFTER])
    return [before, words[place], after, bool(strip.present[doc, place])]
