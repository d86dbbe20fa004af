"""A dashboard of an SAE's latents: where each fires, how strongly, and which tokens it writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import validate
from course_lib.data.sequences import NONE
from course_lib.sae.codes import Codes
from course_lib.widgets.explorable import Explorable, explorable
from course_lib.widgets.packed import float_bits, pack

if TYPE_CHECKING:
    from jaxtyping import Float, Int

PER_DECILE = (4, 1, 1, 1, 1, 1, 1, 1, 1, 1)  # contexts shown of each, strongest decile first
BEFORE, AFTER = 7, 3  # tokens shown on either side of the one that the context is about
N_BINS = 12
N_EFFECTS = 5  # tokens shown that a latent promotes, and as many that it demotes
LEVELS = 100


def latent_dashboard(
    sae_name: str,
    tokens: Int[Tensor, "docs seq"],
    vocabulary: Sequence[str],
    z: Tensor | Codes | Iterable[Tensor | Codes],
    logit_effect: Float[Tensor, "d_sae d_vocab"],
    labels: Sequence[str],
    f1: Float[Tensor, " d_sae"],
    start: int = 0,
) -> Explorable:
    """Search an SAE's latents, and see of each where it fires and what it does to the logits.

    Everything is measured on `tokens`. A page of 2000 latents and 300 documents of 57 tokens
    weighs less than 300 kB.

    Args:
        sae_name: for the title: "The latents of {sae_name}".
        tokens: indices into `vocabulary`; `NONE` after a document's end.
        z: activations of the latents at these tokens, [docs, seq, d_sae] or [docs * seq, d_sae],
            dense or sparse, as `Codes`, or as batches of these in the order of the documents.
        logit_effect: what one unit of each latent adds to each token's logit, W_dec W_U. It is
            shown relative to its mean over the vocabulary, for a constant changes no prediction.
        labels: what each latent was found to stand for, such as "gender: feminine"; "" for none.
        f1: how well: F1 of "the latent fires" as a test for it.
        start: the latent shown first.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """
    tokens = _checked(tokens, vocabulary)
    fired = firings(z, tokens)
    d_sae = fired.d_sae
    validate.shape("logit_effect", logit_effect, (d_sae, len(vocabulary)))
    effect = validate.finite("logit_effect", logit_effect).detach().float().cpu()
    f1 = validate.shape("f1", validate.probability("f1", f1), (d_sae,)).detach().cpu()
    if len(labels) != d_sae:
        raise ValueError(f"labels has {len(labels)} entries; it must have d_sae = {d_sae}.")
    if validate.positive_int("start", start, 0) >= d_sae:
        raise ValueError(f"start is {start}; it must be a latent, from 0 to {d_sae - 1}.")

    contexts = all_contexts(fired, tokens.shape[1])
    largest = fired.largest()
    effect_tokens, effects = extremes(effect, N_EFFECTS)
    most = effects.abs().amax(dim=1)
    used = torch.cat([tokens.flatten(), effect_tokens.flatten()]).unique()
    kinds = sorted(set(labels) - {""})
    data = {
        "seq": tokens.shape[1],
        "words": [vocabulary[t] if t != NONE else None for t in used.tolist()],
        "labels": ["", *kinds],
        "window": [BEFORE, AFTER],
        "levels": LEVELS,
        "effects": effects.shape[1],
        "bins": N_BINS,
        "n_tokens": int((tokens != NONE).sum()),
        "packed": pack(
            {
                "tokens": torch.searchsorted(used, tokens.flatten()),
                "label": torch.tensor([0 if name == "" else 1 + kinds.index(name) for name in labels]),
                "f1": (100 * f1).round(),
                "fired": fired.counts(),
                "largest": float_bits(largest),
                "histogram": histograms(fired, N_BINS).flatten(),
                "n_contexts": torch.bincount(contexts.latents, minlength=d_sae),
                "decile": contexts.deciles,
                "place": contexts.places,
                "shade": windows(fired, contexts, tokens.shape[1]).flatten(),
                "effect_token": torch.searchsorted(used, effect_tokens).flatten(),
                "most": float_bits(most),
                "effect": (127 * effects / most.clamp_min(1e-30)[:, None]).round().flatten() + 127,
            }
        ),
    }
    return data


@dataclass(frozen=True)
class Firings:
    """Where latents are active, ordered by latent, then by place.

    Attributes:
        places: [n], indices into the tokens, flattened to [docs * seq].
        values: [n], the activations, all positive.
        latents: [n].
        d_sae, n_places: how many latents and places there are.
    """

    places: Int[Tensor, " n"]
    values: Float[Tensor, " n"]
    latents: Int[Tensor, " n"]
    d_sae: int
    n_places: int

    def counts(self) -> Int[Tensor, " d_sae"]:
        return torch.bincount(self.latents, minlength=self.d_sae)

    def largest(self) -> Float[Tensor, " d_sae"]:
        """Each latent's largest activation; 0 if it never fires."""
        return torch.zeros(self.d_sae).scatter_reduce(0, self.latents, self.values, "amax")


@dataclass(frozen=True)
class Contexts:
    """Firings to look at, ordered by latent, the strongest first.

    Attributes:
        latents, places, deciles: [n_contexts]; decile 0 is the strongest tenth of the latent's
            firings.
    """

    latents: Int[Tensor, " n_contexts"]
    places: Int[Tensor, " n_contexts"]
    deciles: Int[Tensor, " n_contexts"]


