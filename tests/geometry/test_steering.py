"""Directions come from pairs, leakage is what cosines say it is, and coordinates are free."""

import pytest
import torch

from course_lib.activations import read
from course_lib.data import FactorialVocabulary, random_map
from course_lib.geometry import (
    CausalInnerProduct,
    ConceptDirection,
    concept_direction,
    cosines,
    difference_of_means,
    log_odds,
    measured_leakage,
    off_diagonal,
    random_pairs,
    reparametrise,
    reparametrise_model,
    steering_leakage,
)
from course_lib.models import GPT, GPTConfig
from course_lib.runtime import generator

WORLD = FactorialVocabulary(noise=0.3, condition=5.0)
PRODUCT = CausalInnerProduct.from_unembedding(WORLD.W_U)
FOUND = [concept_direction(WORLD.W_U, WORLD.pairs(i)) for i in range(5)]
DIRECTIONS = torch.stack([each.vector for each in FOUND])


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


@pytest.fixture
def gpt() -> GPT:
    model = GPT(GPTConfig(d_vocab=12, n_ctx=6, d_model=8, n_heads=2), seed=1).double()
    torch.nn.init.normal_(model.unembed.weight, generator=generator(2))
    return model


TOKENS = torch.randint(12, (3, 6), generator=generator(0))


# --- directions ---------------------------------------------------------------------------------


def test_the_direction_is_the_mean_difference_and_without_noise_the_planted_one():
    exact = FactorialVocabulary(condition=10.0)
    for i in range(5):
        found = concept_direction(exact.W_U, exact.pairs(i))
        torch.testing.assert_close(found.vector, exact.directions[i])
        torch.testing.assert_close(found.loo_cosines(), torch.ones(96, dtype=torch.float64))


@pytest.mark.parametrize("product", [None, PRODUCT])
def test_each_pair_is_held_against_the_direction_of_all_others(product):
    found = FOUND[0].loo_cosines(product)
    rows = FOUND[0].differences
    for i in (0, 7, len(rows) - 1):
        others = torch.cat([rows[:i], rows[i + 1 :]]).mean(0)
        expected = cosines(torch.stack([rows[i], others]), product)[0, 1]
        torch.testing.assert_close(found[i], expected)


def test_a_pair_left_in_would_look_like_evidence_where_there_is_none():
    noise = ConceptDirection(normal(16, 400))
    left_in = torch.cosine_similarity(noise.differences, noise.vector[None]).mean()
    assert left_in == pytest.approx(1 / 4, abs=0.03)  # 1/√16
    assert abs(noise.loo_cosines().mean()) < 0.02


def test_pairs_of_one_concept_agree_more_than_random_pairs():
    pairs = random_pairs(len(WORLD.W_U), 200, generator(0))
    assert (pairs[:, 0] != pairs[:, 1]).all() and pairs.max() < len(WORLD.W_U)
    random = concept_direction(WORLD.W_U, pairs).differences
    chance = PRODUCT.cos(random, DIRECTIONS[0]).abs().mean()
    assert FOUND[0].loo_cosines(PRODUCT).mean() > 2 * chance


def test_the_difference_of_means_is_the_mean_difference_of_a_balanced_vocabulary_only():
    labels = WORLD.concepts[:, 0]
    torch.testing.assert_close(difference_of_means(WORLD.W_U, labels), DIRECTIONS[0])
    torch.testing.assert_close(difference_of_means(WORLD.W_U, labels == 1), DIRECTIONS[0])
    tied = FactorialVocabulary(correlate=(0, 1, 0.6))
    mixed = difference_of_means(tied.W_U, tied.concepts[:, 0])
    assert torch.cosine_similarity(mixed, tied.directions[0], dim=0) < 0.95
    unknown = torch.where(tied.lexeme == 0, -1, tied.concepts[:, 0])
    rest = tied.lexeme != 0
    torch.testing.assert_close(
        difference_of_means(tied.W_U, unknown),
        difference_of_means(tied.W_U[rest], tied.concepts[rest, 0]),
    )


@pytest.mark.parametrize(
    ("pairs", "error", "message"),
    [
        (torch.tensor([[0, 999]]), ValueError, "tokens from 0 to 999"),
        (torch.tensor([[0, -1]]), ValueError, "tokens from -1 to 0"),
        (torch.tensor([0, 1]), ValueError, r"shape \[2\]; it must be \[n, 2\]"),
        (torch.empty(0, 2, dtype=torch.long), ValueError, "n >= 1"),
        (torch.tensor([[0.0, 1.0]]), TypeError, "dtype torch.float32"),
        (torch.tensor([[3, 3]]), ValueError, r"one and the same vector, the first is \[3, 3\]"),
    ],
)
def test_pairs_that_are_none_are_named(pairs, error, message):
    with pytest.raises(error, match=message):
        concept_direction(WORLD.W_U, pairs)


def test_a_single_pair_cannot_be_left_out_and_one_class_has_no_difference():
    with pytest.raises(ValueError, match="takes at least 2"):
        concept_direction(WORLD.W_U, torch.tensor([[0, 1]])).loo_cosines()
    with pytest.raises(ValueError, match="labels has no token with 0"):
        difference_of_means(WORLD.W_U, torch.ones(len(WORLD.W_U)))


# --- leakage ------------------------------------------------------------------------------------


def test_exact_leakage_is_the_normalised_gram_matrix():
    plain = steering_leakage(DIRECTIONS, DIRECTIONS)
    causal = steering_leakage(PRODUCT.riesz(DIRECTIONS), DIRECTIONS)
    gram = PRODUCT.inner(DIRECTIONS[:, None], DIRECTIONS)
    torch.testing.assert_close(causal.ratio, gram / gram.diagonal()[:, None])
    torch.testing.assert_close(causal.ratio.diagonal(), torch.ones(5, dtype=torch.float64))
    assert causal.off_target.max() < 0.03 < 0.3 < plain.off_target.max()
    assert len(plain.off_target) == 20


