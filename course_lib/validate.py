"""Argument checks: each error names the argument, the value and what is allowed."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Iterable, Iterator, Sequence, Sized
from numbers import Integral, Rational, Real
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
SHOWN = reprlib.Repr()  # no more of a value than a message can hold
SHOWN.maxstring = SHOWN.maxother = SHOWN.maxlong = 1000
LARGEST = 2**63  # what a whole number must be below, to fit in a tensor
MOST = 10**9  # what a count must be below: no more rows fit in memory, nor steps in a life
LONGEST_NAME = 255  # bytes, in most file systems
DTYPES = {
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128,
    torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool,
}  # fmt: skip


def positive_int(name: str, value: Any, minimum: int = 1) -> int:
    """Return `value` as an int of at least `minimum`, or raise TypeError / ValueError."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(
            f"{name} is {SHOWN.repr(value)}; it must be a whole number of at least {minimum}."
        )
    if value < minimum:
        raise ValueError(f"{name} is {value}; it must be a whole number of at least {minimum}.")
    if value >= MOST:
        raise ValueError(f"{name} is {value}; it must be below 10**9.")
    return int(value)


def number(name: str, value: Any, low: float = float("-inf"), high: float = float("inf")) -> float:
    """Return `value` as a finite float in [low, high], or raise TypeError / ValueError."""
    exact = isinstance(value, Rational) and not isinstance(value, Integral)  # no tensor takes it
    if isinstance(value, bool) or not isinstance(value, Real) or exact:
        raise TypeError(f"{name} is {SHOWN.repr(value)}; it must be a number.")
    endless = value in (float("inf"), float("-inf")) or isinstance(value, Integral)
    if not low <= value <= high or (endless and not -LARGEST < value < LARGEST):
        raise ValueError(f"{name} is {value}; it must be a finite number from {low:g} to {high:g}.")
    return float(value)


def finite(name: str, value: Any, low: float = float("-inf"), high: float = float("inf")) -> Tensor:
    """Return `value` as a floating-point tensor whose entries are finite and in [low, high].

    Raises TypeError for what is no array of numbers, ValueError for NaN, infinities and entries
    outside the range; the message counts the bad entries and shows the first.
    """
    tensor = as_tensor(name, value)
    if tensor.dtype == torch.bool:
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


def whole(
    name: str, tensor: Tensor, low: float = float("-inf"), high: float = float("inf")
) -> Tensor:
    """Return `tensor` if it holds whole numbers, or booleans, from low to high.

    Raises TypeError for what is no tensor of them, ValueError for entries outside the range.
    """
    if not isinstance(tensor, Tensor) or tensor.is_floating_point() or tensor.is_complex():
        what = tensor.dtype if isinstance(tensor, Tensor) else f"type {type(tensor).__name__}"
        raise TypeError(f"{name} is of {what}; it must be a tensor of whole numbers.")
    plain(name, tensor)
    if tensor.numel() and not (low <= tensor.min() and tensor.max() <= high):
        raise ValueError(
            f"{name} has entries from {tensor.min()} to {tensor.max()}; they must be from {low:g} "
            f"to {high:g}."
        )
    return tensor


def as_tensor(name: str, value: Any) -> Tensor:
    """Return a tensor, a list or an array as a tensor of real numbers, else raise TypeError."""
    try:
        tensor = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise TypeError(
            f"{name} is {SHOWN.repr(value)}; it must be a tensor or numbers."
        ) from error
    if tensor.is_complex():
        raise TypeError(f"{name} has dtype {tensor.dtype}; it must hold real numbers.")
    plain(name, tensor)
    return tensor


def plain(name: str, tensor: Tensor) -> None:
    """Raise unless a tensor holds its numbers, in a form that torch can compute with.

    Raises TypeError for a sparse, nested or quantized tensor and for a dtype such as float8,
    ValueError for one on the meta device.
    """
    _dense(name, tensor)
    if tensor.is_meta:
        raise ValueError(f"{name} is on the meta device, where it holds no numbers; move it first.")


