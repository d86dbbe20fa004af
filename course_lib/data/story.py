"""The story world: short bilingual documents in which every concept is known for every token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import runtime, validate
from course_lib.data import story_law as law
from course_lib.data import story_reader, story_teller
from course_lib.data.sequences import NONE, Sequences
from course_lib.data.story_words import NAMES, VALUES, Lexicon, entities

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class StoryWorld:
    """Documents of a title and turns by two speakers, each token with its concepts.

        ordinary-day be-glad hens in-this-story food-of Bazo the-person is apple
        Ada: well with-the-aunt vibrant dogs were-singing in-the-valley , she visited Bazo gladly
        Gus: so food-of Bazo the-person is apple , Ada: oh true happily
        α β γ δ α β γ δ α β γ δ

    A word may be a phrase (`with-the-aunt`, `con-la-tía`), so that the same places serve both
    languages: bueno con-la-tía vibrante perros cantaban en-el-valle , ella visitaba-a Bazo
    alegremente. The article of a noun is left out, as in headlines.

    Planted, and independent of each other unless `correlate` says otherwise:

    | state    | values | of the document (number: of the turn), and shown by                  |
    |----------|--------|----------------------------------------------------------------------|
    | language | 2      | all words but names, speakers, symbols, the comma, day, mood and cue |
    | gender   | 2      | companion (with-the-aunt), pronoun                                   |
    | tense    | 2      | verb and meeting (visited)                                           |
    | valence  | 2      | adjective, feeling; the title's mood asks for it or leaves it open   |
    | topic    | 4      | adjective and verb                                                   |
    | place    | 8      | the place in a story                                                 |
    | number   | 2      | noun and verb                                                        |
    | theme    | 24     | nouns: half are of this leaf, the others near it on the tree         |
    | hero     | 96     | names: three in five are the hero's                                  |
    | question | 3      | relations: three in five are this one                                |
    | persona  | 4      | a speaker's openers; the first two share two of three habits         |
    | honest   | 2      | whether a speaker tells the truth                                    |
    | day      | 2      | on an opposite day (1 in 4) the honest lie, liars tell the truth     |
    | cue      | 2      | whether the title's statement holds in truth or in this story        |

    The tree of nouns has two roots (animal, thing), three branches of each (mammal, bird, insect;
    tool, furniture, vehicle), four leaves of each (dog, …) and two words of each leaf in both
    languages and numbers. Of the speakers Ada, Ben, Gus, Hal are honest, Cal, Dot, Ida, Jon liars;
    Eve, Fay, Kit, Lea are strangers, who are either, anew in every document.

    Noise: a word shows another value of a concept than the state's with probability `noise`, for
    each word and concept anew, so that no word gives a concept away; openers, moods and lies slip
    as often.

    Names are of three kinds, frequent or rare (4 to 1), known or unknown: 8 names of each of the
    12 combinations. A known name has one answer to each relation in all documents (`facts`); of
    an unknown one every answer is new. What the title says holds in its document: a fact in truth,
    any answer in this story. Who lies gives any wrong answer. The other speaker then says whether
    that was true or false, or that he is unsure of an unknown name; a lie is one of the other two.

    Turns are stories, facts and lists (0.5, 0.35, 0.15). A list repeats 4, 5 or 6 symbols, so that
    one symbol tells the next; or it is a b c x d b c y and then a copy of one half, so that it
    takes three.

    Labels hold the state (`words` has each word's own value), from the token that first shows it
    to the end of the document, or of the turn for what one noun, name, relation, speaker or answer
    says: `true` is whether the answer is; `copied` marks the repeats of a list, and `prefix`, at
    these, whether one symbol tells the next all through the list or three are needed.

    Args:
        n_turns: turns of a document.
        noise: probability that a word shows another value than the state's, at most 1/2.
        prior: probabilities of a state's values where they are not to be uniform (those of
            `honest` are the strangers').
        correlate: (a, b, strength), two states of the document: with probability `strength` b is
            a modulo the number of b's values, else it follows its prior.
        lies_about: the only relation (home, colour or food) that liars lie about; about the others
            they are like the honest. All relations when None.
        seed: of the facts.

    Attributes:
        vocabulary, attributes, seq: as in `TokenWorld`; seq is 9 + 12 n_turns.
        lexicon: the words as combinations of parts.
        words: for each attribute [n_tokens], every word's own value, `NONE` where it has none.
        entities: for each of kind, known and frequent [96], of every name.
        facts: [96, 3], the answer of each name to each relation, `NONE` for unknown names.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(
        self,
        n_turns: int = 4,
        *,
        noise: float = 0.08,
        prior: Mapping[str, Sequence[float]] | None = None,
        correlate: tuple[str, str, float] | None = None,
        lies_about: str | None = None,
        seed: int = 0,
    ) -> None:
        self.n_turns = validate.positive_int("n_turns", n_turns)
        self.noise = validate.number("noise", noise, 0.0, 0.5)
        self.seq = len(law.TITLE) + law.LENGTH * n_turns
        self.lexicon = Lexicon()
        self.vocabulary, self.words = self.lexicon.vocabulary, self.lexicon.words
        self.attributes = VALUES
        relations = VALUES["relation"]
        if lies_about is not None:
            validate.choice("lies_about", lies_about, relations)
        lied = [lies_about in (None, relation) for relation in relations]
        self.lied_about = torch.tensor(lied)  # [3], whether liars lie about each relation
        self.entities = entities()
        answers = torch.randint(8, (len(NAMES), 3), generator=runtime.generator(seed))
        self.facts = torch.where(self.entities["known"][:, None] == 1, answers, NONE)
        self.kernels = law.kernels(self.noise)
        self.priors = law.priors(prior, correlate)
        title = torch.zeros(len(law.TITLE), dtype=torch.long)
        turn = torch.arange(1, n_turns + 1).repeat_interleave(law.LENGTH)
        self.turn_of = torch.cat([title, turn])  # [seq], 0 in the title

    def sample(self, batch_size: int, generator: Generator) -> Sequences:
        """Draw documents on the generator's device, with the labels of every token."""
        validate.positive_int("batch_size", batch_size)
        states = story_teller.states(self, batch_size, generator)
        return story_teller.tell(self, states, story_teller.chance(self, batch_size, generator))

    def pairs(self, state: str, n: int, generator: Generator) -> tuple[Sequences, Sequences]:
        """n documents and their counterfactuals: one state differs, and what depends on it.

        All other states and all chance are the same. So of language, gender, number, tense,
        valence, topic and place exactly the words that show the state differ. `state` is one of
        the card's; of persona and honest it is the first speaker's, and there an honest speaker
        changes places with a liar (a stranger keeps the name).
        """
        one = story_teller.states(self, validate.positive_int("n", n), generator)
        name = state if state in one else f"{state}1"
        if name not in one or name == "speaker1":
            raise ValueError(f"state is {state!r}; it must be one of the card's.")
        size, device = law.STATES[name], generator.device
        step = torch.randint(1, size, (n, 1), generator=generator, device=device)
        other = one | {name: (one[name] + step) % size}
        if name == "honest1":
            speaker = one["speaker1"]
            other["speaker1"] = torch.where(speaker < 4, (speaker + 2) % 4, speaker)
        chance = story_teller.chance(self, n, generator)
        return story_teller.tell(self, one, chance), story_teller.tell(self, other, chance)

    def word_pairs(self, attribute: str, a: int = 0, b: int = 1) -> Int[Tensor, "n 2"]:
        """All pairs of words that have values a and b of an attribute, and else are the same."""
        strides = self.lexicon.stride
        validate.choice("attribute", attribute, [part for part in strides if part != "lexeme"])
        for name, value in (("a", a), ("b", b)):
            if value not in range(int(self.words[attribute].max()) + 1):
                raise ValueError(f"{name} is {value}; it must be a value of {attribute!r}.")
        step = strides[attribute][self.lexicon.group]
        one = ((self.words[attribute] == a) & (step > 0)).nonzero()[:, 0]
        return torch.stack([one, one + (b - a) * step[one]], dim=1)

    def log_prob(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq"]:
        """The exact log-probability (nats) of each token given those before it.

        Its mean, negated, is the loss that no model can beat. -inf for what cannot follow. The
        documents may be cut short, all at the same length.
        """
        return story_reader.log_prob(self, tokens)

    def posterior(
        self, state: str, tokens: Int[Tensor, "batch seq"]
    ) -> Float[Tensor, "batch seq n_values"]:
        """The exact probability of each value of a state given the tokens up to each position.

        No probe can do better on average. `state` is one of the card's; persona, honest and
        speaker (of the six in his seat) are those of who speaks there. The documents may be cut
        short, all at the same length.
        """
        return story_reader.posterior(self, state, tokens)

    def encode(self, text: str) -> Int[Tensor, " seq"]:
        """The tokens of words with spaces between; raises ValueError for what is no word."""
        index = {word: token for token, word in enumerate(self.vocabulary)}
        unknown = [word for word in text.split() if word not in index]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no word of the story world; see `vocabulary`.")
        return torch.tensor([index[word] for word in text.split()])

    def decode(self, tokens: Int[Tensor, " seq"]) -> str:
        """The words of one sequence, with spaces between."""
        return " ".join(self.vocabulary[token] for token in tokens.tolist())
