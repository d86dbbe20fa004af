"""Checks of what a picture is given: names, numbers by name, and the place where it starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

from torch import Tensor

from course_lib import validate


def texts(name: str, value: Any, least: int = 1) -> list[str]:
    """Return a list or the like of texts as a list, or raise TypeError / ValueError."""
    if isinstance(value, Tensor):
        raise TypeError(f"{name} is a tensor; it must be a list of texts.")
    entries = validate.items(name, value)
    for k, entry in enumerate(entries):
        validate.text(f"{name}[{k}]", entry)
    return enough(name, entries, least)


def named(name: str, value: Any, least: int = 1) -> dict[Any, Any]:
    """Return a dict or the like as a dict, or raise TypeError / ValueError."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is of type {type(value).__name__}; it must be a dict.")
    return enough(name, dict(value), least)


def scores(name: str, value: Any, rows: Iterable[Any]) -> None:
    """Raise TypeError / ValueError unless a dict has a number for every row; NaN is one."""
    found = named(name, value)
    if missing := [row for row in rows if row not in found]:
        raise ValueError(f"{name} has nothing for {missing[0]!r}; give a number for every row.")
    for row in rows:
        one_number(f"{name}, {row}", found[row])


def one_number(name: str, value: Any) -> None:
    """Raise TypeError unless `value` is a real number, a tensor of one among them; NaN is one."""
    if validate.as_tensor(name, value).ndim:
        raise TypeError(f"{name} is {validate.SHOWN.repr(value)}; it must be one number.")


def enough(name: str, value: Any, least: int) -> Any:
    """Return `value` if it has that many entries, else raise ValueError."""
    if len(value) < least:
        raise ValueError(f"{name} has {len(value)} entries; give at least {least}.")
    return value


def table(
    name: str,
    value: Any,
    axes: Sequence[int | str],
    low: float = float("-inf"),
    high: float = float("inf"),
) -> Tensor:
    """Return finite numbers from low to high as a tensor of these axes, none empty, on the CPU.

    Raises TypeError for what is no array of numbers, ValueError for others and another shape.
    """
    tensor = validate.shape(name, validate.finite(name, value, low, high), axes)
    if 0 in tensor.shape:
        raise ValueError(f"{name} has shape {list(tensor.shape)}; no axis may be empty.")
    return tensor.detach().cpu()


def places(value: Any, what: str, sizes: Sequence[int]) -> tuple[int, ...]:
    """Return `start` as whole numbers, each below its size, or raise TypeError / ValueError."""
    last = tuple(size - 1 for size in sizes)
    said = (
        f"start is {validate.SHOWN.repr(value)}; it must be {what}, from "
        f"{(0,) * len(sizes)} to {last}."
    )
    if not isinstance(value, Sequence) or any(
        isinstance(k, bool) or not isinstance(k, Integral) for k in value
    ):
        raise TypeError(said)
    if len(value) != len(sizes) or any(
        not 0 <= k < size for k, size in zip(value, sizes, strict=True)
    ):
        raise ValueError(said)
    return tuple(int(k) for k in value)
