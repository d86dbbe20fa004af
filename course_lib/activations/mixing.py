"""Rows of many chunks in random order, with a bounded part of them in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Generator, Tensor

from course_lib import validate


def mix(
    chunks: Iterable[tuple[Tensor, ...]],
    batch_size: int,
    buffer_rows: int,
    generator: Generator,
) -> Iterator[tuple[Tensor, ...]]:
    """Batches of rows drawn from a buffer that holds rows of several chunks at once.

    Chunks fill the buffer; when it has `buffer_rows` it is shuffled, half of it leaves as batches
    and the next chunks meet the other half. Each row comes once; at the end fewer than batch_size
    rows are left over.

    Args:
        chunks: tuples of tensors with equally many rows, which stay together.
        generator: a CPU generator.
    """
    validate.positive_int("batch_size", batch_size)
    validate.positive_int("buffer_rows", buffer_rows, batch_size)
    held: tuple[Tensor, ...] = ()
    for chunk in chunks:
        held = tuple(map(torch.cat, zip(held, chunk, strict=True))) if held else tuple(chunk)
        if len(held[0]) >= buffer_rows:
            held = _shuffled(held, generator)
            leaving = max(1, len(held[0]) // 2 // batch_size) * batch_size
            yield from _cut(held, batch_size, leaving)
            held = tuple(part[leaving:] for part in held)
    if held:
        held = _shuffled(held, generator)
        yield from _cut(held, batch_size, len(held[0]) // batch_size * batch_size)


def _shuffled(parts: tuple[Tensor, ...], generator: Generator) -> tuple[Tensor, ...]:
    order = torch.randperm(len(parts[0]), generator=generator)
    return tuple(part[order.to(part.device)] for part in parts)


def _cut(parts: tuple[Tensor, ...], size: int, stop: int) -> Iterator[tuple[Tensor, ...]]:
    for first in range(0, stop, size):
        yield tuple(part[first : first + size] for part in parts)
