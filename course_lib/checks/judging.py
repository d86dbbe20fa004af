"""Sentences about an output; None when there is nothing to say, so that `or` chains them."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor


def not_a_tensor(output: Any, shape: Sequence[int], axes: str, what: str = "it") -> str | None:
    """A sentence unless `output` is a finite floating-point tensor of this shape.

    `axes` names them for the reader: "n_instances, batch, n_features".
    """
    if output is None:
        return f"{what} returned None; does every path end in `return`?"
    wanted = f"{list(shape)} = [{axes}]" if shape else "[] (a single number)"
    if not isinstance(output, Tensor):
        kind = type(output).__name__
        return f"{what} returned a {kind}; a torch.Tensor of shape {wanted} is needed"
    if tuple(output.shape) != tuple(shape):
        return f"{what} returned the shape {list(output.shape)}; it must be {wanted}"
    if not output.is_floating_point():
        return f"{what} returned the dtype {output.dtype}; floating-point numbers are needed"
    return _not_finite(output, what)


def not_a_number(output: Any, what: str) -> str | None:
    """A sentence unless `output` is one finite real number (a 0-d tensor counts)."""
    if output is None:
        return f"{what} is None; does every path end in `return`?"
    if isinstance(output, Tensor):
        if output.numel() != 1 or output.is_complex():
            return f"{what} is a tensor of shape {list(output.shape)}; one real number is needed"
        return _not_finite(output, what)
    if isinstance(output, bool) or not isinstance(output, Real):
        return f"{what} is a {type(output).__name__}; one number is needed"
    return _not_finite(torch.tensor(float(output)), what)


def _not_finite(output: Tensor, what: str) -> str | None:
    for name, bad in (("NaN", output.isnan()), ("infinity", output.isinf())):
        if bad.any():
            first = f", the first at {bad.nonzero()[0].tolist()}" if bad.ndim else ""
            return f"{what} holds {name} in {int(bad.sum())} of {output.numel()} places{first}"
    return None


def differs(
    output: Tensor, expected: Tensor, atol: float, against: str = "the definition"
) -> str | None:
    """A sentence with the largest error unless all entries agree to `atol` (+ 0.1 %)."""
    output, expected = output.detach().double(), expected.detach().double()
    error = (output - expected).abs()
    n_bad = int((error > atol + 1e-3 * expected.abs()).sum())
    if n_bad == 0:
        return None
    worst = int(error.argmax())
    return (
        f"{n_bad} of {error.numel()} entries differ from {against}, the most at "
        f"{_place(worst, error.shape)}: you have {output.flatten()[worst].item():.4g}, "
        f"it gives {expected.flatten()[worst].item():.4g}"
    )


def _place(flat: int, shape: Sequence[int]) -> list[int]:
    return [int(index) for index in torch.unravel_index(torch.tensor(flat), tuple(shape))]
