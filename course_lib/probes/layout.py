"""Leading axes folded into two: problems that share their x stand side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float, Shaped


@dataclass(frozen=True)
class Layout:
    """The leading axes of many problems, and along which of them x changes.

    Folded, x is [g, n, d_model] and everything else [g, m, ...]: m problems on each of g x's, so
    that a product with x is one matrix product for all m.
    """

    lead: tuple[int, ...]
    own: tuple[int, ...]  # axes of `lead` along which x changes
    shared: tuple[int, ...]  # and those along which it does not

    @classmethod
    def of(cls, x_lead: Sequence[int], *others: Sequence[int]) -> Layout:
        """Raises ValueError when the leading axes do not broadcast."""
        try:
            lead = torch.broadcast_shapes(tuple(x_lead), *map(tuple, others))
        except RuntimeError as error:
            shapes = ", ".join(str(list(shape)) for shape in (x_lead, *others))
            raise ValueError(
                f"the leading axes {shapes} (of x, then of the rest) do not broadcast; an axis "
                "must have one size everywhere, or size 1 where it is shared."
            ) from error
        padded = (1,) * (len(lead) - len(x_lead)) + tuple(x_lead)
        own = tuple(axis for axis, size in enumerate(padded) if size > 1)
        return cls(tuple(lead), own, tuple(a for a in range(len(lead)) if a not in own))

    def _sizes(self, axes: tuple[int, ...]) -> list[int]:
        return [self.lead[axis] for axis in axes]

    def fold_x(self, x: Float[Tensor, "*lead n d_model"]) -> Float[Tensor, "g n d_model"]:
        return x.reshape(-1, *x.shape[-2:])

    def fold(self, t: Shaped[Tensor, "*lead ..."], trailing: int = 1) -> Shaped[Tensor, "g m ..."]:
        """`t`, whose last `trailing` axes are not leading ones; a view where x alone changes."""
        rest = t.shape[t.ndim - trailing :]
        missing = len(self.lead) - (t.ndim - trailing)
        t = t.reshape((1,) * missing + t.shape)
        n_axes = len(self.lead)
        t = t.permute([*self.own, *self.shared, *range(n_axes, n_axes + trailing)])
        own = t.shape[: len(self.own)]
        groups = [1] * len(own) if all(size == 1 for size in own) else self._sizes(self.own)
        t = t.expand(*groups, *self._sizes(self.shared), *rest)
        t = t.reshape(prod(groups), prod(self._sizes(self.shared)), *rest)
        return t.expand(prod(self._sizes(self.own)), *t.shape[1:])

    def unfold(self, t: Shaped[Tensor, "g m ..."]) -> Shaped[Tensor, "*lead ..."]:
        t = t.reshape(self._sizes(self.own) + self._sizes(self.shared) + list(t.shape[2:]))
        order = (*self.own, *self.shared)
        back = [order.index(axis) for axis in range(len(order))]
        return t.permute([*back, *range(len(order), t.ndim)])
