"""Answers to problem set 2 that lose points; each docstring names the misconception.

`keeps` is what the answer is still worth: the points of the cases in which it makes no difference.
"""

import torch

from tests.grading.registry import registry

WRONG, wrong = registry()


# --- leave_out_or_share ------------------------------------------------------------------------


def _bills(cost, ranked, sizes, noise):
    left = (ranked * (torch.arange(len(ranked)) >= sizes[:, None])).sum(dim=1)
    return left, (cost * noise / (cost + noise)).sum(dim=1)


def _noise(cost, sizes):
    return (cost.sum() - cost) / sizes[:, None]


@wrong("leave_out_or_share", keeps=5)
def the_first_m_features(p, mean_square, sizes):
    """Features come with the most frequent first, so the first m are stored."""
    cost = p * mean_square
    return _bills(cost, cost, sizes, _noise(cost, sizes))


@wrong("leave_out_or_share", keeps=15)
def the_most_frequent_are_stored(p, mean_square, sizes):
    """What is frequent is dear."""
    cost = p * mean_square
    return _bills(cost, cost[p.argsort(descending=True)], sizes, _noise(cost, sizes))


@wrong("leave_out_or_share")
def the_cheapest_are_stored(p, mean_square, sizes):
    """Sorted means smallest first."""
    cost = p * mean_square
    return _bills(cost, cost.sort().values, sizes, _noise(cost, sizes))


@wrong("leave_out_or_share", keeps=15)
def never_more_dimensions_than_features(p, mean_square, sizes):
    """There is always somebody to leave out."""
    cost = p * mean_square
    running = cost.sort(descending=True).values.cumsum(dim=0)
    noise = _noise(cost, sizes)
    return running[-1] - running[sizes - 1], (cost * noise / (cost + noise)).sum(dim=1)


@wrong("leave_out_or_share")
def a_gain_of_one(p, mean_square, sizes):
    """A read-out has the gain 1, and the loss is the interference."""
    cost = p * mean_square
    left, _ = _bills(cost, cost.sort(descending=True).values, sizes, cost)
    return left, _noise(cost, sizes).sum(dim=1)


@wrong("leave_out_or_share")
def one_gain_for_all(p, mean_square, sizes):
    """One gain serves all features."""
    cost = p * mean_square
    left, _ = _bills(cost, cost.sort(descending=True).values, sizes, cost)
    noise = _noise(cost, sizes).sum(dim=1)
    return left, cost.sum() * noise / (cost.sum() + noise)


@wrong("leave_out_or_share")
def the_feature_itself_interferes(p, mean_square, sizes):
    """Interference is the sum over all features."""
    cost = p * mean_square
    noise = cost.sum() / sizes[:, None]
    return _bills(cost, cost.sort(descending=True).values, sizes, noise)


@wrong("leave_out_or_share")
def overlap_is_the_root(p, mean_square, sizes):
    """Random directions overlap by one over the root of m, and that is what counts."""
    cost = p * mean_square
    noise = (cost.sum() - cost) / sizes[:, None].sqrt()
    return _bills(cost, cost.sort(descending=True).values, sizes, noise)


@wrong("leave_out_or_share")
def the_welch_bound_is_reached(p, mean_square, sizes):
    """Directions overlap as little as is possible."""
    cost, n = p * mean_square, len(p)
    noise = (cost.sum() - cost) * ((n - sizes) / (sizes * (n - 1)))[:, None]
    return _bills(cost, cost.sort(descending=True).values, sizes, noise)


@wrong("leave_out_or_share")
def all_are_equally_likely_to_interfere(p, mean_square, sizes):
    """The interference is the mean over the others, divided by m."""
    cost = p * mean_square
    noise = _noise(cost, sizes) / (len(p) - 1)
    return _bills(cost, cost.sort(descending=True).values, sizes, noise)


# --- law_with_floor ----------------------------------------------------------------------------


