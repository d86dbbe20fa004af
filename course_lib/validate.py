"""Argument checks: each error names the argument, the value and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor


def positive_int(name: str, value: Any, minimum: int = 1) -> int:
    """Return `value` as an int of at least `minimum`, or raise TypeError / ValueError."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} is {value!r}; it must be a whole number of at least {minimum}.")
    if value < minimum:
        raise ValueError(f"{name} is {value}; it must be a whole number of at least {minimum}.")
    return int(value)


def number(name: str, value: Any, low: float = float("-inf"), high: float = float("inf")) -> float:
    """Return `value` as a finite float in [low, high], or raise TypeError / ValueError."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} is {value!r}; it must be a number.")
    if not low <= value <= high or value in (float("inf"), float("-inf")):
        raise ValueError(f"{name} is {value}; it must be a finite number from {low:g} to {high:g}.")
    return float(value)


def finite(name: str, value: Any, low: float = float("-inf"), high: float = float("inf")) -> Tensor:
    """Return `value` as a floating-point tensor whose entries are finite and in [low, high].

    Raises TypeError for what is no array of numbers, ValueError for NaN, infinities and entries
    outside the range; the message counts the bad entries and shows the first.
    """
    try:
        tensor = value if isinstance(value, Tensor) else torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{name} is {value!r}; it must be a tensor or numbers.") from error
    if tensor.is_complex() or tensor.dtype == torch.bool:
        raise TypeError(f"{name} has dtype {tensor.dtype}; it must hold real numbers.")
    if not tensor.is_floating_point():
        tensor = tensor.to(torch.get_default_dtype())

    def allowed_in(entries: Tensor) -> Tensor:
        return torch.isfinite(entries) & (entries >= low) & (entries <= high)

    # The extremes first, which are NaN if any entry is: one pass over a batch instead of five.
    if tensor.numel() and not allowed_in(torch.stack(tensor.detach().aminmax())).all():
        bad = ~allowed_in(tensor)
        allowed = "finite" if low == float("-inf") else f"from {low:g} to {high:g}"
        raise ValueError(
            f"{name} has {int(bad.sum())} of {tensor.numel()} entries that are not allowed, "
            f"the first is {tensor[bad].flatten()[0].item():g}; every entry must be {allowed}."
        )
    return tensor


def probability(name: str, value: Any) -> Tensor:
    """Return `value` as a tensor of probabilities, each in [0, 1]."""
    return finite(name, value, 0.0, 1.0)


def shape(name: str, tensor: Tensor, expected: Sequence[int | str]) -> Tensor:
    """Return `tensor` if its shape fits `expected`, else raise ValueError.

    `expected` holds a size or a letter per axis; a letter stands for any size, the same letter
    for the same size: `shape("W", W, ("n_instances", "n_features", 2))`.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} is of type {type(tensor).__name__}; it must be a torch.Tensor.")
    sizes: dict[str, int] = {}
    fits = tensor.ndim == len(expected) and all(
        size == (want if isinstance(want, int) else sizes.setdefault(want, size))
        for size, want in zip(tensor.shape, expected, strict=True)
    )
    if not fits:
        wanted = ", ".join(str(want) for want in expected)
        raise ValueError(f"{name} has shape {list(tensor.shape)}; it must be [{wanted}].")
    return tensor


def choice(name: str, value: Any, allowed: Sequence[str]) -> str:
    """Return `value` if it is one of `allowed`, else raise ValueError."""
    if value not in allowed:
        names = ", ".join(repr(option) for option in allowed)
        raise ValueError(f"{name} is {value!r}; it must be one of {names}.")
    return value
