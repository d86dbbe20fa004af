"""What a perfect reader of the story world knows: exact predictions and posteriors.

Given the states, all words are independent, and a part of a word depends on one state, or on two
that are drawn together. So the reader keeps a table of probabilities for each state, multiplies
it by the kernel's column for every part that it reads, and needs no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import pad

from course_lib import validate
from course_lib.data import story_law as law
from course_lib.data.draws import in_64_bits
from course_lib.data.sequences import NONE

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from course_lib.data.story import StoryWorld

ROWS = 256  # documents read at once, to bound memory
TINY = 1e-300  # stands for a probability of 0, whose logarithm could not be subtracted
IMPOSSIBLE = -500.0  # a log-probability below this is that of a zero
ANSWER, VERDICT = (law.TURNS["fact"].index(group) for group in ("value", "verdict"))


def log_prob(world: StoryWorld, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq"]:
    """See `StoryWorld.log_prob`."""
    pages = [_log_prob(world, page) for page in _pages(world, tokens)]
    return torch.cat(pages)[:, : tokens.shape[1]]


def posterior(
    world: StoryWorld, state: str, tokens: Int[Tensor, "batch seq"]
) -> Float[Tensor, "batch seq n_values"]:
    """See `StoryWorld.posterior`."""
    validate.choice("state", state, sorted({name.rstrip("12") for name in law.STATES}))
    pages = [_posterior(world, state, page) for page in _pages(world, tokens)]
    return torch.cat(pages)[:, : tokens.shape[1]]


def _pages(world: StoryWorld, tokens: Tensor) -> Iterator[Page]:
    """Some documents at a time; what is cut off is filled up, as it changes nothing before it."""
    tokens = in_64_bits(validate.shape("tokens", tokens, ("batch", "seq")))
    missing = world.seq - tokens.shape[1]
    if missing < 0:
        raise ValueError(f"tokens has {tokens.shape[1]} columns; it must have {world.seq} at most.")
    if ((tokens < 0) | (tokens >= len(world.vocabulary))).any():
        raise ValueError(f"tokens must be from 0 to {len(world.vocabulary) - 1}.")
    return (_read(world, rows) for rows in pad(tokens, (0, missing)).split(ROWS))


@dataclass
class Page:
    """What stands in a batch of documents.

    Attributes:
        evidence: for each state, the parts of words that depend on it: the name of the kernel and
            [batch, seq] its column at each position, `NONE` where there is nothing to learn.
        rest: [batch, seq], the log-probability of all that depends on no state.
        seat: [batch, seq], who speaks.
    """

    evidence: dict[str, list[tuple[str, Int[Tensor, "batch seq"]]]]
    rest: Float[Tensor, "batch seq"]
    seat: Int[Tensor, "batch seq"]


def _log_prob(world: StoryWorld, page: Page) -> Tensor:
    total = page.rest.clone()
    for names in world.priors:
        before, after = _beliefs(world, names, page)
        total += after.logsumexp(-1) - before.logsumexp(-1)
    return total.masked_fill(~(total > IMPOSSIBLE), -torch.inf)


def _posterior(world: StoryWorld, state: str, page: Page) -> Tensor:
    def of(state: str) -> Tensor:
        names = next(names for names in world.priors if state in names)
        p = _beliefs(world, names, page)[1].softmax(-1)
        p = p.unflatten(-1, [law.STATES[name] for name in names])
        return p if len(names) == 1 else p.sum(-1 if state == names[0] else -2)

    if state in law.STATES:
        return of(state)
    return torch.where(page.seat[..., None] == 0, of(f"{state}1"), of(f"{state}2"))


def _beliefs(
    world: StoryWorld, names: tuple[str, ...], page: Page
) -> tuple[Float[Tensor, "batch seq n"], Float[Tensor, "batch seq n"]]:
    """Log-probabilities of the states drawn together, up to a constant: before and after reading
    each token."""
    prior = world.priors[names].to(page.rest.device)
    learnt = torch.zeros(*page.rest.shape, *prior.shape, dtype=prior.dtype, device=prior.device)
    for axis, name in enumerate(names):
        for part, column in page.evidence.get(name, ()):
            kernel = world.kernels[part].to(prior.device).clamp(min=TINY).log()
            gained = pad(kernel.T, (0, 0, 1, 0))[column + 1]  # the first row is for NONE: nothing
            learnt += gained if len(names) == 1 else gained.unsqueeze(-1 - axis)
    learnt = learnt.flatten(2)
    after = learnt.cumsum(dim=1)
    if names == ("number",):  # of the turn: forget what came before it
        turn = world.turn_of.to(prior.device)
        start = (turn > 0) * (len(law.TITLE) + law.LENGTH * (turn - 1))
        after = after - (after - learnt)[:, start]
    after = after + prior.flatten().clamp(min=TINY).log()
    return after - learnt, after


def _read(world: StoryWorld, tokens: Tensor) -> Page:
    device, n_title = tokens.device, len(law.TITLE)
    table = {"group": world.lexicon.group, **world.words}
    word = {part: law.look_up(values, tokens) for part, values in table.items()}
    turns = {
        part: values[:, n_title:].unflatten(1, (-1, law.LENGTH)) for part, values in word.items()
    }
    groups = {group: index for index, group in enumerate(world.lexicon.groups)}

    is_list = turns["group"][..., 0] == groups["symbol"]
    is_fact = ~is_list & (turns["group"][..., 2] == groups["relation"])
    turn = torch.where(is_list, law.LIST, torch.where(is_fact, law.FACT, law.STORY))
    seat, at = law.seats(turn), world.turn_of.to(device)
    expected = law.lay_out(turn, law.TITLE_GROUP, law.TURN_GROUP)
    in_story = pad(turn == law.STORY, (1, 0))[:, at]

    def asked(part: str) -> Tensor:
        """[batch, 1 + n_turns]: what the title and each fact say; 0 for other turns."""
        title = word[part][:, law.TITLE.index(part)]
        fact = turns[part][..., law.TURNS["fact"].index(part)]
        return torch.cat([title[:, None], fact.where(is_fact, 0)], dim=1).clamp(min=0)

    name, relation = asked("name"), asked("relation")
    act, told = _statements(world, word, turns, is_fact, name, relation)
    kind = world.entities["kind"].to(device)[name]
    possible = word["group"] == expected
    for group, part, value in (
        ("kind", "kind", kind[:, at]),
        ("value", "relation", relation[:, at].masked_fill(in_story, 0)),
    ):
        possible &= (expected != groups[group]) | (word[part] == value)
    spoken = word["speaker"] >= 0
    possible &= ~spoken | (word["speaker"] // 6 == seat)

    rest = told - law.look_up(world.lexicon.n_lexemes, expected).double().log()
    rest[:, n_title:] += _turn_kinds(turn, turns["symbol"]).flatten(1)
    rest.masked_fill_(~possible, -torch.inf)

    parts = ("language", "gender", "tense", "valence", "topic", "number", "day", "cue")
    evidence = {part: [(part, word[part])] for part in parts}
    evidence["valence"].append(("mood", word["mood"]))
    evidence["theme"], evidence["hero"] = [("leaf", word["leaf"])], [("name", word["name"])]
    question = word["relation"].where(word["group"] == groups["relation"], NONE)
    evidence["question"] = [("relation", question)]
    place = word["answer"].where((word["group"] == groups["value"]) & in_story, NONE)
    evidence["place"] = [("place", place)]
    speaker = torch.where(spoken, word["speaker"] % 6, NONE)
    shown = {
        "speaker": ("speaker", speaker),
        "persona": ("habit", word["habit"]),
        "honest": ("act", act),
    }
    for state, (part, value) in shown.items():
        for number in (0, 1):
            evidence[f"{state}{number + 1}"] = [(part, value.where(seat == number, NONE))]
    return Page(evidence, rest, seat)


def _statements(
    world: StoryWorld,
    word: dict[str, Int[Tensor, "batch seq"]],
    turns: dict[str, Int[Tensor, "batch n_turns slot"]],
    is_fact: Bool[Tensor, "batch n_turns"],
    name: Int[Tensor, "batch turns"],
    relation: Int[Tensor, "batch turns"],
) -> tuple[Int[Tensor, "batch seq"], Float[Tensor, "batch seq"]]:
    """The act at each answer and verdict, `NONE` elsewhere, and its words' log-probability."""
    opposite = word["day"][:, :1] == 1
    held = word["answer"][:, len(law.TITLE) - 1]
    truth = law.truths(world.facts, name, relation, held)[:, 1:]
    answer, verdict = turns["answer"][..., ANSWER], turns["verdict"][..., VERDICT]
    unknown, true = truth < 0, answer == truth
    right = verdict == true.long().masked_fill(unknown, 2)

    act = torch.full_like(word["day"], NONE)
    acts = act[:, len(law.TITLE) :].unflatten(1, (-1, law.LENGTH))  # views
    acts[..., ANSWER] = (true != opposite).long().where(is_fact & ~unknown, NONE)
    acts[..., VERDICT] = (right != opposite).long().where(is_fact, NONE)

    told = torch.zeros(act.shape, dtype=torch.double, device=act.device)
    tolds = told[:, len(law.TITLE) :].unflatten(1, (-1, law.LENGTH))
    tolds[..., ANSWER].masked_fill_(is_fact & unknown, -log(8))
    tolds[..., ANSWER].masked_fill_(is_fact & ~unknown & ~true, -log(7))
    tolds[..., VERDICT].masked_fill_(is_fact & ~right, -log(2))
    frank = (acts >= 0) & ~law.look_up(world.lied_about, relation[:, 1:])[..., None]
    tolds += law.look_up(world.kernels["act"][1].log(), acts.clamp(min=0)).where(frank, 0.0)
    acts.masked_fill_(frank, NONE)  # where liars are like the honest, acts tell nothing of a state
    fact = world.facts.to(name.device)[name[:, 0], relation[:, 0]]
    in_truth = (word["cue"][:, law.TITLE.index("cue")] == 0) & (fact >= 0)
    told[:, len(law.TITLE) - 1] = torch.where(in_truth, (fact == held).double().log(), -log(8))
    return act, told


