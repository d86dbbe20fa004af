"""After LEACE no linear probe reads the concept, and nothing that manages this changes x less."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import one_hot

from course_lib.probes import Moments, leace
from course_lib.runtime import generator


def classes_in(x_of_class, n=400, d=8, k=3, seed=0, dtype=torch.float64):
    """Rows of a correlated Gaussian whose mean depends on one of k classes."""
    draws = generator(seed)
    mixing = torch.randn(d, d, generator=draws, dtype=dtype)
    z = torch.randint(k, (n,), generator=draws)
    x = torch.randn(n, d, generator=draws, dtype=dtype) @ mixing
    return x + x_of_class * torch.randn(k, d, generator=draws, dtype=dtype)[z] + 5, z


def covariance(a, b):
    return (a - a.mean(-2, keepdim=True)).mT @ (b - b.mean(-2, keepdim=True)) / a.shape[-2]


def least_squares(x, targets):
    """Predictions of the best affine map."""
    rows = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
    return rows @ torch.linalg.lstsq(rows, targets, driver="gelsd").solution


@pytest.mark.parametrize("shrinkage", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("k", [2, 3, 5])
def test_the_best_affine_prediction_of_the_classes_is_exactly_their_shares(k, shrinkage):
    x, z = classes_in(2.0, k=k)
    targets = one_hot(z).double()
    before, after = (least_squares(a, targets) for a in (x, leace(x, z, shrinkage).erase(x)))
    shares = targets.mean(0).expand_as(after)
    torch.testing.assert_close(after, shares, atol=1e-9, rtol=0)
    assert (before.argmax(1) == z).double().mean() > (shares.argmax(1) == z).double().mean() + 0.2


def test_the_gradient_of_the_logistic_loss_at_the_constant_probe_is_zero():
    x, z = classes_in(2.0, k=2)
    erased = leace(x, z).erase(x)
    w = torch.zeros(8, dtype=x.dtype, requires_grad=True)
    share = z.double().mean()
    logits = erased @ w + torch.log(share / (1 - share))
    torch.nn.functional.binary_cross_entropy_with_logits(logits, z.double()).backward()
    assert w.grad.abs().max() < 1e-10


def test_p_is_a_projection_of_rank_classes_minus_one_that_keeps_the_mean():
    x, z = classes_in(1.0, k=4)
    eraser = leace(x, z)
    torch.testing.assert_close(eraser.projection @ eraser.projection, eraser.projection)
    assert int(eraser.rank) == 3
    assert torch.linalg.matrix_rank(eraser.projection) == 8 - 3
    torch.testing.assert_close(eraser.erase(x).mean(0), x.mean(0))
    torch.testing.assert_close(eraser.erase(eraser.erase(x)), eraser.erase(x))


@pytest.mark.parametrize("seed", range(3))
def test_no_other_affine_eraser_moves_x_less(seed):
    x, z = classes_in(1.5, k=3, d=4, seed=seed)
    centred, target = x - x.mean(0), one_hot(z).double()
    eraser, cross = leace(x, z), covariance(x, target)
    moved = (eraser.erase(x) - x).square().sum(1).mean()
    kept = torch.linalg.svd(cross).U[:, 2:]  # P erases iff crossᵀ P = 0: its columns are in here
    draws = generator(100 + seed)
    for size in (1e-3, 1e-1, 1.0):
        for _ in range(50):
            step = kept @ torch.randn(2, 4, generator=draws, dtype=x.dtype) * size
            other = centred @ (eraser.projection + step) + x.mean(0)
            assert covariance(other, target).abs().max() < 1e-9
            assert (other - x).square().sum(1).mean() > moved
    found = torch.nn.Parameter(torch.zeros(2, 4, dtype=x.dtype))
    optimizer = torch.optim.LBFGS([found], max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        change = (centred @ (kept @ found) - centred).square().sum(1).mean()
        change.backward()
        return change

    optimizer.step(loss)
    torch.testing.assert_close(kept @ found.detach(), eraser.projection, atol=1e-5, rtol=0)


def test_it_moves_x_less_than_the_orthogonal_projection_off_the_means_does():
    x, z = classes_in(1.5, k=2)
    change = [(leace(x, z, s).erase(x) - x).square().sum(1).mean() for s in (0.0, 1.0)]
    assert change[0] < 0.8 * change[1]
    mean_difference = x[z == 1].mean(0) - x[z == 0].mean(0)
    unit = mean_difference / mean_difference.norm()
    orthogonal = torch.eye(8, dtype=x.dtype) - torch.outer(unit, unit)
    torch.testing.assert_close(leace(x, z, 1.0).projection, orthogonal)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**20), st.lists(st.integers(1, 99), max_size=4, unique=True))
def test_batches_however_cut_give_the_eraser_of_everything_at_once(seed, cuts):
    x, z = classes_in(1.0, n=100, d=5, seed=seed)
    moments = Moments(5, 3)
    pieces = [0, *sorted(cuts), 100]
    for start, end in pairwise(pieces):
        moments.update(x[start:end], z[start:end])
    whole, streamed = leace(x, z), moments.eraser()
    torch.testing.assert_close(streamed.projection, whole.projection, atol=1e-8, rtol=0)
    torch.testing.assert_close(streamed.mean, whole.mean)


def test_single_precision_far_from_the_origin_is_erased_as_well():
    x, z = classes_in(2.0, dtype=torch.float32)
    x = x + 1000
    erased = leace(x, z).erase(x)
    assert erased.dtype == torch.float32
    assert covariance(erased.double(), one_hot(z).double()).abs().max() < 1e-4


def test_erasing_follows_every_invertible_affine_change_of_labels_and_rotation_of_x():
    x, z = classes_in(1.0)
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=generator(1), dtype=x.dtype)).Q
    turned = leace(x @ rotation, z)
    torch.testing.assert_close(turned.erase(x @ rotation), leace(x, z).erase(x) @ rotation)
    torch.testing.assert_close(leace(7 * x, z).projection, leace(x, z).projection)
    relabelled = one_hot(z).double() @ torch.randn(3, 3, generator=generator(2)).double() - 4
    torch.testing.assert_close(leace(x, relabelled).erase(x), leace(x, z).erase(x))


def test_in_whitened_coordinates_it_is_the_orthogonal_projection():
    x, z = classes_in(1.0)
    values, basis = torch.linalg.eigh(covariance(x, x))
    white = (x - x.mean(0)) @ basis / values.sqrt()
    P = leace(white, z).projection
    torch.testing.assert_close(P, P.mT)


def test_leading_axes_are_problems_of_their_own_and_rows_without_label_do_not_count():
    x = torch.stack([classes_in(1.0, seed=s)[0] for s in range(2)])
    z = torch.stack([classes_in(1.0, seed=s)[1] for s in range(3)])
    z[1, ::4] = -1
    together = leace(x[:, None], z)
    assert together.projection.shape == (2, 3, 8, 8)
    for i in range(2):
        for j in range(3):
            there = z[j] >= 0
            alone = leace(x[i][there], z[j][there])
            torch.testing.assert_close(together.projection[i, j], alone.projection)
            torch.testing.assert_close(together.erase(x[:, None])[i, j], alone.erase(x[i]))


def test_a_real_valued_concept_cannot_be_predicted_any_more():
    x, _ = classes_in(0.0)
    place = x[:, :2] @ torch.tensor([[1.0, 2.0], [0.0, 1.0]], dtype=x.dtype) + 0.1 * x[:, 5:7]
    predicted = least_squares(leace(x, place).erase(x), place)
    torch.testing.assert_close(predicted, place.mean(0).expand_as(place), atol=1e-8, rtol=1e-8)


def test_collinear_and_constant_features_stay_as_they_are_but_for_the_concept():
    x, z = classes_in(2.0, d=4, k=2)
    x = torch.cat([x, x[:, :1] - 2 * x[:, 1:2], torch.full((len(x), 1), 3.0).double()], 1)
    erased = leace(x, z).erase(x)
    assert covariance(erased, one_hot(z).double()).abs().max() < 1e-9
    torch.testing.assert_close(erased[:, 5], x[:, 5])
    torch.testing.assert_close(erased[:, 4], erased[:, 0] - 2 * erased[:, 1])


def test_with_fewer_rows_than_dimensions_only_the_rows_seen_are_guarded():
    draws = generator(0)
    z, new_z = (torch.arange(n) % 2 for n in (40, 2000))
    planted = torch.zeros(100, dtype=torch.float64)
    planted[0] = 1.5
    x, new = (
        torch.randn(len(c), 100, generator=draws, dtype=torch.float64) + c[:, None] * planted
        for c in (z, new_z)
    )
    eraser = leace(x, z)
    gap = [torch.stack([e[c == 1].mean(0) - e[c == 0].mean(0)]).norm() for e, c in (
        (eraser.erase(x), z), (eraser.erase(new), new_z))]  # fmt: skip
    assert gap[0] < 1e-9 and gap[1] > 0.3
    assert torch.isfinite(eraser.projection).all()


def test_a_concept_without_linear_trace_leaves_x_alone():
    x = torch.tensor([[1.0, 2.0], [1.0, -2.0], [-1.0, 2.0], [-1.0, -2.0]])
    eraser = leace(x, torch.tensor([0, 1, 1, 0]))
    assert int(eraser.rank) == 0 and torch.equal(eraser.erase(x), x)


def test_a_correlation_by_chance_costs_a_whole_direction_too():
    x = torch.randn(5000, 4, generator=generator(3))
    eraser = leace(x, torch.arange(5000) % 2)
    assert int(eraser.rank) == 1 and torch.linalg.matrix_rank(eraser.projection) == 3


def test_what_is_not_linear_survives():
    draws = generator(3)
    x = torch.randn(2000, 4, generator=draws, dtype=torch.float64)
    z = (x[:, 0] * x[:, 1] > 0).long()
    x[:, 2] += z
    erased = leace(x, z).erase(x)
    assert ((erased[:, 0] * erased[:, 1] > 0).long() == z).double().mean() > 0.95


@pytest.mark.parametrize(
    ("x", "z", "error", "message"),
    [
        (torch.ones(3, 2), torch.tensor([1, 1, 1]), ValueError, "z is the same in all rows"),
        (torch.ones(3, 2), torch.ones(3, 1), ValueError, "z is the same in all rows"),
        (torch.full((3, 2), float("nan")), torch.tensor([0, 1, 1]), ValueError, "x has 6 of 6"),
        (torch.ones(3, 2), torch.tensor([0, 1]), ValueError, r"x has shape \[3, 2\] and z \[2\]"),
        (torch.ones(3, 2), torch.rand(3), ValueError, "x must be a tensor"),
        (torch.ones(3, 2), [0, 1, 1], ValueError, "x must be a tensor"),
        (torch.ones(3, 2), torch.tensor([0, -1, -1]), ValueError, "1 rows were seen"),
        (torch.ones(3, 2), torch.tensor([0, -2, 1]), ValueError, "label -2"),
        (torch.ones(3), torch.tensor([0, 1, 1]), ValueError, "x must be a tensor"),
    ],
)
def test_a_bad_argument_is_named(x, z, error, message):
    with pytest.raises(error, match=message):
        leace(x, z)


def test_moments_name_what_does_not_fit():
    with pytest.raises(ValueError, match="0 rows were seen"):
        Moments(3, 2).eraser()
    with pytest.raises(ValueError, match="z has the class 4; n_outputs is 2"):
        Moments(3, 2).update(torch.ones(2, 3), torch.tensor([0, 4]))
    with pytest.raises(ValueError, match=r"x must be \[..., n, 3\]"):
        Moments(3, 2).update(torch.ones(2, 4), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="shrinkage is 2"):
        leace(torch.rand(4, 2), torch.tensor([0, 1, 0, 1]), 2.0)


def test_a_label_beyond_the_rows_and_a_device_that_is_not_there_are_refused():
    x = torch.randn(6, 4, generator=generator(0))
    with pytest.raises(ValueError, match="z has the label 1000000 in 6 rows"):
        leace(x, torch.tensor([0, 1, 0, 1, 0, 10**6]))
    with pytest.raises(ValueError, match="device cannot be used: name is 'tpu'"):
        Moments(4, 2, device="tpu")
