"""Checks of what pictures are given: numbers, one by one, by name or in a list; names; a start."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, TypeVar

import torch
from torch import Tensor

from course_lib import validate

Found = TypeVar("Found", bound=Collection[Any])
Axes = Sequence[int | str]
INFINITE = float("inf")


def numbers(
    name: str,
    value: Any,
    axes: Axes | None,
    low: float = -INFINITE,
    high: float = INFINITE,
    *,
    gaps: bool = False,
) -> Tensor:
    """Return `value` on the CPU in single precision at least, no axis of it empty.

    Raises TypeError for what is no array of numbers, ValueError for other shapes and entries.

    Args:
        axes: as for `validate.shape`, or None for any.
        low, high: the range of its entries, which are finite.
        gaps: whether an entry may be NaN, where nothing is drawn.
    """
    tensor = validate.as_tensor(name, value)
    if gaps and tensor.is_floating_point():
        validate.finite(name, tensor[~tensor.isnan()], low, high)
    else:
        tensor = validate.finite(name, tensor, low, high)
    if axes is not None:
        validate.shape(name, tensor, axes)
    if not tensor.numel():
        raise ValueError(f"{name} has shape {list(tensor.shape)}; no axis may be empty.")
    return tensor.detach().cpu().to(torch.promote_types(tensor.dtype, torch.float32))


def one_number(name: str, value: Any, *, gaps: bool = False) -> None:
    """Raise unless `value` is one number, or a tensor or an array of one."""
    numbers(name, value, (), gaps=gaps)


def listed(
    name: str, values: Any, n: int | None = None, low: float = -INFINITE, *, gaps: bool = False
) -> Any:
    """Return a list of numbers, n of them if that is given, in its own precision."""
    axes = ("n" if n is None else n,)
    checked = numbers(name, validate.sequence(name, values), axes, low, gaps=gaps)
    if nested := [one for one in values if getattr(one, "ndim", 0)]:  # of one entry each
        raise TypeError(f"an entry of {name} is {validate.SHOWN.repr(nested[0])}, not a number.")
    return checked if isinstance(values, Tensor) else values


def wholes(name: str, value: Any, axes: Axes, low: float, high: float) -> Tensor:
    """Return a tensor of whole numbers, or booleans, from low to high, on the CPU."""
    return validate.whole(name, validate.shape(name, value, axes), low, high).cpu()


def each(name: str, values: Any, axes: Axes, *, gaps: bool = False) -> list[Tensor]:
    """The tensors of a list, each as `numbers` returns it, at least one."""
    found = some(name, values)
    return [numbers(f"{name}[{i}]", value, axes, gaps=gaps) for i, value in enumerate(found)]


def named(
    name: str, given: Any, parts: Iterable[Any] = (), *, least: int = 1, most: int | None = None
) -> dict[Any, Any]:
    """Return a dict or the like, whose keys are texts or numbers, as a dict.

    Args:
        parts: keys that it must have.
        least, most: how many it may have.
    """
    if not isinstance(given, Mapping):
        raise TypeError(f"{name} is of type {type(given).__name__}; it must be a dict.")
    _labels(f"a key of {name}", given)
    found = _counted(name, dict(given), least, most)
    if missing := [part for part in parts if part not in found]:
        raise ValueError(f"{name} has no {missing[0]!r}; it has {', '.join(map(repr, found))}.")
    return found


def by_name(
    name: str,
    given: Any,
    axes: Axes | None,
    low: float = -INFINITE,
    high: float = INFINITE,
    *,
    gaps: bool = False,
    parts: Iterable[Any] = (),
    least: int = 1,
    most: int | None = None,
) -> dict[Any, Tensor]:
    """The tensors of a dict that `named` takes, each as `numbers` returns it."""
    return {
        key: numbers(f"{name}[{key!r}]", value, axes, low, high, gaps=gaps)
        for key, value in named(name, given, parts, least=least, most=most).items()
    }


def panels(given: Any, axes: Axes) -> dict[Any, dict[Any, Tensor]]:
    """The tensors of each of `panels`, a dict of dicts, as `by_name` returns them with gaps."""
    return {
        panel: by_name(f"panels[{panel!r}]", lines, axes, gaps=True, least=0)
        for panel, lines in named("panels", given).items()
    }


def rows(name: str, panels: Mapping[Any, Mapping[Any, Any]]) -> list[Any]:
    """The keys that all panels have, in the order of the first; ValueError if one differs."""
    first, *others = panels
    for other in others:
        if panels[other].keys() != panels[first].keys():
            raise ValueError(
                f"{name}[{other!r}] has the keys {list(panels[other])} and {name}[{first!r}] "
                f"{list(panels[first])}; they must be the same."
            )
    return list(panels[first])


def some(name: str, values: Any, n: int | None = None, *, least: int = 1) -> list[Any]:
    """What a list or the like holds: n entries if that is given, else at least `least`."""
    found = validate.items(name, values)
    if n is not None and len(found) != n:
        raise ValueError(f"{name} has {len(found)} entries; it must have {n}.")
    return _counted(name, found, least)


def labels(name: str, values: Any, n: int | None = None, *, most: int | None = None) -> list[Any]:
    """The texts or numbers of a list, or the letters of a text: n, or at least one."""
    found = some(name, list(values) if isinstance(values, str) else values, n)
    _labels(f"an entry of {name}", found)
    return _counted(name, found, 1, most)


def texts(name: str, values: Any, least: int = 1) -> list[str]:
    """The texts of a list or the like, where a number or a single text would be a mistake."""
    if isinstance(values, Tensor):
        raise TypeError(f"{name} is a tensor; it must be a list of texts.")
    found = some(name, values, least=least)
    return [validate.text(f"{name}[{k}]", entry) for k, entry in enumerate(found)]


def places(name: str, x: Any) -> tuple[Any, list[str] | None]:
    """Where points stand along an axis, and their names if they are texts, else None."""
    words = isinstance(x, str) or any(isinstance(one, str) for one in validate.sequence(name, x))
    if not words:
        return listed(name, x), None
    return range(len(x)), [validate.text(f"an entry of {name}", one) for one in labels(name, x)]


def start(value: Any, what: str, sizes: Sequence[int]) -> tuple[int, ...]:
    """Return the places where a picture starts, whole numbers, each below its size.

    Raises TypeError for what are no whole numbers, ValueError for others.

    Args:
        what: what they are, in words.
    """
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


def _labels(name: str, values: Iterable[Any]) -> None:
    for one in values:
        if not isinstance(one, (str, Real)):
            raise TypeError(f"{name} is of type {type(one).__name__}; it must be a text.")


def _counted(name: str, found: Found, least: int, most: int | None = None) -> Found:
    """Return a list or a dict if it has neither too few entries nor too many."""
    if len(found) < least:
        raise ValueError(f"{name} has {len(found)} entries; give at least {least}.")
    if most is not None and len(found) > most:
        raise ValueError(f"{name} has {len(found)} entries; a figure can tell {most} apart.")
    return found
