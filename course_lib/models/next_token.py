"""What all models that predict the next token share: their loss, its floor, checks of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import validate
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
    exact = torch.promote_types(logits.dtype, torch.float32)  # half precision is not enough here
    return F.cross_entropy(logits[real].to(exact), targets[real], reduction="none")


def floor(
    world: TokenWorld, tokens: Int[Tensor, "batch seq"], n_given: int = 1
) -> Float[Tensor, " n"]:
    """What `next_token_loss` is, token by token, for who knows the world's law."""
    return -world.log_prob(tokens)[:, n_given:][tokens[:, n_given:] != NONE]


def check_tokens(tokens: Int[Tensor, "batch seq"], d_vocab: int, lowest: int = 0) -> None:
    """Raise ValueError unless tokens are one or more whole numbers, `lowest` to d_vocab - 1."""
    validate.shape("tokens", tokens, ("batch", "seq"))
    real = tokens.is_floating_point() or tokens.is_complex() or tokens.dtype == torch.bool
    validate.plain("tokens", tokens)
    if real or tokens.numel() == 0:
        raise ValueError(
            f"tokens has shape {list(tokens.shape)} and dtype {tokens.dtype}; it must hold one "
            "whole number at least."
        )
    low, high = (int(end) for end in tokens.aminmax())
    if low < lowest or high >= d_vocab:
        raise ValueError(f"tokens go from {low} to {high}; they must be from 0 to {d_vocab - 1}.")


def logits_of(model: nn.Module, tokens: Tensor) -> Tensor:
    """What a model answers; of transformers' models, which answer more, the logits."""
    validate.instance("model", model, nn.Module)
    out = model(tokens)
    return out if isinstance(out, Tensor) else out.logits
