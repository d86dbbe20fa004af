"""Control tasks: labels with nothing in them but the word they stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.data.sequences import NONE
from course_lib.runtime import generator

if TYPE_CHECKING:
    from jaxtyping import Float, Int

DRAWS = 1000  # after which a class that no type has drawn is an error


def control_task(
    types: Int[Tensor, "*n"],
    n_classes: int = 2,
    seed: int = 0,
    weights: Float[Tensor, " n_classes"] | None = None,
) -> Int[Tensor, "*n"]:
    """One random class for each type (word, town, board), the same wherever the type stands.

    A probe can only score on it by remembering types, so accuracy on the true task minus accuracy
    on this one, its selectivity, is what remembering does not explain (Hewitt & Liang 2019).
    The split must let types stand on both sides: split by types, the control task is at chance
    by construction and selectivity says nothing. `weights` are the class shares of the true task
    (equal without). Rows of type -1 get no label, -1. The draw is repeated until every class of
    positive weight has a type.

    Raises ValueError when no type occurs twice (that would be shuffled labels under another name),
    and when there are too few types to have every class.
    """
    n_classes = validate.positive_int("n_classes", n_classes, 2)
    types = validate.as_tensor("types", types)
    if types.is_floating_point() or not types.numel():
        raise ValueError("types must be a tensor of whole numbers, one per row.")
    if weights is None:
        weights = torch.ones(n_classes)
    weights = validate.finite("weights", weights, 0.0).double().cpu()
    validate.shape("weights", weights, (n_classes,))
    known = types != NONE
    found, index, counts = types[known].unique(return_inverse=True, return_counts=True)
    wanted = int((weights > 0).sum())
    if wanted < 2:
        raise ValueError(f"weights is {weights.tolist()}; at least two classes must be possible.")
    if len(found) < wanted or counts.max() < 2:
        raise ValueError(
            f"There are {len(found)} types in {int(known.sum())} rows for {wanted} classes; a "
            "control task needs types that come back, and as many types as classes at least."
        )
    draws = generator(seed)
    for _ in range(DRAWS):
        label = torch.multinomial(weights, len(found), replacement=True, generator=draws)
        if len(label.unique()) == wanted:
            y = torch.full_like(types, NONE, dtype=torch.long)
            y[known] = label.to(types.device)[index]
            return y
    raise ValueError(
        f"In {DRAWS} draws, {len(found)} types never had all {wanted} classes: the weights "
        f"{weights.tolist()} ask for more types."
    )
