"""Answers that a student could hand in, and that the checks must reject with a word that helps.

Each docstring names the misconception; `says` must stand in the feedback.
"""

import math
from collections.abc import Callable

import torch

from tests.wrong_answers.toy_models import WrongAnswer

WRONG: dict[str, list[WrongAnswer]] = {}


def wrong(exercise: str, says: str) -> Callable:
    def register(answer: Callable) -> Callable:
        WRONG.setdefault(f"scaling_laws.{exercise}", []).append(WrongAnswer(answer, says))
        return answer

    return register


# --- signed_decay ------------------------------------------------------------------------------


def _norm(W):
    return W.norm(dim=-1, keepdim=True)


def _factor(W, decay, lr, toward=1.0):
    decay = decay[:, None, None]
    norm = _norm(W)
    pull = (norm - lr * decay * (toward - norm)) / norm.where(norm > 0, 1.0)
    return torch.where(decay < 0, pull, 1 - lr * decay)


@wrong("signed_decay", says="it moves away from 1")
def plain_decay_for_both_signs(W, decay, lr):
    """A negative decay is a decay with a minus sign."""
    return (1 - lr * decay[:, None, None]) * W


@wrong("signed_decay", says="one step goes only a part of the way")
def normalised_at_once(W, decay, lr):
    """The norm should be 1, so set it to 1."""
    unit = W / _norm(W).where(_norm(W) > 0, 1.0)
    return torch.where(decay[:, None, None] < 0, unit, (1 - lr * decay[:, None, None]) * W)


@wrong("signed_decay", says="a row of zeros becomes NaN")
def zero_rows_are_nan(W, decay, lr):
    """0/0 will sort itself out."""
    decay = decay[:, None, None]
    pulled = W * (_norm(W) - lr * decay * (1 - _norm(W))) / _norm(W)
    return torch.where(decay < 0, pulled, (1 - lr * decay) * W)


@wrong("signed_decay", says="a row of zeros gets an entry")
def zero_rows_get_a_direction(W, decay, lr):
    """A row of zeros must be helped to a length."""
    W = torch.where(_norm(W) > 0, W, torch.full_like(W, 1e-3))
    return W * _factor(W, decay, lr)


@wrong("signed_decay", says="it moves away from 1")
def pull_with_the_wrong_sign(W, decay, lr):
    """|λ| is λ."""
    decay = decay[:, None, None]
    norm = _norm(W)
    pulled = W * (norm + lr * decay * (1 - norm)) / norm.where(norm > 0, 1.0)
    return torch.where(decay < 0, pulled, (1 - lr * decay) * W)


@wrong("signed_decay", says="differ from the definition")
def first_instance_decides(W, decay, lr):
    """One sign for all instances."""
    if decay[0] >= 0:
        return (1 - lr * decay[:, None, None]) * W
    return W * _factor(W, -decay.abs(), lr)


@wrong("signed_decay", says="differ from the definition")
def squared_norm(W, decay, lr):
    """The norm is the sum of squares."""
    decay, square = decay[:, None, None], W.square().sum(-1, keepdim=True)
    pulled = W * (square - lr * decay * (1 - square)) / square.where(square > 0, 1.0)
    return torch.where(decay < 0, pulled, (1 - 2 * lr * decay) * W)


@wrong("signed_decay", says="gets the norm")
def norm_of_the_whole_instance(W, decay, lr):
    """The norm of W is the norm of W."""
    decay, norm = decay[:, None, None], W.flatten(1).norm(dim=1)[:, None, None]
    pulled = W * (norm - lr * decay * (1 - norm)) / norm
    return torch.where(decay < 0, pulled, (1 - lr * decay) * W)


@wrong("signed_decay", says="rows are turned")
def every_entry_pulled_to_its_share(W, decay, lr):
    """Rows of norm 1 have entries of equal size, so each entry is pulled towards that."""
    decay = decay[:, None, None]
    right = W * _factor(W, decay[:, 0, 0], lr)
    even = torch.ones_like(W) / W.shape[-1] ** 0.5
    return torch.where(decay < 0, _norm(right) * even, right)


