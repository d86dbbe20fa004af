"""The laws of the story world: the states, what they show, and the order of a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.data.story_words import GROUPS, NAMES, entities

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

TITLE = ("day", "mood", "noun", "cue", "relation", "name", "kind", "is", "value")
TURNS = {  # the group of words in each slot of a turn
    "story": ("speaker", "opener", "companion", "adjective", "noun", "verb", "value", "comma",
              "pronoun", "meeting", "name", "feeling"),
    "fact": ("speaker", "opener", "relation", "name", "kind", "is", "value", "comma",
             "speaker", "opener", "verdict", "feeling"),
    "list": ("symbol",) * 12,
}  # fmt: skip
STORY, FACT, LIST = range(3)
TURN_SHARE = torch.tensor([0.5, 0.35, 0.15], dtype=torch.double)
LENGTH = 12  # tokens of a turn
# The order of a list's symbols: with a period of 4, 5 or 6; a b c x d b c y and a copy of a half.
FORMS = torch.tensor(
    [
        (0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3),
        (0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1),
        (0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5),
        (0, 1, 2, 3, 4, 1, 2, 5, 0, 1, 2, 3),
        (0, 1, 2, 3, 4, 1, 2, 5, 4, 1, 2, 5),
    ]
)
FORM_SHARE = torch.tensor([2, 2, 2, 3, 3], dtype=torch.double) / 12
FROM_THREE = 3  # the first form that takes three symbols to tell the next
HABITS = ((0, 1, 2), (0, 1, 3), (4, 5, 6), (7, 8, 9))  # the openers that each persona likes
STATES = {  # drawn once a document; number once a turn, the title included
    "language": 2, "gender": 2, "tense": 2, "valence": 2, "topic": 4, "place": 8, "theme": 24,
    "hero": len(NAMES), "question": 3, "day": 2, "cue": 2, "persona1": 4, "persona2": 4,
    "speaker1": 6, "honest1": 2, "speaker2": 6, "honest2": 2, "number": 2,
}  # fmt: skip
TITLE_GROUP = torch.tensor([list(GROUPS).index(group) for group in TITLE])
TURN_GROUP = torch.tensor([[list(GROUPS).index(g) for g in slots] for slots in TURNS.values()])


def _stay(n: int, p: float) -> Float[Tensor, "n n"]:
    """The same value with probability p, else any other."""
    other = (1 - p) / (n - 1)
    return other + (p - other) * torch.eye(n, dtype=torch.double)


def _frequency() -> Float[Tensor, " n_names"]:
    weight = 1.0 + 3.0 * entities()["frequent"].double()
    return weight / weight.sum()


def kernels(noise: float) -> dict[str, Float[Tensor, "n_states n_values"]]:
    """The probability of each value of a part of a word, for each value of the state it shows.

    The states are those of the same name, and theme for a leaf, hero for a name, question for a
    relation, persona for a habit, valence for a mood, honest for an act: 1 is what an honest
    speaker does on an ordinary day.
    """
    concepts = ("language", "gender", "tense", "valence", "topic", "place", "number")
    shown = {name: _stay(STATES[name], 1 - noise) for name in concepts}
    shown |= {"act": _stay(2, 1 - noise), "relation": _stay(3, 0.6)}
    shown |= {name: torch.eye(n).double() for name, n in (("day", 2), ("cue", 2), ("speaker", 6))}
    right, slip = (1 - noise) / 2, noise / 2
    shown["mood"] = torch.tensor([[0.5, right, slip], [0.5, slip, right]], dtype=torch.double)
    liked = torch.tensor([[opener in row for opener in range(10)] for row in HABITS])
    shown["habit"] = noise / 7 + liked.double() * ((1 - noise) / 3 - noise / 7)
    leaf = torch.arange(24)
    near = ((1, 0.5), (4, 0.25), (12, 0.15), (24, 0.1))  # leaves in the same part of the tree
    shown["leaf"] = sum(p / n * (leaf[:, None] // n == leaf // n).double() for n, p in near)
    shown["name"] = 0.6 * torch.eye(len(NAMES)).double() + 0.4 * _frequency()
    return shown


def priors(
    given: Mapping[str, Sequence[float]] | None, correlate: tuple[str, str, float] | None
) -> dict[tuple[str, ...], Tensor]:
    """The probabilities of the states: jointly of those that are drawn together."""
    p = {name: torch.ones(n, dtype=torch.double) / n for name, n in STATES.items()}
    p |= {"day": torch.tensor([0.75, 0.25]).double(), "hero": _frequency()}
    for name, values in () if given is None else validate.instance("prior", given, Mapping).items():
        validate.choice("prior", name, sorted({state.rstrip("12") for state in STATES}))
        value = validate.probability(f"prior[{name!r}]", values).double()
        if not abs(float(value.sum()) - 1) < 1e-6:
            raise ValueError(f"prior[{name!r}] sums to {float(value.sum()):.4g}; it must be 1.")
        for state in [state for state in STATES if state.rstrip("12") == name]:
            p[state] = validate.shape(f"prior[{name!r}]", value, (STATES[state],)) / value.sum()
    joint = {}
    for seat in "12":  # two who are honest, two liars, two strangers
        trust = torch.tensor([[0, 1], [0, 1], [1, 0], [1, 0], [0, 0], [0, 0]]).double()
        trust[4:] = p.pop(f"honest{seat}")
        joint[f"speaker{seat}", f"honest{seat}"] = p.pop(f"speaker{seat}")[:, None] * trust
    if correlate is not None:
        if len(validate.sequence("correlate", correlate)) != 3:
            raise ValueError(f"correlate is {correlate!r}; it must be (a, b, strength).")
        a, b, strength = correlate
        for name in (a, b):
            validate.choice("correlate", name, [state for state in p if state != "number"])
        if a == b:
            raise ValueError(f"correlate names {a!r} twice; it must name two states.")
        validate.number("strength of correlate", strength, 0.0, 1.0)
        tied = torch.arange(STATES[a])[:, None] % STATES[b] == torch.arange(STATES[b])
        p_a, p_b = p.pop(a), p.pop(b)
        joint[a, b] = p_a[:, None] * ((1 - strength) * p_b + strength * tied)
    return joint | {(name,): values for name, values in p.items()}


def choose(
    kernel: Float[Tensor, "n_states n_values"],
    state: Int[Tensor, "*shape"],
    u: Float[Tensor, "*shape"],
) -> Int[Tensor, "*shape"]:
    """The value that `state` shows, from u uniform in [0, 1): the inverse of its distribution."""
    row = torch.arange(len(kernel), dtype=torch.double)[:, None]
    ends = kernel.cumsum(dim=1) + row
    ends[:, -1:] = row + 1  # without rounding
    place = torch.searchsorted(ends.flatten().to(u.device), state + u.double(), right=True)
    return place - kernel.shape[1] * state


def look_up(table: Tensor, index: Int[Tensor, "*shape"]) -> Tensor:
    """table[index], which torch does four times as fast this way."""
    return table.to(index.device).index_select(0, index.flatten()).view(index.shape)


def lay_out(turn: Int[Tensor, "batch n_turns"], title: Tensor, table: Tensor) -> Tensor:
    """[batch, seq]: the row `title`, then for each turn the row of its kind in `table`."""
    title, table = title.to(turn.device), table.to(turn.device)
    return torch.cat([title.expand(len(turn), -1), table[turn].flatten(1)], dim=1)


def since(turn: Int[Tensor, "batch n_turns"], group: str) -> Bool[Tensor, "batch seq"]:
    """Whether a word of `group` stands here or earlier in the same turn."""
    index = list(GROUPS).index(group)
    return lay_out(turn, *((row == index).cumsum(-1) > 0 for row in (TITLE_GROUP, TURN_GROUP)))


def seats(turn: Int[Tensor, "batch n_turns"]) -> Int[Tensor, "batch seq"]:
    """Who speaks, 0 or 1: the two take turns, and in a fact the other one answers."""
    answers = torch.zeros(3, LENGTH, dtype=torch.long)
    answers[FACT, TURNS["fact"].index("comma") + 1 :] = 1
    number = torch.arange(turn.shape[1], device=turn.device).repeat_interleave(LENGTH)
    whose = torch.cat([number.new_zeros(len(TITLE)), number])
    return (whose + lay_out(turn, torch.zeros(len(TITLE), dtype=torch.long), answers)) % 2


def truths(
    facts: Int[Tensor, "n_names 3"],
    name: Int[Tensor, "batch turns"],
    relation: Int[Tensor, "batch turns"],
    held: Int[Tensor, " batch"],
) -> Int[Tensor, "batch turns"]:
    """The true answer to what each turn asks, the title first; NONE for an unknown name.

    It is what the title says, `held`, where a turn asks the same; else the fact.
    """
    same = (name == name[:, :1]) & (relation == relation[:, :1])
    return torch.where(same, held[:, None], facts.to(name.device)[name, relation])
