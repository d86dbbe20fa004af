"""Every value put in the place of every other: what the model then answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float, Int


def every_move(
    place: Int[Tensor, " samples"], n_places: int
) -> tuple[Int[Tensor, " moves"], Int[Tensor, " moves"], Int[Tensor, " moves"]]:
    """Each sample with each other place: row of the sample, old place, new place."""
    place = validate.shape("place", validate.as_tensor("place", place), ("samples",))
    row = torch.arange(len(place)).repeat_interleave(validate.positive_int("n_places", n_places, 2))
    new = torch.arange(n_places).repeat(len(place))
    old = place[row]
    other = old != new
    return row[other], old[other], new[other]


@torch.no_grad()
def logits_after(
    model: nn.Module,
    site: str,
    position: int,
    tokens: Int[Tensor, "batch seq"],
    change: Float[Tensor, "batch d"],
) -> Float[Tensor, "batch d_vocab"]:
    """Logits behind the last token when `change` is added at one position of a site.

    Raises ValueError for a position that the tokens have not, or a change of another batch.
    """
    # Here, because the worlds of `course_lib.data` pack their dictionaries with this room.
    from course_lib.activations import Patch, intervene, read

    validate.instance("model", model, nn.Module)
    x = read(model, validate.text("site", site), tokens)
    if validate.positive_int("position", position, 0) >= x.shape[1]:
        raise ValueError(f"position is {position}; it must be from 0 to {x.shape[1] - 1}.")
    change = validate.shape(
        "change", validate.as_tensor("change", change), (len(tokens), x.shape[2])
    )
    x[:, position] += change
    with intervene(model, site, Patch(x)):
        return model(tokens)[:, -1]