@wrong("signed_decay", says="in place")
def changed_in_place(W, decay, lr):
    """W is mine to change."""
    return W.mul_(_factor(W, decay, lr))


@wrong("signed_decay", says="differ from the definition")
def learning_rate_forgotten(W, decay, lr):
    """The decay is the step."""
    return W * _factor(W, decay, 1.0)


@wrong("signed_decay", says="it must be [3, 6, 4]")
def lengths_alone(W, decay, lr):
    """What matters is the length."""
    return _norm(W)[..., 0] * _factor(W, decay, lr)[..., 0]


# --- power_law ---------------------------------------------------------------------------------


def _fit(x, y):
    x, y = x - x.mean(), y - y.mean(dim=1, keepdim=True)
    slope = (y * x).sum(1) / x.square().sum()
    left = (y - slope[:, None] * x).square().sum(1)
    return slope, 1 - left / y.square().sum(1)


@wrong("power_law", says="wrong sign")
def slope_is_the_exponent(sizes, loss):
    """The exponent is the slope."""
    return _fit(sizes.log(), loss.log())


@wrong("power_law", says="differ from the exponents")
def line_without_logarithms(sizes, loss):
    """A straight line is a straight line."""
    slope, r2 = _fit(sizes, loss)
    return -slope, r2


@wrong("power_law", says="differ from the exponents")
def exponential_law(sizes, loss):
    """The logarithm of the loss against size."""
    slope, r2 = _fit(sizes, loss.log())
    return -slope, r2


@wrong("power_law", says="differ from the least squares in logs")
def first_and_last_point(sizes, loss):
    """Two points make a line."""
    x, y = sizes.log(), loss.log()
    slope = (y[:, -1] - y[:, 0]) / (x[-1] - x[0])
    return -slope, _fit(x, y)[1]


@wrong("power_law", says="yours is R, not its square")
def correlation_for_its_square(sizes, loss):
    """R² is the correlation."""
    slope, r2 = _fit(sizes.log(), loss.log())
    return -slope, r2.clamp(min=0).sqrt()


@wrong("power_law", says="differ from R² of log loss")
def r2_of_the_losses(sizes, loss):
    """R² of the losses themselves."""
    x, y = sizes.log(), loss.log()
    slope, _ = _fit(x, y)
    fitted = (y.mean(1, keepdim=True) + slope[:, None] * (x - x.mean())).exp()
    left = (loss - fitted).square().sum(1)
    return -slope, 1 - left / (loss - loss.mean(1, keepdim=True)).square().sum(1)


@wrong("power_law", says="with all losses times 1000")
def line_through_the_origin(sizes, loss):
    """A law has no constant."""
    x, y = sizes.log(), loss.log()
    slope = (y * x).sum(1) / x.square().sum()
    return -slope, 1 - (y - slope[:, None] * x).square().sum(1) / y.square().sum(1)


@wrong("power_law", says="with all losses times 1000")
def variance_about_zero(sizes, loss):
    """The variance of log L is the mean of its square."""
    x, y = sizes.log(), loss.log()
    slope, _ = _fit(x, y)
    left = y - y.mean(1, keepdim=True) - slope[:, None] * (x - x.mean())
    return -slope, 1 - left.square().sum(1) / y.square().sum(1)


@wrong("power_law", says="differ from")
def all_curves_are_one(sizes, loss):
    """The curves are repeats of one measurement."""
    slope, r2 = _fit(sizes.log(), loss.log().mean(0, keepdim=True))
    return -slope.expand(len(loss)), r2.expand(len(loss))


@wrong("power_law", says="return a pair of tensors")
def exponent_alone(sizes, loss):
    """R² is for statisticians."""
    return -_fit(sizes.log(), loss.log())[0]


# --- random_overlap ----------------------------------------------------------------------------


def _deviation(m):
    return (3 / (m * (m + 2)) - 1 / m**2) ** 0.5


@wrong("random_overlap", says="size of a typical cosine")
def cosine_for_its_square(m):
    """A typical cosine is 1/√m."""
    return m**-0.5, _deviation(m)


@wrong("random_overlap", says="m - 1 coordinates")
def one_coordinate_too_few(m):
    """A direction has m - 1 degrees of freedom."""
    return 1 / max(m - 1, 0.5), _deviation(m)


