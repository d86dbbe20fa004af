"""Token sequences with the truth of every token: what a world of symbols gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Generator, Tensor

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

NONE = -1  # the label of a token that has no value of an attribute


@dataclass(frozen=True)
class Sequences:
    """Sequences of one length, and what is true at each of their tokens.

    Attributes:
        tokens: [batch, seq], indices into the world's `vocabulary`; `NONE` after a sequence's end.
        labels: [batch, seq] for each name in the world's `attributes`: the index of the value that
            the token, or the state of the world after it, has; `NONE` where it has none.
    """

    tokens: Int[Tensor, "batch seq"]
    labels: dict[str, Int[Tensor, "batch seq"]]

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, rows: slice | Int[Tensor, " n"] | Bool[Tensor, " batch"]) -> Sequences:
        return self._map(lambda part: part[rows])

    def to(self, device: torch.device | str) -> Sequences:
        return self._map(lambda part: part.to(device))

    def _map(self, change) -> Sequences:
        labels = {name: change(part) for name, part in self.labels.items()}
        return replace(self, tokens=change(self.tokens), labels=labels)


class TokenWorld(Protocol):
    """What every world of symbols has.

    Attributes:
        vocabulary: the tokens' names; token t is `vocabulary[t]`.
        attributes: the values of each attribute that is labelled.
        seq: tokens in a sequence.
    """

    vocabulary: tuple[str, ...]
    attributes: dict[str, tuple[str, ...]]
    seq: int

    def sample(self, batch_size: int, generator: Generator) -> Sequences:
        """Draw sequences on the generator's device, the CPU or CUDA; `to` takes them elsewhere."""
        ...

    def log_prob(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq"]:
        """The world's own log-probability (nats) of each token given those before it.

        Its mean, negated, is the loss that no model can beat. 0 after a sequence's end. On the
        tokens' device; on the CPU for tokens on Apple's MPS, which has no 64-bit numbers.
        """
        ...
