"""Are two pairs alike in that they are equal? A task with two hidden variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class HierarchicalEquality:
    """Four random vectors a, b, c, d; the answer is [P = Q] with P = [a = b] and Q = [c = d].

    P and Q are independent, each 1 half of the time, and so is the answer: none of the three says
    anything of another. Source: Geiger et al. 2024, "Finding Alignments Between Interpretable
    Causal Variables and Distributed Neural Representations", section 4.

    Args:
        d: dimensions of each vector, whose entries are standard normal.
    """

    def __init__(self, d: int = 4) -> None:
        self.d = validate.positive_int("d", d)
        self.d_in = 4 * d

    def sample(
        self, batch_size: int, generator: Generator
    ) -> tuple[Float[Tensor, "batch d_in"], Int[Tensor, " batch"], Int[Tensor, " batch"]]:
        """Inputs, P and Q."""
        shape = validate.positive_int("batch_size", batch_size), 4, self.d
        x = torch.randn(shape, generator=generator)
        same = torch.rand(2, shape[0], generator=generator) < 0.5
        for pair, equal in enumerate(same):
            x[:, 2 * pair + 1] = torch.where(equal[:, None], x[:, 2 * pair], x[:, 2 * pair + 1])
        P, Q = same.long()
        return x.flatten(1), P, Q
