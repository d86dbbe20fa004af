"""Binary patterns with a fixed number of active inputs, and variations of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float


def sparse_patterns(
    n_items: int, n_inputs: int, n_active: int, generator: Generator, n_instances: int = 1
) -> Float[Tensor, "n_instances n_items n_inputs"]:
    """Binary patterns with exactly `n_active` inputs on, drawn at random."""
    shape = (n_instances, n_items, n_inputs)
    return _switch_on(torch.rand(shape, generator=generator), n_active)


def varied_patterns(
    patterns: Float[Tensor, "*batch n_inputs"], n_changed: int, generator: Generator
) -> Float[Tensor, "*batch n_inputs"]:
    """The patterns with `n_changed` of their active inputs replaced by inputs that were off."""
    order = torch.rand(patterns.shape, generator=generator)
    n_active = int(patterns[(0,) * (patterns.ndim - 1)].sum())
    kept = _switch_on(order * patterns, n_active - validate.positive_int("n_changed", n_changed, 0))
    return kept + _switch_on(order * (1 - patterns), n_changed)


def _switch_on(order: Tensor, n: int) -> Tensor:
    """1 at the n largest entries of each row, else 0."""
    return torch.zeros_like(order).scatter(-1, order.topk(n, dim=-1).indices, 1.0)
