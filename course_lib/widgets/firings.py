"""Where an SAE's latents fire on some documents: what is active, and which of it to look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import validate
from course_lib.data.sequences import NONE
from course_lib.sae.codes import Codes

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@dataclass(frozen=True)
class Firings:
    """The activations that are not 0, ordered by latent, then by place.

    Attributes:
        latents: [n], which latent each is of.
        places: [n], its token: an index into the tokens flattened to [docs * seq].
        values: [n], all positive.
        d_sae: how many latents there are.
        docs, seq: how many documents, of how many tokens.
    """

    latents: Int[Tensor, " n"]
    places: Int[Tensor, " n"]
    values: Float[Tensor, " n"]
    d_sae: int
    docs: int
    seq: int

    def counts(self) -> Int[Tensor, " d_sae"]:
        """How often each latent fires."""
        return torch.bincount(self.latents, minlength=self.d_sae)

    def largest(self) -> Float[Tensor, " d_sae"]:
        """Each latent's largest activation; 0 if it never fires."""
        return torch.zeros(self.d_sae).scatter_reduce(0, self.latents, self.values, "amax")

    def shares(self) -> Float[Tensor, " n"]:
        """The activations as shares of their latent's largest."""
        return self.values / self.largest()[self.latents]


@dataclass(frozen=True)
class Contexts:
    """Firings to look at, ordered by latent, the strongest first.

    Attributes:
        latents, places: [n_contexts], as in `Firings`.
        deciles: [n_contexts], 0 for the strongest tenth of the latent's firings, to 9.
    """

    latents: Int[Tensor, " n_contexts"]
    places: Int[Tensor, " n_contexts"]
    deciles: Int[Tensor, " n_contexts"]


def firings(
    z: Tensor | Codes | Iterable[Tensor | Codes], tokens: Int[Tensor, "docs seq"]
) -> Firings:
    """What is active in z at the tokens that are not `NONE`.

    z is [docs, seq, d_sae] or [docs * seq, d_sae], dense or sparse, or `Codes`, or batches of
    these in the order of the documents. Raises ValueError for activations that are negative or
    not finite, and where z does not fit the tokens; TypeError for what holds no tensors.
    """
    (docs, seq), n_rows, sizes, parts = tokens.shape, 0, set(), []
    for batch in [z] if isinstance(z, Tensor | Codes) else validate.like("z", z, "__iter__"):
        rows, latents, values, (length, d_sae) = _entries(batch, seq)
        parts.append((latents, rows + n_rows, validate.finite("z", values, 0.0).float()))
        n_rows += length
        sizes.add(d_sae)
    if n_rows != docs * seq or len(sizes) != 1:
        raise ValueError(
            f"z has {n_rows} rows, of {sorted(sizes)} latents; it must have one row for each of "
            f"the {docs} * {seq} tokens, and the same number of latents in every batch."
        )
    latents, places, values = (torch.cat(part) for part in zip(*parts, strict=True))
    (kept,) = torch.where((values > 0) & (tokens.flatten()[places] != NONE))
    order = kept[(latents[kept] * n_rows + places[kept]).argsort()]
    return Firings(latents[order], places[order], values[order], sizes.pop(), docs, seq)


def _entries(batch: Tensor | Codes, seq: int) -> tuple[Tensor, Tensor, Tensor, tuple[int, int]]:
    """Row, latent and value of a batch's entries, and its size as (rows, latents)."""
    if isinstance(batch, Codes):
        pattern = batch.pattern
        parts, size = (
            (pattern.inputs, pattern.latents, batch.values),
            (pattern.batch_size, pattern.d_sae),
        )
    else:
        *lead, d_sae = _checked(batch, seq).shape
        entries = batch.detach().to_sparse().coalesce()
        *rows, latents = entries.indices()
        row = rows[0] * seq + rows[1] if len(rows) == 2 else rows[0]
        parts, size = (row, latents, entries.values()), (lead[0] * (seq if lead[1:] else 1), d_sae)
    return *(part.detach().cpu() for part in parts), size


def _checked(batch: Tensor, seq: int) -> Tensor:
    """A batch of z if it is a tensor, dense or sparse, that fits the tokens; or raise."""
    if not isinstance(batch, Tensor) or batch.is_nested or batch.dtype not in validate.DTYPES:
        what = batch.dtype if isinstance(batch, Tensor) else type(batch).__name__
        raise TypeError(f"z holds {what}; it must hold tensors of a common dtype, or `Codes`.")
    if batch.is_meta:
        raise ValueError("z is on the meta device, where it holds no numbers; move it first.")
    if batch.ndim != 2 and (batch.ndim != 3 or batch.shape[1] != seq):
        wanted = f"docs, {seq}" if batch.ndim == 3 else "docs * seq"
        raise ValueError(f"z has shape {list(batch.shape)}; it must be [{wanted}, d_sae].")
    return batch


def top_contexts(
    values: Float[Tensor, " n"], documents: Int[Tensor, " n"], per_decile: Sequence[int]
) -> list[tuple[int, int]]:
    """The strongest entries of each tenth, no two from one document: pairs (entry, decile).

    Ranked by value, the entry of rank r = 0, 1, … is in the decile ⌊10 r / n⌋. Of each decile as
    many are taken as `per_decile` says, or fewer where the documents run out.
    """
    order = values.argsort(descending=True, stable=True)
    left, seen, chosen = list(per_decile), set(), []
    for rank, (entry, document) in enumerate(
        zip(order.tolist(), documents[order].tolist(), strict=True)
    ):
        decile = 10 * rank // len(values)
        if left[decile] and document not in seen:
            chosen.append((entry, decile))
            seen.add(document)
            left[decile] -= 1
    return chosen


def contexts(fired: Firings, per_decile: Sequence[int]) -> Contexts:
    """`top_contexts` of every latent."""
    rows = []
    ends = F.pad(fired.counts().cumsum(0), (1, 0)).tolist()
    for latent, (start, end) in enumerate(pairwise(ends)):
        documents = fired.places[start:end] // fired.seq
        chosen = top_contexts(fired.values[start:end], documents, per_decile)
        rows += [(latent, start + entry, decile) for entry, decile in chosen]
    latents, entries, deciles = torch.tensor(rows, dtype=torch.long).view(-1, 3).unbind(1)
    return Contexts(latents, fired.places[entries], deciles)


def windows(
    fired: Firings, around: Contexts, before: int, after: int
) -> Float[Tensor, "n_contexts before+1+after"]:
    """The latent's activation at a context and the tokens around it, as share of its largest.

    0 where it does not fire and beyond the document.
    """
    places = around.places[:, None] + torch.arange(-before, after + 1)
    inside = places.div(fired.seq, rounding_mode="floor") == around.places[:, None] // fired.seq
    n_places = fired.docs * fired.seq
    wanted = torch.where(inside, around.latents[:, None] * n_places + places, -1)
    known = fired.latents * n_places + fired.places
    at = torch.searchsorted(known, wanted).clamp_max(len(known) - 1)
    return fired.shares()[at].where(known[at] == wanted, 0.0)


def histograms(fired: Firings, n_bins: int) -> Int[Tensor, "d_sae n_bins"]:
    """How many activations of each latent lie in each of equal bins from 0 to its largest.

    A bin holds its upper edge and not its lower one.
    """
    bins = (n_bins * fired.shares()).ceil().long().clamp(1, n_bins) - 1
    count = torch.bincount(fired.latents * n_bins + bins, minlength=fired.d_sae * n_bins)
    return count.view(fired.d_sae, n_bins)
