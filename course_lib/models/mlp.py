"""A network with one hidden layer, many instances side by side, some without negative weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from course_lib import runtime, validate

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


class MLP(nn.Module):
    """y = tanh(x W_in + b_in) W_out + b_out, per instance; |W| in place of W where non-negative.

    Biases may have either sign everywhere: a bias shifts, and what rises goes on rising.

    Args:
        d_in, d_hidden, d_out: widths.
        non_negative: per instance, whether its weights are kept at or above 0.
        seed: of the initial weights (normal, variance 1 / inputs; biases normal too).

    Attributes:
        W_in: [n_instances, d_in, d_hidden], W_out: [n_instances, d_hidden, d_out], as used.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(
        self,
        d_in: int,
        d_hidden: int,
        d_out: int = 1,
        *,
        non_negative: Bool[Tensor, " n_instances"],
        seed: int = 0,
    ) -> None:
        super().__init__()
        for name, width in (("d_in", d_in), ("d_hidden", d_hidden), ("d_out", d_out)):
            validate.positive_int(name, width)
        validate.shape("non_negative", non_negative, ("n_instances",))
        n, generator = len(non_negative), runtime.generator(seed)

        def normal(rows: int, columns: int) -> nn.Parameter:
            weights = torch.randn(n, rows, columns, generator=generator)
            return nn.Parameter(weights / rows**0.5)

        self._W_in, self.b_in = normal(d_in, d_hidden), normal(1, d_hidden)
        self._W_out, self.b_out = normal(d_hidden, d_out), normal(1, d_out)
        self.register_buffer("non_negative", non_negative.bool())

    @property
    def W_in(self) -> Float[Tensor, "n_instances d_in d_hidden"]:
        return self._signed(self._W_in)

    @property
    def W_out(self) -> Float[Tensor, "n_instances d_hidden d_out"]:
        return self._signed(self._W_out)

    def _signed(self, weights: Tensor) -> Tensor:
        return torch.where(self.non_negative[:, None, None], weights.abs(), weights)

    def forward(
        self, x: Float[Tensor, "... batch d_in"]
    ) -> Float[Tensor, "n_instances batch d_out"]:
        """x [batch, d_in] is shared by all instances; [n_instances, batch, d_in] is not."""
        return torch.tanh(x @ self.W_in + self.b_in) @ self.W_out + self.b_out
