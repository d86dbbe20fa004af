"""Binary patterns with a fixed number of active inputs, and variations of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float


def sparse_patterns(
    n_items: int, n_inputs: int, n_active: int, generator: Generator, n_instances: int = 1
) -> Float[Tensor, "n_instances n_items n_inputs"]:
    """Binary patterns with exactly `n_active` inputs on, drawn at random."""
    validate.instance("generator", generator, Generator)
    sizes = {"n_instances": n_instances, "n_items": n_items, "n_inputs": n_inputs}
    shape = [validate.positive_int(name, size) for name, size in sizes.items()]
    _at_most("n_active", validate.positive_int("n_active", n_active, 0), n_inputs)
    return _switch_on(torch.rand(shape, generator=generator), n_active)


def varied_patterns(
    patterns: Float[Tensor, "*batch n_inputs"], n_changed: int, generator: Generator
) -> Float[Tensor, "*batch n_inputs"]:
    """The patterns with `n_changed` of their active inputs replaced by inputs that were off."""
    validate.instance("generator", generator, Generator)
    validate.tensors("floating", patterns=(patterns, "*batch n_inputs"))
    validate.probability("patterns", patterns)
    order = torch.rand(patterns.shape, generator=generator)
    n_active = int(patterns[(0,) * (patterns.ndim - 1)].sum())
    most = min(n_active, patterns.shape[-1] - n_active)
    _at_most("n_changed", validate.positive_int("n_changed", n_changed, 0), most)
    kept = _switch_on(order * patterns, n_active - n_changed)
    return kept + _switch_on(order * (1 - patterns), n_changed)


def _at_most(name: str, n: int, most: int) -> int:
    if not 0 <= n <= most:
        raise ValueError(f"{name} is {n}; it must be from 0 to {most}.")
    return n


def _switch_on(order: Tensor, n: int) -> Tensor:
    """1 at the n largest entries of each row, else 0."""
    return torch.zeros_like(order).scatter(-1, order.topk(n, dim=-1).indices, 1.0)
