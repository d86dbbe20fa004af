"""The story world in another tokenizer's tokens: the same documents for a model of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor
from torch.nn.utils.rnn import pad_sequence

from course_lib import validate
from course_lib.data.sequences import NONE, Sequences
from course_lib.runtime import generator as seeded

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from course_lib.data.story import StoryWorld

ROUNDS = 32  # draws at most, for pairs that fit
MEASURED = 256  # documents whose shortest says how long all are
JOINS = "{} joins words; labels would have no place."
HALF = "\N{REPLACEMENT CHARACTER}"  # what tokenizers write for a part of a character


class Retold:
    """Documents of the story world as a tokenizer of transformers cuts them.

    A token has the labels of the word it is of; one that the tokenizer puts before every text has
    none. All documents are cut at the length of a short one, so that no token is made up; what is
    shorter still is left out.

    Args:
        world: whose documents are retold.
        tokenizer: of transformers; it must cut each word as if it stood alone.

    Attributes:
        vocabulary, attributes, seq: as in `TokenWorld`; the vocabulary is the tokenizer's.
        words: for each attribute [n_tokens], the value of all words that begin with a token;
            `NONE` where some have another or none.

    Raises:
        ValueError: the tokenizer joins words.
    """

    def __init__(self, world: StoryWorld, tokenizer: Any) -> None:
        self.world, self.tokenizer, self.attributes = world, tokenizer, world.attributes
        names, one = world.vocabulary, world.sample(MEASURED, seeded(0))
        before = self._cut(names[0])
        whole = tokenizer(names[0])["input_ids"]
        begins = len(whole) - len(before)
        self.start = whole[:begins] if whole[begins:] == before else []
        inside = [self._cut(f"{names[0]} {name}")[len(before) :] for name in names]
        first = [[*self.start, *self._cut(name)] for name in names]
        cut = [torch.tensor(tokens, dtype=torch.long) for tokens in (*inside, *first)]
        self.size = torch.tensor([len(tokens) for tokens in cut])
        self.pieces = pad_sequence(cut, batch_first=True, padding_value=NONE)
        if not self.size.all():
            raise ValueError(JOINS.format(type(tokenizer).__name__))
        singles = [[token] for token in range(len(tokenizer))]
        self.vocabulary = tuple(text.strip() for text in tokenizer.batch_decode(singles))
        begun = self.pieces[: len(names), 0]
        self.words = {name: self._of_all(begun, value) for name, value in world.words.items()}
        self._known = {name: word for word, name in enumerate(names)}
        self._spaced: dict[int, bool] = {}
        self.seq = int(self.size[self._spelt(one.tokens)].sum(dim=1).min())
        told = self._tell(one)[0].tokens[0].tolist()
        whole = tokenizer(world.decode(one.tokens[0]))["input_ids"]
        if told != whole[: self.seq]:
            raise ValueError(JOINS.format(type(tokenizer).__name__))

    def sample(self, batch_size: int, generator: Generator) -> Sequences:
        """Draw documents on the generator's device, with the labels of every token."""
        validate.positive_int("batch_size", batch_size)
        parts: list[Sequences] = []
        while sum(map(len, parts)) < batch_size:
            told, _, fits = self._tell(self.world.sample(batch_size, generator))
            parts.append(told[fits])
        return _join(parts)[:batch_size]

    def pairs(self, state: str, n: int, generator: Generator) -> tuple[Sequences, Sequences]:
        """Documents and their counterfactuals, as `StoryWorld.pairs`, whose tokens are aligned.

        Only pairs are kept that differ, and in which every word has as many tokens as the one in
        its place: n of them, or fewer where few do.

        Raises ValueError when none does.
        """
        ones, others = [], []
        for _ in range(ROUNDS):
            drawn = self.world.pairs(state, n, generator)
            (one, place, fits), (other, same, too) = map(self._tell, drawn)
            fits &= too & (place == same).all(dim=1) & (one.tokens != other.tokens).any(dim=1)
            ones.append(one[fits])
            others.append(other[fits])
            if sum(map(len, ones)) >= n:
                break
        if sum(map(len, ones)) == 0:
            raise ValueError(
                f"state is {state!r}; this tokenizer cuts its words into unlike numbers of tokens, "
                "and no pair stays aligned. Ask for another state."
            )
        return _join(ones)[:n], _join(others)[:n]

    def word_pairs(self, attribute: str, a: int = 0, b: int = 1) -> Int[Tensor, "n 2"]:
        """As `StoryWorld.word_pairs`, by the tokens that words begin with and that show a and b."""
        pairs = self.pieces[self.world.word_pairs(attribute, a, b), 0]
        value = self.words[attribute][pairs]
        return pairs[(value == torch.tensor([a, b])).all(dim=1)].unique(dim=0)

    def log_prob(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq"]:
        """The exact log-probability (nats) of each word given those before it, at its first token.

        0 at its other tokens and at a last word that is not whole. -inf at all tokens of a word
        that cannot follow.
        """
        comma = self._known[","]  # tells nothing; in the place of what is no word
        read = [self._read(row) for row in tokens.tolist()]
        spelt = torch.full((len(read), self.world.seq), comma)
        for row, (words, _, _) in enumerate(read):
            known = [self._known.get(word, comma) for word in words[: self.world.seq]]
            spelt[row, : len(known)] = torch.tensor(known)
        law = self.world.log_prob(spelt).tolist()
        out = torch.zeros(tokens.shape)
        for row, (words, place, open_end) in enumerate(read):
            of_word = [
                law[row][at] if word in self._known and at < self.world.seq else -torch.inf
                for at, word in enumerate(words)
            ]
            if open_end:
                of_word[-1] = 0.0
            first = [at == 0 or place[at - 1] != word for at, word in enumerate(place)]
            out[row] = torch.tensor([
                of_word[word] if begins or of_word[word] == -torch.inf else 0.0
                for word, begins in zip(place, first, strict=True)
            ])  # fmt: skip
        return out.to(tokens.device)

    def encode(self, text: str) -> Int[Tensor, " n"]:
        """The tokens of words that others come before: `encode(word)[0]` is what begins a word."""
        name = self.world.vocabulary[0]
        return torch.tensor(self._cut(f"{name} {text}")[len(self._cut(name)) :], dtype=torch.long)

    def decode(self, tokens: Int[Tensor, " n"]) -> str:
        """The text of one sequence, without special tokens."""
        return self.tokenizer.decode(tokens.tolist(), skip_special_tokens=True).strip()

    def _cut(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def _spelt(self, words: Int[Tensor, "n n_words"]) -> Int[Tensor, "n n_words"]:
        """Rows of `pieces`: those of words that begin a document come after all others."""
        spelt = words.clone()
        spelt[:, 0] += len(self.world.vocabulary)
        return spelt

    def _tell(self, one: Sequences) -> tuple[Sequences, Int[Tensor, "n seq"], Bool[Tensor, " n"]]:
        """In tokens; the word that each token is of; whether the document is long enough."""
        device = one.tokens.device
        spelt, size = self._spelt(one.tokens), self.size.to(device)
        ends = size[spelt].cumsum(dim=1)
        at = torch.arange(self.seq, device=device).repeat(len(spelt), 1)
        word = torch.searchsorted(ends, at, right=True).clamp(max=spelt.shape[1] - 1)
        begins = (ends - size[spelt]).gather(1, word)
        inside = (at - begins).clamp(max=self.pieces.shape[1] - 1)
        tokens = self.pieces.to(device)[spelt.gather(1, word), inside]
        labels = {name: value.gather(1, word) for name, value in one.labels.items()}
        for value in labels.values():
            value[:, : len(self.start)] = NONE
        return Sequences(tokens, labels), word, ends[:, -1] >= self.seq

    def _of_all(self, begun: Tensor, value: Int[Tensor, " n_words"]) -> Int[Tensor, " n_tokens"]:
        """For each token the value that all words have which begin with it."""
        low, high = (
            torch.full((len(self.vocabulary),), NONE).scatter_reduce(
                0, begun, value, reduce=which, include_self=False
            )
            for which in ("amin", "amax")
        )
        return torch.where(low == high, low, NONE)

    def _read(self, row: list[int]) -> tuple[list[str], list[int], bool]:
        """The words of a text, the one that each token is of, and whether the last is cut off."""
        place, words = [], []
        for at, token in enumerate(row):
            if at == 0 or (at > len(self.start) and self._begins(token)):
                words.append([])
            words[-1].append(token)
            place.append(len(words) - 1)
        texts = [self.decode(torch.tensor(word)) for word in words]
        last = texts[-1].rstrip(HALF)
        open_end = last not in self._known and any(name.startswith(last) for name in self._known)
        return texts, place, open_end

    def _begins(self, token: int) -> bool:
        """Whether a token begins with the space before a word."""
        if token not in self._spaced:
            text = self.tokenizer.decode([*self._cut(self.world.vocabulary[0]), token])
            self._spaced[token] = text[len(self.world.vocabulary[0]) :].startswith(" ")
        return self._spaced[token]


def _join(parts: list[Sequences]) -> Sequences:
    labels = {name: torch.cat([part.labels[name] for part in parts]) for name in parts[0].labels}
    return Sequences(torch.cat([part.tokens for part in parts]), labels)
