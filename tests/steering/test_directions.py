"""Every way to find a direction finds a planted one, with the size and the sign it should have."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.steering import directions as ways
from course_lib.steering.directions import METHODS
from tests.steering.small import normal

D = 6


def planted(n=400, d=D, size=4.0, noise=0.5, seed=0):
    """Two classes whose means differ along e0 alone; all else is noise that knows no class."""
    y = (torch.arange(n) % 2).long()
    h = noise * normal(n, d, seed=seed, dtype=torch.float64) + 3.0
    h[:, 0] += size * y
    return h, y


def rotation(seed=1):
    return torch.linalg.qr(normal(D, D, seed=seed, dtype=torch.float64)).Q


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_planted_direction_with_the_size_of_the_gap(method):
    h, y = planted()
    found = METHODS[method](h, y)
    gap = h[y == 1].mean(0) - h[y == 0].mean(0)
    assert torch.cosine_similarity(found, torch.eye(D).double()[0], dim=0) > 0.97
    torch.testing.assert_close(found @ found, found @ gap)  # as long as the gap along it
    assert found.dtype == h.dtype and METHODS[method](h.float(), y).dtype == torch.float32


@pytest.mark.parametrize("method", METHODS)
def test_turning_the_space_turns_what_is_found_and_the_labels_give_the_sign(method):
    h, y = planted()
    found, turned = METHODS[method](h, y), METHODS[method](h @ rotation().T, y)
    torch.testing.assert_close(turned, rotation() @ found, rtol=0, atol=1e-4)
    torch.testing.assert_close(METHODS[method](h, 1 - y), -found, rtol=0, atol=1e-4)
    torch.testing.assert_close(METHODS[method](h + 100.0, y), found, rtol=0, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_rows_without_a_label_do_not_count(method):
    h, y = planted(n=60)
    more = torch.cat([h, 100 * normal(20, D, seed=5, dtype=torch.float64)])
    labels = torch.cat([y, torch.full((20,), -1)])
    torch.testing.assert_close(METHODS[method](more, labels), METHODS[method](h, y))
    torch.testing.assert_close(METHODS[method](h, y == 1), METHODS[method](h, y))


def test_principal_components_centred_by_class_would_lose_the_contrast():
    h, y = planted(size=4.0)
    h[:, 1] *= 3.0  # varies more than within the contrast, less than the contrast itself
    found = ways.reading_vector(h, y)
    means = torch.stack([h[y == c].mean(0) for c in (0, 1)])
    within = torch.linalg.svd(h - means[y], full_matrices=False).Vh[0]
    assert found[0].abs() > 0.9 * found.norm() and within[0].abs() < 0.1


def test_the_first_component_reads_what_varies_most_even_when_that_is_no_concept():
    h, y = planted(size=1.0)
    h[:, 1] *= 10.0
    found = ways.reading_vector(h, y)
    assert found[1].abs() > 0.95 * found.norm()
    assert ways.difference_of_means(h, y)[0] == pytest.approx(1.0, abs=0.15)


def test_pairs_are_mirrored_so_that_their_mean_difference_is_not_taken_away():
    shared = normal(50, D, seed=3, dtype=torch.float64) * 5
    step = torch.eye(D).double()[0] * 2
    noise = 0.3 * normal(50, D, seed=4, dtype=torch.float64)
    found = ways.reading_vector_of_pairs(shared, shared + step + noise)
    torch.testing.assert_close(found, step, rtol=0, atol=0.3)
    back = ways.reading_vector_of_pairs(shared + step + noise, shared)
    torch.testing.assert_close(back, -found)
    centred = torch.linalg.svd(noise - noise.mean(0), full_matrices=False).Vh[0]
    assert centred[0].abs() < 0.9  # what centring the differences would find
    with pytest.raises(ValueError, match="h1 has shape"):
        ways.reading_vector_of_pairs(shared, shared[1:])


def test_of_pairs_the_difference_of_means_is_the_mean_of_differences():
    h0, h1 = normal(9, D, dtype=torch.float64), normal(9, D, seed=1, dtype=torch.float64)
    y = torch.tensor([0] * 9 + [1] * 9)
    found = ways.difference_of_means(torch.cat([h0, h1]), y)
    torch.testing.assert_close(found, (h1 - h0).mean(0))


def test_the_whitened_direction_is_fishers_and_scaling_an_axis_changes_nothing_it_reads():
    h, y = planted(size=1.0)
    h[:, 1] += 2 * h[:, 0]  # correlated noise: the gap is no longer along e0
    found = ways.lda(h, y, shrinkage=0)
    means = [h[y == c].mean(0) for c in (0, 1)]
    within = torch.cat([h[y == c] - means[c] for c in (0, 1)])
    fisher = torch.linalg.solve(within.T @ within, means[1] - means[0])
    torch.testing.assert_close(found / found.norm(), fisher / fisher.norm())
    squeeze = torch.tensor([1.0, 10.0, 0.1, 3.0, 1.0, 1.0]).double()
    other = ways.lda(h * squeeze, y, shrinkage=0)
    reads = (h - h.mean(0)) @ found / found.norm()
    other_reads = ((h - h.mean(0)) * squeeze) @ other / other.norm()
    assert torch.corrcoef(torch.stack([reads, other_reads]))[0, 1] > 1 - 1e-9
    full = ways.lda(h, y, shrinkage=1)
    torch.testing.assert_close(full, ways.difference_of_means(h, y))


def test_whitening_answers_without_shrinkage_where_the_covariance_is_singular():
    h, y = planted(n=4)
    h = torch.cat([h, torch.full((4, 1), 7.0).double()], dim=1)  # fewer rows than axes, a constant
    for shrinkage in (0, "auto"):
        found = ways.lda(h, y, shrinkage)
        assert found.isfinite().all() and found[-1].abs() < 1e-9
    with pytest.raises(ValueError, match="shrinkage"):
        ways.lda(h, y, 1.5)


@settings(deadline=None)
@given(seed=st.integers(0, 30))
def test_a_causal_vector_moves_what_it_is_for_and_nothing_orthogonal_to_it(seed):
    root = normal(D, D, seed=seed, dtype=torch.float64)
    product = root @ root.T + 0.1 * torch.eye(D).double()
    a, b = normal(2, D, seed=seed + 1, dtype=torch.float64)
    b = b - a * (a @ product @ b) / (a @ product @ a)
    steering = ways.causal(torch.stack([a, b]), product)
    shift = steering @ torch.stack([a, b]).T
    assert shift[0, 0] > 0 and shift[1, 1] > 0
    scale = shift.diagonal().max()
    assert shift[0, 1].abs() < 1e-9 * scale and shift[1, 0].abs() < 1e-9 * scale


def test_an_inner_product_may_be_an_object_and_must_be_symmetric():
    class Twice:
        def riesz(self, a):
            return 2 * a

    a = normal(D)
    assert torch.equal(ways.causal(a, Twice()), 2 * a)
    torch.testing.assert_close(ways.causal(a, 2 * torch.eye(D)), 2 * a)
    with pytest.raises(ValueError, match="not symmetric"):
        ways.causal(a, torch.ones(D, D).tril())
    with pytest.raises(ValueError, match="product has shape"):
        ways.causal(a, torch.eye(3))


def test_a_random_direction_has_the_norm_and_points_anywhere():
    vector = normal(50, seed=1)
    draw = torch.Generator().manual_seed(0)
    made = torch.stack([ways.random_like(vector, draw) for _ in range(200)])
    torch.testing.assert_close(made.norm(dim=1), vector.norm().expand(200))
    cosines = made @ vector / vector.norm() ** 2
    # Their spread is 1/√d, known to a twentieth from 200.
    assert cosines.std().item() == pytest.approx(50**-0.5, rel=0.2)
    assert cosines.mean().abs() < 4 * 50**-0.5 / 200**0.5


@pytest.mark.parametrize("method", METHODS)
def test_what_cannot_be_contrasted_is_an_error(method):
    h, y = planted(n=20)
    find = METHODS[method]
    with pytest.raises(ValueError, match="20 rows of class 0 and 0 of class 1"):
        find(h, 0 * y)
    with pytest.raises(ValueError, match="h has 1 of 120 entries that are not allowed"):
        find(h.clone().index_fill(0, torch.tensor([3]), 0.0).index_put_(
            (torch.tensor(0), torch.tensor(0)), torch.tensor(torch.nan).double()), y)  # fmt: skip
    with pytest.raises(ValueError, match="must hold 0, 1 and -1 only"):
        find(h, y + 1)
    with pytest.raises(ValueError, match="y has shape"):
        find(h, y[1:])


def test_classes_of_the_same_mean_have_no_direction_between_them():
    h = torch.cat([normal(5, D), normal(5, D)])
    y = torch.tensor([0] * 5 + [1] * 5)
    assert torch.equal(ways.difference_of_means(h, y), torch.zeros(D))
    for method in ("pca", "lda"):
        with pytest.raises(ValueError, match="the same mean"):
            METHODS[method](h, y)
