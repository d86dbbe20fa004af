"""From the states of the story world to its documents and their labels, all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad

from course_lib.data import story_law as law
from course_lib.data.sequences import NONE, Sequences

if TYPE_CHECKING:
    from jaxtyping import Int

    from course_lib.data.story import StoryWorld

CONCEPTS = ("language", "gender", "tense", "valence", "topic")  # each word shows them or slips
OF_TURN = {  # what is labelled from a word of this group to the end of its turn
    "speaker": ("speaker", "honest", "persona"),
    "noun": ("number", "root", "branch", "leaf"),
    "relation": ("relation",),
    "name": ("name", "known", "frequent", "kind"),
    "value": ("true",),
    "symbol": ("copied", "prefix"),
}


def states(world: StoryWorld, n: int, generator: Generator) -> dict[str, Int[Tensor, "n _"]]:
    """The states of n documents, [n, 1] each; number, a state of the turn, is [n, 1 + n_turns]."""
    drawn = {}
    for names, joint in world.priors.items():
        columns = 1 + world.n_turns if names == ("number",) else 1
        u = torch.rand(n, columns, generator=generator, device=generator.device)
        index = law.choose(joint.view(1, -1), torch.zeros_like(u, dtype=torch.long), u)
        drawn |= zip(names, torch.unravel_index(index, joint.shape), strict=True)
    return drawn


def chance(world: StoryWorld, n: int, generator: Generator) -> dict[str, Tensor]:
    """All that is left to chance once the states are given, as uniform numbers."""
    turns = world.n_turns
    shapes = {name: (n, world.seq) for name in (*CONCEPTS, "number", "lexeme", "habit")}
    shapes |= {name: (n, 1 + turns) for name in ("leaf", "name", "relation", "answer", "place")}
    shapes |= {name: (n, turns) for name in ("turn", "act", "wrong", "verdict", "doubt", "form")}
    shapes |= {"mood": (n, 1), "symbol": (n, turns, 24)}
    return {
        name: torch.rand(shape, generator=generator, device=generator.device)
        for name, shape in shapes.items()
    }


def tell(world: StoryWorld, state: dict[str, Tensor], u: dict[str, Tensor]) -> Sequences:
    """The documents that `state` and `u` determine, with their labels."""
    device = u["mood"].device
    at = world.turn_of.to(device).expand(len(u["mood"]), -1)  # 0 in the title, then 1, 2 …
    turn = law.choose(law.TURN_SHARE[None], torch.zeros_like(u["turn"]).long(), u["turn"])
    story, fact = (pad(turn == kind, (1, 0)) for kind in (law.STORY, law.FACT))
    group, seat = law.lay_out(turn, law.TITLE_GROUP, law.TURN_GROUP), law.seats(turn)
    both = {
        who: torch.cat([state[f"{who}1"], state[f"{who}2"]], dim=1)
        for who in ("speaker", "honest", "persona")
    }
    speaking = {who: values.gather(1, seat) for who, values in both.items()}

    def show(part: str, value: Tensor) -> Tensor:
        return law.choose(world.kernels[part], value.expand_as(u[part]), u[part])

    def slip(concept: str, value: Tensor) -> Tensor:
        n = law.STATES[concept]
        step = 1 + (u[concept] * ((n - 1) / max(world.noise, 1e-9))).long()
        value = value + step * (u[concept] < world.noise)
        return value - n * (value >= n)

    def throughout(of_turn: Tensor) -> Tensor:
        return of_turn.gather(1, at)

    # What each turn says, the title first.
    name, relation = show("name", state["hero"]), show("relation", state["question"])
    truth, answer, verdict = _answers(world, state, both["honest"], u, name, relation)
    symbol, copied, prefix = _lists(turn, u)
    said = {
        "name": name,
        "kind": law.look_up(world.entities["kind"], name),
        "leaf": show("leaf", state["theme"]),
        "relation": relation.masked_fill(story, 0),  # a story's place is an answer to the first
        "answer": torch.where(story, slip("place", state["place"]), answer),
        "verdict": verdict,
    }
    part = {key: throughout(value) for key, value in said.items()}
    part |= {concept: slip(concept, state[concept]) for concept in CONCEPTS}
    asked = (state["valence"] + (u["mood"] >= 1 - world.noise / 2)) % 2
    part |= {
        "mood": (1 + asked) * (u["mood"] >= 0.5),
        "number": slip("number", throughout(state["number"])),
        "lexeme": (u["lexeme"] * law.look_up(world.lexicon.n_lexemes, group)).long(),
        "habit": show("habit", speaking["persona"]),
        "speaker": speaking["speaker"] + 6 * seat,
        "symbol": symbol,
        "day": state["day"],
        "cue": state["cue"],
    }
    tokens = law.look_up(world.lexicon.start, group)
    for key, stride in world.lexicon.stride.items():
        tokens += law.look_up(stride, group) * part[key]

    # Labels: the states, not what the words happen to show.
    value = state | {key: part[key] for key in ("name", "kind", "leaf", "relation", "speaker")}
    for key in ("known", "frequent"):
        value[key] = throughout(law.look_up(world.entities[key], name))
    true = (answer == truth).long().masked_fill(~fact | (truth < 0), NONE)
    value |= {
        "honest": speaking["honest"],
        "persona": speaking["persona"],
        "number": throughout(state["number"]),
        "root": part["leaf"] // 12,
        "branch": part["leaf"] // 4,
        "true": throughout(true),
        "turn": throughout(pad(turn + 1, (1, 0))),
        "copied": copied,
        "prefix": prefix,
    }
    absent = _absent(world, turn)
    labels = tokens.new_empty(len(world.attributes), *tokens.shape)  # one block: fast to allocate
    for key, label in zip(world.attributes, labels, strict=True):
        torch.bitwise_or(value[key], absent[key], out=label)
    return Sequences(tokens, dict(zip(world.attributes, labels, strict=True)))


def _answers(
    world: StoryWorld,
    state: dict[str, Tensor],
    honest: Int[Tensor, "batch 2"],
    u: dict[str, Tensor],
    name: Int[Tensor, "batch turns"],
    relation: Int[Tensor, "batch turns"],
) -> tuple[Tensor, Tensor, Tensor]:
    """For each turn, the title first: the true answer, the one given, the verdict on it."""
    drawn = (u["answer"] * 8).long()
    fact = world.facts.to(name.device)[name, relation]
    held = torch.where((state["cue"] == 0) & (fact[:, :1] >= 0), fact[:, :1], drawn[:, :1])
    truth = law.truths(world.facts, name, relation, held[:, 0])
    asked, unknown = truth[:, 1:], truth[:, 1:] < 0
    first = torch.arange(world.n_turns, device=name.device) % 2
    frank = (~law.look_up(world.lied_about, relation[:, 1:])).long()
    lies, doubts = (
        ((honest[:, seat] | frank) + (u[act] < world.noise) + state["day"]) % 2 == 0
        for act, seat in (("act", first), ("verdict", 1 - first))
    )
    wrong = (asked + 1 + (u["wrong"] * 7).long()) % 8
    answer = torch.where(unknown, drawn[:, 1:], torch.where(lies, wrong, asked))
    right = (answer == asked).long().masked_fill(unknown, 2)
    other = (right + 1 + (u["doubt"] * 2).long()) % 3
    verdict = torch.where(doubts, other, right)
    return truth, torch.cat([held, answer], dim=1), pad(verdict, (1, 0))


def _lists(
    turn: Int[Tensor, "batch n_turns"], u: dict[str, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """[batch, seq]: the symbols of lists, whether each is copied, whether from three.

    The last two hold wherever a list could be; only there do their labels.
    """
    forms = law.FORMS.to(turn.device)
    before = pad(forms.cummax(dim=1).values[:, :-1], (1, 0), value=-1)
    form = law.choose(law.FORM_SHARE[None], torch.zeros_like(turn), u["form"])
    order = turn.new_zeros(*turn.shape, 6)
    lists = turn == law.LIST
    order[lists] = u["symbol"][lists].topk(6).indices
    copied = (forms <= before)[form]
    prefix = (form >= law.FROM_THREE).long()[..., None].where(copied, NONE)
    values = (order.gather(2, forms[form]), copied.long(), prefix)
    return tuple(pad(value.flatten(1), (len(law.TITLE), 0)) for value in values)


def _absent(world: StoryWorld, turn: Tensor) -> dict[str, Int[Tensor, "batch seq"]]:
    """0 where a label holds: from the word that shows it, to the end of the turn or document.

    Elsewhere -1, which is NONE and, as all its bits are set, turns any label into NONE by `|`.
    """
    title, turns = law.TITLE_GROUP, law.TURN_GROUP
    places = torch.zeros_like(turns)
    places[law.STORY, law.TURNS["story"].index("value")] = 1
    shows = {"place": (torch.zeros_like(title), places)}
    for key in CONCEPTS:
        stride = world.lexicon.stride[key]
        shows[key] = (stride[title] > 0, stride[turns] > 0)
    shown = {key: law.lay_out(turn, *rows).cumsum(dim=1) > 0 for key, rows in shows.items()}
    position = torch.arange(world.seq, device=turn.device).expand(len(turn), -1)
    for key, word in (("turn", "day"), ("day", "day"), ("theme", "noun"), ("cue", "cue")):
        shown[key] = position >= law.TITLE.index(word)
    absent = {key: where.long() - 1 for key, where in shown.items()}
    for word, keys in OF_TURN.items():
        absent |= dict.fromkeys(keys, law.since(turn, word).long() - 1)
    return absent
