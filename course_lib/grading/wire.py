"""What passes between the grader and the sandbox: plain values as bytes, nothing executable.

A value is None, a bool, an int, a float, a string, a tensor, or a list or tuple of those. Reading
checks every length, dtype, shape and depth before anything is made of the bytes, because the other
end may lie: `Malformed` is the only thing that bad bytes can cause. What is none of these is sent
as its type's name and read as an object of a class of that name with nothing in it.

This file also runs inside the sandbox, so it imports torch and the standard library alone.
"""

from __future__ import annotations

import struct
from math import prod
from typing import Any

import torch
from torch import Tensor

DTYPES = (
    torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32,
    torch.int16, torch.int8, torch.uint8, torch.bool,
)  # fmt: skip
MAX_AXES, MAX_DEPTH, MAX_ITEMS, MAX_TEXT, MAX_VALUES = 8, 6, 255, 4000, 10_000
HELLO, CELL, TROUBLE, OUTPUT, FAILED, READY, DONE = range(7)
HEADER = struct.Struct("<2sBBHHI")  # magic, kind, phase, question or cell, case, length of the body
MAGIC = b"fs"


class Malformed(Exception):
    """The bytes are no value of ours."""


def frame(kind: int, phase: int = 0, number: int = 0, case: int = 0, body: bytes = b"") -> bytes:
    """One message from the sandbox."""
    return HEADER.pack(MAGIC, kind, phase, number, case, len(body)) + body


def encode(value: Any, depth: int = 0) -> bytes:
    """The bytes of a value; of its type's name when it is of a type that does not pass."""
    if value is None:
        return b"N"
    if isinstance(value, bool):
        return b"B" + bytes([value])
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return b"I" + struct.pack("<q", value)
    if isinstance(value, float):
        return b"F" + struct.pack("<d", value)
    if isinstance(value, str):
        return b"S" + _text(value)
    if isinstance(value, Tensor) and value.dtype in DTYPES and value.ndim <= MAX_AXES:
        flat = torch.empty(value.numel(), dtype=value.dtype).copy_(value.detach().flatten())
        head = struct.pack(f"<BB{value.ndim}I", DTYPES.index(value.dtype), value.ndim, *value.shape)
        return b"T" + head + flat.view(torch.uint8).numpy().tobytes()
    if isinstance(value, (list, tuple)) and len(value) <= MAX_ITEMS and depth < MAX_DEPTH:
        kind = b"U" if isinstance(value, tuple) else b"L"
        return kind + bytes([len(value)]) + b"".join(encode(v, depth + 1) for v in value)
    return b"X" + _text(type(value).__name__)


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "replace")[:MAX_TEXT]
    return struct.pack("<H", len(data)) + data


def decode(data: bytes, max_values: int = MAX_VALUES) -> Any:
    """The value that `data` holds, all of it. Raises Malformed for anything else."""
    reader = _Reader(memoryview(data), max_values)
    value = reader.value(0)
    if reader.at != len(data):
        raise Malformed("bytes are left over")
    return value


class _Reader:
    """Goes through the bytes once; `at` is where it stands, `left` how many values may follow."""

    def __init__(self, data: memoryview, left: int) -> None:
        self.data, self.at, self.left = data, 0, left

    def take(self, n: int) -> memoryview:
        if n > len(self.data) - self.at:
            raise Malformed("fewer bytes than announced")
        self.at += n
        return self.data[self.at - n : self.at]

    def numbers(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def value(self, depth: int) -> Any:
        kind, self.left = bytes(self.take(1)), self.left - 1
        if self.left < 0:
            raise Malformed("too many values")
        if kind == b"N":
            return None
        if kind == b"B":
            return bool(self.take(1)[0])
        if kind in (b"I", b"F"):
            return self.numbers("<q" if kind == b"I" else "<d")[0]
        if kind in (b"S", b"X"):
            text = bytes(self.take(self.numbers("<H")[0])).decode("utf-8", "replace")
            return text[:MAX_TEXT] if kind == b"S" else _unknown(text)
        if kind == b"T":
            return self.tensor()
        if kind in (b"L", b"U") and depth < MAX_DEPTH:
            items = [self.value(depth + 1) for _ in range(self.take(1)[0])]
            return tuple(items) if kind == b"U" else items
        raise Malformed("a value of no known kind")

    def tensor(self) -> Tensor:
        code, n_axes = self.take(2)
        if code >= len(DTYPES) or n_axes > MAX_AXES:
            raise Malformed("a tensor of no known dtype, or of too many axes")
        dtype, shape = DTYPES[code], self.numbers(f"<{n_axes}I")
        raw = bytearray(self.take(prod(shape) * dtype.itemsize))
        if not raw:
            if prod(max(1, n) for n in shape) > 2**16:
                raise Malformed("an empty tensor with long axes")
            return torch.empty(shape, dtype=dtype)
        if dtype == torch.bool:  # any byte but 0 and 1 would be a bool that is neither
            return (torch.frombuffer(raw, dtype=torch.uint8) != 0).reshape(shape)
        return torch.frombuffer(raw, dtype=dtype).reshape(shape)


def _unknown(name: str) -> Any:
    """An empty object whose class has this name: judges tell the student the type they got."""
    plain = name if name.isascii() and name.isidentifier() and len(name) <= 40 else "other_object"
    return type(plain, (), {})()
