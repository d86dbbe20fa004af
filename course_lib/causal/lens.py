"""The intervention lens: read an edited activation back as words, and see what the edit says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.data.sequences import NONE, TokenWorld

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from course_lib.data.story import StoryWorld

FLOOR = 1e-10  # eigenvalues of a covariance below this share of the largest count as 0


@dataclass(frozen=True)
class TextInverter:
    """From activations to the words that were read: one Gaussian for each word, of one shape.

    Closed form instead of a trained decoder: in a world of few words the likeliest word of each
    slot is exact enough to see which words an edit changes. After "Intervention Lens", see
    `mean_transport`.

    Attributes:
        weights, bias: [slots, vocab, d] and [slots, vocab]; one slot where all share it. A word
            that was never seen has bias -inf.
    """

    weights: Float[Tensor, "slots vocab d"] = field(repr=False)
    bias: Float[Tensor, "slots vocab"] = field(repr=False)

    @classmethod
    def fit(
        cls,
        h: Float[Tensor, "n ..."],
        tokens: Int[Tensor, "n slots"],
        n_tokens: int,
        *,
        shrinkage: float = 1e-3,
    ) -> TextInverter:
        """Learn from activations of each token [n, slots, d], or of whole sequences [n, d].

        Activations of each token are read by one map for all slots; those of a sequence by a map
        for each slot, which knows the words that were seen there.

        Args:
            n_tokens: words of the world.
            shrinkage: share of the mean variance in the covariance within words.

        Raises ValueError for shapes that do not fit.
        """
        validate.finite("h", h)
        n, slots = validate.shape("tokens", tokens, (len(h), "slots")).shape
        validate.number("shrinkage", shrinkage, 0.0, 1.0)
        if h.ndim == 3:
            validate.shape("h", h, (n, slots, "d"))
            weights, bias = _gaussians(h.flatten(0, 1), tokens.flatten(), n_tokens, shrinkage)
            return cls(weights[None], bias[None])
        validate.shape("h", h, (n, "d"))
        made = [_gaussians(h, tokens[:, slot], n_tokens, shrinkage) for slot in range(slots)]
        return cls(*(torch.stack(part) for part in zip(*made, strict=True)))

    def scores(self, h: Float[Tensor, "n ..."]) -> Float[Tensor, "n slots vocab"]:
        """Log-likelihood of each word of each slot, up to a constant."""
        rows = h[:, None] if h.ndim == 2 else h
        return (rows[..., None, :].to(self.weights) @ self.weights.mT).squeeze(-2) + self.bias

    def decode(self, h: Float[Tensor, "n ..."]) -> Int[Tensor, "n slots"]:
        """The likeliest words."""
        return torch.cat([self.scores(part).argmax(dim=-1) for part in h.split(256)])

    def accuracy(self, h: Float[Tensor, "n ..."], tokens: Int[Tensor, "n slots"]) -> float:
        """The share of words that are read back right: without it, edits mean nothing."""
        return (self.decode(h) == tokens).float().mean().item()


@dataclass(frozen=True)
class Transport:
    """An edit of activations that takes one class to where the other is.

    T(h) = h + amount · (mean_to + A (h - mean_from) - h).

    Attributes:
        start, goal: [d], the class means.
        matrix: [d, d], A; None for the identity.
    """

    start: Float[Tensor, " d"] = field(repr=False)
    goal: Float[Tensor, " d"] = field(repr=False)
    matrix: Float[Tensor, "d d"] | None = field(default=None, repr=False)

    def apply(self, h: Float[Tensor, "*n d"], amount: float = 1.0) -> Float[Tensor, "*n d"]:
        """The edited activations; `amount` 0 leaves them, 1 takes them all the way."""
        rest = h - self.start.to(h)
        moved = rest if self.matrix is None else rest @ self.matrix.T.to(h)
        return h + amount * (self.goal.to(h) + moved - h)


def mean_transport(h: Float[Tensor, "n d"], y: Int[Tensor, " n"] | Bool[Tensor, " n"]) -> Transport:
    """The shift that takes the mean of class 0 to that of class 1 (for the way back, give 1 - y).

    Of all edits that match the means the smallest. Source: the mean-transport interventions whose
    words "Intervention Lens" (Avitan et al. 2024, arXiv:2402.11355) reads back.

    Raises ValueError when a class is missing.
    """
    zero, one = _classes(h, y)
    return Transport(zero.mean(dim=0).to(h), one.mean(dim=0).to(h))


def gaussian_transport(
    h: Float[Tensor, "n d"], y: Int[Tensor, " n"] | Bool[Tensor, " n"], *, shrinkage: float = 1e-3
) -> Transport:
    """The optimal transport between Gaussians of the two classes' means and covariances.

    A = S0^-1/2 (S0^1/2 S1 S0^1/2)^1/2 S0^-1/2: of all maps that match both, the one that moves
    least.

    Args:
        shrinkage: share of the mean variance that is mixed into either covariance.

    Raises ValueError when a class is missing.
    """
    zero, one = _classes(h, y)
    validate.number("shrinkage", shrinkage, 0.0, 1.0)
    s0, s1 = (
        _shrunk(torch.atleast_2d(torch.cov(part.T, correction=0)), shrinkage)
        for part in (zero, one)
    )
    root, inverse = _power(s0, 0.5), _power(s0, -0.5)
    matrix = inverse @ _power(root @ s1 @ root, 0.5) @ inverse
    return Transport(zero.mean(dim=0).to(h), one.mean(dim=0).to(h), matrix.to(h))


def edit_table(
    before: Int[Tensor, "n slots"],
    after: Int[Tensor, "n slots"],
    words: Mapping[str, Int[Tensor, " vocab"]],
) -> dict[str, float]:
    """For each attribute of words, the share of those that had a value and now have another.

    Args:
        words: each word's own value of each attribute, `NONE` without one: `StoryWorld.words`.
            Attributes that no word of `before` has are left out.
    """
    validate.whole("before", before)
    validate.whole("after", after)
    validate.tensors("any", before=(before, "n slots"), after=(after, "n slots"))
    before, after = before.long(), validate.shape("after", after, before.shape).long()
    table = {}
    for name, value in validate.instance("words", words, Mapping).items():
        validate.tensors("any", words=(value, "vocab"))
        validate.whole("before", before, NONE, len(value) - 1)
        validate.whole("after", after, NONE, len(value) - 1)
        old, new = value[before], value[after]
        if (old != NONE).any():
            table[name] = (old != new)[old != NONE].float().mean().item()
    return table


def changed_words(
    world: TokenWorld, before: Int[Tensor, " slots"], after: Int[Tensor, " slots"]
) -> list[tuple[int, str, str]]:
    """Where two sequences differ: the slot, and the words there before and after."""
    validate.whole("before", before)
    validate.whole("after", after)
    validate.tensors("any", before=(before, "slots"), after=(after, "slots"))
    names, differ = validate.like("world", world, "vocabulary").vocabulary, before != after
    validate.whole("before", before[differ], 0, len(names) - 1)
    validate.whole("after", after[differ], 0, len(names) - 1)
    return [
        (slot, names[int(before[slot])], names[int(after[slot])])
        for slot in differ.nonzero()[:, 0].tolist()
    ]


@dataclass(frozen=True)
class Found:
    """What `search_text` came to.

    Attributes:
        tokens: [slots].
        distances: of the start and after each replacement, falling.
    """

    tokens: Int[Tensor, " slots"]
    distances: list[float]


@torch.no_grad()
def search_text(
    encode: Callable[[Int[Tensor, "m slots"]], Tensor],
    target: Tensor,
    start: Int[Tensor, " slots"],
    candidates: Sequence[Int[Tensor, " k"]],
    *,
    rounds: int = 8,
) -> Found:
    """The words whose activation is nearest to an edited one, replacing one word at a time.

    Needs no inverter, and so works where activations have forgotten the words they came from: it
    asks the model. Each round tries every candidate of every slot, and keeps the one replacement
    that brings the activation nearest; it ends when none does.

    Args:
        encode: from texts to activations [m, ...]; what they are compared in, square for square.
        target: one activation, edited.
        start: the text it was made from.
        candidates: for each slot the words to try there; see `neighbours`.
        rounds: replacements at most.
    """
    validate.function("encode", encode)
    validate.sequence("candidates", candidates), validate.real("target", target)
    for words in candidates:
        validate.shape("an entry of candidates", validate.whole("candidates", words), ("words",))
    start = validate.whole("start", start).long()
    if len(candidates) != len(validate.shape("start", start, ("slots",))):
        raise ValueError(f"candidates has {len(candidates)} entries; start has {len(start)} slots.")

    def distance(texts: Tensor) -> Tensor:
        h = validate.instance("what encode gives", encode(texts), Tensor)
        if target.shape not in (h.shape[1:], (1, *h.shape[1:])):
            raise ValueError(
                f"target has shape {list(target.shape)}; it must be {list(h.shape[1:])}, as what "
                "encode makes of a text."
            )
        return (h - target).flatten(1).square().sum(dim=1)

    slots = torch.cat([torch.full((len(k),), i) for i, k in enumerate(candidates)]).long()
    words = torch.cat([*candidates, start.new_zeros(0)]).long()
    text, distances = start.clone(), [distance(start[None]).item()]
    for _ in range(validate.positive_int("rounds", rounds) if len(words) else 0):
        tried = text.repeat(len(words), 1)
        tried[torch.arange(len(words)), slots] = words
        found = torch.cat([distance(part) for part in tried.split(256)])
        best = int(found.argmin())
        if found[best].item() >= distances[-1]:
            break
        text = tried[best]
        distances.append(found[best].item())
    return Found(text, distances)


def neighbours(
    world: StoryWorld, tokens: Int[Tensor, " slots"], attributes: Sequence[str]
) -> list[Int[Tensor, " k"]]:
    """For each slot the words that differ from its own in one of these attributes and no other."""
    validate.like("world", world, "words", "word_pairs")
    validate.whole("tokens", tokens)
    validate.tensors("any", tokens=(tokens, "slots"))
    near: dict[int, list[int]] = {int(token): [] for token in tokens}
    for attribute in validate.sequence("attributes", attributes):
        validate.choice("attributes", attribute, list(world.words))
        size = int(world.words[attribute].max()) + 1
        for a in range(size):
            for b in range(size):
                for one, other in world.word_pairs(attribute, a, b).tolist() if a != b else ():
                    if one in near:
                        near[one].append(other)
    return [torch.tensor(near[int(token)], dtype=torch.long) for token in tokens]


def _gaussians(
    h: Float[Tensor, "m d"], words: Int[Tensor, " m"], n_words: int, shrinkage: float
) -> tuple[Float[Tensor, "n_words d"], Float[Tensor, " n_words"]]:
    """Weights and biases of the log-likelihoods of words: a mean for each, one covariance."""
    h = h.double()
    count = torch.bincount(words, minlength=n_words)
    means = h.new_zeros(n_words, h.shape[1]).index_add_(0, words, h)
    means = means / count.clamp(min=1)[:, None]
    within = h - means[words]
    covariance = _shrunk(within.T @ within / len(h), shrinkage)
    weights = torch.linalg.solve(covariance, means.T).T
    bias = -0.5 * (weights * means).sum(dim=-1)
    return weights.float(), bias.masked_fill(count == 0, -torch.inf).float()


def _shrunk(covariance: Tensor, shrinkage: float) -> Tensor:
    eye = torch.eye(len(covariance)).to(covariance)
    return (1 - shrinkage) * covariance + shrinkage * covariance.diagonal().mean() * eye


def _power(matrix: Tensor, exponent: float) -> Tensor:
    """Of a symmetric matrix without negative eigenvalues."""
    values, vectors = torch.linalg.eigh(matrix)
    floor = FLOOR * values.max()
    powers = torch.where(values > floor, values.clamp(min=floor) ** exponent, 0.0)
    return (vectors * powers) @ vectors.T


def _classes(h: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    validate.instance("h", h, Tensor)
    validate.tensors("any", h=(validate.finite("h", h), "n d"), y=(y, "n"))
    zero, one = h[y == 0].double(), h[y == 1].double()
    if len(zero) == 0 or len(one) == 0:
        raise ValueError(f"y has {len(zero)} rows of class 0 and {len(one)} of 1; give both.")
    return zero, one
