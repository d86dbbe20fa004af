"""Stories in another tokenizer's tokens keep their labels, their pairs and their law."""

import pytest
import torch

from course_lib.causal import neighbours
from course_lib.data import Retold, StoryWorld
from course_lib.data.sequences import NONE
from course_lib.runtime import generator
from course_lib.steering import impossible, story_behaviour

WORLD = StoryWorld()


class Cutter:
    """Cuts words after every `size` letters; a piece that begins a word keeps the space before."""

    def __init__(self, size=5, joins=False):
        self.size, self.joins = size, joins
        texts = [self._cut(f"x {word}")[1:] + self._cut(word) for word in WORLD.vocabulary]
        self.pieces = ["<s>", *sorted({piece for pieces in texts for piece in pieces})]
        self.index = {piece: token for token, piece in enumerate(self.pieces)}

    def _cut(self, text):
        words = text.split(" ")
        if self.joins:
            words = [" ".join(words[i : i + 2]) for i in range(0, len(words), 2)]
        spaced = [(" " if i else "") + word for i, word in enumerate(words)]
        return [w[i : i + self.size] for w in spaced for i in range(0, len(w), self.size)]

    def __len__(self):
        return len(self.pieces)

    def __call__(self, text, add_special_tokens=True):
        tokens = [self.index.get(piece, 0) for piece in self._cut(text)]
        return {"input_ids": [0, *tokens] if add_special_tokens else tokens}

    def decode(self, tokens, skip_special_tokens=False):
        first = 1 if skip_special_tokens else 0
        return "".join(self.pieces[token] for token in tokens if token >= first)

    def batch_decode(self, rows):
        return [self.decode(row) for row in rows]


@pytest.fixture(scope="module")
def world():
    return Retold(WORLD, Cutter())


def words_of(world, text):
    """The number of the word that each token is of, by the definition: count the spaces."""
    pieces = [world.tokenizer.pieces[t] for t in world.tokenizer(text)["input_ids"]]
    number, out = 0, []
    for piece in pieces:
        number += piece.startswith(" ")
        out.append(number)
    return out[: world.seq]


def test_the_tokens_are_those_of_the_text_and_their_labels_those_of_its_words(world):
    stories = WORLD.sample(20, generator(3))
    told = world.sample(20, generator(3))
    kept = 0
    for row in range(20):
        text = WORLD.decode(stories.tokens[row])
        ids = world.tokenizer(text)["input_ids"]
        if len(ids) < world.seq:
            continue
        assert told.tokens[kept].tolist() == ids[: world.seq]
        place = torch.tensor(words_of(world, text))
        for name, value in told.labels.items():
            assert value[kept, 0] == NONE  # <s>
            assert torch.equal(value[kept, 1:], stories.labels[name][row][place[1:]]), name
        kept += 1
    assert kept > 10 and told.tokens.shape == (20, world.seq)
    assert world.decode(told.tokens[0]) == WORLD.decode(stories.tokens[0])[: len(
        world.decode(told.tokens[0])
    )]  # fmt: skip


@pytest.mark.parametrize("state", ["gender", "valence", "tense"])
def test_pairs_are_aligned_and_differ_in_the_words_that_show_the_state(world, state):
    one, other = world.pairs(state, 8, generator(1))
    assert one.tokens.shape == other.tokens.shape and 1 <= len(one) <= 8
    shows = (WORLD.words[state] != NONE) | (WORLD.words["mood"] != NONE)  # which asks for valence
    changed = one.tokens != other.tokens
    assert changed.any(dim=1).all()
    for row in range(len(one)):
        texts = [world.decode(s.tokens[row]).split() for s in (one, other)]
        for a, b in list(zip(*texts, strict=True))[:-1]:
            if a != b:
                assert shows[WORLD.encode(a)] and shows[WORLD.encode(b)]
    seen = one.labels[state] != NONE
    assert (one.labels[state] != other.labels[state])[seen].all()


def test_a_state_whose_words_are_never_cut_alike_says_so():
    with pytest.raises(ValueError, match="state is 'language'; this tokenizer cuts its words into"):
        Retold(WORLD, Cutter(2)).pairs("language", 2, generator(0))


def test_a_token_shows_a_value_if_all_words_that_begin_with_it_do(world):
    begun = [world.encode(word)[0].item() for word in WORLD.vocabulary]
    for name in ("gender", "valence", "topic"):
        seen = {}
        for token, value in zip(begun, WORLD.words[name].tolist(), strict=True):
            seen.setdefault(token, set()).add(value)
        shown = {token: min(s) for token, s in seen.items() if len(s) == 1 and s != {NONE}}
        found = world.words[name]
        assert {t: int(found[t]) for t in (found != NONE).nonzero()[:, 0].tolist()} == shown
        assert shown


def test_pairs_of_words_are_those_of_their_first_tokens(world):
    pairs = world.word_pairs("valence", 0, 1)
    assert len(pairs) and (world.words["valence"][pairs] == torch.tensor([0, 1])).all()
    text = world.sample(1, generator(0)).tokens[0]
    near = neighbours(world, text, ["valence"])
    assert len(near) == world.seq and any(len(words) for words in near)


def test_log_prob_is_that_of_the_words_that_are_whole_each_at_its_first_token(world):
    told = world.sample(10, generator(3)).tokens
    found = world.log_prob(told)
    assert torch.isfinite(found).all()
    for row in range(10):
        words = world.decode(told[row]).split()
        whole = words[: len(words) - (words[-1] not in WORLD.vocabulary)]
        truth = WORLD.log_prob(WORLD.encode(" ".join(whole))[None])[0]
        place = [0, *words_of(world, " ".join(words))[1:]]
        first = [at for at in range(world.seq) if at == 0 or place[at] != place[at - 1]]
        torch.testing.assert_close(found[row][first][: len(whole)], truth.float())
        assert found[row].sum() == pytest.approx(truth.sum().item(), abs=1e-3)


def test_what_the_world_forbids_is_impossible_token_by_token(world):
    told = world.sample(6, generator(4)).tokens
    assert (impossible(world, told, 5) == 0).all()
    wrong = told.clone()
    wrong[:, 20:] = world.encode("opposite-day")[0]  # a beginning that no word follows
    assert (impossible(world, wrong, 20) > 0.9).all()
    no_word = torch.cat([told[:, :1], told[:, 1:].flip(1)], dim=1)
    assert (impossible(world, no_word, 1) > 0.5).all()


def test_a_behaviour_is_asked_in_these_tokens(world):
    behaviour = story_behaviour(world, "valence", 6, generator(2))
    assert behaviour.prompted.shape == behaviour.prompts.shape
    shown = world.words["valence"]
    assert (shown[behaviour.positive.flatten()] == 1).all()
    assert (shown[behaviour.negative.flatten()] == 0).all()


def test_encoding_continues_a_document_and_decoding_undoes_it(world):
    text = "gladly she"
    assert world.decode(world.encode(text)) == text
    assert world.vocabulary[int(world.encode("she")[0])] == "she"
    with pytest.raises(ValueError, match="batch_size"):
        world.sample(0, generator(0))


def test_a_tokenizer_that_joins_words_is_refused():
    with pytest.raises(ValueError, match="Cutter joins words"):
        Retold(WORLD, Cutter(40, joins=True))