def firings(
    z: Tensor | Codes | Iterable[Tensor | Codes], tokens: Int[Tensor, "docs seq"]
) -> Firings:
    """What is active at the tokens there are; `z` as in `latent_dashboard`."""
    parts, n_places, sizes = [], 0, set()
    for batch in [z] if isinstance(z, Tensor | Codes) else z:
        rows, latents, values, n_rows, d_sae = _entries(batch, tokens.shape[1])
        parts.append((rows + n_places, latents, validate.finite("z", values, 0.0).float()))
        n_places += n_rows
        sizes.add(d_sae)
    if n_places != tokens.numel() or len(sizes) != 1:
        raise ValueError(
            f"z has {n_places} rows of {sorted(sizes)} latents; it must have one row for each of "
            f"the {tokens.numel()} tokens, and the same number of latents in every batch."
        )
    places, latents, values = (torch.cat(part) for part in zip(*parts, strict=True))
    there = (values > 0) & (tokens.flatten()[places] != NONE)
    places, latents, values = places[there], latents[there], values[there]
    order = (latents * n_places + places).argsort()
    return Firings(places[order], values[order], latents[order], sizes.pop(), n_places)


def _entries(batch: Tensor | Codes, seq: int) -> tuple[Tensor, Tensor, Tensor, int, int]:
    """Row, latent and value of each entry of a batch, its number of rows and of latents."""
    if isinstance(batch, Codes):
        pattern = batch.pattern
        parts = pattern.inputs, pattern.latents, batch.values
        size = pattern.batch_size, pattern.d_sae
    else:
        if batch.ndim == 3:
            validate.shape("z", batch, ("docs", seq, "d_sae"))
        else:
            validate.shape("z", batch, ("docs * seq", "d_sae"))
        entries = batch.detach().to_sparse().coalesce()
        *rows, latents = entries.indices()
        row = rows[0] * seq + rows[1] if len(rows) == 2 else rows[0]
        parts = row, latents, entries.values()
        size = batch.shape[:-1].numel(), batch.shape[-1]
    return *(part.detach().cpu() for part in parts), *size


def top_contexts(
    values: Float[Tensor, " n"], documents: Int[Tensor, " n"], per_decile: Sequence[int]
) -> list[tuple[int, int]]:
    """The strongest entries of each tenth, no two from one document: pairs (entry, decile).

    The entry of rank r, counted from 0 at the largest, is in the decile ⌊10 r / n⌋.
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
            if not any(left):
                break
    return chosen


def all_contexts(fired: Firings, seq: int) -> Contexts:
    """`top_contexts` of every latent."""
    rows = [(0, 0, 0)][:0]
    starts = F.pad(fired.counts().cumsum(0), (1, 0)).tolist()
    for latent, (start, end) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
        documents = fired.places[start:end] // seq
        chosen = top_contexts(fired.values[start:end], documents, PER_DECILE)
        rows += [(latent, start + entry, decile) for entry, decile in chosen]
    latents, entries, deciles = torch.tensor(rows, dtype=torch.long).view(-1, 3).unbind(1)
    return Contexts(latents, fired.places[entries], deciles)


def windows(fired: Firings, contexts: Contexts, seq: int) -> Int[Tensor, "n_contexts window"]:
    """The latent's activation around each context, from 0 to `LEVELS` at its largest; 0 is off.

    What fires has at least level 1. Places beyond the document are 0.
    """
    offsets = torch.arange(-BEFORE, AFTER + 1)
    places = contexts.places[:, None] + offsets
    inside = (places // seq) == (contexts.places // seq)[:, None]
    keys = contexts.latents[:, None] * fired.n_places + places.clamp(0, fired.n_places - 1)
    known = fired.latents * fired.n_places + fired.places
    at = torch.searchsorted(known, keys).clamp_max(max(len(known) - 1, 0))
    if not len(known):
        return torch.zeros_like(keys)
    levels = LEVELS * fired.values[at] / fired.largest()[contexts.latents][:, None]
    return torch.where(inside & (known[at] == keys), levels.round().clamp_min(1), 0).long()


def histograms(fired: Firings, n_bins: int) -> Int[Tensor, "d_sae n_bins"]:
    """How many activations of each latent lie in each of equal bins from 0 to its largest.

    A bin holds its upper edge and not its lower one.
    """
    share = fired.values / fired.largest()[fired.latents]
    bins = (n_bins * share).ceil().long().clamp(1, n_bins) - 1
    count = torch.bincount(fired.latents * n_bins + bins, minlength=fired.d_sae * n_bins)
    return count.view(fired.d_sae, n_bins)


def extremes(
    effect: Float[Tensor, "d_sae d_vocab"], n: int
) -> tuple[Int[Tensor, "d_sae m"], Float[Tensor, "d_sae m"]]:
    """The n tokens of the largest effect, falling, then the n of the smallest, the smallest last.

    Effects are relative to their mean over the vocabulary. Where it has fewer than 2 n tokens,
    n is half of them.
    """
    n = min(n, effect.shape[1] // 2)
    centred = effect - effect.mean(dim=1, keepdim=True)
    ranked = centred.argsort(dim=1, descending=True, stable=True)
    chosen = torch.cat([ranked[:, :n], ranked[:, -n:]], dim=1)
    return chosen, centred.gather(1, chosen)


def _checked(tokens: Tensor, vocabulary: Sequence[str]) -> Tensor:
    validate.shape("tokens", tokens, ("docs", "seq"))
    if tokens.is_floating_point() or tokens.dtype == torch.bool:
        raise TypeError(f"tokens has dtype {tokens.dtype}; it must hold whole numbers.")
    low, high = (int(end) for end in tokens.aminmax())
    if low < NONE or high >= len(vocabulary):
        raise ValueError(
            f"tokens go from {low} to {high}; they must be indices into the vocabulary, from 0 to "
            f"{len(vocabulary) - 1}, or {NONE} after a document's end."
        )
    return tokens.detach().cpu().long()
