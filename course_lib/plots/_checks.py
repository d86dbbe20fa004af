"""What figures ask of what they draw, beside `validate`: tensors, names of them, and labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from course_lib import validate

Axes = tuple[int | str, ...]


def numbers(name: str, value: Any, axes: Axes | None, *, gaps: bool = False) -> Tensor:
    """Return `value` on the CPU in single precision at least, with these axes or with any.

    With `gaps` entries may be NaN or infinite and axes empty: there, nothing is drawn. Raises
    TypeError for what is no array of numbers, ValueError for other shapes and entries.
    """
    tensor = validate.as_tensor(name, value) if gaps else validate.finite(name, value)
    if axes is not None:
        validate.shape(name, tensor, axes)
    if not (gaps or tensor.numel()):
        raise ValueError(f"{name} has shape {list(tensor.shape)}; no axis may be empty.")
    return tensor.detach().cpu().to(torch.promote_types(tensor.dtype, torch.float32))


def scalar(name: str, value: Any) -> None:
    """Raise unless `value` is one finite number, or a tensor or an array of one."""
    validate.shape(name, validate.finite(name, value), ())


def scalars(name: str, values: Any) -> list[Any]:
    """The finite numbers that a list or the like holds, as they are."""
    values = validate.items(name, values)
    for value in values:
        scalar(f"an entry of {name}", value)
    return values


def mapping(name: str, value: Any, *parts: str, empty: bool = False) -> Mapping[Any, Any]:
    """Return `value` if it is a dict or the like that has `parts`, else TypeError, ValueError."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is of type {type(value).__name__}; it must be a dict.")
    if not (value or empty):
        raise ValueError(f"{name} is empty; it must have an entry at least.")
    if missing := [part for part in parts if part not in value]:
        raise ValueError(f"{name} has no {missing[0]!r}; it has {', '.join(map(repr, value))}.")
    return value


def named(name: str, value: Any, axes: Axes | None, *, empty: bool = False) -> dict[Any, Tensor]:
    """The tensors of a mapping, as `numbers` with gaps returns them."""
    found = mapping(name, value, empty=empty)
    return {k: numbers(f"{name}[{k!r}]", v, axes, gaps=True) for k, v in found.items()}


def some(name: str, values: Any) -> list[Any]:
    """What a list or the like holds, one entry at least."""
    values = validate.items(name, values)
    if not values:
        raise ValueError(f"{name} is empty; it must have an entry at least.")
    return values


def each(name: str, values: Any, axes: Axes, *, gaps: bool = False) -> list[Tensor]:
    """The tensors of a list, as `numbers` returns them, one at least."""
    return [numbers(f"an entry of {name}", v, axes, gaps=gaps) for v in some(name, values)]


def labels(name: str, value: Any, of: str, n: int) -> list[Any]:
    """The labels of the `n` things that `of` names, one each; else TypeError, ValueError."""
    found = list(value) if isinstance(value, str) else validate.items(name, value)
    if len(found) != n:
        raise ValueError(f"{name} has {len(found)} entries; it must have {n}, one for each {of}.")
    return found


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
