"""Behaviours as log-probabilities of what shows them, in the contexts they are wanted in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import pad

from course_lib import validate
from course_lib.data.sequences import NONE
from course_lib.models.next_token import logits_of
from course_lib.steering.actions import Act
from course_lib.steering.applying import sweep

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from course_lib.data.sequences import TokenWorld
    from course_lib.data.story import StoryWorld

ROWS = 512
ROUNDS = 8  # draws at most, for stories that fit


@dataclass(frozen=True, eq=False)
class Behaviour:
    """Contexts, and what a model writes after them that shows the behaviour or its opposite.

    Contexts are like those in which the vector will be used, all of one length (group others by
    length). What shows it may be words, any of which may come next, or whole continuations.

    Attributes:
        name: what is steered.
        prompts: the contexts.
        positive, negative: [k] words, [n, k] words of each context, or [n, k, length] continuations
            of each; `NONE` fills up. They are kept as [n, k, length].
        prompted: the same contexts with words that ask for the behaviour, the baseline that a
            vector has to be compared with; None without.
    """

    name: str
    prompts: Int[Tensor, "n seq"] = field(repr=False)
    positive: Int[Tensor, "*n k *length"] = field(repr=False)
    negative: Int[Tensor, "*n k *length"] = field(repr=False)
    prompted: Int[Tensor, "n seq_prompted"] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        n = len(validate.shape("prompts", self.prompts, ("n", "seq")))
        for name in ("positive", "negative"):
            given = validate.whole(name, getattr(self, name))
            if given.ndim == 1:
                given = given.expand(n, -1)
            if given.ndim == 2:
                given = given[..., None]
            validate.shape(name, given, (n, "k", "length"))
            if (given[..., 0] == NONE).all(dim=1).any():
                raise ValueError(f"{name} offers some context nothing; give one word at least.")
            object.__setattr__(self, name, given)
        if self.prompted is not None:
            validate.shape("prompted", self.prompted, (n, "seq_prompted"))

    def __len__(self) -> int:
        return len(self.prompts)


@dataclass(frozen=True)
class Scores:
    """Log-probabilities (nats) of what shows a behaviour and of what shows its opposite.

    Both, because odds can rise while neither becomes likelier.
    """

    positive: Float[Tensor, "*cells n"]
    negative: Float[Tensor, "*cells n"]

    @property
    def log_odds(self) -> Float[Tensor, "*cells n"]:
        return self.positive - self.negative

    @property
    def share(self) -> Float[Tensor, "*cells n"]:
        """P(positive) / (P(positive) + P(negative)): from 0 to 1 for every behaviour."""
        return self.log_odds.sigmoid()


def score(
    model: nn.Module,
    acts: Sequence[Act],
    behaviour: Behaviour,
    strengths: Sequence[float] | Float[Tensor, " n_strengths"],
    *,
    rows: int = ROWS,
) -> Scores:
    """The log-probabilities of a behaviour under each act at each strength.

    Returns Scores of [n_acts, n_strengths, n]: a strength-by-layer map when the acts are one for
    each layer. The contexts are the prompt of the acts' rules: what is said in one word is
    predicted at its last token, so that "answer" is the rule to choose, where "new" reaches none.
    """
    validate.instance("model", model, nn.Module)
    validate.instance("behaviour", behaviour, Behaviour)
    reading = _Reading(behaviour, behaviour.prompts)
    n_prompt = behaviour.prompts.shape[1]
    found = sweep(
        model, reading.inputs, acts, strengths, reading.log_prob, n_prompt=n_prompt, rows=rows
    )
    return reading.scores(found)


@torch.no_grad()
def plain_score(model: nn.Module, behaviour: Behaviour, *, prompted: bool = False) -> Scores:
    """The same [n] without any act; with `prompted`, after the contexts that ask for it."""
    validate.instance("model", model, nn.Module)
    validate.instance("behaviour", behaviour, Behaviour)
    reading = _Reading(behaviour, behaviour.prompted if prompted else behaviour.prompts)
    return reading.scores(reading.log_prob(logits_of(model, reading.inputs)[None])[0])


def divergence(
    model: nn.Module,
    acts: Sequence[Act],
    tokens: Int[Tensor, "m seq"],
    strengths: Sequence[float] | Float[Tensor, " n_strengths"],
    *,
    n_prompt: int | None = None,
    rows: int = ROWS,
) -> Float[Tensor, "n_acts n_strengths m"]:
    """KL(as it was ‖ steered), nats per prediction: the mean over all positions of each context.

    n_prompt: where the acts' rules ask for it; all tokens if None.
    """
    validate.instance("model", model, nn.Module)
    with torch.no_grad():
        log_p = _log_softmax(logits_of(model, tokens))
    p = log_p.exp()

    def measure(logits: Tensor) -> Tensor:
        return (p * (log_p - _log_softmax(logits))).sum(dim=-1).mean(dim=-1)

    n_prompt = tokens.shape[1] if n_prompt is None else n_prompt
    return sweep(model, tokens, acts, strengths, measure, n_prompt=n_prompt, rows=rows)


def impossible(
    world: TokenWorld, tokens: Int[Tensor, "rows seq"], n_prompt: int
) -> Float[Tensor, " rows"]:
    """The share of the tokens after the prompt that the world's rules forbid there."""
    validate.like("world", world, "log_prob")
    validate.positive_int("n_prompt", n_prompt, 0)
    forbidden = world.log_prob(tokens)[:, n_prompt:] == -torch.inf
    return forbidden.float().mean(dim=1)


