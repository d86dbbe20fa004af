"""Scales of meaning are found where they were planted, and edits move them as cosines say."""

import pytest
import torch
from scipy import stats

from course_lib.geometry import (
    axis_scores,
    cosines,
    off_target_line,
    random_axes,
    semantic_axis,
    variance_by_component,
)
from course_lib.runtime import generator


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


PAIRS = torch.arange(8).view(4, 2)


def test_an_axis_is_the_mean_difference_at_length_one_and_scores_are_projections():
    E = normal(20, 6)
    axis = semantic_axis(E, PAIRS)
    difference = (E[PAIRS[:, 1]] - E[PAIRS[:, 0]]).mean(0)
    torch.testing.assert_close(axis, difference / difference.norm())
    axes = torch.stack([axis, normal(6, seed=1)])
    torch.testing.assert_close(axis_scores(E, axes)[:, 0], E @ axis)
    torch.testing.assert_close(axis_scores(E, axes), axis_scores(E, 7 * axes))


def test_planted_factors_are_recovered_in_rank_and_take_few_components():
    factors = normal(200, 3)
    mixing = normal(3, 12, seed=1)
    E = factors @ normal(3, 40, seed=2) * 4 + normal(200, 40, seed=3)
    truth = factors @ mixing
    order = truth.argsort(0)
    axes = torch.stack(
        [semantic_axis(E, torch.stack([order[:9, i], order[-9:, i]], 1)) for i in range(12)]
    )
    scores = axis_scores(E, axes)
    for i in range(12):
        assert stats.spearmanr(scores[:, i], truth[:, i]).statistic > 0.85
    assert variance_by_component(scores)[:3].sum() > 0.9
    noise = random_axes(normal(200, 40), 12, 9, generator(0))
    assert variance_by_component(axis_scores(normal(200, 40), noise))[:3].sum() < 0.6


def test_shares_of_variance_are_those_of_the_principal_components():
    scores = normal(50, 4) @ normal(4, 4, seed=1) + 10
    share = variance_by_component(scores)
    values = torch.linalg.eigvalsh(torch.cov(scores.T)).flip(0)
    torch.testing.assert_close(share, values / values.sum())
    torch.testing.assert_close(variance_by_component(3 * scores - 1), share)


def test_on_projections_the_law_of_cosines_is_an_identity():
    axes = normal(6, 20)
    axes = axes / axes.norm(dim=1, keepdim=True)
    alpha, E = 0.7, normal(9, 20, seed=1)
    shifts = torch.stack(
        [(axis_scores(E + alpha * axis, axes) - axis_scores(E, axes)).mean(0) for axis in axes]
    )
    line = off_target_line(cosines(axes), shifts)
    assert line.slope == pytest.approx(alpha) and line.intercept == pytest.approx(0, abs=1e-9)
    assert line.r2 == pytest.approx(1.0)


def test_the_line_is_that_of_scipy_and_the_diagonal_does_not_count():
    x, y = normal(5, 5), normal(5, 5, seed=1)
    off = ~torch.eye(5, dtype=torch.bool)
    expected = stats.linregress(x[off], y[off])
    y.fill_diagonal_(1e6)
    line = off_target_line(x, y)
    assert line.slope == pytest.approx(expected.slope)
    assert line.intercept == pytest.approx(expected.intercept)
    assert line.r2 == pytest.approx(expected.rvalue**2)
    assert off_target_line(x, torch.ones(5, 5)).r2 == 0.0


def test_random_axes_have_length_one_and_follow_the_generator():
    E = normal(30, 5)
    axes = random_axes(E, 4, 3, generator(1))
    torch.testing.assert_close(axes.norm(dim=1), torch.ones(4, dtype=torch.float64))
    assert torch.equal(axes, random_axes(E, 4, 3, generator(1)))
    assert not torch.equal(axes, random_axes(E, 4, 3, generator(2)))


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: semantic_axis(normal(8, 3), torch.tensor([[0, 1], [1, 0]])), "cancel"),
        (lambda: semantic_axis(normal(8, 3) * torch.nan, PAIRS), "W_U has 24 of 24"),
        (lambda: axis_scores(normal(8, 3), normal(2, 4)), "E has d = 3 and axes 4"),
        (lambda: axis_scores(normal(8, 3), torch.zeros(2, 3)), "row of zeros"),
        (lambda: variance_by_component(torch.ones(8, 3)), "the same for all words"),
        (lambda: off_target_line(torch.ones(3, 3), normal(3, 3)), "cosines are all the same"),
        (lambda: off_target_line(normal(3, 3), normal(4, 4)), r"cosines is \[3, 3\] and shifts"),
        (lambda: off_target_line(normal(3, 3), normal(3, 3) * torch.nan), "shifts has 6 of 6"),
        (lambda: random_axes(normal(8, 3), 0, 2, generator(0)), "n_axes is 0"),
    ],
)
def test_what_is_no_scale_is_named(act, message):
    with pytest.raises(ValueError, match=message):
        act()
