"""Words that share their first token with an unrelated one: `cof fee` is a drink, `cof fin` not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate
from course_lib.data.draws import draw, in_64_bits
from course_lib.data.sequences import NONE, Sequences

if TYPE_CHECKING:
    from jaxtyping import Float, Int

KINDS = ("drink", "burial", "smoke", "animal")
WORDS = {
    "drink": ("tea", "milk", "wine", "juice", "beer", "water", "cof fee", "ci der"),
    "burial": ("grave", "urn", "tomb", "shroud", "wreath", "crypt", "vault", "hearse", "cof fin"),
    "smoke": ("pipe", "match", "ash", "ember", "wick", "flint", "soot", "torch", "ci gar"),
    "animal": ("dog", "hen", "cat", "pig", "horse", "goat", "don key", "rab bit"),
}
VERBS = {
    "drink": ("drinks", "pours"), "burial": ("buries", "mourns"), "smoke": ("lights", "smokes"),
    "animal": ("feeds", "pets"), "": ("sees", "likes", "finds"),
}  # fmt: skip
ADJECTIVES = {
    "drink": ("hot", "sweet"), "burial": ("silent", "dark"), "smoke": ("dry", "burning"),
    "animal": ("furry", "hungry"), "": ("old", "new", "big"),
}  # fmt: skip
NAMES = ("anna", "ben", "carla", "dan")
STOP = "."
ROLES = ("name", "verb", "adjective", "noun", "ending", "stop")
NAME, VERB, ADJECTIVE, NOUN, ENDING, END = range(len(ROLES))


@dataclass(frozen=True)
class _Lexicon:
    """Each stage's law, for each word that a clause can be about, and what is known of tokens."""

    vocabulary: tuple[str, ...]
    words: tuple[str, ...]
    kind: Int[Tensor, " words"]
    emission: Float[Tensor, "roles words tokens"]
    hint: Int[Tensor, " tokens"]
    starts: Int[Tensor, " tokens"]


