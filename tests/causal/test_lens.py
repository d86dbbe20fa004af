"""Edits say in words what they do: planted in vectors, and in the story world exactly."""

import pytest
import torch

from course_lib.activations import read
from course_lib.causal import (
    TextInverter,
    changed_words,
    edit_table,
    gaussian_transport,
    mean_transport,
    neighbours,
    search_text,
)
from course_lib.data import StoryWorld
from course_lib.models import load
from course_lib.runtime import generator
from tests.steering.small import normal

VOCAB, D = 7, 9
TABLE = normal(VOCAB, D, seed=2) * 2
TOKENS = torch.randint(0, VOCAB - 1, (300, 4), generator=generator(0))  # the last word never stands
NOISY = TABLE[TOKENS] + 0.3 * normal(300, 4, D, seed=3) + normal(4, D, seed=4)[None] * 0.1


def test_words_are_read_back_from_their_own_activations():
    inverter = TextInverter.fit(NOISY[:200], TOKENS[:200], VOCAB)
    assert inverter.accuracy(NOISY[200:], TOKENS[200:]) > 0.98
    assert inverter.weights.shape == (1, VOCAB, D) and inverter.bias.shape == (1, VOCAB)
    assert (inverter.bias[:, -1] == -torch.inf).all()
    assert (inverter.decode(1e3 * normal(50, 4, D)) < VOCAB - 1).all()


def test_words_are_read_back_from_what_whole_sequences_leave():
    mix = normal(4, D, 30, seed=5)
    whole = torch.einsum("nsd,sde->ne", TABLE[TOKENS], mix) + 0.1 * normal(300, 30, seed=6)
    inverter = TextInverter.fit(whole[:200], TOKENS[:200], VOCAB)
    assert inverter.weights.shape == (4, VOCAB, 30)
    assert inverter.accuracy(whole[200:], TOKENS[200:]) > 0.95


def test_the_likelihoods_are_those_of_gaussians_of_one_covariance():
    inverter = TextInverter.fit(NOISY, TOKENS, VOCAB, shrinkage=0.0)
    h, words = NOISY.flatten(0, 1).double(), TOKENS.flatten()
    means = torch.stack([h[words == w].mean(0) for w in range(VOCAB - 1)])
    within = h - means[words]
    law = [
        torch.distributions.MultivariateNormal(mean, within.T @ within / len(h)) for mean in means
    ]
    expected = torch.stack([each.log_prob(h[:8]) for each in law], dim=1)
    found = inverter.scores(NOISY[:2]).flatten(0, 1)[:, :-1].double()
    gap = found - expected
    torch.testing.assert_close(gap, gap[:, :1].expand_as(gap), atol=1e-2, rtol=0)


Y = torch.arange(200) % 2
STRETCH = torch.tensor([1.0, 3.0, 0.5]).double()
H = normal(200, 3, seed=7, dtype=torch.float64)
H = torch.where(Y[:, None] == 1, H * STRETCH + 4, H)


def test_transport_takes_the_mean_there_and_gaussian_transport_the_covariance_too():
    zero, one = H[Y == 0], H[Y == 1]
    for make in (mean_transport, gaussian_transport):
        moved = make(H, Y).apply(zero)
        torch.testing.assert_close(moved.mean(0), one.mean(0))
        torch.testing.assert_close(make(H, Y).apply(zero, 0.0), zero)
        half = make(H, Y).apply(zero, 0.5)
        torch.testing.assert_close(half, (zero + moved) / 2)
    moved = gaussian_transport(H, Y, shrinkage=0.0).apply(zero)
    torch.testing.assert_close(torch.cov(moved.T), torch.cov(one.T))
    back = gaussian_transport(H, 1 - Y, shrinkage=0.0).apply(moved)
    torch.testing.assert_close(back, zero)
    shift = mean_transport(H, Y).apply(zero) - zero
    torch.testing.assert_close(shift, shift[:1].expand_as(shift))