def _fit(sizes, loss, exponents, weight, lowest=0.0):
    """Floor (at least `lowest`), scale and error [n_curves, n_exponents], squares weighted."""
    power, weight = sizes ** -exponents[:, None], weight[:, None]
    pp, po = (weight * power**2).sum(-1), (weight * power).sum(-1)
    p, o = (weight * power * loss[:, None]).sum(-1), (weight * loss[:, None]).sum(-1)
    floor = (pp * o - po * p) / (pp * weight.sum(-1) - po**2)
    floor = floor.clamp(min=lowest)
    scale = (p - floor * po) / pp
    misses = scale[..., None] * power + floor[..., None] - loss[:, None]
    return floor, scale, (weight * misses**2).sum(-1)


def _chosen(exponents, error, scale, floor):
    best = error.argmin(dim=1, keepdim=True)
    return exponents[best[:, 0]], scale.gather(1, best)[:, 0], floor.gather(1, best)[:, 0]


@wrong("law_with_floor", keeps=5)
def plain_least_squares(sizes, loss, exponents):
    """Least squares of the loss."""
    floor, scale, error = _fit(sizes, loss, exponents, torch.ones_like(loss))
    return _chosen(exponents, error, scale, floor)


@wrong("law_with_floor", keeps=5)
def weights_of_the_first_power(sizes, loss, exponents):
    """A relative error divides the square by the loss once."""
    floor, scale, error = _fit(sizes, loss, exponents, 1 / loss)
    return _chosen(exponents, error, scale, floor)


@wrong("law_with_floor", keeps=5)
def relative_for_c_and_plain_for_alpha(sizes, loss, exponents):
    """The constants are fitted to relative errors, and exponents compared by plain ones."""
    floor, scale, _ = _fit(sizes, loss, exponents, loss**-2)
    misses = scale[..., None] * sizes ** -exponents[:, None] + floor[..., None] - loss[:, None]
    return _chosen(exponents, (misses**2).sum(-1), scale, floor)


@wrong("law_with_floor", keeps=14)
def a_floor_below_zero(sizes, loss, exponents):
    """The best floor is the best floor, whatever its sign."""
    floor, scale, error = _fit(sizes, loss, exponents, loss**-2, lowest=-1e9)
    return _chosen(exponents, error, scale, floor)


@wrong("law_with_floor", keeps=14)
def cut_off_at_the_end(sizes, loss, exponents):
    """A negative floor is set to 0, and all else stays."""
    floor, scale, error = _fit(sizes, loss, exponents, loss**-2, lowest=-1e9)
    return _chosen(exponents, error, scale, floor.clamp(min=0))


@wrong("law_with_floor", keeps=14)
def c_anew_and_the_exponent_as_it_was(sizes, loss, exponents):
    """With a floor of 0 the constant is fitted again, for the exponent that was found."""
    _, _, error = _fit(sizes, loss, exponents, loss**-2, lowest=-1e9)
    floor, scale, _ = _fit(sizes, loss, exponents, loss**-2)
    return _chosen(exponents, error, scale, floor)


@wrong("law_with_floor")
def no_floor_at_all(sizes, loss, exponents):
    """A power law is a straight line in logarithms."""
    x, y = sizes.log() - sizes.log().mean(), loss.log()
    slope = -(y @ x) / x.square().sum()
    alpha = exponents[(exponents - slope[:, None]).abs().argmin(dim=1)]
    scale = (y + alpha[:, None] * sizes.log()).mean(dim=1).exp()
    return alpha, scale, torch.zeros_like(scale)


@wrong("law_with_floor")
def the_last_loss_is_the_floor(sizes, loss, exponents):
    """The loss of the largest model is where it ends."""
    floor = loss.amin(dim=1, keepdim=True).expand(-1, len(exponents))
    power = sizes ** -exponents[:, None] / loss[:, None]
    rest = 1 - floor[..., None] / loss[:, None]
    scale = (power * rest).sum(-1) / power.square().sum(-1)
    error = (scale[..., None] * power - rest).square().sum(-1)
    return _chosen(exponents, error, scale, floor)