class SharedStarts:
    """`anna pours hot cof fee . ben buries old cof fin .`: clauses about nouns of four kinds.

    A document has a scene, one of the four kinds, and the nouns of its clauses are of that kind
    more often than not. Verbs and adjectives are of the noun's kind with probability `hint`, else
    any at all, so that they tell the noun partly. Some nouns are written in two tokens, and each of
    these is told twice as often as another of its kind:

    | noun                   | kind   | shares its first token with |
    |------------------------|--------|-----------------------------|
    | `cof fee`              | drink  | `cof fin`, burial           |
    | `ci der`               | drink  | `ci gar`, smoke             |
    | `don key`, `rab bit`   | animal | none                        |

    | planted                              | where                                           |
    |--------------------------------------|-------------------------------------------------|
    | the noun and its kind                | labels `word`, `kind`, at the noun's tokens     |
    | what a verb or adjective speaks for  | label `hint`; NONE for those of no kind         |
    | whether a first token is ambiguous   | label `start`, at the first tokens of nouns     |
    | the document's scene, a token's role | labels `scene`, `role`, at every token          |
    | an ideal observer's belief           | `posterior`                                     |
    | the law of the next token            | `log_prob`                                      |

    After "When the Coffee Feature Activates on Coffins" (arXiv:2601.03047).

    Args:
        hint: the chance that a verb is of its noun's kind for sure; likewise an adjective.
        scene: the chance that a noun is of the scene's kind for sure, else it is any.
        seq: tokens of a document, which ends wherever that is.

    Attributes:
        vocabulary, attributes, seq: as of every world of tokens.
        nouns: for each noun its name, such as "cof fee".
        tokens_of: [n_nouns, 2], its tokens, NONE for a second that is not there.
        kind: [n_nouns], index into `attributes["kind"]`.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(self, hint: float = 0.6, scene: float = 0.5, seq: int = 24) -> None:
        self.hint = validate.number("hint", hint, 0.0, 1.0)
        self.scene = validate.number("scene", scene, 0.0, 1.0)
        self.seq = validate.positive_int("seq", seq, 2)
        self._lexicon = lexicon = _lexicon(self.hint)
        self.vocabulary, self.nouns, self.kind = lexicon.vocabulary, lexicon.words, lexicon.kind
        self.tokens_of = torch.tensor([(*self.encode(noun), NONE)[:2] for noun in self.nouns])
        self.attributes = {
            "word": self.nouns, "kind": KINDS, "hint": KINDS, "start": ("own", "shared"),
            "scene": KINDS, "role": ROLES,
        }  # fmt: skip
        of_kind = (self.kind == torch.arange(len(KINDS))[:, None]).double()
        of_kind *= (self.tokens_of != NONE).sum(1)  # twice as often for two tokens
        of_kind /= of_kind.sum(1, keepdim=True)
        anything = (1 - self.scene) * of_kind.mean(0)
        self._noun_law = self.scene * of_kind + anything  # [scenes, nouns]

    def encode(self, text: str) -> list[int]:
        """The tokens of words apart by spaces. Raises ValueError for a word that is no token."""
        for word in text.split():
            if word not in self.vocabulary:
                raise ValueError(f"{word!r} is no token of this world; see `vocabulary`.")
        return [self.vocabulary.index(word) for word in text.split()]

    def decode(self, tokens: Int[Tensor, " n"]) -> str:
        """The text of tokens, apart by spaces."""
        return " ".join(self.vocabulary[token] for token in tokens.tolist() if token != NONE)

    def sample(self, batch_size: int, generator: Generator) -> Sequences:
        """Draw documents on the generator's device."""
        device = generator.device
        shape = (validate.positive_int("batch_size", batch_size),)
        law, words = self._lexicon.emission.to(device).flatten(0, 1), len(self.nouns)
        scene = torch.randint(len(KINDS), shape, generator=generator, device=device)
        role, noun = torch.full_like(scene, END), torch.zeros_like(scene)
        tokens, roles, nouns = [], [], []
        for _ in range(self.seq):
            role = self._next_role(role, tokens[-1] if tokens else None)
            drawn = draw(self._noun_law, scene, generator)
            noun = torch.where(role == NAME, drawn, noun)
            tokens.append(draw(law, role * words + noun, generator))
            roles.append(role)
            nouns.append(noun)
        token, role, noun = (torch.stack(part, 1) for part in (tokens, roles, nouns))
        in_noun, first = (role == NOUN) | (role == ENDING), role == NOUN
        labels = {
            "word": noun.where(in_noun, NONE),
            "kind": self.kind.to(device)[noun].where(in_noun, NONE),
            "hint": self._lexicon.hint.to(device)[token],
            "start": (self._lexicon.starts.to(device)[token] > 1).long().where(first, NONE),
            "scene": scene[:, None].expand_as(token),
            "role": role,
        }
        return Sequences(token, labels)

    def posterior(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq n_kinds"]:
        """The probability of each kind of the clause's noun, after each token, given all so far.

        At a clause's stop it is 1 for the kind of the noun just told. NaN once the tokens cannot
        happen.
        """
        of_word = self._forward(tokens)[0].exp()
        kinds = (self.kind[:, None] == torch.arange(len(KINDS))).to(of_word)
        return (of_word @ kinds).to(torch.get_default_dtype())

    def log_prob(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq"]:
        """Log-probability of each token given those before it; -inf once that cannot happen."""
        return self._forward(tokens)[1].to(torch.get_default_dtype())

    def _next_role(self, role: Tensor, token: Tensor | None) -> Tensor:
        """The role of the token after one of this role: a noun goes on if it is a first token."""
        follows = torch.tensor([VERB, ADJECTIVE, NOUN, END, END, NAME], device=role.device)
        if token is None:
            return follows[role]
        goes_on = (role == NOUN) & (self._lexicon.starts.to(role.device)[token] > 0)
        return follows[role].masked_fill(goes_on, ENDING)

    def _forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """log p(noun of the clause | tokens up to here) and log p(token | those before it)."""
        tokens = in_64_bits(tokens)
        validate.shape("tokens", tokens, ("batch", "seq"))
        device = tokens.device
        law, about = (part.to(device).log() for part in (self._lexicon.emission, self._noun_law))
        joint = (about - torch.tensor(float(len(KINDS))).log()).expand(len(tokens), -1, -1)
        known = (tokens >= 0) & (tokens < len(self.vocabulary))
        tokens = tokens.where(known, 0)
        role = torch.full((len(tokens),), END, device=device)
        nouns, each, total, token = [], [], torch.zeros(len(tokens)).to(joint), None
        for place in range(tokens.shape[1]):  # joint: log p(scene, noun, tokens so far)
            role = self._next_role(role, token)
            new = joint.logsumexp(2, keepdim=True) + about
            joint = torch.where((role == NAME)[:, None, None] & (place > 0), new, joint)
            token = tokens[:, place]
            of_token = law[role, :, token].masked_fill(~known[:, place, None], -torch.inf)
            joint = joint + of_token[:, None]
            of_noun = joint.logsumexp(1)
            upto = of_noun.logsumexp(1)
            nouns.append(of_noun - upto[:, None])
            each.append((upto - total).nan_to_num(nan=-torch.inf))
            total = upto
        return torch.stack(nouns, 1), torch.stack(each, 1)


def _lexicon(hint: float) -> _Lexicon:
    words = tuple(word for kind in KINDS for word in WORDS[kind])
    kind = torch.tensor([i for i, name in enumerate(KINDS) for _ in WORDS[name]])
    verbs, adjectives = ([w for part in of.values() for w in part] for of in (VERBS, ADJECTIVES))
    pieces = list(dict.fromkeys(piece for word in words for piece in word.split()))
    vocabulary = (*NAMES, *verbs, *adjectives, *pieces, STOP)
    index = {token: i for i, token in enumerate(vocabulary)}
    emission = torch.zeros(len(ROLES), len(words), len(vocabulary), dtype=torch.float64)
    hints = torch.full((len(vocabulary),), NONE)
    starts = torch.zeros(len(vocabulary), dtype=torch.long)
    emission[NAME, :, : len(NAMES)] = 1 / len(NAMES)
    emission[END, :, index[STOP]] = 1.0
    for role, of in ((VERB, VERBS), (ADJECTIVE, ADJECTIVES)):
        anything = [index[token] for part in of.values() for token in part]
        emission[role][:, anything] += (1 - hint) / len(anything)
        for i, name in enumerate(KINDS):
            own = [index[token] for token in of[name]]
            hints[own] = i
            rows = (kind == i).nonzero()
            emission[role, rows, torch.tensor(own)] += hint / len(own)
    for i, word in enumerate(words):
        first, *rest = (index[piece] for piece in word.split())
        emission[NOUN, i, first] = 1.0
        starts[first] += len(rest)
        emission[ENDING, i, rest[0] if rest else index[STOP]] = 1.0
    return _Lexicon(vocabulary, words, kind, emission, hints, starts)
