"""One shard: a safetensors file of activations, written whole and checked when it is read."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import runtime

if TYPE_CHECKING:
    from safetensors import safe_open

SHARD_KEY = "activations"  # name of the tensor [rows, d] in a shard


def write_shard(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write tensors [rows, ...], with the CRC-32 of each in the file's metadata.

    Raises OSError with one clear sentence when the disk is full or may not be written to.
    """
    from safetensors.torch import save

    sums = {name: _checksum(tensor) for name, tensor in tensors.items()}
    runtime.write_file(path, save(tensors, metadata=sums))


def read_shard(path: Path, name: str = SHARD_KEY) -> Tensor:
    """One tensor of a shard. A file that came without checksums is trusted.

    Raises FileNotFoundError when the file is gone, ValueError when it is damaged or has no such
    tensor.
    """
    with _opened(path, name) as file:
        tensor, sums = file.get_tensor(name), file.metadata() or {}
    if name in sums and sums[name] != _checksum(tensor):
        raise ValueError(
            f"{path} is damaged: the checksum of its {name} is not what was written. Delete the "
            "file and harvest again with the same arguments; no other shard is made anew."
        )
    return tensor


def shard_shape(path: Path, name: str = SHARD_KEY) -> list[int]:
    """The shape of a shard's tensor, of which nothing but the file's header is read.

    Raises FileNotFoundError when the file is gone, ValueError when it is cut off, no safetensors
    file, or without such a tensor.
    """
    with _opened(path, name) as file:
        return list(file.get_slice(name).get_shape())


@contextmanager
def _opened(path: Path, name: str) -> Iterator[safe_open]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path} is missing; bring it back, or harvest again with the same arguments."
        ) from None
    except SafetensorError as error:
        raise ValueError(
            f"{path} is no safetensors file with a tensor {name!r} ({error}); write shards with "
            f"course_lib.activations.harvest or safetensors.torch.save_file({{{name!r}: x}}, path)."
        ) from None


def _checksum(tensor: Tensor) -> str:
    return f"{zlib.crc32(tensor.contiguous().view(torch.uint8).numpy()):08x}"
