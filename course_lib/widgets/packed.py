"""Whole numbers by the hundred thousand for a page: bytes by place value, deflated, in base64."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float, Int


def pack(columns: Mapping[str, Int[Tensor, " n"]]) -> dict:
    """Columns of whole numbers from 0 to 2³² - 1, for `data`; `unpack` in latents.js reads them.

    A column is stored as all its lowest bytes, then all the next ones, as many as its largest
    number needs: bytes of one kind side by side deflate best.

    Raises ValueError for a number out of range.
    """
    shape, planes = {}, []
    for name, column in columns.items():
        numbers = column.detach().cpu().long().flatten()
        low, high = (int(end) for end in numbers.aminmax()) if len(numbers) else (0, 0)
        if low < 0 or high >= 2**32:
            raise ValueError(f"{name} goes from {low} to {high}; it must stay in 0 to 2**32 - 1.")
        n_bytes = max(1, (high.bit_length() + 7) // 8)
        shape[name] = [len(numbers), n_bytes]
        planes += [(numbers >> 8 * place & 255).to(torch.uint8) for place in range(n_bytes)]
    plain = torch.cat(planes).numpy().tobytes()
    return {"columns": shape, "packed": base64.b64encode(zlib.compress(plain, 9)).decode()}


def float_bits(values: Float[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Numbers that are not negative, in single precision without the last 11 bits: 4 digits."""
    return values.detach().float().view(torch.int32) >> 11
