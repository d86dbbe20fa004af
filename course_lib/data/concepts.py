"""Which concepts are present at which tokens of a story: what units are searched for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.data.sequences import NONE, Sequences

if TYPE_CHECKING:
    from jaxtyping import Bool

    from course_lib.data.story import StoryWorld

READINGS = ("shown", "next", "state")


@dataclass(frozen=True)
class Concepts:
    """Yes-or-no questions about every token that a model reads.

    Attributes:
        names: for each question the reading, the attribute and its value, such as
            ("next", "tense", "past").
        present: [batch * (seq - 1), n_concepts], the answers, sequence after sequence; the last
            token of a sequence, which a model predicts and does not read, is left out.
    """

    names: list[tuple[str, str, str]]
    present: Bool[Tensor, "n_tokens n_concepts"]

    def of(self, reading: str) -> list[int]:
        """The numbers of the questions of one reading."""
        return [i for i, name in enumerate(self.names) if name[0] == reading]


def concepts(
    world: StoryWorld, drawn: Sequences, attributes: Sequence[str] | None = None
) -> Concepts:
    """Every value of these attributes (None for all of the world's), in up to three readings.

    "shown": the token itself has the value; "next": the token after it will; "state": the value is
    the document's or the turn's at this token, as `drawn.labels` says. Of attributes that no single
    word shows, such as the turn, there is only the last. A word may show another value than the
    state's: the world is noisy.

    Raises TypeError, ValueError: for an attribute that the world has not, or none at all.
    """
    validate.like("world", world, "attributes", "words")
    validate.instance("drawn", drawn, Sequences)
    names, present = [], []
    attributes = world.attributes if attributes is None else attributes
    if len(validate.sequence("attributes", attributes)) == 0:
        raise ValueError("attributes is empty; it must name one at least.")
    for attribute in attributes:
        validate.choice("attribute", attribute, tuple(world.attributes))
        words = world.words.get(attribute)
        for reading in READINGS:
            if reading == "state":
                label = drawn.labels[attribute][:, :-1]
            elif words is None or not (words != NONE).any():
                continue
            else:
                tokens = drawn.tokens[:, 1:] if reading == "next" else drawn.tokens[:, :-1]
                label = words.to(tokens.device)[tokens].masked_fill(tokens == NONE, NONE)
            for value, name in enumerate(world.attributes[attribute]):
                names.append((reading, attribute, name))
                present.append((label == value).flatten())
    return Concepts(names, torch.stack(present, dim=1))