def story_behaviour(
    world: StoryWorld,
    state: str,
    n: int,
    generator: Generator,
    *,
    value: int = 1,
    position: int | None = None,
) -> Behaviour:
    """To write words of one value of a state, in stories whose words so far say another.

    `prompted` are their exact counterfactuals, in which the words so far say `value`: the strongest
    prompt there is. Positive are all words that show `value`, negative those of the other values.

    Args:
        state: one that words show: language, gender, number, tense, valence or topic.
        n: how many contexts at most; stories that do not fit are left out.
        position: of the word; None for an early one that many stories have.

    Raises ValueError for another state, or when no story fits.
    """
    validate.instance("generator", generator, Generator)
    validate.like("world", world, "words", "pairs")
    if position is not None:
        validate.positive_int("position", position)
    of_word = world.words.get(validate.text("state", state))
    if of_word is None or not (of_word == validate.positive_int("value", value, 0)).any():
        raise ValueError(f"state is {state!r} and value {value}; no words of the world show it.")
    asks: list[Tensor] = []
    says: list[Tensor] = []
    for _ in range(ROUNDS):
        one, other = world.pairs(state, 8 * validate.positive_int("n", n), generator)
        told = (one.tokens != other.tokens).cumsum(dim=1)[:, :-1] > 0  # before each later position
        shown = (of_word[one.tokens] != NONE)[:, 1:] & told
        wants = [(s.labels[state][:, :-1] == value) & shown for s in (one, other)]
        if position is None:
            counts = (wants[0] | wants[1]).sum(dim=0)
            position = int((2 * counts >= counts.max()).long().argmax()) + 1
        if position > shown.shape[1]:
            raise ValueError(f"position is {position}; it must be at most {shown.shape[1]}.")
        first, second = (w[:, position - 1] for w in wants)
        asks += [one.tokens[first, :position], other.tokens[second, :position]]
        says += [other.tokens[first, :position], one.tokens[second, :position]]
        if sum(map(len, says)) >= n:
            break
    asked, said = torch.cat(asks)[:n], torch.cat(says)[:n]
    if len(said) == 0:
        raise ValueError(f"no story has a word of {state!r} at position {position}.")
    positive = (of_word == value).nonzero()[:, 0]
    negative = ((of_word != value) & (of_word != NONE)).nonzero()[:, 0]
    name = f"{state}: {world.attributes[state][value]}"
    return Behaviour(name, said, positive, negative, prompted=asked)


def _log_softmax(logits: Tensor) -> Tensor:
    """In single precision at least."""
    return logits.log_softmax(dim=-1, dtype=torch.promote_types(logits.dtype, torch.float32))


class _Reading:
    """One batch that holds contexts and continuations, and how to read both scores from it."""

    def __init__(self, behaviour: Behaviour, prompts: Tensor) -> None:
        long = max(behaviour.positive.shape[-1], behaviour.negative.shape[-1])
        given = [
            pad(part, (0, long - part.shape[-1]), value=NONE)
            for part in (behaviour.positive, behaviour.negative)
        ]
        self.n_positive = behaviour.positive.shape[1]
        self.said = torch.cat(given, dim=1)  # [n, k, length]
        self.whole = long > 1
        self.inputs = prompts
        if self.whole:  # a row for each continuation
            before = prompts[:, None].expand(-1, self.said.shape[1], -1)
            rest = self.said[..., :-1].clamp(min=0)
            self.inputs = torch.cat([before, rest], dim=-1).flatten(0, 1)

    def log_prob(self, logits: Tensor) -> Float[Tensor, "cells n k"]:
        """Of each continuation; -inf for those that only fill up."""
        said = self.said.to(logits.device)
        length = said.shape[-1]
        log_p = _log_softmax(logits[:, :, -length:])
        index = said.clamp(min=0).expand(len(logits), *said.shape)
        if self.whole:
            log_p = log_p.unflatten(1, said.shape[:2])  # [cells, n, k, length, vocab]
            each = log_p.gather(-1, index[..., None])[..., 0]
        else:
            each = log_p[:, :, 0].gather(-1, index[..., 0])[..., None]
        total = each.masked_fill(said == NONE, 0.0).sum(dim=-1)
        return total.masked_fill(said[..., 0] == NONE, -torch.inf)

    def scores(self, log_p: Float[Tensor, "*cells n k"]) -> Scores:
        """Log-probability that one or the other of them follows."""
        k = self.n_positive
        return Scores(log_p[..., :k].logsumexp(dim=-1), log_p[..., k:].logsumexp(dim=-1))