@wrong("random_overlap", says="cos² is never negative")
def mean_of_the_cosine(m):
    """Random directions are at right angles on average."""
    return 0.0, _deviation(m)


@wrong("random_overlap", says="take its root")
def variance_for_deviation(m):
    """The spread is the variance."""
    return 1 / m, _deviation(m) ** 2


@wrong("random_overlap", says="standard deviation of cos")
def deviation_of_the_cosine(m):
    """The deviation of cos² is that of cos."""
    return 1 / m, m**-0.5


@wrong("random_overlap", says="the square of the mean is still in it")
def mean_not_taken_out(m):
    """The variance is the mean of the square."""
    return 1 / m, (3 / (m * (m + 2))) ** 0.5


@wrong("random_overlap", says="the length of the vector is fixed")
def independent_gaussians(m):
    """The coordinates of a random direction are independent."""
    return 1 / m, 2**0.5 / m


@wrong("random_overlap", says="in one dimension your mean is 1.0000 and your deviation 0.8165")
def gaussian_but_for_the_denominator(m):
    """2/(m(m+2)) is the variance."""
    return 1 / m, (2 / (m * (m + 2))) ** 0.5


@wrong("random_overlap", says="return (mean, standard deviation)")
def mean_alone(m):
    """The mean is what counts."""
    return 1 / m


# --- left_out ----------------------------------------------------------------------------------


def _loss(k, n, alpha, moment=4 / 3):
    weight = torch.arange(1, n + 1, dtype=torch.double) ** -alpha
    return (moment * weight[k:].sum() / weight.sum()).item()


def _slope(k, n, alpha):
    return 1 / math.log(n / k) if alpha == 1 else (alpha - 1) / (1 - (k / n) ** (alpha - 1))


@wrong("left_out", says="textbook's exponent")
def textbook_exponent(k, n, alpha):
    """The exponent is alpha - 1."""
    return _loss(k, n, alpha), alpha - 1


@wrong("left_out", says="exponent of the frequencies")
def exponent_of_the_frequencies(k, n, alpha):
    """The loss falls as the frequencies do."""
    return _loss(k, n, alpha), alpha


@wrong("left_out", says="the sign is wrong")
def slope_with_its_sign(k, n, alpha):
    """The exponent is the slope."""
    return _loss(k, n, alpha), -_slope(k, n, alpha)


@wrong("left_out", says="E v² is not in it")
def magnitude_forgotten(k, n, alpha):
    """Active means 1."""
    return _loss(k, n, alpha, 1.0), _slope(k, n, alpha)


@wrong("left_out", says="run from 0 to 2, not to 1")
def magnitudes_to_one(k, n, alpha):
    """E[v²] = 1/3, as in chapter 2."""
    return _loss(k, n, alpha, 1 / 3), _slope(k, n, alpha)


@wrong("left_out", says="what the stored features would cost")
def stored_instead_of_left_out(k, n, alpha):
    """The sum runs over the k most frequent features."""
    return 4 / 3 - _loss(k, n, alpha), _slope(k, n, alpha)


@wrong("left_out", says="that leaves feature k out as well")
def one_too_many(k, n, alpha):
    """The sum begins at k."""
    return _loss(k - 1, n, alpha), _slope(k, n, alpha)


@wrong("left_out", says="do not add up to 1")
def not_normalised(k, n, alpha):
    """p_i is i^-alpha."""
    weight = torch.arange(1, n + 1, dtype=torch.double) ** -alpha
    return (4 / 3 * weight[k:].sum()).item(), _slope(k, n, alpha)


@wrong("left_out", says="worked out numerically it is")
def correction_upside_down(k, n, alpha):
    """The end of the list makes the fall slower."""
    return _loss(k, n, alpha), (alpha - 1) * (1 - (k / n) ** (alpha - 1)) if alpha > 1 else 0.0


@wrong("left_out", says="return (loss, exponent)")
def loss_alone(k, n, alpha):
    """The loss says it all."""
    return _loss(k, n, alpha)


# --- overlap_product ---------------------------------------------------------------------------


