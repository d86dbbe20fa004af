"""The causal inner product is what no re-parametrisation changes; it says where there is none."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import FactorialVocabulary, random_map
from course_lib.geometry import (
    CausalInnerProduct,
    concept_direction,
    cosines,
    covariance,
    off_diagonal,
)
from course_lib.runtime import generator

of = CausalInnerProduct.from_unembedding
seeds = st.integers(0, 2**20)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def directions(world: FactorialVocabulary) -> torch.Tensor:
    n = world.concepts.shape[1]
    return torch.stack([concept_direction(world.W_U, world.pairs(i)).vector for i in range(n)])


# --- the planted truth --------------------------------------------------------------------------


@pytest.mark.parametrize("condition", [1.0, 10.0, 100.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_without_noise_independent_concepts_are_exactly_orthogonal(condition, seed):
    world = FactorialVocabulary(condition=condition, seed=seed)
    angles = cosines(directions(world), of(world.W_U))
    assert off_diagonal(angles).abs().max() < 1e-9


@pytest.mark.parametrize("condition", [10.0, 100.0])
@pytest.mark.parametrize("seed", range(6))
def test_with_noise_the_causal_cosines_are_small_where_the_euclidean_are_large(condition, seed):
    world = FactorialVocabulary(noise=0.3, condition=condition, seed=seed)
    found = directions(world)
    assert off_diagonal(cosines(found, of(world.W_U))).abs().max() < 0.02
    assert off_diagonal(cosines(found)).abs().max() > 0.3


@pytest.mark.parametrize("rho", [0.2, 0.59, 0.8])
def test_of_two_concepts_that_correlate_the_causal_cosine_is_minus_the_correlation(rho):
    world = FactorialVocabulary(n_lexemes=4, n_concepts=2, condition=10.0, correlate=(0, 1, rho))
    product = of(world.W_U)
    angle = product.cos(*world.directions).item()
    # Stems correlate a little with the concepts too, after words were deleted: so partial it is.
    stems = torch.nn.functional.one_hot(world.lexeme)[:, 1:]
    everything = torch.cat([world.concepts, stems], dim=1).double()
    precision = torch.linalg.inv(torch.cov(everything.T))
    partial = -precision[0, 1] / (precision[0, 0] * precision[1, 1]).sqrt()
    assert angle == pytest.approx(-partial.item(), abs=1e-9)
    assert partial == pytest.approx(world.correlation[0, 1].item(), abs=0.05)


def test_weights_that_correlate_two_concepts_do_what_deleting_words_does():
    world = FactorialVocabulary(n_lexemes=3, n_concepts=2)
    weights = torch.where(world.concepts[:, 0] == world.concepts[:, 1], 4.0, 1.0)
    angle = of(world.W_U, weights).cos(*world.directions)
    assert angle.item() == pytest.approx(-0.6, abs=1e-9)  # correlation (4 - 1) / (4 + 1)


# --- definitions --------------------------------------------------------------------------------


def test_the_product_is_the_inverse_covariance_between_two_vectors():
    W_U = normal(40, 5) @ normal(5, 5, seed=1)
    a, b = normal(2, 5, seed=2)
    centred = W_U - W_U.mean(0)
    inverse = torch.linalg.inv(centred.T @ centred / 40)
    product = of(W_U)
    torch.testing.assert_close(product.precision, inverse)
    torch.testing.assert_close(product.covariance, torch.linalg.inv(inverse))
    torch.testing.assert_close(product.inner(a, b), a @ inverse @ b)
    torch.testing.assert_close(product.norm(a), (a @ inverse @ a).sqrt())
    torch.testing.assert_close(product.riesz(a), inverse @ a)
    torch.testing.assert_close(product.riesz(a) @ b, product.inner(a, b))
    torch.testing.assert_close(
        product.cos(a, b), (a @ inverse @ b) / ((a @ inverse @ a) * (b @ inverse @ b)).sqrt()
    )


def test_whitened_tokens_have_the_identity_as_covariance_and_the_root_is_symmetric():
    W_U = normal(60, 4) @ normal(4, 4, seed=1)
    product = of(W_U)
    white = product.whiten(W_U - product.mean)
    torch.testing.assert_close(white.T @ white / 60, torch.eye(4, dtype=torch.float64))
    root = product.whiten(torch.eye(4, dtype=torch.float64))
    torch.testing.assert_close(root, root.T)
    torch.testing.assert_close(root @ root, product.precision)


def test_weights_are_as_good_as_repeated_tokens():
    W_U, times = normal(12, 3), torch.tensor([1, 2, 3] * 4)
    weighted, repeated = of(W_U, times), of(W_U.repeat_interleave(times, dim=0))
    torch.testing.assert_close(weighted.precision, repeated.precision)
    torch.testing.assert_close(weighted.mean, repeated.mean)
    assert weighted.tokens_per_dimension == pytest.approx(24**2 / (4 * (1 + 4 + 9)) / 3)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.lists(st.integers(1, 3), max_size=3), seeds)
def test_leading_axes_broadcast(d, leading, seed):
    product = of(normal(4 * d + 4, d, seed=seed))
    a, b = normal(*leading, d, seed=seed + 1), normal(d, seed=seed + 2)
    assert product.inner(a, b).shape == product.cos(a, b).shape == tuple(leading)
    assert product.norm(a).shape == tuple(leading)
    assert product.riesz(a).shape == product.whiten(a).shape == a.shape
    torch.testing.assert_close(product.inner(a, a), product.norm(a) ** 2)
    assert product.cos(a, b).abs().max() <= 1 + 1e-12


def test_answers_have_the_dtype_of_what_was_given_and_gradients():
    W_U = torch.nn.Parameter(normal(20, 3).float())
    product = of(W_U)
    a, b = normal(2, 3, seed=1).float()
    assert not product.precision.requires_grad
    for answer in (product.inner(a, b), product.cos(a, b), product.riesz(a), product.whiten(a)):
        assert answer.dtype == torch.float32
    assert product.inner(a, b.double()).dtype == torch.float64
    exact = a.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: product.cos(v, b.double()), (exact,))
    assert torch.autograd.gradcheck(product.riesz, (exact,))


# --- invariance ---------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 8), st.floats(1.0, 1000.0), seeds)
def test_no_invertible_map_changes_the_product(d, condition, seed):
    W_U, a, b = normal(5 * d, d, seed=seed), *normal(2, d, seed=seed + 1)
    A, shift = random_map(d, condition, generator(seed)), normal(d, seed=seed + 2)
    before, after = of(W_U), of(W_U @ A.T + shift)
    torch.testing.assert_close(after.inner(A @ a, A @ b), before.inner(a, b), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(after.cos(A @ a, A @ b), before.cos(a, b), rtol=0, atol=1e-7)
    # The steering vector moves with λ, not with γ.
    inverse = torch.linalg.inv(A)
    torch.testing.assert_close(after.riesz(A @ a), before.riesz(a) @ inverse, rtol=1e-6, atol=1e-6)


def test_the_euclidean_cosine_is_not_identified():
    W_U, a, b = normal(50, 4), *normal(2, 4, seed=1)
    found = []
    for seed in range(40):
        A = random_map(4, 100.0, generator(seed))
        assert of(W_U @ A.T).cos(A @ a, A @ b) == pytest.approx(of(W_U).cos(a, b).item())
        found.append(cosines(torch.stack([A @ a, A @ b]))[0, 1].item())
    assert min(found) < -0.5 and max(found) > 0.5


def test_rotations_and_scale_change_neither_cosine():
    W_U, pair = normal(50, 4), normal(2, 4, seed=1)
    Q = 3.0 * random_map(4, 1.0, generator(2))
    torch.testing.assert_close(cosines(pair @ Q.T), cosines(pair))
    torch.testing.assert_close(cosines(pair @ Q.T, of(W_U @ Q.T)), cosines(pair, of(W_U)))


def test_on_the_span_of_the_tokens_the_product_is_invariant_too():
    world = FactorialVocabulary(n_lexemes=2, n_concepts=3, d_model=9)
    A = random_map(9, 50.0, generator(1))
    before, after = of(world.W_U), of(world.W_U @ A.T)
    assert before.rank == after.rank == 4
    torch.testing.assert_close(
        cosines(world.directions @ A.T, after), cosines(world.directions, before)
    )


def test_shrinking_gives_the_invariance_up_and_ends_at_the_euclidean_cosine():
    W_U, pair = normal(50, 4) @ random_map(4, 30.0, generator(0)), normal(2, 4, seed=1)
    A = random_map(4, 10.0, generator(3))
    half = [of(W, shrinkage=0.5) for W in (W_U, W_U @ A.T)]
    assert abs(half[1].cos(*(pair @ A.T)) - half[0].cos(*pair)) > 0.05
    torch.testing.assert_close(cosines(pair, of(W_U, shrinkage=1.0)), cosines(pair))


# --- covariances --------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "d"), [(8, 30), (40, 6), (300, 4)])
def test_the_shrinkage_is_that_of_scikit_learn(n, d):
    covariances = pytest.importorskip("sklearn.covariance")
    x = normal(n, d) @ random_map(d, 20.0, generator(1))
    ours, theirs = covariance("x", x, shrinkage="ledoit-wolf"), covariances.LedoitWolf().fit(x)
    assert ours.shrinkage == pytest.approx(theirs.shrinkage_, rel=1e-9)
    torch.testing.assert_close(ours.power(1.0), torch.from_numpy(theirs.covariance_))
    torch.testing.assert_close(ours.power(-1.0), torch.from_numpy(theirs.get_precision()))


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(1, 12), st.floats(0.01, 1.0), seeds)
def test_shrunk_covariances_are_those_of_the_formula_also_with_few_rows(n, d, s, seed):
    x = normal(n, d, seed=seed)
    plain = torch.atleast_2d(torch.cov(x.T, correction=0))
    wanted = (1 - s) * plain + s * plain.trace() / d * torch.eye(d, dtype=torch.float64)
    found = covariance("x", x, shrinkage=s)
    torch.testing.assert_close(found.power(1.0), wanted)
    torch.testing.assert_close(found.power(-1.0), torch.linalg.inv(wanted))


def test_equal_weights_are_none_also_for_the_shrinkage():
    x = normal(9, 5)
    assert covariance("x", x, torch.full((9,), 7.0), "ledoit-wolf").shrinkage == pytest.approx(
        covariance("x", x, None, "ledoit-wolf").shrinkage
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_rank_is_not_that_of_rounding(dtype):
    low = (normal(300, 5) @ normal(5, 40, seed=1)).to(dtype)
    assert of(low).rank == 5
    assert of(low + normal(300, 40, seed=2).to(dtype) * 1e-2).rank == 40


# --- degenerate input ---------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 5, 6])
def test_tokens_that_whitening_would_make_a_simplex_are_refused(n):
    with pytest.raises(ValueError, match=f"W_U has {n} tokens.*regular simplex"):
        of(normal(n, 5))
    assert of(normal(n, 5), shrinkage=0.1).rank == 5
    weights = torch.cat([torch.ones(n), torch.zeros(10 - n)])
    with pytest.raises(ValueError, match=f"W_U has {n} tokens"):
        of(normal(10, 5), weights)


def test_one_token_more_than_a_simplex_is_accepted_and_its_number_tells():
    product = of(normal(7, 5))
    assert product.tokens_per_dimension == pytest.approx(7 / 5)


def test_collinear_and_constant_columns_leave_the_product_to_the_span():
    W_U = normal(30, 4)
    W_U[:, 2], W_U[:, 3] = 2 * W_U[:, 1], 7.0
    product = of(W_U)
    assert product.rank == 2
    inside = W_U[0] - W_U[1]
    assert math.isfinite(product.norm(inside))
    for outside in (torch.eye(4).double()[3], torch.tensor([0.0, -2.0, 1.0, 0.0])):
        with pytest.raises(ValueError, match=r"a has a vector with .*outside the span.*2 of 4"):
            product.norm(outside)
    assert of(W_U, shrinkage=0.01).norm(torch.eye(4).double()[3]) > 0


@pytest.mark.parametrize(
    ("W_U", "options", "error", "message"),
    [
        (torch.ones(9, 3), {}, ValueError, "rows of W_U are all alike"),
        (torch.full((9, 3), math.nan), {}, ValueError, "W_U has 27 of 27 entries"),
        (torch.full((9, 3), math.inf), {}, ValueError, "W_U has 27 of 27 entries"),
        (torch.ones(3), {}, ValueError, r"W_U has shape \[3\]; it must be \[n, d\]"),
        (torch.ones(0, 3), {}, ValueError, "must have rows and columns"),
        ("words", {}, TypeError, "W_U is 'words'"),
        (normal(9, 3), {"weights": torch.ones(8)}, ValueError, r"weights has shape \[8\].*\[9\]"),
        (normal(9, 3), {"weights": torch.zeros(9)}, ValueError, "weights are all 0"),
        (normal(9, 3), {"weights": -torch.ones(9)}, ValueError, "weights has 9 of 9 entries"),
        (normal(9, 3), {"shrinkage": 1.5}, ValueError, "shrinkage is 1.5"),
        (normal(9, 3), {"shrinkage": "oas"}, ValueError, "shrinkage is 'oas'.*ledoit-wolf"),
        (normal(9, 3), {"shrinkage": None}, TypeError, "shrinkage is None"),
    ],
)
def test_bad_unembeddings_are_named(W_U, options, error, message):
    with pytest.raises(error, match=message):
        of(W_U, **options)


@pytest.mark.parametrize(
    ("a", "message"),
    [
        (torch.ones(4), r"a has shape \[4\]; it must be \[..., 3\]"),
        (torch.tensor(1.0), r"a has shape \[\]"),
        (torch.tensor([1.0, math.nan, 0.0]), "a has 1 of 3 entries"),
        (torch.zeros(3), "a has a vector of zeros"),
    ],
)
def test_bad_vectors_are_named(a, message):
    with pytest.raises(ValueError, match=message):
        of(normal(20, 3)).cos(a, torch.ones(3))


def test_off_the_diagonal_are_all_other_entries():
    assert off_diagonal(torch.arange(9).view(3, 3)).tolist() == [1, 2, 3, 5, 6, 7]
    with pytest.raises(ValueError, match="table has shape"):
        off_diagonal(torch.ones(2, 3))
