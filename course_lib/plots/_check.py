"""Checks of what figures are given: numbers that can be drawn, one by one, by name or by panel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from course_lib import validate

INFINITE = float("inf")


def numbers(
    name: str,
    value: Any,
    axes: str,
    low: float = -INFINITE,
    high: float = INFINITE,
    *,
    gaps: bool = False,
) -> Tensor:
    """Return `value` as a tensor that matplotlib takes, with these axes, none of them empty.

    Args:
        axes: as for `validate.tensors`.
        low, high: the range of its entries.
        gaps: whether an entry may be NaN, where nothing is drawn.
    """
    tensor = validate.as_tensor(name, value)
    if gaps and tensor.is_floating_point():
        validate.finite(name, tensor[~tensor.isnan()], low, high)
    else:
        tensor = validate.finite(name, tensor, low, high)
    validate.tensors("any", **{name: (tensor, axes)})
    tensor = tensor.detach().cpu()
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()


def listed(
    name: str,
    values: Any,
    n: int | None = None,
    low: float = -INFINITE,
    *,
    gaps: bool = False,
) -> Any:
    """Return a list of numbers, n of them if that is given, in its own precision."""
    axes = "n" if n is None else str(n)
    checked = numbers(name, validate.sequence(name, values), axes, low, gaps=gaps)
    return checked if isinstance(values, Tensor) else values


def wholes(name: str, value: Any, shape: Sequence[int | str], low: float, high: float) -> Tensor:
    """Return a tensor of whole numbers, or booleans, from low to high, on the CPU."""
    return validate.whole(name, validate.shape(name, value, shape), low, high).cpu()


def labels(name: str, values: Any, n: int | None = None, most: int | None = None) -> Any:
    """Return a list of texts or numbers, or a text of letters: n of them, or at least one."""
    if not isinstance(values, str):
        validate.sequence(name, values)
    _texts(f"an entry of {name}", values)
    if n is not None and len(values) != n:
        raise ValueError(f"{name} has {len(values)} entries; it must have {n}.")
    _some(name, len(values), most)
    return values


def named(
    name: str, given: Any, most: int | None = None, *, optional: bool = False
) -> Mapping[Any, Any]:
    """Return `given` if it maps texts or numbers, at most `most`, to something.

    Args:
        optional: whether it may be empty.
    """
    _texts(f"a key of {name}", validate.instance(name, given, Mapping))
    if given or not optional:
        _some(name, len(given), most)
    return given


def by_name(
    name: str,
    given: Any,
    axes: str,
    low: float = -INFINITE,
    high: float = INFINITE,
    *,
    gaps: bool = False,
    most: int | None = None,
) -> dict[Any, Tensor]:
    """The tensors of a mapping, each as `numbers` returns it."""
    return {
        key: numbers(f"{name}[{key!r}]", value, axes, low, high, gaps=gaps)
        for key, value in named(name, given, most).items()
    }


def panels(name: str, given: Any, titles: Any, axes: str) -> list[Tensor]:
    """The tensors of the panels, each as `numbers` returns it, of which each has a title."""
    tensors = validate.items(name, given)
    _some(name, len(tensors), None)
    labels("titles", titles, len(tensors))
    return [numbers(f"{name}[{i}]", one, axes) for i, one in enumerate(tensors)]


def places(name: str, x: Any) -> tuple[Any, Any]:
    """Where points stand along an axis, and their names if they are texts, else None."""
    words = isinstance(x, str) or any(isinstance(one, str) for one in validate.sequence(name, x))
    if not words:
        return listed(name, x), None
    return range(len(labels(name, x))), [validate.text(f"an entry of {name}", one) for one in x]


def _texts(name: str, values: Iterable[Any]) -> None:
    for one in values:
        if not isinstance(one, (str, Real)):
            raise TypeError(f"{name} is of type {type(one).__name__}; it must be a text.")


def _some(name: str, n: int, most: int | None) -> None:
    if n == 0:
        raise ValueError(f"{name} is empty; it must have at least one entry.")
    if most is not None and n > most:
        raise ValueError(f"{name} has {n} entries; a figure can tell {most} apart at most.")