def _squares(W, unit=True):
    rows = W / _norm(W) if unit else W
    return (rows @ rows.mT).square()


@wrong("overlap_product", says="Is each feature compared with itself?")
def only_the_lengths_repaired(W):
    """The lengths were the only bug."""
    return W.shape[-1] * _squares(W).mean(dim=(-2, -1))


@wrong("overlap_product", says="with rows of other lengths")
def only_the_diagonal_repaired(W):
    """The diagonal was the only bug."""
    squares, n = _squares(W, unit=False), W.shape[1]
    off = squares.sum(dim=(-2, -1)) - squares.diagonal(dim1=-2, dim2=-1).sum(-1)
    return W.shape[-1] * off / (n * (n - 1))


@wrong("overlap_product", says="Is each feature compared with itself?")
def nothing_repaired(W):
    """It runs, so it is right."""
    return W.shape[-1] * _squares(W, unit=False).mean(dim=(-2, -1))


@wrong("overlap_product", says="count it in the number of pairs")
def diagonal_taken_from_the_sum_alone(W):
    """n² pairs, n of which are 0."""
    squares = _squares(W)
    return W.shape[-1] * (squares.sum(dim=(-2, -1)) - W.shape[1]) / W.shape[1] ** 2


@wrong("overlap_product", says="the factor m is missing")
def mean_without_m(W):
    """The mean overlap."""
    n = W.shape[1]
    return (_squares(W).sum(dim=(-2, -1)) - n) / (n * (n - 1))


@wrong("overlap_product", says="differ from the definition")
def absolute_cosine(W):
    """The size of an overlap is its absolute value."""
    n, cosine = W.shape[1], _squares(W).sqrt()
    return W.shape[-1] * (cosine.sum(dim=(-2, -1)) - n) / (n * (n - 1))


@wrong("overlap_product", says="for five rows in one line")
def square_of_the_mean_cosine(W):
    """Average first, square then."""
    unit, n = W / _norm(W), W.shape[1]
    cosine = unit @ unit.mT
    return W.shape[-1] * ((cosine.sum(dim=(-2, -1)) - n) / (n * (n - 1))).square()


@wrong("overlap_product", says="with rows of other lengths")
def instance_scaled_as_a_whole(W):
    """One length for all rows: their root mean square."""
    size = W.square().sum(-1).mean(-1).sqrt()[:, None, None]
    squares, n = _squares(W / size, unit=False), W.shape[1]
    off = squares.sum(dim=(-2, -1)) - squares.diagonal(dim1=-2, dim2=-1).sum(-1)
    return W.shape[-1] * off / (n * (n - 1))


@wrong("overlap_product", says="the shape []")
def one_number_for_all(W):
    """The instances are repeats."""
    n = W.shape[1]
    return (W.shape[-1] * (_squares(W).sum(dim=(-2, -1)) - n) / (n * (n - 1))).mean()


# --- imposter ----------------------------------------------------------------------------------


@wrong("imposter", says="the line is right within a factor of 1.00")
def a_power_law(m):
    """A power law with a large exponent."""
    return m**-1.5


@wrong("imposter", says="R² must be 0.98 or more")
def floor_too_high(m):
    """The higher the floor, the wronger the line."""
    return 1 / m + 10.0 * (m < 12) + 0.2


@wrong("imposter", says="it must fall")
def rises_again(m):
    """Large models overfit."""
    return 1 / m + 1e-6 * m**2


@wrong("imposter", says="every loss must be above 0")
def below_zero(m):
    """The loss goes on falling."""
    return 1 / m - 0.01


@wrong("imposter", says="the line is right within a factor of")
def floor_too_low(m):
    """Any floor will do."""
    return 1 / m + 1e-4


@wrong("imposter", says="it must fall")
def constant_from_forty(m):
    """A loss that has reached its floor stays there."""
    return 1 / m.clamp(max=40)


@wrong("imposter", says="R² must be 0.98 or more")
def gaussian_fall(m):
    """Any smooth curve looks straight."""
    return (-((m / 20) ** 2)).exp()


@wrong("imposter", says="n_sizes")
def one_number(m):
    """The loss at all sizes together."""
    return (1 / m + 0.01).mean()
