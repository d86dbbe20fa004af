"""The story world tells what its card promises, and knows the probability of every word."""

from itertools import combinations

import numpy as np
import pytest
import torch
from scipy import stats

from course_lib.data import StoryWorld
from course_lib.data.sequences import NONE
from course_lib.data.story_law import TITLE
from course_lib.runtime import generator
from tests.data import story_oracle as oracle
from tests.data import story_oracle_law as oracle_law

WORLD = StoryWorld()
SIGMAS = 4.5  # a right sampler fails one comparison in 150,000
CONCEPTS = ("language", "gender", "tense", "valence", "topic", "place")


def some(size, *values):
    return [1 / len(values) if value in values else 0.0 for value in range(size)]


# Few values of each state, so that all combinations can be summed: names 3 (known) and 6
# (frequent, unknown), an honest speaker and a stranger on either side.
SMALL = {
    "topic": some(4, 1, 2),
    "place": some(8, 0, 5),
    "theme": some(24, 3, 9),
    "hero": some(96, 3, 6),
    "persona": some(4, 0, 1),
    "speaker": some(6, 0, 4),
    "question": some(3, 0, 1),
    "day": [0.4, 0.6],
    "cue": [0.7, 0.3],
    "honest": [0.3, 0.7],
}


def oracle_prior(world):
    """The world's priors in the oracle's terms: who a speaker is and his honesty are one state."""
    out = {}
    for names, p in world.priors.items():
        if names == ("number",):
            for turn in range(world.n_turns + 1):
                out[(("number", turn),)] = p.numpy()
        elif len(names) == 2 and names[1].startswith("honest"):
            out[(f"trust{names[1][-1]}",)] = p.numpy().ravel()
        else:
            out[names] = p.numpy()
    return out


def words_of(world, tokens):
    return [world.vocabulary[token] for token in tokens.tolist()]


