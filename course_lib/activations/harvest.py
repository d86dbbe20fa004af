"""Fill an activation store: run a model over many tokens and keep what it computes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from course_lib import files, parallel, runtime, validate
from course_lib.activations.hooks import read
from course_lib.activations.shards import SHARD_KEY, write_shard
from course_lib.activations.sites import Site, listed
from course_lib.activations.store import INDEX, LABELS, Index, Store, file_of, folder_of, is_whole
from course_lib.data.sequences import NONE

if TYPE_CHECKING:
    from jaxtyping import Bool, Int


def harvest(
    model: nn.Module,
    tokens: Int[Tensor, "n seq"],
    sites: str | Site | Sequence[str | Site],
    path: str | Path | None = None,
    *,
    keep: Bool[Tensor, "n seq"] | None = None,
    batch_size: int = 64,
    shard_rows: int = 2**16,
    dtype: torch.dtype | None = None,
) -> Store:
    """Run a model over tokens and keep its activations [batch, seq, d] at some sites, row by row.

    The model runs in evaluation mode, on the device of its parameters, and no further than the last
    site. `NONE` (-1) is padding: it is never kept, and transformers' models are told not to look.

    In files, a shard is written whole or not at all and depends on its own sequences alone. So a
    harvest that was stopped, even killed, is called again with the same arguments and makes what is
    missing: no row twice, none lost. Under torchrun the processes share out the missing shards, one
    each at a time, and get the whole store; without a path each makes all.

    Args:
        tokens: all sequences; `torch.from_numpy(np.memmap(...))` where they do not fit into memory.
        sites: as for `find`.
        path: a folder for `index.json` and, for each site, a folder of shards, which
            `course_lib.sae.Trainer` reads; None to keep all in memory.
        keep: which positions become rows; None for all but padding.
        batch_size: sequences that the model reads at once.
        shard_rows: about how many rows go into a file.
        dtype: to store; None for the model's.

    Raises:
        TypeError, ValueError: for tokens, sites or a folder that do not fit, and activations that
            are not finite, in `dtype` at least.
        OSError: the disk is full; make room and call it again.
        MemoryError: batch_size is too large for the model on its device, or a shard for memory.
        files.InUse: another run harvests into this folder.
        ConnectionError: another process of this run is gone.
    """
    validate.instance("model", model, nn.Module)
    chosen = listed(sites)
    if not chosen:
        raise ValueError("sites is empty; it must name one at least.")
    kept = _kept(tokens, keep)
    validate.positive_int("batch_size", batch_size)
    validate.positive_int("shard_rows", shard_rows)
    folder = None if path is None else validate.path("path", path)
    if dtype is not None:
        validate.instance("dtype", dtype, torch.dtype)
    with _evaluating(model), ExitStack() as held:
        sample = _run(model, chosen, tokens[:1])
        for site, x in sample.items():
            if x.ndim != 3 or x.shape[1] != tokens.shape[1]:
                raise ValueError(
                    f"{site} has activations of shape {list(x.shape)}; a store keeps "
                    f"[batch, seq, d] with seq = {tokens.shape[1]}."
                )
        dtype = dtype or next(iter(sample.values())).dtype
        index = Index(
            model=_name(model),
            weights=fingerprint(model),
            tokens=_digest(tokens),
            kept=_digest(kept),
            sites={site: x.shape[-1] for site, x in sample.items()},
            dtype=str(dtype).removeprefix("torch."),
            shape=list(tokens.shape),
            shards=_plan(kept, kept.numel() if folder is None else shard_rows),
        )
        if folder is None:
            made = _shards(model, chosen, tokens, kept, index, [0], batch_size)
            return Store(index, [shard for _, shard in made])
        held.enter_context(parallel.processes())
        parallel.from_first(lambda: held.enter_context(files.only_writer(folder / INDEX)))
        missing = parallel.from_first(lambda: _begin(folder, index))
        own = missing[parallel.rank() :: parallel.size()]
        for number, shard in _shards(model, chosen, tokens, kept, index, own, batch_size):
            labels = {name: shard[name] for name in LABELS}
            for site in index.sites:
                file = file_of(folder, site, number)
                write_shard(file, {SHARD_KEY: shard[site], **labels})
            parallel.wait()  # or who is slow falls behind for longer than the others wait
        if len(own) < -(-len(missing) // parallel.size()):
            parallel.wait()
    return Store(index, folder)


def _shards(
    model: nn.Module,
    sites: list[str | Site],
    tokens: Int[Tensor, "n seq"],
    kept: Bool[Tensor, "n seq"],
    index: Index,
    numbers: list[int],
    batch_size: int,
) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """Each of the shards with these numbers, and its number, under one progress bar."""
    steps = [(n, first) for n in numbers for first in range(*index.shards[n][:2], batch_size)]
    for number, first in runtime.progress(steps, "harvest"):
        start, stop, n_rows = index.shards[number]
        if first == start:
            with runtime.memory_advice(_shard_advice(index, n_rows)):
                shard, filled = _empty(index, n_rows), 0
        last = min(first + batch_size, stop)
        here = kept[first:last]
        rows = slice(filled, filled + int(here.sum()))
        with runtime.memory_advice(_advice(batch_size)):
            found = _run(model, sites, tokens[first:last])
        for site, x in found.items():
            shard[site][rows] = x.flatten(0, 1) if here.all() else x[here.to(x.device)]
        sequence, position = here.nonzero(as_tuple=True)
        shard["token"][rows] = tokens[first:last].cpu()[here].int()
        shard["sequence"][rows] = (sequence + first).int()
        shard["position"][rows] = position.int()
        filled = rows.stop
        if last == stop:
            _check_finite(shard, index)
            yield number, shard


def fingerprint(model: nn.Module) -> str:
    """A hash of a model's weights and buffers, of at most 256 entries from each."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        flat = tensor.detach().flatten()
        entries = flat[:: max(1, flat.numel() // 256)].double().cpu()
        digest.update(f"{name} {list(tensor.shape)}".encode() + entries.numpy().tobytes())
    return digest.hexdigest()


def _kept(tokens: Tensor, keep: Tensor | None) -> Tensor:
    validate.as_tensor("tokens", validate.shape("tokens", tokens, ("n", "seq")))
    if tokens.is_floating_point() or tokens.dtype == torch.bool or tokens.numel() == 0:
        raise ValueError(
            f"tokens has shape {list(tokens.shape)} and dtype {tokens.dtype}; it must hold one "
            "whole number at least."
        )
    kept = tokens != NONE
    if keep is not None:
        keep = validate.as_tensor("keep", validate.shape("keep", keep, tokens.shape))
        if keep.dtype != torch.bool:
            raise TypeError(f"keep has dtype {keep.dtype}; it must be a mask of booleans.")
        kept = kept & keep
    if not kept.any():
        raise ValueError("keep leaves no row to store.")
    return kept.cpu()


@torch.inference_mode()
def _run(model: nn.Module, sites: list[str | Site], tokens: Tensor) -> dict[str, Tensor]:
    device = next(model.parameters(), tokens).device
    tokens, padding = tokens.to(device), (tokens == NONE).to(device)
    if padding.any() and hasattr(getattr(model, "config", None), "model_type"):  # transformers
        return read(model, sites, tokens.masked_fill(padding, 0), attention_mask=(~padding).long())
    return read(model, sites, tokens)


def _plan(kept: Tensor, shard_rows: int) -> list[list[int]]:
    """Sequences cut into shards of about equally many rows: first, one after the last, rows."""
    total = torch.cat([torch.zeros(1, dtype=torch.long), kept.sum(dim=1).cumsum(0)])
    n_shards = max(1, min(len(kept), round(int(total[-1]) / shard_rows)))
    ends = torch.searchsorted(total, torch.arange(1, n_shards + 1) * total[-1] // n_shards)
    cuts = sorted({0, *ends.tolist()[:-1], len(kept)})
    return [[a, b, int(total[b] - total[a])] for a, b in pairwise(cuts) if total[b] > total[a]]


def _begin(folder: Path, index: Index) -> list[int]:
    """The shards still to make, once it is sure that the folder is of this very harvest."""
    if (folder / INDEX).is_file():
        was, now = asdict(Index.load(folder)), asdict(index)
        if changed := [key for key in now if was[key] != now[key]]:
            raise ValueError(
                f"{folder} holds another harvest: {', '.join(changed)} differ. Name another "
                "folder, or delete this one."
            )
    elif folder.exists() and any(folder.rglob("*.safetensors")):
        raise ValueError(f"{folder} holds files that are no harvest's; name another folder.")
    else:
        index.save(folder)
    for site in index.sites:
        files.remove_torn(folder_of(folder, site))
    return [number for number in range(len(index.shards)) if not is_whole(folder, index, number)]


def _advice(batch_size: int) -> str:
    smaller = f"batch_size = {max(1, batch_size // 2)}" if batch_size > 1 else "shorter sequences"
    return (
        f"The model could not read batch_size = {batch_size} sequences at once; try {smaller}. "
        "Shards that are written stay, and harvest goes on after them."
    )


def _shard_advice(index: Index, n_rows: int) -> str:
    d = sum(index.sites.values())
    return (
        f"A shard of {n_rows} rows of {d} numbers did not fit; try fewer sites or sequences, or a "
        f"path with shard_rows = {max(1, n_rows // 2)}."
    )


def _empty(index: Index, n_rows: int) -> dict[str, Tensor]:
    dtype = getattr(torch, index.dtype)
    shard = {site: torch.empty(n_rows, d, dtype=dtype) for site, d in index.sites.items()}
    return shard | {name: torch.empty(n_rows, dtype=torch.int32) for name in LABELS}


def _check_finite(shard: dict[str, Tensor], index: Index) -> None:
    for site in index.sites:
        if not shard[site].isfinite().all():
            raise ValueError(
                f"{site} has activations that are not finite in {index.dtype}; store them in "
                "bfloat16 or float32, or look for the fault in the model."
            )


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, and each module back to its own mode afterwards."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _name(model: nn.Module) -> str:
    name = getattr(getattr(model, "config", None), "name_or_path", "")
    return f"{type(model).__name__} {name}".strip()


def _digest(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.cpu().contiguous().view(torch.uint8).numpy()).hexdigest()