def _dense(name: str, tensor: Tensor) -> None:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} is of type {type(tensor).__name__}; it must be a torch.Tensor.")
    if tensor.is_nested or tensor.layout is not torch.strided or tensor.dtype not in DTYPES:
        layout = "nested" if tensor.is_nested else f"{tensor.layout} of {tensor.dtype}"
        raise TypeError(f"{name} is {layout}; it must be a dense tensor of a common dtype.")


def probability(name: str, value: Any) -> Tensor:
    """Return `value` as a tensor of probabilities, each in [0, 1]."""
    return finite(name, value, 0.0, 1.0)


def shape(name: str, tensor: Tensor, expected: Sequence[int | str]) -> Tensor:
    """Return `tensor` if its shape fits `expected`, else raise ValueError.

    `expected` holds a size or a letter per axis; a letter stands for any size, the same letter
    for the same size: `shape("W", W, ("n_instances", "n_features", 2))`.
    """
    _dense(name, tensor)
    sizes: dict[str, int] = {}
    fits = tensor.ndim == len(expected) and all(
        size == (want if isinstance(want, int) else sizes.setdefault(want, size))
        for size, want in zip(tensor.shape, expected, strict=True)
    )
    if not fits:
        wanted = ", ".join(str(want) for want in expected)
        raise ValueError(f"{name} has shape {list(tensor.shape)}; it must be [{wanted}].")
    return tensor


def tensors(kind: str, **named: tuple[Tensor, str]) -> None:
    """Check several tensors and how their shapes fit together, without a look at their entries.

        validate.tensors("floating", x=(x, "*batch d_in"), W=(W, "d_sae d_in"))

    Args:
        kind: "any" for all dtypes; "floating" for real floating-point numbers; "alike" for those of
            the same precision on the same device, as a matrix product needs.
        named: each tensor and its axes, as in a jaxtyping annotation; the same word is the same
            size everywhere, and a word with a star, which comes first, is any number of axes.

    Raises TypeError for what is no such tensor; ValueError for shapes that do not fit, an axis of
    size 0, and tensors that hold no numbers.
    """
    sizes: dict[str, Any] = {}
    first_name, first = next((name, tensor) for name, (tensor, _) in named.items())
    for name, (tensor, axes) in named.items():
        _dense(name, tensor)
        if kind != "any" and not tensor.is_floating_point():
            raise TypeError(
                f"{name} has dtype {tensor.dtype}; it must hold floating-point numbers."
            )
        if not _fits(tensor.shape, axes.split(), sizes):
            known = ", ".join(f"{word} = {size}" for word, size in sizes.items())
            raise ValueError(
                f"{name} has shape {list(tensor.shape)}; it must be [{axes}], no axis empty"
                + (f", with {known}." if known else ".")
            )
        plain(name, tensor)
        if kind == "alike" and (tensor.device, tensor.dtype) != (first.device, first.dtype):
            raise ValueError(
                f"{name} is {tensor.dtype} on {tensor.device} and {first_name} {first.dtype} on "
                f"{first.device}; they must be alike."
            )


def _fits(shape: Sequence[int], axes: list[str], sizes: dict[str, Any]) -> bool:
    """Whether a shape has these axes; `sizes`, by word, gets those that are new."""
    if 0 in shape or len(shape) < len(axes) - any("*" in word for word in axes):
        return False
    if axes and axes[0].startswith("*"):
        lead = len(shape) - len(axes) + 1
        shape = (tuple(shape[:lead]), *shape[lead:])
    if len(shape) != len(axes):
        return False
    return all(
        size == (int(word) if word.isdigit() else sizes.setdefault(word, size))
        for size, word in zip(shape, axes, strict=True)
    )