@wrong("law_with_floor")
def one_exponent_for_all_curves(sizes, loss, exponents):
    """The law is one, so all curves have the same exponent."""
    floor, scale, error = _fit(sizes, loss, exponents, loss**-2)
    return _chosen(exponents, error.sum(dim=0).expand_as(error), scale, floor)


@wrong("law_with_floor")
def the_straightest_line(sizes, loss, exponents):
    """The right floor is the one that makes log(L - f) straightest."""
    tried = torch.linspace(0, 0.999, 200).double() * loss.amin(dim=1, keepdim=True)
    x, y = sizes.log() - sizes.log().mean(), (loss[:, None] - tried[..., None]).log()
    y = y - y.mean(dim=-1, keepdim=True)
    slope = (y * x).sum(-1) / x.square().sum()
    r2 = slope.square() * x.square().sum() / y.square().sum(-1)
    best = r2.argmax(dim=1, keepdim=True)
    floor = tried.gather(1, best)[:, 0]
    alpha = -slope.gather(1, best)[:, 0]
    scale = ((loss - floor[:, None]).log() + alpha[:, None] * sizes.log()).mean(dim=1).exp()
    return exponents[(exponents - alpha[:, None]).abs().argmin(dim=1)], scale, floor


# --- count_of_order ----------------------------------------------------------------------------


def _shares(activity):
    return activity / activity.sum(dim=1, keepdim=True)


def _count(p, order):
    if order == 0:
        return (p > 0).sum(dim=1).float()
    if order == 1:
        return torch.special.entr(p).sum(dim=1).exp()
    if order == float("inf"):
        return 1 / p.amax(dim=1)
    return ((order * p.log()).logsumexp(dim=1) / (1 - order)).exp()


@wrong("count_of_order")
def always_the_entropy(activity, order):
    """Effective features are exp of the entropy, whatever the order."""
    return _count(_shares(activity), 1)


@wrong("count_of_order", keeps=4)
def the_formula_and_nothing_else(activity, order):
    """The formula holds for every order."""
    return (_shares(activity) ** order).sum(dim=1) ** (1 / (1 - order + 1e-30))


@wrong("count_of_order", keeps=7)
def the_limit_by_a_small_step(activity, order):
    """A limit is the value a little beside it."""
    p = _shares(activity)
    return _count(p, order) if order != 1 else _count(p, 1 + 1e-6)


@wrong("count_of_order", keeps=11)
def the_silent_count_at_order_zero(activity, order):
    """Anything to the power 0 is 1."""
    p = _shares(activity)
    return _count(p, order) if order else torch.full((len(p),), float(p.shape[1]))


@wrong("count_of_order")
def activities_for_shares(activity, order):
    """The activities are the shares."""
    return _count(activity, order)


@wrong("count_of_order")
def shares_of_all_instances(activity, order):
    """The shares of all instances together add up to 1."""
    return _count(activity / activity.sum(), order)


@wrong("count_of_order")
def shares_of_squares(activity, order):
    """What counts is the energy."""
    return _count(_shares(activity.square()), order)


@wrong("count_of_order")
def the_norm_of_the_shares(activity, order):
    """The root belongs to the power: the q-norm, and one over it."""
    p = _shares(activity)
    return _count(p, order) if order in (0, 1, float("inf")) else 1 / p.norm(p=order, dim=1)


@wrong("count_of_order")
def an_entropy_for_a_count(activity, order):
    """The entropy of order q is the count."""
    return _count(_shares(activity), order).log()


@wrong("count_of_order", keeps=12)
def powers_that_vanish(activity, order):
    """A power of a share is a number like any other."""
    p = _shares(activity)
    if order in (0, 1, float("inf")):
        return _count(p, order)
    return (p**order).sum(dim=1) ** (1 / (1 - order))


@wrong("count_of_order", keeps=12)
def a_high_order_is_infinity(activity, order):
    """Beyond 100 there is no difference."""
    return _count(_shares(activity), order if order < 100 else float("inf"))


