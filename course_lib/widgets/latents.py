"""A dashboard of an SAE's latents: where each fires, how strongly, and which tokens it writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import drawable, validate
from course_lib.data.sequences import NONE
from course_lib.sae.codes import Codes
from course_lib.widgets import firings as firing
from course_lib.widgets.explorable import Explorable, explorable
from course_lib.widgets.packed import float_bits, pack

if TYPE_CHECKING:
    from jaxtyping import Float, Int

PER_DECILE = (4, 1, 1, 1, 1, 1, 1, 1, 1, 1)  # contexts of each tenth, the strongest first
BEFORE, AFTER = 7, 3  # tokens shown on either side of the one that a context is about
N_BINS = 10
N_EFFECTS = 5  # tokens that a latent promotes most, and as many that it demotes most
LEVELS = 100  # steps of an activation, and of an effect, up to the latent's largest


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

    Everything is measured on `tokens`. 300 documents of 57 tokens, 2000 words and 2000 latents,
    32 of them active at a time, make a page of less than 300 kB.

    Args:
        sae_name: for the title, "The latents of {sae_name}".
        tokens: indices into `vocabulary`; `NONE` after a document's end.
        z: the latents' activations at these tokens, [docs, seq, d_sae] or [docs * seq, d_sae],
            dense or sparse, or `Codes`, or batches of these in the order of the documents.
        logit_effect: what one unit of a latent adds to each token's logit: W_dec W_U. It is shown
            relative to its mean over the vocabulary, for a constant changes no prediction.
        labels: what each latent was found to stand for, such as "gender: feminine"; "" for none.
        f1: how well, in [0, 1].
        start: the latent shown first.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """
    validate.text("sae_name", sae_name)
    vocabulary, labels = (
        drawable.texts("vocabulary", vocabulary, 2),
        drawable.texts("labels", labels),
    )
    tokens = _indices(tokens, len(vocabulary))
    fired = firing.firings(z, tokens)
    d_sae = fired.d_sae
    effect = validate.shape("logit_effect", logit_effect, (d_sae, len(vocabulary)))
    effect = validate.finite("logit_effect", effect).detach().float().cpu()
    f1 = validate.shape("f1", validate.probability("f1", f1), (d_sae,)).detach().cpu()
    if len(labels) != d_sae:
        raise ValueError(f"labels has {len(labels)} entries; it must have d_sae = {d_sae}.")
    if validate.positive_int("start", start, 0) >= d_sae:
        raise ValueError(f"start is {start}; it must be a latent, from 0 to {d_sae - 1}.")

    contexts = firing.contexts(fired, PER_DECILE)
    effect_tokens, effects = extremes(effect, N_EFFECTS)
    most = effects.abs().amax(dim=1).clamp_min(torch.finfo().tiny)
    used = torch.cat([tokens.flatten(), effect_tokens.flatten()]).unique()
    kinds = ["", *sorted(set(labels) - {""})]
    number = {kind: k for k, kind in enumerate(kinds)}
    shade = LEVELS * firing.windows(fired, contexts, BEFORE, AFTER)
    columns = {
        "token": torch.searchsorted(used, tokens.contiguous()),
        "label": torch.tensor([number[label] for label in labels]),
        "f1": (100 * f1).round(),
        "fired": fired.counts(),
        "largest": float_bits(fired.largest()),
        "histogram": firing.histograms(fired, N_BINS),
        "n_contexts": torch.bincount(contexts.latents, minlength=d_sae),
        "decile": contexts.deciles,
        "place": contexts.places,
        "shade": shade.round().clamp_min(1).where(shade > 0, 0),
        "effect_token": torch.searchsorted(used, effect_tokens),
        "effect": LEVELS + (LEVELS * effects / most[:, None]).round(),
        "most": float_bits(most),
    }
    data = {
        "start": start,
        "seq": tokens.shape[1],
        "n_tokens": int((tokens != NONE).sum()),
        "words": [None if token == NONE else vocabulary[token] for token in used.tolist()],
        "labels": kinds,
        "window": [BEFORE, AFTER],
        "levels": LEVELS,
        **pack(columns),
    }
    here = contexts.latents == start
    return explorable(
        "latents.js",
        style="latents.css",
        title=f"The latents of {sae_name}",
        data=data,
        caption=(
            f"{d_sae} latents on {len(tokens)} documents. A context is about its underlined "
            "token; the fuller a token's colour, the closer the latent comes there to its largest "
            "activation. Ranked by activation, a latent's firings fall into tenths: you see up to "
            f"{PER_DECILE[0]} of the strongest and one of every other, all from different "
            "documents. Promoted and demoted: what one unit of the latent adds to a token's "
            "logit, relative to the mean over all tokens."
        ),
        start_text=_sentence(start, labels[start], f1[start], fired, data["n_tokens"]),
        start_table=[
            ["tenth of its firings", "activation", "context"],
            *_rows(fired, contexts.places[here], contexts.deciles[here], start, tokens, vocabulary),
        ],
    )


