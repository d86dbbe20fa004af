"""Scores are the log-probabilities of what is said, and divergences those of the definition."""

from dataclasses import replace

import pytest
import torch

from course_lib.data import StoryWorld
from course_lib.data.sequences import NONE
from course_lib.runtime import generator
from course_lib.steering import (
    Behaviour,
    SteeringVector,
    TokenRule,
    divergence,
    impossible,
    plain_score,
    score,
    steer,
    story_behaviour,
)
from tests.steering.small import MODEL, TOKENS, D, normal

PROMPTS = TOKENS[:, :5]
VECTOR = SteeringVector(normal(D, seed=1), "blocks.1.resid_post", tokens=TokenRule("answer"))
WORDS = torch.tensor([1, 4, NONE]), torch.tensor([2, 3, 7])
PHRASES = (
    torch.tensor([[1, 2, NONE], [3, 3, 4]]).expand(3, -1, -1),
    torch.tensor([[5, NONE, NONE]]).expand(3, -1, -1),
)


@torch.no_grad()
def by_hand(behaviour, act=None, strength=1.0):
    """Log-probability of each alternative, word by word, in a loop without batches."""
    sums = []
    for said in (behaviour.positive, behaviour.negative):
        sums.append([])
        for prompt, options in zip(behaviour.prompts, said, strict=True):
            p = 0.0
            for words in options:
                real = words[words != NONE]
                if len(real) == 0:
                    continue
                text = torch.cat([prompt, real])[None]
                if act is None:
                    logits = MODEL(text)
                else:
                    with steer(MODEL, act, strength, n_prompt=len(prompt)):
                        logits = MODEL(text)
                log_p = logits[0, len(prompt) - 1 : -1].log_softmax(-1)
                p += log_p[torch.arange(len(real)), real].sum().exp().item()
            sums[-1].append(p)
    return torch.tensor(sums).log()


@pytest.mark.parametrize("said", [WORDS, PHRASES], ids=["words", "phrases"])
def test_scores_are_the_log_probabilities_of_what_is_said(said):
    behaviour = Behaviour("b", PROMPTS, *said)
    plain = plain_score(MODEL, behaviour)
    torch.testing.assert_close(torch.stack([plain.positive, plain.negative]), by_hand(behaviour))
    acts = [VECTOR, 2 * VECTOR]
    found = score(MODEL, acts, behaviour, [0.5, 2.0], rows=7)
    for i, act in enumerate(acts):
        for j, s in enumerate([0.5, 2.0]):
            expected = by_hand(behaviour, act, s)
            torch.testing.assert_close(found.positive[i, j], expected[0], rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(found.negative[i, j], expected[1], rtol=1e-4, atol=1e-4)
    odds = found.positive - found.negative
    torch.testing.assert_close(found.log_odds, odds)
    torch.testing.assert_close(found.share, odds.exp() / (1 + odds.exp()))


def test_words_may_differ_by_context_and_prompted_contexts_be_longer():
    each = torch.tensor([[1, 4], [2, 5], [0, 9]])
    behaviour = Behaviour("b", PROMPTS, each, WORDS[1], prompted=TOKENS[:, :7])
    torch.testing.assert_close(plain_score(MODEL, behaviour).positive, by_hand(behaviour)[0])
    longer = replace(behaviour, prompts=TOKENS[:, :7], prompted=None)
    torch.testing.assert_close(
        plain_score(MODEL, behaviour, prompted=True).positive, plain_score(MODEL, longer).positive
    )
    assert len(behaviour) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompts": TOKENS[0]}, "prompts has shape"),
        ({"positive": torch.zeros(2, 3, dtype=torch.long)}, "positive has shape"),
        ({"negative": torch.tensor([NONE])}, "negative offers some context nothing"),
        ({"prompted": TOKENS[:2]}, "prompted has shape"),
    ],
)
def test_behaviours_that_cannot_be_scored_are_errors(changes, message):
    told = {"prompts": PROMPTS, "positive": WORDS[0], "negative": WORDS[1]} | changes
    with pytest.raises(ValueError, match=message):
        Behaviour("b", **told)


@torch.no_grad()
def test_divergence_is_kl_from_what_it_was_meaned_over_positions():
    everywhere = replace(VECTOR, tokens=TokenRule())
    found = divergence(MODEL, [everywhere, -everywhere], TOKENS, [0.0, 1.0], rows=6)
    assert found.shape == (2, 2, 3)
    torch.testing.assert_close(found[:, 0], torch.zeros(2, 3), atol=1e-5, rtol=0)
    p = MODEL(TOKENS).log_softmax(-1)
    with steer(MODEL, everywhere, -1.0):
        q = MODEL(TOKENS).log_softmax(-1)
    expected = (p.exp() * (p - q)).sum(-1).mean(-1)
    torch.testing.assert_close(found[1, 1], expected, rtol=1e-4, atol=1e-5)


WORLD = StoryWorld(n_turns=2)


def test_impossible_tokens_are_counted_after_the_prompt_alone():
    told = WORLD.sample(4, generator(0)).tokens[:, :20]
    assert torch.equal(impossible(WORLD, told, 5), torch.zeros(4))
    broken = told.clone()
    broken[1, 3] = broken[2, 12] = broken[2, 0]  # a day where none can stand
    torch.testing.assert_close(impossible(WORLD, broken, 10), torch.tensor([0, 0, 0.1, 0]))


@pytest.mark.parametrize(("state", "value"), [("gender", 1), ("valence", 0), ("topic", 3)])
def test_story_behaviours_ask_for_one_value_after_words_that_say_another(state, value):
    made = story_behaviour(WORLD, state, 10, generator(0), value=value)
    assert 0 < len(made) <= 10 and made.prompts.shape == made.prompted.shape
    shows = WORLD.words[state]
    assert (shows[made.positive[0, :, 0]] == value).all()
    assert sorted([*made.positive[0, :, 0], *made.negative[0, :, 0]]) == sorted(
        (shows != NONE).nonzero()[:, 0]
    )
    differ = made.prompts != made.prompted
    assert differ.any(dim=1).all()
    # What differs is words of the state, but for a few that slip (noise).
    assert (shows[made.prompted][differ] == value).float().mean() > 0.6
    assert (shows[made.prompts][differ] == value).float().mean() < 0.4
    law = [WORLD.log_prob(tokens) for tokens in (made.prompts, made.prompted)]
    assert all((part > -torch.inf).all() for part in law)


def test_states_that_no_word_shows_are_errors():
    for state, value in (("day", 7), ("turn", 0), ("place", 3), ("mood", 0)):
        with pytest.raises(ValueError, match="state is"):
            story_behaviour(WORLD, state, 4, generator(0), value=value)
    with pytest.raises(ValueError, match="no story has a word of 'gender' at position 1"):
        story_behaviour(WORLD, "gender", 4, generator(0), position=1)
