"""Repeat what you read: the task whose small recurrent solution is an onion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate
from course_lib.data.draws import uniform_then_certain
from course_lib.data.sequences import NONE, Sequences

if TYPE_CHECKING:
    from jaxtyping import Float, Int

SIGN = "|"
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class RepeatCopy:
    """Random symbols, a sign, then the same symbols again: `c a a f | c a a f`.

    | planted                       | where                                               |
    |-------------------------------|-----------------------------------------------------|
    | the symbol that a token is    | label `symbol`, at all tokens but the sign          |
    | its place, first to last      | label `place`, in what is read and in the copy      |
    | reading or writing            | label `phase`; the sign begins the writing          |
    | the law of the next token     | `log_prob`: symbols are uniform, the rest certain   |

    The first `length` tokens are what an encoder reads, the others what a decoder gets (the sign,
    then its own output) and gives. Source: Csordás et al. 2024, "Recurrent Neural Networks Learn
    to Store and Generate Sequences using Non-Linear Representations".

    Args:
        n_symbols: 2 to 26. length: symbols to repeat.

    Attributes:
        seq: 2 length + 1.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(self, n_symbols: int = 10, length: int = 6) -> None:
        if validate.positive_int("n_symbols", n_symbols, 2) > len(LETTERS):
            raise ValueError(f"n_symbols is {n_symbols}; it must be at most {len(LETTERS)}.")
        self.n_symbols, self.length = n_symbols, validate.positive_int("length", length)
        self.seq = 2 * length + 1
        self.vocabulary = (*LETTERS[:n_symbols], SIGN)
        self.attributes = {
            "symbol": tuple(LETTERS[:n_symbols]),
            "place": tuple(str(place) for place in range(1, length + 1)),
            "phase": ("read", "write"),
        }

    def sample(self, batch_size: int, generator: Generator) -> Sequences:
        """Draw sequences on the generator's device."""
        shape = (validate.positive_int("batch_size", batch_size), self.length)
        read = torch.randint(self.n_symbols, shape, generator=generator, device=generator.device)
        sign, none = torch.full_like(read[:, :1], self.n_symbols), read.new_full((1,), NONE)
        place = torch.arange(self.length, device=read.device)
        phase = torch.arange(self.seq, device=read.device) >= self.length
        rows = {"place": torch.cat([place, none, place]), "phase": phase.long()}
        labels = {"symbol": torch.cat([read, none.expand_as(sign), read], 1)}
        labels |= {name: row.expand(batch_size, -1) for name, row in rows.items()}
        return Sequences(torch.cat([read, sign, read], 1), labels)

    def log_prob(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq"]:
        """Log-probability of each token given those before it; -inf once that cannot happen."""
        validate.shape("tokens", validate.real("tokens", tokens), ("batch", self.seq))
        read = tokens[:, : self.length]
        sign = torch.full_like(read[:, :1], self.n_symbols)
        right = torch.cat([read % self.n_symbols, sign, read], 1)
        return uniform_then_certain(tokens, right, self.length, self.n_symbols)
