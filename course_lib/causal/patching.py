"""Activation patching and interchange: an activation of one run in the place of another's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from course_lib import validate
from course_lib.activations import Patch, ReplaceSubspace, find, intervene, read
from course_lib.models.next_token import logits_of

if TYPE_CHECKING:
    from jaxtyping import Float, Int

MODES = ("denoise", "noise")
Measure = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class PatchingMap:
    """What a measure of the output becomes when one part of the model is taken from another run.

    Attributes:
        patched: the measure, for each part and each input.
        clean, corrupt: [batch], the measure in the two runs.
        mode: "denoise" puts clean activations into the corrupt run and asks what is sufficient to
            restore the answer; "noise" puts corrupt ones into the clean run and asks what is
            necessary for it. They differ where a model does one thing in two places.
    """

    patched: Float[Tensor, "*parts batch"] = field(repr=False)
    clean: Float[Tensor, " batch"] = field(repr=False)
    corrupt: Float[Tensor, " batch"] = field(repr=False)
    mode: str

    @property
    def recovered(self) -> Float[Tensor, "*parts"]:
        """How far the patch goes from the run it is put into (0) to the one it is from (1)."""
        if self.mode == "denoise":
            return recovered(self.patched, self.corrupt, self.clean)
        return recovered(self.patched, self.clean, self.corrupt)


def recovered(
    patched: Float[Tensor, "*parts batch"],
    start: Float[Tensor, " batch"],
    goal: Float[Tensor, " batch"],
) -> Float[Tensor, "*parts"]:
    """Σ (patched - start) / Σ (goal - start): 0 where nothing changed, 1 where all of it did.

    A ratio of sums, as single pairs with nearly no gap would rule a mean of ratios.
    Raises ValueError when the sums are the same.
    """
    validate.tensors(
        "floating", patched=(patched, "*parts batch"), start=(start, "batch"),
        goal=(goal, "batch"),
    )  # fmt: skip
    gap = (goal - start).sum(dim=-1)
    scale = (goal - start).abs().sum(dim=-1)
    if (gap.abs() <= 1e-6 * scale).any() or (scale == 0).any():
        raise ValueError("the measure is the same in both runs; there is nothing to recover.")
    return (patched - start).sum(dim=-1) / gap


@torch.no_grad()
def patch_activations(
    model: nn.Module,
    clean: Int[Tensor, "batch seq"],
    corrupt: Int[Tensor, "batch seq"],
    sites: Sequence[str],
    measure: Measure,
    *,
    positions: Sequence[int | Sequence[int]] | None = None,
    mode: str = "denoise",
    directions: Mapping[str, Float[Tensor, "*k d"]] | None = None,
    rows: int = 512,
) -> PatchingMap:
    """Patch each site at each position, one at a time: patched is [n_sites, n_positions, batch].

    Positions lie side by side in the batch, so that one pass serves many. Sources: Vig et al. 2020
    (arXiv:2004.12265); Zhang and Nanda 2024 (arXiv:2309.16042), for denoising and noising.

    Args:
        clean, corrupt: two runs, row by row of one pair.
        measure: from logits [n, seq, vocab] to [n], such as a difference of two logits; n is a
            multiple of the batch, whose rows come again and again in their order.
        positions: those to patch, each by itself or several together; None for each by itself.
        directions: for each site those whose span alone is patched; None for all of it.
        rows: of a pass, at most.
    """
    base, source = base_and_source(model, clean, corrupt, measure, mode)
    batch, seq = clean.shape
    places, rows = _places(positions, seq), validate.positive_int("rows", rows)
    some_of("sites", sites)
    if directions is not None:
        validate.instance("directions", directions, Mapping)
        if lacking := [site for site in sites if site not in directions]:
            raise ValueError(f"directions has none for {lacking[0]!r}; give them for each site.")
    taken = read(model, list(sites), source)
    maps = []
    for site in sites:
        parts = []
        for some in _split(places, max(1, rows // batch)):
            n, mask = len(some), torch.zeros(len(some), seq, dtype=torch.bool)
            for row, place in enumerate(some):
                mask[row, place] = True
            new = taken[site].repeat(n, 1, 1)
            put = Patch(new) if directions is None else ReplaceSubspace(new, directions[site])
            with intervene(model, site, put, positions=mask.repeat_interleave(batch, 0)):
                parts.append(measured(model, base.repeat(n, 1), measure).unflatten(0, (n, batch)))
        maps.append(torch.cat(parts))
    ends = (measured(model, tokens, measure) for tokens in (clean, corrupt))
    return PatchingMap(torch.stack(maps), *ends, mode)


@torch.no_grad()
def interchange(
    model: nn.Module,
    base: Int[Tensor, "batch seq"],
    source: Int[Tensor, "batch seq"],
    site: str,
    *,
    directions: Float[Tensor, "*k d"] | None = None,
    positions: int | Sequence[int] | slice | Tensor | None = None,
) -> Float[Tensor, "batch seq vocab"]:
    """The model's logits for `base` with a part of its activation from `source`.

    An interchange intervention: where a causal model says what the answer must be now, see
    `interchange_accuracy`. Source: Geiger et al. 2021 (arXiv:2106.02997).

    Args:
        directions: those whose span is exchanged; None for the whole activation.
        positions: as for `course_lib.activations.intervene`.
    """
    validate.instance("model", model, nn.Module)
    taken = read(model, site, source)
    put = Patch(taken) if directions is None else ReplaceSubspace(taken, directions)
    with intervene(model, site, put, positions=positions):
        return logits_of(model, base)


def interchange_accuracy(
    logits: Float[Tensor, "batch n_answers"], expected: Int[Tensor, " batch"]
) -> float:
    """The share of interventions after which the likeliest answer is what a causal model expects.

    Restrict `logits` to the answers that are in question.
    """
    validate.real("logits", logits)
    validate.tensors("any", logits=(logits, "batch n_answers"), expected=(expected, "batch"))
    validate.shape("expected", expected, (len(logits),))
    return (logits.argmax(dim=-1) == expected).float().mean().item()


@dataclass(frozen=True)
class FromSite:
    """The rest of a model as a function of its activation at one site and position.

    Attributes:
        h: [n, d], the activation as it is.
        model, tokens, site, position: of what.
    """

    h: Float[Tensor, "n d"] = field(repr=False)
    model: nn.Module = field(repr=False)
    tokens: Int[Tensor, "n seq"] = field(repr=False)
    site: str
    position: int

    def __call__(self, h: Float[Tensor, "*lead n d"]) -> Float[Tensor, "*lead n seq vocab"]:
        """The logits with h in its place, differentiable by h; leading axes become one batch."""
        lead, (n, d) = h.shape[:-2], h.shape[-2:]
        copies = h.numel() // (n * d)
        new = h.reshape(copies * n, d)

        def put(x: Tensor) -> Tensor:
            return new.to(x)[:, None].expand_as(x)

        with intervene(self.model, self.site, put, positions=self.position):
            logits = logits_of(self.model, self.tokens.repeat(copies, 1))
        return logits.reshape(*lead, n, *logits.shape[1:])


def from_site(model: nn.Module, tokens: Int[Tensor, "n seq"], site: str, position: int) -> FromSite:
    """The activation at a position, and the rest of the model as a function of it."""
    validate.instance("model", model, nn.Module)
    find(model, site)
    h = read(model, site, tokens)
    if not isinstance(position, int) or not -h.shape[1] <= position < h.shape[1]:
        raise ValueError(f"position is {position!r}; there are {h.shape[1]} of them.")
    return FromSite(h[:, position], model, tokens, site, position)


def base_and_source(
    model: nn.Module, clean: Tensor, corrupt: Tensor, measure: Measure, mode: str
) -> tuple[Tensor, Tensor]:
    """The run that is patched and the one it is patched from, once all of these are right."""
    validate.instance("model", model, nn.Module)
    validate.tensors("any", clean=(clean, "batch seq"), corrupt=(corrupt, "batch seq"))
    validate.shape("corrupt", corrupt, clean.shape)
    validate.choice("mode", mode, MODES)
    validate.function("measure", measure)
    return (corrupt, clean) if mode == "denoise" else (clean, corrupt)


def some_of(name: str, parts: Any) -> Any:
    """`parts`, which must be a list that is not empty."""
    if len(validate.sequence(name, parts)) == 0:
        raise ValueError(f"{name} is empty; it must name one at least.")
    return parts


def _places(positions: Sequence[int | Sequence[int]] | None, seq: int) -> list[list[int]]:
    """The positions of each patch."""
    if positions is None:
        return [[place] for place in range(seq)]
    places = []
    for one in some_of("positions", _untensored(positions)):
        one = _untensored(one)
        several = one if isinstance(one, Iterable) else [one]
        places.append([validate.positive_int("positions", place, -seq) for place in several])
    if (last := max((place for some in places for place in some), default=0)) >= seq:
        raise ValueError(f"positions has {last}; there are {seq} of them, from 0 on.")
    return places


def _untensored(value: Any) -> Any:
    return validate.as_tensor("positions", value).tolist() if isinstance(value, Tensor) else value


def _split(places: list, size: int) -> list[list]:
    return [places[i : i + size] for i in range(0, len(places), size)]


def measured(model: nn.Module, tokens: Tensor, measure: Measure) -> Float[Tensor, " n"]:
    """The measure of what the model answers; ValueError unless it is one number for each row."""
    return validate.shape("what measure gives", measure(logits_of(model, tokens)), (len(tokens),))