def text(name: str, value: Any) -> str:
    """Return `value` if it is a text, else raise TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is of type {type(value).__name__}; it must be a text.")
    return value


def path(name: str, value: Any) -> Path:
    """Return `value` as a path, or raise TypeError / ValueError."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name} is {SHOWN.repr(value)}; it must be a path, such as 'runs/first'.")
    try:
        length = len(os.fsencode(Path(value).name))
    except UnicodeEncodeError:
        length = LONGEST_NAME + 1
    if "\0" in os.fspath(value) or length > LONGEST_NAME:
        raise ValueError(f"{name} is {str(value)[:80]!r}; no file can have such a name.")
    return Path(value)


def function(name: str, value: Any) -> None:
    """Raise TypeError unless `value` can be called."""
    if not callable(value):
        raise TypeError(f"{name} is of type {type(value).__name__}; it must be a function.")


def sequence(name: str, value: Any) -> Any:
    """Return `value` if it is a list, a tuple, a range or the like, else raise TypeError."""
    listed = isinstance(value, Iterable) and isinstance(value, Sized)
    if not listed or isinstance(value, (str, bytes)) or getattr(value, "ndim", 1) == 0:
        raise TypeError(f"{name} is of type {type(value).__name__}; it must be a list.")
    return value


def items(name: str, value: Any) -> list[Any]:
    """Return what a list or the like holds, or an iterator gives, else raise TypeError."""
    return list(value if isinstance(value, Iterator) else sequence(name, value))


def instance(name: str, value: Any, kind: type[T]) -> T:
    """Return `value` if it is a `kind`, and if a tensor a dense one, else raise TypeError."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} is of type {type(value).__name__}; it must be a {kind.__name__}.")
    if isinstance(value, Tensor):
        _dense(name, value)
    return value


def choice(name: str, value: Any, allowed: Sequence[str]) -> str:
    """Return `value` if it is one of `allowed`, else raise ValueError."""
    if not isinstance(value, str) or value not in allowed:
        names = ", ".join(repr(option) for option in allowed)
        raise ValueError(f"{name} is {SHOWN.repr(value)}; it must be one of {names}.")
    return value


def like(name: str, value: T, *parts: str) -> T:
    """Return `value` if it has these attributes or methods, else raise TypeError."""
    if missing := [part for part in parts if not hasattr(value, part)]:
        raise TypeError(
            f"{name} is of type {type(value).__name__}, which has no {missing[0]}; it must have "
            f"{', '.join(parts)}."
        )
    return value


def real(name: str, value: Any) -> Tensor:
    """Return `value` if it is a tensor of real numbers, else raise; without a look at them."""
    if instance(name, value, Tensor).is_complex() or value.dtype == torch.bool:
        raise TypeError(f"{name} has dtype {value.dtype}; it must hold real numbers.")
    plain(name, value)
    return value


def broadcasts(name: str, value: Any, like_name: str, like: Tensor) -> None:
    """Raise unless `value` is a number, or a tensor that can be combined with `like` elementwise.

    It looks at shape and device alone. Raises TypeError for anything else, ValueError for a number
    that is not finite, a shape that does not fit and a tensor on another device.
    """
    if not isinstance(value, Tensor):
        if isinstance(value, Real):
            number(name, value)
            return
        raise TypeError(f"{name} is of type {type(value).__name__}; it must be a number or tensor.")
    if value.is_complex():
        raise TypeError(f"{name} has dtype {value.dtype}; it must hold real numbers.")
    _dense(name, value)
    pairs = zip(reversed(value.shape), reversed(like.shape), strict=False)
    if not all(a == b or 1 in (a, b) for a, b in pairs):
        raise ValueError(
            f"{name} has shape {list(value.shape)}; it must broadcast to that of {like_name}, "
            f"{list(like.shape)}."
        )
    if value.device != like.device and not (value.ndim == 0 and value.device.type == "cpu"):
        raise ValueError(
            f"{name} is on {value.device} and {like_name} on {like.device}; they must be together."
        )