def _turn_kinds(
    turn: Int[Tensor, "batch n_turns"], symbol: Int[Tensor, "batch n_turns slot"]
) -> Float[Tensor, "batch n_turns slot"]:
    """The log-probability of the kinds of turn, told in slots 0 and 2, and of lists' symbols."""
    share = law.TURN_SHARE.to(turn.device)
    log_p = torch.zeros(symbol.shape, dtype=torch.double, device=turn.device)
    in_list = turn == law.LIST
    log_p[..., 0] = torch.where(in_list, share[law.LIST], 1 - share[law.LIST]).log()
    log_p[..., 2] = (share[turn] / (1 - share[law.LIST])).log() * ~in_list

    forms = law.FORMS.to(turn.device)
    first = (forms[:, :, None] == forms[:, None]).int().argmax(dim=2)  # where its symbol was new
    n_before = pad(forms.cummax(dim=1).values[:, :-1] + 1, (1, 0))
    copied = first < torch.arange(law.LENGTH, device=turn.device)
    same = symbol[..., :, None] == symbol[..., None, :]
    repeated = same.tril(-1).any(dim=-1)[..., None, :]
    new = ~repeated / (24 - n_before).double()
    copy = symbol[..., None, :] == symbol[..., first]  # [batch, n_turns, form, slot]
    p = torch.where(copied, copy.double(), new)
    form_share = law.FORM_SHARE.to(turn.device)[:, None]
    so_far = pad((form_share * p.cumprod(dim=-1)).sum(dim=-2), (1, 0), value=1.0)
    return log_p + (so_far[..., 1:] / so_far[..., :-1]).log().where(in_list[..., None], 0.0)
