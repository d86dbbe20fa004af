"""Path patching: the effect of one part of a model on another along the direct way alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from course_lib import validate
from course_lib.activations import Patch, find, intervene, read, record
from course_lib.causal.patching import Measure, PatchingMap, base_and_source, measured, some_of

if TYPE_CHECKING:
    from jaxtyping import Int

PARTS = ("attn_out", "mlp_out")  # what each block adds to the stream


@dataclass(frozen=True)
class Head:
    """One attention head as a sender."""

    layer: int
    head: int


@torch.no_grad()
def patch_paths(
    model: nn.Module,
    clean: Int[Tensor, "batch seq"],
    corrupt: Int[Tensor, "batch seq"],
    senders: Sequence[str | Head],
    receivers: Sequence[str],
    measure: Measure,
    *,
    mode: str = "denoise",
) -> PatchingMap:
    """Patch each path from a sender to a receiver: patched is [n_senders, n_receivers, batch].

    In a first run the sender is the other run's, and all that blocks add to the stream is held at
    what it was, so that a receiver changes by the direct path alone; in a second run the receiver
    is put to that value, and nothing else is held. Source: Wang et al. 2022 (arXiv:2211.00593);
    Goldowsky-Dill et al. 2023 (arXiv:2304.05969).

    Args:
        clean, corrupt, measure: as for `patch_activations`.
        senders: heads, and sites such as "blocks.0.attn_out", "blocks.0.mlp_out" or "embed".
        receivers: any sites that come later, such as "blocks.1.q", "blocks.1.mlp_pre" or
            "unembed:input".
    """
    base, source = base_and_source(model, clean, corrupt, measure, mode)
    some_of("senders", senders), some_of("receivers", receivers)
    held = read(model, _parts(model), base)
    maps = []
    for sender in senders:
        site, put = _sending(model, sender, base, source)
        with ExitStack() as stack:
            seen = stack.enter_context(record(model, list(receivers)))
            for part, value in held.items():
                if not _made_of(part, sender):
                    stack.enter_context(intervene(model, part, Patch(value)))
            stack.enter_context(intervene(model, site, put))
            model(base)
        row = []
        for receiver in receivers:
            with intervene(model, receiver, Patch(seen[receiver])):
                row.append(measured(model, base, measure))
        maps.append(torch.stack(row))
    ends = (measured(model, tokens, measure) for tokens in (clean, corrupt))
    return PatchingMap(torch.stack(maps), *ends, mode)


def _parts(model: nn.Module) -> list[str]:
    """All that blocks add to the stream."""
    names: list[str] = []
    for block in count():
        some = [f"blocks.{block}.{part}" for part in PARTS]
        try:
            for name in some:
                find(model, name)
        except ValueError:
            if block == 0:
                raise
            return names
        names += some
    raise AssertionError


def _made_of(part: str, sender: str | Head) -> bool:
    """Whether the sender is this part, or within it."""
    return part == (f"blocks.{sender.layer}.attn_out" if isinstance(sender, Head) else sender)


def _sending(model: nn.Module, sender: str | Head, base: Tensor, source: Tensor):
    if not isinstance(sender, Head):
        return sender, Patch(read(model, sender, source))
    site = f"blocks.{sender.layer}.z"
    mine, other = read(model, site, base), read(model, site, source)
    config = model.config
    n_heads = getattr(config, "n_heads", None) or config.num_attention_heads
    if validate.positive_int("head", sender.head, 0) >= n_heads:
        raise ValueError(f"head is {sender.head}; a block has {n_heads}, from 0 on.")
    mixed = mine.unflatten(-1, (n_heads, -1)).clone()
    mixed[..., sender.head, :] = other.unflatten(-1, (n_heads, -1))[..., sender.head, :]
    return site, Patch(mixed.flatten(-2))