def test_the_optimal_map_is_symmetric_without_negative_directions():
    matrix = gaussian_transport(H, Y).matrix
    torch.testing.assert_close(matrix, matrix.T)
    assert torch.linalg.eigvalsh(matrix).min() > 0
    flat = torch.cat([H, torch.zeros(200, 1).double()], dim=1)  # a dimension without variance
    assert gaussian_transport(flat, Y).apply(flat).isfinite().all()


def test_edit_tables_count_words_whose_value_changed():
    words = {"a": torch.tensor([0, 1, -1, 0]), "b": torch.tensor([-1, -1, 0, 1]),
             "c": torch.tensor([-1, -1, -1, -1])}  # fmt: skip
    before, after = torch.tensor([[0, 1], [2, 3]]), torch.tensor([[1, 1], [3, 3]])
    assert edit_table(before, after, words) == pytest.approx({"a": 1 / 3, "b": 0.5})


WORLD = StoryWorld()
MODEL = load("story")


@pytest.mark.parametrize("site", ["blocks.0.resid_post", "blocks.2.resid_post"])
def test_in_the_story_the_activation_of_a_counterfactual_is_read_back_as_its_words(site):
    one, other = WORLD.pairs("gender", 6, generator(3))
    found = 0
    for text, twin in zip(one.tokens[:, :21], other.tokens[:, :21], strict=True):
        near = neighbours(WORLD, text, ["gender", "number", "tense"])
        target = read(MODEL, site, twin[None])[0]
        result = search_text(lambda t: read(MODEL, site, t), target, text, near)
        assert torch.equal(result.tokens, twin)
        assert result.distances == sorted(result.distances, reverse=True)
        changed = changed_words(WORLD, text, result.tokens)
        assert len(changed) == len(result.distances) - 1
        for slot, was, now in changed:
            assert was == WORLD.vocabulary[text[slot]] and now == WORLD.vocabulary[twin[slot]]
        found += len(changed)
    assert found > 0


def test_neighbours_differ_in_one_attribute_alone():
    text = WORLD.sample(1, generator(0)).tokens[0]
    for token, near in zip(text, neighbours(WORLD, text, ["gender", "language"]), strict=True):
        for word in near.tolist():
            differing = [
                name for name in ("gender", "language", "number", "tense", "valence", "topic")
                if WORLD.words[name][token] != WORLD.words[name][word]
            ]  # fmt: skip
            assert len(differing) == 1 and differing[0] in ("gender", "language")


def test_a_gender_edit_of_the_embedded_words_flips_gender_and_nothing_else():
    told = WORLD.sample(400, generator(1)).tokens[:, :-1]
    site, own = "blocks.0.resid_pre", WORLD.words["gender"][told]
    h = read(MODEL, site, told)
    inverter = TextInverter.fit(h[:300], told[:300], len(WORLD.vocabulary))
    assert inverter.accuracy(h[300:], told[300:]) > 0.95
    shows = own != -1
    edited = h.clone()
    for value in (0, 1):
        move = mean_transport(h[shows], own[shows] if value == 0 else 1 - own[shows])
        edited[own == value] = move.apply(h[own == value])
    before, after = inverter.decode(h[300:]), inverter.decode(edited[300:])
    words = {name: WORLD.words[name] for name in WORLD.attributes if name in WORLD.words}
    table = edit_table(before, after, words)
    assert table["gender"] > 0.85
    assert max(share for name, share in table.items() if name != "gender") < 0.1


def test_searches_and_edits_that_cannot_be_are_errors():
    with pytest.raises(ValueError, match="candidates has 1 entries; start has 2 slots"):
        search_text(lambda t: t.float(), torch.zeros(2), torch.tensor([0, 1]), [torch.tensor([1])])
    still = search_text(
        lambda t: t.float(), torch.zeros(2), torch.tensor([0, 1]), [torch.tensor([]).long()] * 2
    )
    assert still.tokens.tolist() == [0, 1] and still.distances == [1.0]
    for make in (mean_transport, gaussian_transport):
        with pytest.raises(ValueError, match="y has 200 rows of class 0 and 0 of 1"):
            make(H, 0 * Y)
    with pytest.raises(ValueError, match="tokens has shape"):
        TextInverter.fit(NOISY, TOKENS[1:], VOCAB)
