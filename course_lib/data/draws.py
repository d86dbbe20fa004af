"""Random draws from many laws at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

if TYPE_CHECKING:
    from jaxtyping import Float, Int


def draw(
    laws: Float[Tensor, "laws values"], which: Int[Tensor, "*batch"], generator: Generator
) -> Int[Tensor, "*batch"]:
    """A value from law `which` for each entry, at a cost that is logarithmic in their number.

    Each row of `laws` sums to 1. Law r owns the numbers from r to r + 1, each value its share.
    """
    device, (n_laws, n_values) = generator.device, laws.shape
    upto = laws.to(device).double().cumsum(1)
    ends = (upto / upto[:, -1:] + torch.arange(n_laws, device=device)[:, None]).flatten()
    u = torch.rand(which.shape, generator=generator, device=device, dtype=torch.float64)
    value = torch.searchsorted(ends, u + which, right=True) - n_values * which
    return value.clamp(0, n_values - 1)  # u + which may round up to the next law


def in_64_bits(tokens: Tensor) -> Tensor:
    """The tokens where 64-bit numbers can be used: the CPU for those on Apple's MPS."""
    return tokens.cpu() if tokens.device.type == "mps" else tokens


def uniform_then_certain(
    tokens: Int[Tensor, "batch seq"], right: Int[Tensor, "batch seq"], n_random: int, n_values: int
) -> Float[Tensor, "batch seq"]:
    """Log-probabilities when `n_random` tokens are uniform over `n_values`, the rest `right`.

    -inf from the first token on that is not the right one.
    """
    impossible = (tokens != right).cummax(1).values
    random = torch.arange(tokens.shape[1], device=tokens.device) < n_random
    uniform = -torch.tensor(float(n_values), device=tokens.device).log()
    return uniform.where(random, 0.0).masked_fill(impossible, float("-inf"))
