"""One shard: a safetensors file of activations, written whole and checked when it is read."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import runtime
from course_lib.files import Newer, check_version

if TYPE_CHECKING:
    from safetensors import safe_open

SHARD_KEY = "activations"  # name of the tensor [rows, d] in a shard
OURS = "course_lib"  # our part of the header: one entry, as several come in any order
VERSION = 1  # of a shard; in 0 the header had checksums of the numbers alone, by name


def write_shard(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write tensors [rows, ...], with a version and the CRC-32 of each in the file's metadata.

    Raises OSError with one clear sentence when the disk is full or may not be written to.
    """
    from safetensors.torch import save

    sums = {name: _checksum(tensor) for name, tensor in tensors.items()}
    told = json.dumps({"version": VERSION, "crc32": sums})
    runtime.write_file(path, save(tensors, metadata={OURS: told}))


def read_shard(path: Path, name: str = SHARD_KEY) -> Tensor:
    """One tensor of a shard. A file that came without checksums is trusted.

    Raises FileNotFoundError when the file is gone, ValueError when it is damaged, of a newer
    version, or has no such tensor.
    """
    with _opened(path, name) as file:
        tensor, header = file.get_tensor(name), file.metadata() or {}
    try:
        told = json.loads(header[OURS]) if OURS in header else {"version": 0, "crc32": header}
        check_version(told, VERSION)
        whole = told["crc32"].get(name) in (_checksum(tensor, told["version"]), None)
    except Newer as error:
        raise Newer(f"{path} cannot be read: {error}.") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        whole = False
    if not whole:
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

    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing; bring it back, or harvest again with the same arguments."
        )
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except SafetensorError as error:
        told = str(error)[:200]
        raise ValueError(
            f"{path} is no safetensors file with a tensor {name!r} ({told}). If a harvest "
            "wrote it, delete it and harvest again with the same arguments; write shards of your "
            f"own with safetensors.torch.save_file({{{name!r}: x}}, path)."
        ) from None


def _checksum(tensor: Tensor, version: int = VERSION) -> str:
    form = "" if version == 0 else f"{tensor.dtype} {list(tensor.shape)}"
    numbers = tensor.contiguous().view(-1).view(torch.uint8).numpy()
    return f"{zlib.crc32(numbers, zlib.crc32(form.encode())):08x}"
