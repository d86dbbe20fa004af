"""What a network without negative weights can never do: let an output fall as inputs rise."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float


@torch.no_grad()
def monotonicity_violations(
    network: Callable[[Tensor], Tensor],
    d_in: int,
    generator: Generator,
    n_pairs: int = 10_000,
    tolerance: float = 1e-5,
) -> Float[Tensor, "*instances"]:
    """Share of input pairs, one above the other in every coordinate, where an output falls.

    `network` maps [n_pairs, d_in] to [*instances, n_pairs, d_out]. The lower input of a pair is
    uniform in [-1, 1]^d_in, the upper one adds something uniform in [0, 1]^d_in. An output counts
    as falling when it does so by more than `tolerance`, which covers rounding. With non-negative
    weights and activations that never fall the share is 0: Wang et al. 2022, "Why do networks have
    inhibitory/negative connections?", on non-negative networks being order-preserving.
    """
    validate.function("network", network)
    validate.instance("generator", generator, Generator)
    shape = (validate.positive_int("n_pairs", n_pairs), validate.positive_int("d_in", d_in))
    lower = 2 * torch.rand(shape, generator=generator) - 1
    upper = lower + torch.rand(shape, generator=generator)
    validate.number("tolerance", tolerance, 0.0)
    low, high = (validate.real("what network gives", network(x)) for x in (lower, upper))
    falls = high < low - tolerance
    return falls.any(dim=-1).float().mean(dim=-1)