def extremes(
    effect: Float[Tensor, "d_sae d_vocab"], n: int
) -> tuple[Int[Tensor, "d_sae 2n"], Float[Tensor, "d_sae 2n"]]:
    """The n tokens of the largest effect and the n of the smallest, falling, and their effects.

    Effects are relative to their mean over the vocabulary. Of a vocabulary of fewer than 2 n
    tokens each half is taken.
    """
    n = min(n, effect.shape[1] // 2)
    effect = effect - effect.mean(dim=1, keepdim=True)
    most, least = effect.topk(n), effect.topk(n, largest=False)
    tokens = torch.cat([most.indices, least.indices.flip(1)], dim=1)
    return tokens, effect.gather(1, tokens)


def _indices(tokens: Tensor, d_vocab: int) -> Tensor:
    validate.shape("tokens", tokens, ("docs", "seq"))
    real = tokens.is_floating_point() or tokens.is_complex()
    if real or tokens.dtype == torch.bool or not tokens.numel():
        raise TypeError(
            f"tokens has dtype {tokens.dtype} and {tokens.numel()} entries; "
            "it must hold whole numbers, and one at least."
        )
    validate.plain("tokens", tokens)
    low, high = (int(end) for end in tokens.aminmax())
    if low < NONE or high >= d_vocab:
        raise ValueError(
            f"tokens go from {low} to {high}; they must be indices into the vocabulary, from 0 to "
            f"{d_vocab - 1}, or {NONE} after a document's end."
        )
    return tokens.detach().cpu().long()


def _sentence(latent: int, label: str, f1: Tensor, fired: firing.Firings, n_tokens: int) -> str:
    count = int(fired.counts()[latent])
    if not count:
        return f"Latent {latent} never fires on these documents."
    stands = f" As a test for {label} its F1 is {f1:.2f}." if label else ""
    return (
        f"Latent {latent} fires on {count} of {n_tokens} tokens ({count / n_tokens:.2%}), at most "
        f"with {fired.largest()[latent]:.3g}.{stands} The table shows where."
    )


def _rows(
    fired: firing.Firings,
    places: Tensor,
    deciles: Tensor,
    latent: int,
    tokens: Tensor,
    vocabulary: Sequence[str],
) -> list[list[str]]:
    """One row of words for each context: its tenth, its activation, its tokens."""
    own = fired.latents == latent
    value = dict(zip(fired.places[own].tolist(), fired.values[own].tolist(), strict=True))
    rows = []
    for place, decile in zip(places.tolist(), deciles.tolist(), strict=True):
        document, at = divmod(place, fired.seq)
        first = max(0, at - BEFORE)
        words = [
            f"[{vocabulary[token]}]" if first + k == at else vocabulary[token]
            for k, token in enumerate(tokens[document, first : at + AFTER + 1].tolist())
            if token != NONE
        ]
        rows.append([str(decile + 1), f"{value[place]:.3g}", " ".join(words)])
    return rows