def test_no_word_stands_twice_and_every_word_has_the_attributes_that_its_spelling_says():
    assert len(set(WORLD.vocabulary)) == len(WORLD.vocabulary) <= 600
    for token, word in enumerate(WORLD.vocabulary):
        group, parts = oracle.parse(word)
        assert WORLD.lexicon.groups[WORLD.lexicon.group[token]] == group, word
        for part in set(parts) - {"lexeme"}:
            assert WORLD.words[part][token] == parts[part], word
        leaf = parts.get("leaf", NONE)
        assert (WORLD.words["root"][token], WORLD.words["branch"][token]) == (leaf // 12, leaf // 4)


def test_labels_are_those_that_a_second_reader_finds_in_the_words():
    world = StoryWorld(noise=0.0)
    documents = world.sample(80, generator(0))
    checked = set()
    for row, tokens in enumerate(documents.tokens):
        expected = oracle.labels(words_of(world, tokens), world.facts)
        for position, found in enumerate(expected):
            for name, label in documents.labels.items():
                got = label[row, position].item()
                hidden = name == "honest" and "honest" not in found and "speaker" in found
                if name in ("theme", "persona") or hidden:
                    continue
                assert got == found.get(name, NONE), (name, position, words_of(world, tokens))
                checked.add(name)
    assert checked == set(world.attributes) - {"theme", "persona"}


def test_noise_turns_words_and_never_labels():
    clean = StoryWorld(noise=0.0).sample(1500, generator(1))
    noisy = WORLD.sample(1500, generator(1))
    states = {*CONCEPTS, "number", "theme", "honest", "persona", "name", "speaker", "turn"}
    for name in states:
        assert torch.equal(clean.labels[name], noisy.labels[name])
    for part in (*CONCEPTS[:5], "number"):
        shown = WORLD.words[part][noisy.tokens]
        here = shown >= 0
        wrong = (shown != noisy.labels[part])[here].double()
        assert abs(wrong.mean() - 0.08) < SIGMAS * (0.08 * 0.92 / here.sum()) ** 0.5, part


@pytest.mark.parametrize(
    ("correlate", "lies_about"),
    [(None, None), (("topic", "valence", 0.6), None), (("day", "gender", 0.3), "colour")],
)
def test_log_prob_is_the_sum_over_all_states(correlate, lies_about):
    world = StoryWorld(
        2, noise=0.1, prior=SMALL, correlate=correlate, lies_about=lies_about, seed=3
    )
    asked = None if lies_about is None else world.attributes["relation"].index(lies_about)
    documents = world.sample(8, generator(2))
    assert documents.labels["turn"].unique().tolist() == [0, 1, 2, 3]
    assert documents.labels["true"].unique().tolist() == [NONE, 0, 1]
    got = world.log_prob(documents.tokens)
    for row, tokens in enumerate(documents.tokens):
        words = words_of(world, tokens)
        prior, facts = oracle_prior(world), world.facts.tolist()
        expected = oracle_law.log_prob(words, facts, 0.1, prior, asked)
        assert np.allclose(got[row], expected, rtol=0, atol=1e-9)


def test_the_probabilities_of_the_next_word_sum_to_one():
    world, lexicon = StoryWorld(1), WORLD.lexicon
    documents = world.sample(40, generator(4))
    kinds = documents.labels["turn"][:, -1]
    every = torch.arange(len(world.vocabulary))
    for kind in kinds.unique():
        tokens = documents.tokens[kinds == kind][0]
        for position in range(world.seq):
            open_ = position in (0, len(TITLE), len(TITLE) + 2)  # the kind of turn is told here
            fits = lexicon.group == lexicon.group[tokens[position]]
            tried = every if open_ else every[fits]
            other = tokens.repeat(len(tried), 1)
            other[:, position] = tried
            p = world.log_prob(other)[:, position].exp()
            assert p.sum().item() == pytest.approx(1.0, abs=1e-9)


def test_what_cannot_follow_has_probability_zero_and_later_words_change_nothing():
    tokens = WORLD.sample(50, generator(5)).tokens
    log_p = WORLD.log_prob(tokens)
    assert log_p.isfinite().all()
    other = tokens.clone()
    other[:, 30:] = WORLD.sample(50, generator(6)).tokens[:, 30:]
    assert torch.equal(WORLD.log_prob(other)[:, :30], log_p[:, :30])
    assert torch.equal(WORLD.log_prob(tokens[:, :30]), log_p[:, :30])
    assert torch.equal(
        WORLD.posterior("topic", tokens[:, :7]), WORLD.posterior("topic", tokens)[:, :7]
    )
    other = tokens.clone()
    other[:, 10] = tokens[:, 0]  # a day, where an opener should be
    assert (WORLD.log_prob(other)[:, 10] == -torch.inf).all()


@pytest.mark.parametrize("state", [*CONCEPTS, "number", "theme", "persona", "honest", "speaker"])
def test_posteriors_are_calibrated(state):
    """The mean probability of the true value is the mean of the sum of squares: p is p(true)."""
    documents = WORLD.sample(400, generator(7))
    at = torch.tensor([22, 40, 56])
    p = WORLD.posterior(state, documents.tokens)[:, at]
    assert torch.allclose(p.sum(-1), torch.ones(1).double())
    label = documents.labels[state][:, at]
    if state == "speaker":
        label = torch.where(label >= 0, label % 6, NONE)
    true = p.gather(-1, label.clamp(min=0)[..., None])[..., 0]
    squares, cubes = p.square().sum(-1), p.pow(3).sum(-1)
    here = label >= 0
    # Positions of one document are not independent: three times the variance bounds that of a sum.
    bound = SIGMAS * (3 * (cubes - squares.square())[here].sum()) ** 0.5
    assert (true - squares)[here].sum().abs() < bound + 1e-9
    assert state in ("language", "speaker") or bound > 1


@pytest.mark.parametrize(
    ("word", "position"),
    [("false", 31), ("unsure", 31), ("en-el-río", 27), ("β", 14), ("is-singing", 14), ("Ceko", 43)],
)
def test_words_are_as_frequent_as_their_probability_given_what_comes_before(word, position):
    world = StoryWorld(3)
    tokens = world.sample(800, generator(8)).tokens
    (token,) = world.encode(word).tolist()
    other = tokens.clone()
    other[:, position] = token
    p = world.log_prob(other)[:, position].exp()
    seen = (tokens[:, position] == token).double()
    variance = (p * (1 - p)).sum()
    assert variance > 1
    assert (seen - p).sum().abs() < SIGMAS * variance**0.5


def dependence(a, b):
    """The p-value of a test that two labels are independent."""
    return stats.chi2_contingency(stats.contingency.crosstab(a, b).count).pvalue


def test_states_are_independent_by_default_and_tied_when_asked():
    labels = WORLD.sample(6000, generator(9)).labels
    names = (*CONCEPTS[:5], "theme", "day", "cue", "mood")
    states = {name: labels[name][:, -1] for name in names if name in labels}
    states |= {"trust": labels["honest"][:, 9], "habit": labels["persona"][:, 9]}
    for a, b in combinations(states, 2):
        here = (states[a] >= 0) & (states[b] >= 0)
        assert dependence(states[a][here], states[b][here]) > 1e-5, (a, b)
    tied = StoryWorld(correlate=("topic", "valence", 0.6)).sample(6000, generator(9)).labels
    here = (tied["topic"][:, -1] >= 0) & (tied["valence"][:, -1] >= 0)
    same = (tied["topic"][:, -1] % 2 == tied["valence"][:, -1])[here].double()
    assert abs(same.mean() - 0.8) < SIGMAS * (0.16 / here.sum()) ** 0.5
    assert dependence(tied["gender"][here, -1], tied["valence"][here, -1]) > 1e-5


def test_priors_are_what_was_asked_for():
    world = StoryWorld(prior={"language": (0.9, 0.1), "honest": (1.0, 0.0)})
    labels = world.sample(4000, generator(10)).labels
    spanish = labels["language"][:, -1].double().mean()
    assert abs(spanish - 0.1) < SIGMAS * (0.09 / 4000) ** 0.5
    strangers = labels["speaker"] % 6 >= 4
    assert (labels["honest"][strangers & (labels["speaker"] >= 0)] == 0).all()


def test_known_names_have_facts_and_all_kinds_of_name_are_equally_many():
    facts, entities = WORLD.facts, WORLD.entities
    assert torch.equal((facts >= 0).all(1), entities["known"] == 1)
    assert torch.equal((facts == NONE).all(1), entities["known"] == 0)
    cells = torch.stack(list(entities.values())).T.unique(dim=0, return_counts=True)[1]
    assert cells.tolist() == [8] * 12
    assert torch.equal(StoryWorld(seed=1).entities["known"], entities["known"])
    assert not torch.equal(StoryWorld(seed=1).facts, facts)
    name = WORLD.sample(4000, generator(11)).labels["name"][:, 8]
    for group, share in (("known", 0.5), ("frequent", 0.8)):
        seen = entities[group][name].double().mean()
        assert abs(seen - share) < SIGMAS * (share * (1 - share) / 4000) ** 0.5


@pytest.mark.parametrize("state", ["language", "gender", "tense", "valence", "topic", "number"])
def test_counterfactuals_differ_in_the_words_that_show_the_state_and_in_all_of_them(state):
    one, other = WORLD.pairs(state, 300, generator(12))
    shows = WORLD.words[state][one.tokens] >= 0
    if state == "valence":
        shows |= WORLD.words["mood"][one.tokens] > 0
    assert torch.equal(one.tokens != other.tokens, shows)
    for part, values in WORLD.words.items():
        if part not in (state, "mood"):
            assert torch.equal(values[one.tokens], values[other.tokens]), part
    for name, label in one.labels.items():
        changed = label != other.labels[name]
        assert torch.equal(changed, (label >= 0) & (name == state)), name


def test_an_honest_speaker_and_a_liar_say_the_opposite_and_nothing_else_changes():
    one, other = WORLD.pairs("honest", 300, generator(13))
    first = (one.labels["speaker"] >= 0) & (one.labels["speaker"] < 6)
    assert torch.equal(one.labels["honest"] != other.labels["honest"], first)
    changed = one.tokens != other.tokens
    group = torch.tensor([name in ("speaker", "value", "verdict") for name in WORLD.lexicon.groups])
    assert group[WORLD.lexicon.group[one.tokens[changed]]].all()
    said = (WORLD.words["answer"][one.tokens] >= 0) & first & (one.labels["true"] >= 0)
    assert said.any() and (one.labels["true"] != other.labels["true"])[said].all()
    assert torch.equal(one.labels["true"] >= 0, other.labels["true"] >= 0)


def test_a_liar_may_lie_about_one_relation_alone():
    world = StoryWorld(noise=0.0, lies_about="food", prior={"day": (1.0, 0.0)})
    documents = world.sample(500, generator(17))
    labels = documents.labels
    answers = (world.words["answer"][documents.tokens] >= 0) & (labels["true"] >= 0)
    lies = (labels["honest"] == 0) & (labels["relation"] == 2)
    assert torch.equal(labels["true"][answers] == 0, lies[answers]) and lies[answers].any()


def test_word_pairs_differ_in_one_attribute():
    for attribute, n in (("gender", 18), ("number", 128), ("language", 222), ("valence", 24)):
        one, other = WORLD.word_pairs(attribute).T
        assert len(one) == n
        for part, values in WORLD.words.items():
            if part == attribute:
                assert (values[one] == 0).all() and (values[other] == 1).all()
            else:
                assert torch.equal(values[one], values[other])
    one, other = WORLD.word_pairs("topic", 1, 3).T
    assert {WORLD.vocabulary[t] for t in one} >= {"agile", "nada", "were-swimming"}
    assert {WORLD.vocabulary[t] for t in other} >= {"wealthy", "compra", "were-paying"}


def test_documents_are_repeatable_and_text_can_be_read_back():
    one, other = (WORLD.sample(9, generator(14)) for _ in range(2))
    assert torch.equal(one.tokens, other.tokens) and one.tokens.shape == (9, WORLD.seq)
    assert not torch.equal(one.tokens, WORLD.sample(9, generator(15)).tokens)
    assert set(one.labels) == set(WORLD.attributes)
    assert all(label.shape == one.tokens.shape for label in one.labels.values())
    text = WORLD.decode(one.tokens[0])
    assert torch.equal(WORLD.encode(text), one.tokens[0])


def test_labels_are_values_of_their_attribute():
    for name, label in WORLD.sample(500, generator(16)).labels.items():
        values = set(label.unique().tolist()) - {NONE}
        assert values <= set(range(len(WORLD.attributes[name]))), name
        assert len(values) > 1
