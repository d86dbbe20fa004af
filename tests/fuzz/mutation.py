"""Damage to the bytes of files: to JSON by its parts, to safetensors by their header, to all else.

Several files are one input: each with its length before it, so that a fuzzer can change them all.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from random import Random
from typing import Any

LENGTH = struct.Struct("<I")
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3, 2**31, 10**12, 2**70, 0.5, -0.5, 1e308, float("nan"),
    float("inf"), "", "no such", "\0", "é" * 300, "\ud800", [], {}, [None], [[]], [0, 0], [-1, 9],
    ["a", 1], {"a": 1}, "float32", "F32", "I64", "BOOL", [2**40, 2**40],
)  # fmt: skip
EDGES = (0, 1, 0x7F, 0x80, 0xFF)


def pack(parts: Sequence[bytes]) -> bytes:
    """Several files as one input; `unpack` gives them back, and makes of any bytes some files."""
    return b"".join(LENGTH.pack(len(part)) + part for part in parts)


def unpack(data: bytes, n: int) -> list[bytes]:
    parts = []
    for _ in range(n):
        head, rest = data[: LENGTH.size], data[LENGTH.size :]
        length = LENGTH.unpack(head)[0] if len(head) == LENGTH.size else 0
        parts.append(rest[:length])
        data = rest[length:]
    return parts


def mutated(parts: Sequence[bytes], random: Random) -> list[bytes]:
    """The files with some damage done to one or a few of them."""
    parts = list(parts)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        k = random.randrange(len(parts))
        parts[k] = _damaged(parts[k], random)
    return parts


def _damaged(data: bytes, random: Random) -> bytes:
    if random.random() < 0.7:
        if data[:1] in (b"{", b"["):
            return _json(data, random)
        if len(data) > 8 and data[8:9] == b"{":
            size = struct.unpack("<Q", data[:8])[0]
            header = _json(data[8 : 8 + size], random)
            return struct.pack("<Q", len(header)) + header + data[8 + size :]
        if data.count(b"\n{") > 1:  # a file of many lines of JSON
            lines = data.split(b"\n")
            k = random.randrange(len(lines))
            lines[k] = _json(lines[k], random)
            return b"\n".join(lines)
    return _bytes(data, random)


def _json(data: bytes, random: Random) -> bytes:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return _bytes(data, random)
    if not isinstance(value, (dict, list)):
        return _bytes(data, random)
    _change(value, random)
    try:
        return json.dumps(value).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return data


def _change(value: dict | list, random: Random) -> None:
    """Change something inside of a list or a dict."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    if not keys:
        return
    key = random.choice(keys)
    if isinstance(value[key], (dict, list)) and value[key] and random.random() < 0.8:
        return _change(value[key], random)
    what = random.randrange(5)
    if what == 0:
        del value[key]
    elif what == 1 and isinstance(value, dict):
        value[random.choice((*keys, "other"))] = value.pop(key)
    elif what == 2 and type(value[key]) in (int, float) and abs(value[key]) < 2**64:
        value[key] = random.choice((value[key] + 1, -value[key], value[key] * 2, float(value[key])))
    else:
        value[key] = random.choice((*VALUES, value[random.choice(keys)] if what > 3 else None))


def _bytes(data: bytes, random: Random) -> bytes:
    made = bytearray(data)
    at = random.randrange(len(made) + 1)
    size = random.choice((1, 2, 4, 8, 64))
    what = random.randrange(6)
    if what == 0 and made:
        made[min(at, len(made) - 1)] ^= 1 << random.randrange(8)
    elif what == 1:
        made[at : at + size] = bytes(random.choice(EDGES) for _ in range(size))
    elif what == 2:
        made[at:at] = random.randbytes(size)
    elif what == 3:
        del made[at : at + size]
    elif what == 4:
        del made[at:]
    else:
        other = random.randrange(len(made) + 1)
        made[at:at] = made[other : other + size]
    return bytes(made)
