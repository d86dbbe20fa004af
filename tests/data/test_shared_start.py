"""Nouns that share a first token: the law by enumeration, labels by reading, beliefs by Bayes."""

from itertools import product

import pytest
import torch

from course_lib.data import SharedStarts
from course_lib.data.sequences import NONE
from course_lib.runtime import generator

NOUNS = {
    "drink": ["tea", "milk", "wine", "juice", "beer", "water", "cof fee", "ci der"],
    "burial": ["grave", "urn", "tomb", "shroud", "wreath", "crypt", "vault", "hearse", "cof fin"],
    "smoke": ["pipe", "match", "ash", "ember", "wick", "flint", "soot", "torch", "ci gar"],
    "animal": ["dog", "hen", "cat", "pig", "horse", "goat", "don key", "rab bit"],
}
VERBS = {
    "drink": ["drinks", "pours"],
    "burial": ["buries", "mourns"],
    "smoke": ["lights", "smokes"],
    "animal": ["feeds", "pets"],
    None: ["sees", "likes", "finds"],
}
ADJECTIVES = {
    "drink": ["hot", "sweet"],
    "burial": ["silent", "dark"],
    "smoke": ["dry", "burning"],
    "animal": ["furry", "hungry"],
    None: ["old", "new", "big"],
}


def of_kind(table, word):
    return next((kind for kind, words in table.items() if word in words), None)


def chance(table, word, kind, sure):
    """Of a verb or adjective for a noun of this kind."""
    everything = sum(len(words) for words in table.values())
    return sure * (word in table[kind]) / len(table[kind]) + (1 - sure) / everything


def clauses_of(text):
    parts = text.split(" . ")
    return [part.removesuffix(" .").split(" ") for part in parts]


def probability(world, text):
    """Of whole clauses, and the beginning of one at most, summed over scenes and nouns."""
    total = 0.0
    for scene in NOUNS:
        joint = 1 / len(NOUNS)
        for clause in clauses_of(text):
            here = 0.0
            for kind, nouns in NOUNS.items():
                for noun in nouns:
                    p = world.scene * (kind == scene) + (1 - world.scene) / 4
                    p *= (1 + (" " in noun)) / 10  # of its kind
                    p *= 1 / 4  # the name
                    if len(clause) > 1:
                        p *= chance(VERBS, clause[1], kind, world.hint)
                    if len(clause) > 2:
                        p *= chance(ADJECTIVES, clause[2], kind, world.hint)
                    told = clause[3:]
                    here += p * (noun.split(" ")[: len(told)] == told)
            joint *= here
        total += joint
    return total


@pytest.mark.parametrize("hint, scene", [(0.6, 0.5), (0.0, 0.0), (1.0, 1.0), (0.9, 0.2)])
def test_the_law_is_that_of_the_clauses_summed_over_scenes_and_nouns(hint, scene):
    world = SharedStarts(hint, scene, seq=12)
    for tokens in world.sample(12, generator(0)).tokens:
        for n in (3, 4, 12):
            wanted = probability(world, world.decode(tokens[:n]))
            found = world.log_prob(tokens[None, :n]).sum().exp().item()
            assert found == pytest.approx(wanted, rel=1e-4)


def test_the_belief_is_bayes_rule_over_the_nouns():
    world = SharedStarts()
    text = "anna pours dark cof"
    share = {end: probability(world, f"{text} {end}") for end in ("fee", "fin")}
    belief = world.posterior(torch.tensor([world.encode(text)]))[0]
    wanted = share["fee"] / sum(share.values())
    assert belief[3].tolist() == pytest.approx([wanted, 1 - wanted, 0.0, 0.0], abs=1e-6)
    before = belief[2]
    assert before.sum().item() == pytest.approx(1.0)
    assert before[0] == pytest.approx(before[1].item()) and before[0] > 2 * before[2]


def test_what_was_told_before_is_a_hint_too():
    world = SharedStarts(hint=0.0)
    told = [world.encode(f"ben sees old {noun} . ben sees old cof") for noun in ("tea", "urn")]
    after_tea, after_urn = world.posterior(torch.tensor(told))[:, -1, 0].tolist()
    assert after_tea == pytest.approx(1 - after_urn) and after_tea > 0.6


def test_hints_alone_say_nothing_when_they_are_never_sure():
    world = SharedStarts(hint=0.0, scene=0.0)
    belief = world.posterior(world.sample(20, generator(0)).tokens[:, :3])
    assert torch.allclose(belief, torch.tensor(0.25))


def test_every_clause_is_one_and_every_label_is_what_the_text_says():
    world = SharedStarts(seq=24)
    drawn = world.sample(60, generator(0))
    shown = {"start": ["own", "shared"]}
    for row in range(60):
        said = [world.vocabulary[token] for token in drawn.tokens[row].tolist()]
        noun_places = []
        for clause_start in [0] + [i + 1 for i, word in enumerate(said[:-1]) if word == "."]:
            clause = said[clause_start:]
            noun = clause[3 : 3 + next((i for i, w in enumerate(clause[3:]) if w == "."), 9)]
            whole = [n for words in NOUNS.values() for n in words if n.split()[: len(noun)] == noun]
            assert whole and clause[0] in ("anna", "ben", "carla", "dan")
            noun_places += [clause_start + 3 + i for i in range(len(noun))]
            for i in range(len(noun)):
                word = label(world, drawn, "word", row, clause_start + 3 + i)
                assert word in whole
                kind = label(world, drawn, "kind", row, clause_start + 3 + i)
                assert kind == of_kind(NOUNS, word)
            if noun:
                start = label(world, drawn, "start", row, clause_start + 3)
                assert start == shown["start"][noun[0] in ("cof", "ci")]
        for place, word in enumerate(said):
            hint = of_kind(VERBS, word) or of_kind(ADJECTIVES, word)
            assert label(world, drawn, "hint", row, place) == hint
            in_noun = label(world, drawn, "role", row, place) in ("noun", "ending")
            assert in_noun == (place in noun_places)
            assert (label(world, drawn, "kind", row, place) is not None) == in_noun


def label(world, drawn, name, row, place):
    value = drawn.labels[name][row, place].item()
    return None if value == NONE else world.attributes[name][value]


def test_nouns_are_told_as_often_as_the_scene_says():
    world = SharedStarts(scene=0.5, seq=4)
    drawn = world.sample(20_000, generator(0))
    own = (drawn.labels["kind"][:, 3] == drawn.labels["scene"][:, 3]).double().mean().item()
    wanted = 0.5 + 0.5 / 4
    assert abs(own - wanted) < 4.5 * (wanted * (1 - wanted) / 20_000) ** 0.5


def test_tokens_of_nouns_are_their_pieces():
    world = SharedStarts()
    for row, noun, kind in zip(world.tokens_of, world.nouns, world.kind.tolist(), strict=True):
        assert world.decode(row) == noun and noun in NOUNS[world.attributes["kind"][kind]]
    first = world.tokens_of[:, 0].tolist()
    shared = {(a, b) for a, b in product(range(34), repeat=2) if a < b and first[a] == first[b]}
    assert {tuple(world.nouns[i] for i in pair) for pair in shared} == {
        ("cof fee", "cof fin"),
        ("ci der", "ci gar"),
    }
