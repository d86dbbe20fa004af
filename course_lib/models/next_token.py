"""The loss of all models that predict the next token, and what no model can beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

from course_lib.data.sequences import NONE

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from course_lib.data.sequences import TokenWorld


def next_token_loss(
    logits: Float[Tensor, "batch predicted d_vocab"], tokens: Int[Tensor, "batch seq"]
) -> Float[Tensor, " n"]:
    """Cross-entropy (nats) of the last tokens of each sequence, of which `logits` are the logits.

    A model's logits on tokens[:, :-1] are of all tokens but the first, or, of a model that reads
    before it writes, of those that it writes. `NONE`, after a sequence's end, does not count.
    """
    targets = tokens[:, -logits.shape[1] :]
    real = targets != NONE
    return F.cross_entropy(logits[real].float(), targets[real], reduction="none")


def floor(
    world: TokenWorld, tokens: Int[Tensor, "batch seq"], n_predicted: int
) -> Float[Tensor, " n"]:
    """What `next_token_loss` would be of a model that knows the world's law, token by token."""
    return -world.log_prob(tokens)[:, -n_predicted:][tokens[:, -n_predicted:] != NONE]
