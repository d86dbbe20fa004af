"""Hostile values for a parameter: fixed ones for each kind of it, and drawn ones for hypothesis."""

from __future__ import annotations

import math
import typing
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from tests.fuzz.census import Subject
from tests.fuzz.valid import tensor_of, value_of


def hostile(subject: Subject, name: str) -> dict[str, Any]:
    """What is tried for one parameter, by the words that name it in a message."""
    values: dict[str, Any] = {"None": None, "a word": "no such", "an object": object()}
    if subject.kinds[name] == (bool,):
        return {}  # whatever is true or false
    right = value_of(subject, name) if name in subject.required else None
    for kind in subject.kinds[name]:
        values |= _of_kind(kind)
    return values | (tensors(right) if isinstance(right, Tensor) else {})


def _of_kind(kind: Any) -> dict[str, Any]:
    if hasattr(kind, "dim_str"):
        return tensors(tensor_of(kind))
    if kind is Tensor:
        return tensors(torch.arange(24.0).reshape(6, 4))
    if kind in (int, float):
        return numbers()
    if kind is str:
        return {"empty text": "", "a NUL": "\0", "bytes": b"x", "a number": 3, "long": "é" * 5000}
    if typing.get_origin(kind) in (list, tuple, Sequence):
        return {"empty": [], "Nones": [None, None], "words": ["a", "b"], "NaNs": [math.nan] * 2,
                "a number": 3, "negative": [-1, -1], "huge numbers": [10**12, 10**12]}  # fmt: skip
    return {"a number": 3, "empty": [], "a tensor": torch.zeros(2)}


def numbers() -> dict[str, Any]:
    return {
        "half": 0.5, "NaN": math.nan, "inf": math.inf, "-inf": -math.inf, "0": 0, "-1": -1,
        "huge": 10**12, "huge beyond 64 bits": 2**70, "tiny": 5e-324, "large": 1e308,
        "huge by far": 10**400, "a fraction": Fraction(1, 2),
        "complex": 1 + 1j, "a list": [1, 2], "True": True, "a tensor": torch.tensor([1.0, 2.0]),
    }  # fmt: skip


def tensors(right: Tensor) -> dict[str, Any]:
    """A right tensor made wrong in one way each."""
    real = right.float()
    made = {
        "a list": [], "a number": 1.5, "an array": right.numpy(), "complex": right.to(torch.cfloat),
        "whole": right.long(), "bool": right.bool(), "half precision": right.half(),
        "double": right.double(), "NaN": torch.full_like(real, math.nan),
        "inf": torch.full_like(real, math.inf), "zeros": torch.zeros_like(right),
        "huge entries": torch.full_like(real, 3e38), "huge numbers": right.long() + 10_000,
        "negative": right.long() - 5, "one axis more": right[None], "scalar": real.sum(),
        "on the meta device": right.to("meta"), "nothing": torch.zeros(0),
        "lists": right.tolist(), "int32": right.to(torch.int32), "byte": right.bool().byte(),
        "64 bits without sign": right.bool().to(torch.uint64), "sparse": real.to_sparse(),
        "eight bits": real.to(torch.float8_e4m3fn),
    }  # fmt: skip
    if right.ndim:
        made |= {
            "nested": torch.nested.nested_tensor([right, right], layout=torch.jagged),
            "no rows": right[:0], "no columns": right[..., :0], "one axis less": right[0],
            "a row more": torch.cat([right, right[:1]]),
            "a column more": torch.cat([right, right[..., :1]], dim=-1), "one row": right[:1],
        }  # fmt: skip
    return made


def any_value(subject: Subject, name: str) -> st.SearchStrategy[Any]:
    """Drawn values: the fixed ones, and tensors and numbers of any shape, kind and size."""
    fixed = list(hostile(subject, name).values())
    plain = st.one_of(
        st.none(), st.booleans(), st.integers(-(2**65), 200), st.floats(), st.text(max_size=4),
        st.lists(st.one_of(st.integers(-3, 9), st.floats()), max_size=4),
    )  # fmt: skip
    return st.one_of(st.sampled_from(fixed), plain, any_tensor())


@st.composite
def any_tensor(draw: st.DrawFn) -> Tensor:
    dtypes = (
        torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int8,
        torch.bool, torch.complex64,
    )  # fmt: skip
    shape = draw(st.lists(st.integers(0, 7), max_size=4))
    entries = st.one_of(st.integers(-3, 9), st.sampled_from([math.nan, math.inf, -math.inf, 1e38]))
    cycle = draw(st.lists(entries, min_size=1, max_size=6))
    n = math.prod(shape)
    flat = torch.tensor((cycle * (n // len(cycle) + 1))[:n], dtype=torch.float64)
    dtype = draw(st.sampled_from(dtypes))
    if not dtype.is_floating_point and not dtype.is_complex:
        flat = flat.nan_to_num(1.0, 2.0, 0.0).clamp(-100, 100)
    return flat.reshape(shape).to(dtype)