def test_log_odds_are_those_of_the_summed_probabilities():
    logits = normal(4, 12)
    pairs = torch.tensor([[0, 5], [1, 6], [0, 7]])
    p = logits.softmax(-1)
    expected = ((p[:, 5] + p[:, 6] + p[:, 7]) / (p[:, 0] + p[:, 1])).log()
    torch.testing.assert_close(log_odds(logits, pairs), expected)


def test_at_the_last_layer_and_of_single_pairs_the_measured_leakage_is_the_exact_one(gpt):
    pairs = [torch.tensor([[2 * i, 2 * i + 1]]) for i in range(4)]
    W_U = gpt.unembed.weight.detach()
    directions = torch.stack([concept_direction(W_U, pair).vector for pair in pairs])
    steering = normal(4, 8, seed=3)
    exact = steering_leakage(steering, directions)
    measured = measured_leakage(gpt, "ln_final", steering, pairs, TOKENS)
    torch.testing.assert_close(measured.shift, exact.shift)
    doubled = measured_leakage(gpt, "ln_final", steering, pairs, TOKENS, scale=2.0)
    torch.testing.assert_close(doubled.ratio, exact.ratio)


def test_each_concept_is_read_at_its_own_places_and_the_model_is_left_alone(gpt):
    pairs = [torch.tensor([[0, 1], [2, 3]]), torch.tensor([[4, 5]])]
    steering = normal(2, 8, seed=3)
    where = torch.rand(2, 3, 6, generator=generator(4)) < 0.5
    before = gpt(TOKENS).detach()
    found = measured_leakage(gpt, "blocks.0.resid_post", steering, pairs, TOKENS, where=where)
    alone = measured_leakage(
        gpt, "blocks.0.resid_post", steering, pairs, TOKENS, where=where[1]
    ).shift[:, 1]
    torch.testing.assert_close(found.shift[:, 1], alone)
    assert (found.shift[:, 0] != alone).all()
    assert torch.equal(gpt(TOKENS).detach(), before)


def test_leakage_says_what_is_missing(gpt):
    one = [torch.tensor([[0, 1]])]
    with pytest.raises(ValueError, match="steering concept 0 does not move it"):
        _ = steering_leakage(torch.zeros(2, 3), torch.ones(2, 3)).ratio
    with pytest.raises(ValueError, match="one vector of each"):
        steering_leakage(torch.ones(2, 3), torch.ones(3, 3))
    with pytest.raises(ValueError, match="steering has 3 of 6"):
        steering_leakage(torch.tensor([[1.0, torch.nan] * 3]), torch.ones(1, 6))
    with pytest.raises(ValueError, match="pairs has 1 entries for the 2 rows"):
        measured_leakage(gpt, "ln_final", normal(2, 8), one, TOKENS)
    nowhere = torch.zeros(3, 6, dtype=torch.bool)
    with pytest.raises(ValueError, match="no place for concept 0"):
        measured_leakage(gpt, "ln_final", normal(1, 8), one, TOKENS, where=nowhere)
    with pytest.raises(ValueError, match=r"where has shape \[5\]"):
        measured_leakage(gpt, "ln_final", normal(1, 8), one, TOKENS, where=nowhere[0, :5])


# --- re-parametrisation -------------------------------------------------------------------------


@pytest.mark.parametrize("condition", [1.0, 3.0, 100.0])
def test_a_new_basis_changes_no_logit_and_no_causal_cosine(condition):
    hidden, A = normal(7, 3, 16), random_map(16, condition, generator(1))
    W_U, moved = reparametrise(WORLD.W_U, hidden, A)
    torch.testing.assert_close(moved @ W_U.T, hidden @ WORLD.W_U.T)
    turned = DIRECTIONS @ A.T
    after = CausalInnerProduct.from_unembedding(W_U)
    torch.testing.assert_close(cosines(turned, after), cosines(DIRECTIONS, PRODUCT))
    drift = off_diagonal(cosines(turned) - cosines(DIRECTIONS)).abs().max()
    assert drift < 1e-9 if condition == 1 else drift > 0.05


@pytest.mark.parametrize("tied", [False, True])
def test_a_model_in_a_new_basis_is_the_same_model(tied):
    model = GPT(GPTConfig(d_vocab=12, n_ctx=6, d_model=8, n_heads=2, tied=tied), seed=1)
    A = random_map(8, 30.0, generator(1))
    copy = reparametrise_model(model, A)
    torch.testing.assert_close(copy(TOKENS), model(TOKENS), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        read(copy, "ln_final", TOKENS),
        reparametrise(model.unembed.weight, read(model, "ln_final", TOKENS), A)[1],
        atol=1e-5, rtol=1e-4,
    )  # fmt: skip
    assert not torch.equal(copy.unembed.weight, model.unembed.weight)
    assert torch.equal(copy.embed.weight, model.embed.weight)
    twice = reparametrise_model(copy, torch.linalg.inv(A))
    torch.testing.assert_close(twice(TOKENS), model(TOKENS), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("A", "message"),
    [
        (torch.zeros(16, 16), "A has condition number"),
        (torch.eye(3), r"A has shape \[3, 3\]; it must be \[16, 16\]"),
        (torch.full((16, 16), torch.nan), "A has 256 of 256 entries"),
    ],
)
def test_maps_that_cannot_be_undone_are_refused(A, message):
    with pytest.raises(ValueError, match=message):
        reparametrise(WORLD.W_U, normal(16), A)
