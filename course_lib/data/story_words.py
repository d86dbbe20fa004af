"""The words of the story world: two languages, a word for every combination of its attributes."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib.data.sequences import NONE

if TYPE_CHECKING:
    from jaxtyping import Int

LANGUAGES = ("english", "spanish")
# Each line is a leaf: two words in English, the same two in Spanish. The first names the leaf.
TREE = {
    "animal": {
        "mammal": ("dog hound perro sabueso", "cat kitten gato gatito",
                   "horse pony caballo poni", "cow bull vaca toro"),
        "bird": ("eagle kite águila milano", "duck swan pato cisne",
                 "hen rooster gallina gallo", "owl owlet búho mochuelo"),
        "insect": ("ant termite hormiga termita", "bee wasp abeja avispa",
                   "beetle weevil escarabajo gorgojo", "moth butterfly polilla mariposa"),
    },
    "thing": {
        "tool": ("hammer mallet martillo mazo", "axe hatchet hacha hachuela",
                 "saw hacksaw sierra serrucho", "needle pin aguja alfiler"),
        "furniture": ("chair stool silla taburete", "table desk mesa escritorio",
                      "bed cot cama cuna", "lamp lantern lámpara farol"),
        "vehicle": ("car van coche furgoneta", "boat canoe bote canoa",
                    "bicycle tricycle bicicleta triciclo", "train tram tren tranvía"),
    },
}  # fmt: skip
LEAVES = [leaf.split() for branches in TREE.values() for row in branches.values() for leaf in row]
PEOPLE = [
    "king queen rey reina", "uncle aunt tío tía", "boy girl niño niña", "man woman hombre mujer",
    "brother sister hermano hermana", "father mother padre madre",
    "prince princess príncipe princesa", "son daughter hijo hija",
]  # fmt: skip
VERBS = {  # by topic: English participles, Spanish stems
    "music": "singing dancing cant bail",
    "sport": "jumping swimming salt nad",
    "kitchen": "cooking dining cocin cen",
    "market": "buying paying compr pag",
}
ADJECTIVES = {  # by topic: two bad and two good ones; in Spanish alike for both genders
    "music": ("shrill jarring vibrant graceful", "estridente discordante vibrante elegante"),
    "sport": ("clumsy weak agile strong", "torpe débil ágil fuerte"),
    "kitchen": ("ravenous insatiable sweet helpful", "voraz insaciable dulce servicial"),
    "market": ("poor insolvent wealthy reliable", "pobre insolvente pudiente fiable"),
}
MEETINGS = ("visit help call greet", "visit ayud llam salud")  # stems
ANSWERS = {  # by relation
    "home": ("in-the-forest at-the-river on-the-island in-the-city in-the-desert in-the-valley "
             "at-the-castle at-the-harbour",
             "en-el-bosque en-el-río en-la-isla en-la-ciudad en-el-desierto en-el-valle "
             "en-el-castillo en-el-puerto"),
    "colour": ("red blue green black white yellow grey brown",
               "rojo azul verde negro blanco amarillo gris pardo"),
    "food": ("bread rice cheese soup honey apple bean cake",
             "pan arroz queso sopa miel manzana frijol pastel"),
}  # fmt: skip
SPEAKERS = ["Ada", "Ben", "Cal", "Dot", "Eve", "Fay", "Gus", "Hal", "Ida", "Jon", "Kit", "Lea"]
NAMES = [
    start + end
    for start in ["Ba", "Ce", "Do", "Fi", "Gu", "Ha", "Ji", "Ko", "Lu", "Me", "Ni", "Po"]
    for end in ["ru", "ko", "la", "mi", "nu", "va", "zo", "ti"]
]


def _plural(word: str, language: int) -> str:
    if language == 1:
        return word + ("s" if word[-1] in "aeiouáéíóú" else "es")
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "ch", "sh")) else "s")


def _companion(language: int, gender: int, lexeme: int) -> str:
    word = PEOPLE[lexeme].split()[2 * language + gender]
    return f"con-{('el', 'la')[gender]}-{word}" if language else f"with-the-{word}"


def _noun(language: int, number: int, leaf: int, lexeme: int) -> str:
    word = LEAVES[leaf][2 * language + lexeme]
    return _plural(word, language) if number else word


def _verb(language: int, tense: int, number: int, topic: int, lexeme: int) -> str:
    word = list(VERBS.values())[topic].split()[2 * language + lexeme]
    if language:
        return word + (("a", "an"), ("aba", "aban"))[tense][number]
    return f"{(('is', 'are'), ('was', 'were'))[tense][number]}-{word}"


def _adjective(language: int, valence: int, topic: int, lexeme: int) -> str:
    return list(ADJECTIVES.values())[topic][language].split()[2 * valence + lexeme]


def _meeting(language: int, tense: int, lexeme: int) -> str:
    ending = (("s", "ed"), ("a-a", "aba-a"))[language][tense]
    return MEETINGS[language].split()[lexeme] + ending


def _value(language: int, relation: int, answer: int) -> str:
    return list(ANSWERS.values())[relation][language].split()[answer]


# Every group of words: the sizes of its parts, and the word of each combination of their values,
# the last part fastest; either as a function or written out.
GROUPS = {
    "day": ({"day": 2}, "ordinary-day opposite-day"),
    "mood": ({"mood": 3}, "as-you-like be-grim be-glad"),
    "cue": ({"cue": 2}, "in-truth in-this-story"),
    "speaker": ({"speaker": 12}, lambda speaker: f"{SPEAKERS[speaker]}:"),
    "opener": (
        {"language": 2, "habit": 10},
        "well oh so look hey now sure wow anyway listen "
        "bueno uy pues fíjate oye ahora claro vaya total escucha",
    ),
    "companion": ({"language": 2, "gender": 2, "lexeme": 8}, _companion),
    "adjective": ({"language": 2, "valence": 2, "topic": 4, "lexeme": 2}, _adjective),
    "noun": ({"language": 2, "number": 2, "leaf": 24, "lexeme": 2}, _noun),
    "verb": ({"language": 2, "tense": 2, "number": 2, "topic": 4, "lexeme": 2}, _verb),
    "comma": ({}, ","),
    "pronoun": ({"language": 2, "gender": 2}, "he she él ella"),
    "meeting": ({"language": 2, "tense": 2, "lexeme": 4}, _meeting),
    "feeling": (
        {"language": 2, "valence": 2, "lexeme": 4},
        "sadly angrily bitterly gloomily gladly happily joyfully cheerfully "
        "tristemente furiosamente amargamente sombríamente "
        "alegremente felizmente gozosamente jovialmente",
    ),
    "relation": (
        {"language": 2, "relation": 3},
        "home-of colour-of food-of hogar-de color-de comida-de",
    ),
    "name": ({"name": len(NAMES)}, NAMES.__getitem__),
    "kind": (
        {"language": 2, "kind": 3},
        "the-person the-ship the-team la-persona el-barco el-equipo",
    ),
    "is": ({"language": 2}, "is es"),
    "value": ({"language": 2, "relation": 3, "answer": 8}, _value),
    "verdict": ({"language": 2, "verdict": 3}, "false true unsure falso cierto quizás"),
    "symbol": ({"symbol": 24}, "α β γ δ ε ζ η θ ι κ λ μ ν ξ ο π ρ σ τ υ φ χ ψ ω"),
}
SIZES = {part: size for parts, _ in GROUPS.values() for part, size in parts.items()}
VALUES = {  # names of the values of what is planted
    "language": LANGUAGES,
    "gender": ("male", "female"),
    "number": ("singular", "plural"),
    "tense": ("present", "past"),
    "valence": ("bad", "good"),
    "topic": tuple(VERBS),
    "place": tuple(home.split("-")[-1] for home in ANSWERS["home"][0].split()),
    "root": tuple(TREE),
    "branch": tuple(branch for branches in TREE.values() for branch in branches),
    "leaf": tuple(leaf[0] for leaf in LEAVES),
    "theme": tuple(leaf[0] for leaf in LEAVES),
    "day": ("ordinary", "opposite"),
    "cue": ("truth", "story"),
    "speaker": tuple(SPEAKERS),
    "honest": ("liar", "honest"),
    "persona": ("calm", "gentle", "proud", "brash"),
    "name": tuple(NAMES),
    "known": ("unknown", "known"),
    "frequent": ("rare", "frequent"),
    "kind": ("person", "ship", "team"),
    "relation": tuple(ANSWERS),
    "true": ("false", "true"),
    "turn": ("title", "story", "fact", "list"),
    "copied": ("new", "copied"),
    "prefix": ("one", "three"),
}


class Lexicon:
    """All words, numbered: the token of a combination is start + the sum of stride · value.

    Attributes:
        vocabulary: the words, group after group.
        groups: the names of the groups; `group` [n_tokens] is the index of each token's.
        start: [n_groups], the first token of each group.
        stride: for each part [n_groups], how far apart its values are; 0 where it is no part.
        n_lexemes: [n_groups], words of the same meaning.
        words: for each attribute [n_tokens], the value of every word, `NONE` where it has none:
            the parts, and what follows from them (root and branch of a leaf; kind, known and
            frequent of a name; honest of a speaker who is not a stranger).
    """

    def __init__(self) -> None:
        self.groups = tuple(GROUPS)
        words, columns = [], {part: [] for part in ("group", *SIZES)}
        shape = (len(GROUPS),)
        self.start = torch.zeros(shape, dtype=torch.long)
        self.n_lexemes = torch.ones(shape, dtype=torch.long)
        self.stride = {part: torch.zeros(shape, dtype=torch.long) for part in SIZES}
        for index, (parts, word_of) in enumerate(GROUPS.values()):
            self.start[index] = len(words)
            self.n_lexemes[index] = parts.get("lexeme", 1)
            step = prod(parts.values())
            for part, size in parts.items():
                step //= size
                self.stride[part][index] = step
            combinations = list(product(*(range(size) for size in parts.values())))
            written = word_of.split() if isinstance(word_of, str) else None
            words += written or [word_of(*values) for values in combinations]
            for values in combinations:
                row = {"group": index, **dict(zip(parts, values, strict=True))}
                for part, column in columns.items():
                    column.append(row.get(part, NONE))
        self.vocabulary = tuple(words)
        tables = {part: torch.tensor(column) for part, column in columns.items()}
        self.group = tables.pop("group")
        self.words = tables | self._derived(tables)

    def _derived(self, tables: dict[str, Tensor]) -> dict[str, Int[Tensor, " n_tokens"]]:
        leaf, name, speaker = tables["leaf"], tables["name"], tables["speaker"]
        trust = speaker % 6 // 2  # honest, liar, stranger
        entity = entities()
        derived = {
            "root": torch.where(leaf >= 0, leaf // 12, NONE),
            "branch": torch.where(leaf >= 0, leaf // 4, NONE),
            "honest": torch.where((speaker >= 0) & (trust < 2), 1 - trust, NONE),
        }
        for key, column in entity.items():
            own = tables.get(key, torch.full_like(name, NONE))
            derived[key] = torch.where(name >= 0, column[name.clamp(min=0)], own)
        return derived


def entities() -> dict[str, Int[Tensor, " n_names"]]:
    """Kind, known and frequent of every name: all twelve combinations, eight names each."""
    name = torch.arange(len(NAMES))
    return {"kind": name % 3, "known": name // 3 % 2, "frequent": name // 6 % 2}