@wrong("count_of_order", keeps=11)
def a_total_without_a_gradient(activity, order):
    """The total is a constant that only sets the scale."""
    return _count(activity / activity.sum(dim=1, keepdim=True).detach(), order)


@wrong("count_of_order", keeps=11)
def units_that_are_too_small(activity, order):
    """A latent of less than a millionth is silent, whatever the units."""
    return _count(_shares(activity.where(activity > 1e-6, 0)), order)


# --- take_out ----------------------------------------------------------------------------------


def _trace(x, winners):
    cells = torch.nn.functional.one_hot(winners).flatten(1).float()
    return (x[:, :, None] * cells[:, None]).flatten(1)


def _own(trace):
    return (trace * (trace.sum(dim=0) == 1)).sum(dim=1) / trace.sum(dim=1)


@wrong("take_out", keeps=8)
def a_share_of_the_item_that_goes(x, winners):
    """The share is of the trace that is switched off."""
    trace = _trace(x, winners)
    return trace @ trace.T / trace.sum(dim=1, keepdim=True), _own(trace)


@wrong("take_out")
def what_the_others_share_added_up(x, winners):
    """What an item owns is what is left when all shared parts are taken off."""
    trace = _trace(x, winners)
    harm = trace @ trace.T / trace.sum(dim=1)
    return harm, (2 - harm.sum(dim=0)).clamp(min=0)


@wrong("take_out")
def all_but_the_nearest_share(x, winners):
    """Only the item that shares most takes anything from what one owns."""
    trace = _trace(x, winners)
    harm = trace @ trace.T / trace.sum(dim=1)
    return harm, 1 - (harm - 2 * torch.eye(len(x))).amax(dim=0)


@wrong("take_out")
def new_weights_are_own_weights(x, winners):
    """An item owns the weights that were off before it was stored."""
    trace = _trace(x, winners)
    before = trace.cumsum(dim=0) - trace
    harm = trace @ trace.T / trace.sum(dim=1)
    return harm, (trace * (before == 0)).sum(dim=1) / trace.sum(dim=1)


@wrong("take_out")
def shared_inputs_alone(x, winners):
    """Items share what their inputs share."""
    return x @ x.T / x.sum(dim=1), _own(_trace(x, winners))


@wrong("take_out")
def shared_winners_alone(x, winners):
    """Items share what their codes share."""
    same = (winners[:, None] == winners).float().mean(dim=2)
    return same, _own(_trace(x, winners))


@wrong("take_out")
def cells_of_all_modules_are_one(x, winners):
    """A cell is known by its number."""
    cells = torch.nn.functional.one_hot(winners).amax(dim=1).float()
    trace = (x[:, :, None] * cells[:, None]).flatten(1)
    return trace @ trace.T / trace.sum(dim=1), _own(trace)


@wrong("take_out")
def numbers_for_shares(x, winners):
    """The number of weights says how much is lost."""
    trace = _trace(x, winners)
    return trace @ trace.T, (trace * (trace.sum(dim=0) == 1)).sum(dim=1)


@wrong("take_out", keeps=12)
def the_same_item_is_the_same(x, winners):
    """An item that was stored twice is one item, and does not disturb itself."""
    trace = _trace(x, winners)
    others = trace.unique(dim=0).sum(dim=0)
    own = (trace * (others == 1)).sum(dim=1) / trace.sum(dim=1)
    return trace @ trace.T / trace.sum(dim=1), own


@wrong("take_out", keeps=12)
def inputs_for_modules(x, winners):
    """Where there are as many inputs as modules, each input has a module."""
    trace = _trace(x, winners)
    if x.shape == winners.shape:
        cells = torch.nn.functional.one_hot(winners).float()
        trace = (x[..., None] * cells).flatten(1)
    return trace @ trace.T / trace.sum(dim=1), _own(trace)


# --- my_numbers: what a student makes of their world -------------------------------------------


def _ratio(covariance):
    return (covariance.trace().square() / covariance.square().sum()).item()


def _numbers(W, p):
    mean, length = p @ W, W.norm(dim=1)
    covariance = W.T @ (4 / 3 * p[:, None] * W) - torch.outer(mean, mean)
    shares = p * length / (p * length).sum()
    cost = (p * length.square()).sort(descending=True).values
    stored = (cost.cumsum(dim=0) < 0.9 * cost.sum()).sum().item() + 1
    ratio = covariance.trace().square() / covariance.square().sum()
    return ratio.item(), torch.special.entr(shares).sum().exp().item(), stored


@wrong("my_numbers", keeps=9)
def the_mean_stays(my_W, my_p):
    """The participation ratio is of the mean square, with no mean subtracted."""
    _, features, stored = _numbers(my_W, my_p)
    return _ratio(my_W.T @ (my_p[:, None] * my_W)), features, stored


@wrong("my_numbers", keeps=9)
def features_are_independent(my_W, my_p):
    """Features come and go independently, and each has a variance of its own."""
    _, features, stored = _numbers(my_W, my_p)
    variance = 4 / 3 * my_p - my_p.square()
    return _ratio(my_W.T @ (variance[:, None] * my_W)), features, stored


@wrong("my_numbers", keeps=9)
def magnitudes_without_a_spread(my_W, my_p):
    """The magnitude is 1 on average, so it is 1."""
    _, features, stored = _numbers(my_W, my_p)
    mean = my_p @ my_W
    return _ratio(my_W.T @ (my_p[:, None] * my_W) - torch.outer(mean, mean)), features, stored


@wrong("my_numbers", keeps=9)
def singular_values_for_eigenvalues(my_W, my_p):
    """The spectrum is that of the standard deviations."""
    _, features, stored = _numbers(my_W, my_p)
    mean = my_p @ my_W
    covariance = my_W.T @ (4 / 3 * my_p[:, None] * my_W) - torch.outer(mean, mean)
    roots = torch.linalg.eigvalsh(covariance).clamp(min=0).sqrt()
    return (roots.sum().square() / roots.square().sum()).item(), features, stored


@wrong("my_numbers", keeps=10)
def shares_of_the_probabilities(my_W, my_p):
    """A latent counts as often as its feature comes."""
    ratio, _, stored = _numbers(my_W, my_p)
    return ratio, torch.special.entr(my_p).sum().exp().item(), stored


@wrong("my_numbers", keeps=10)
def all_features_are_effective(my_W, my_p):
    """There are 40 features, and a perfect autoencoder finds 40."""
    ratio, _, stored = _numbers(my_W, my_p)
    return ratio, 40.0, stored


@wrong("my_numbers", keeps=11)
def one_feature_short(my_W, my_p):
    """The number at which a tenth is still missing is enough."""
    ratio, features, stored = _numbers(my_W, my_p)
    return ratio, features, stored - 1


@wrong("my_numbers", keeps=11)
def the_frequent_are_kept(my_W, my_p):
    """The most frequent features are stored first."""
    ratio, features, _ = _numbers(my_W, my_p)
    cost = (my_p * my_W.norm(dim=1).square())[my_p.argsort(descending=True)]
    return ratio, features, (cost.cumsum(dim=0) < 0.9 * cost.sum()).sum().item() + 1


@wrong("my_numbers", keeps=11)
def frequency_is_what_is_lost(my_W, my_p):
    """To lose a tenth is to leave out features that come in a tenth of all inputs."""
    ratio, features, _ = _numbers(my_W, my_p)
    often = my_p.sort(descending=True).values
    return ratio, features, (often.cumsum(dim=0) < 0.9).sum().item() + 1


@wrong("my_numbers", keeps=9)
def all_dimensions_are_filled(my_W, my_p):
    """Forty features in 12 dimensions fill them all."""
    _, features, stored = _numbers(my_W, my_p)
    return 12.0, features, stored
