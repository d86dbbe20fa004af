"""Answers to problem set 6 that lose points; each docstring names the misconception.

`keeps` is what the answer is still worth: the points of the cases in which it makes no difference.
"""

import math

import torch
from torch.nn import functional as F

from tests.grading.registry import registry

WRONG, wrong = registry()


# --- exchange ----------------------------------------------------------------------------------


def _gap(base, source, at_base, at_source):
    rows = torch.arange(len(base))
    return rows, source[rows, at_source] - base[rows, at_base]


@wrong("exchange", keeps=4)
def rows_are_a_projection(base, source, V, at_base, at_source):
    """V^T V projects on the rows of V."""
    rows, gap = _gap(base, source, at_base, at_source)
    return base.index_put((rows, at_base), gap @ V.T @ V, accumulate=True)


@wrong("exchange", keeps=4)
def rows_of_length_one(base, source, V, at_base, at_source):
    """It is enough to make the rows as long as 1."""
    rows, gap = _gap(base, source, at_base, at_source)
    unit = F.normalize(V, dim=1)
    return base.index_put((rows, at_base), gap @ unit.T @ unit, accumulate=True)


@wrong("exchange", keeps=12)
def rows_are_independent(base, source, V, at_base, at_source):
    """A QR decomposition gives a basis of whatever the rows span."""
    rows, gap = _gap(base, source, at_base, at_source)
    basis = torch.linalg.qr(V.T)[0]
    return base.index_put((rows, at_base), gap @ basis @ basis.T, accumulate=True)


@wrong("exchange", keeps=11)
def directions_are_constants(base, source, V, at_base, at_source):
    """A search over directions needs no gradient through the projection."""
    rows, gap = _gap(base, source, at_base, at_source)
    P = torch.linalg.pinv(V.detach()) @ V.detach()
    return base.index_put((rows, at_base), gap @ P, accumulate=True)


@wrong("exchange", keeps=11)
def written_into_the_base(base, source, V, at_base, at_source):
    """A patch may be written into the run it is for."""
    rows, gap = _gap(base, source, at_base, at_source)
    base[rows, at_base] += gap @ torch.linalg.pinv(V) @ V
    return base


@wrong("exchange", keeps=11)
def the_source_is_a_constant(base, source, V, at_base, at_source):
    """What comes from another run has no gradient."""
    rows, gap = _gap(base, source.detach(), at_base, at_source)
    return base.index_put((rows, at_base), gap @ torch.linalg.pinv(V) @ V, accumulate=True)


@wrong("exchange")
def one_place_for_both(base, source, V, at_base, at_source):
    """The token stands at the same place in both prompts."""
    rows, gap = _gap(base, source, at_base, at_base)
    return base.index_put((rows, at_base), gap @ torch.linalg.pinv(V) @ V, accumulate=True)


@wrong("exchange")
def one_place_for_all_rows(base, source, V, at_base, at_source):
    """The last token is the one to patch, in every prompt."""
    rows, gap = _gap(base, source, at_base, at_source)
    last = torch.full_like(at_base, base.shape[1] - 1)
    return base.index_put((rows, last), gap @ torch.linalg.pinv(V) @ V, accumulate=True)


@wrong("exchange")
def own_part_stays(base, source, V, at_base, at_source):
    """The source's part is added; the base's own part need not be taken away."""
    rows = torch.arange(len(base))
    part = source[rows, at_source] @ torch.linalg.pinv(V) @ V
    return base.index_put((rows, at_base), part, accumulate=True)


@wrong("exchange")
def the_whole_activation(base, source, V, at_base, at_source):
    """The whole activation is exchanged."""
    rows, gap = _gap(base, source, at_base, at_source)
    return base.index_put((rows, at_base), gap + 0 * V.sum(), accumulate=True)


@wrong("exchange")
def all_but_the_span(base, source, V, at_base, at_source):
    """The rows say what stays, and the rest is exchanged."""
    rows, gap = _gap(base, source, at_base, at_source)
    part = gap - gap @ torch.linalg.pinv(V) @ V
    return base.index_put((rows, at_base), part, accumulate=True)


# --- strongest_patch ---------------------------------------------------------------------------


def _units(base, source, w_out):
    moves, reads = F.normalize((source - base).mean(dim=0), dim=0), F.normalize(w_out, dim=0)
    return moves, reads, moves @ reads


@wrong("strongest_patch")
def what_is_read(base, source, w_out):
    """The best direction is the one that is read."""
    _, reads, cosine = _units(base, source, w_out)
    return reads, torch.ones_like(cosine), torch.zeros_like(cosine)


@wrong("strongest_patch")
def what_moves(base, source, w_out):
    """The best direction is the one along which the pairs differ."""
    moves, _, cosine = _units(base, source, w_out)
    return cosine.sign() * moves, torch.ones_like(cosine), 1 - cosine.square()


@wrong("strongest_patch", keeps=5)
def lengths_count(base, source, w_out):
    """The two vectors are added as they are."""
    change = (source - base).mean(dim=0)
    _, _, cosine = _units(base, source, w_out)
    v = F.normalize(w_out + cosine.sign() * change, dim=0)
    return v, (v @ change) * (v @ w_out) / (change @ w_out), 1 - cosine.abs()


@wrong("strongest_patch", keeps=10)
def outputs_always_rise(base, source, w_out):
    """The source's output is the higher one."""
    moves, reads, cosine = _units(base, source, w_out)
    return F.normalize(moves + reads, dim=0), (1 + 1 / cosine) / 2, 1 - cosine


@wrong("strongest_patch", keeps=5)
def nothing_beats_everything(base, source, w_out):
    """A part cannot recover more than the whole, so that the number is cut off at 1."""
    moves, reads, cosine = _units(base, source, w_out)
    v = F.normalize(reads + cosine.sign() * moves, dim=0)
    return v, ((1 + 1 / cosine.abs()) / 2).clamp(max=1), 1 - cosine.abs()


@wrong("strongest_patch", keeps=10)
def made_of_is_read_off(base, source, w_out):
    """The null-space part's share is that of its squared length."""
    moves, reads, cosine = _units(base, source, w_out)
    v = F.normalize(reads + cosine.sign() * moves, dim=0)
    return v, (1 + 1 / cosine.abs()) / 2, (1 - cosine.abs()) / 2


@wrong("strongest_patch", keeps=10)
def the_share_that_is_seen(base, source, w_out):
    """The share is that of the part that the read-out sees."""
    moves, reads, cosine = _units(base, source, w_out)
    v = F.normalize(reads + cosine.sign() * moves, dim=0)
    return v, (1 + 1 / cosine.abs()) / 2, cosine.abs()


@wrong("strongest_patch", keeps=5)
def mean_of_ratios(base, source, w_out):
    """What a patch recovers is the mean over pairs of each pair's ratio."""
    moves, reads, cosine = _units(base, source, w_out)
    v = F.normalize(reads + cosine.sign() * moves, dim=0)
    change = source - base
    return v, ((change @ v) * (v @ w_out) / (change @ w_out)).mean(), 1 - cosine.abs()


@wrong("strongest_patch", keeps=5)
def either_sign(base, source, w_out):
    """v and -v are the same patch, so that any of the two will do."""
    moves, reads, cosine = _units(base, source, w_out)
    v = -F.normalize(reads + cosine.sign() * moves, dim=0)
    return v, (1 + 1 / cosine.abs()) / 2, 1 - cosine.abs()


@wrong("strongest_patch", keeps=5)
def the_product_alone(base, source, w_out):
    """Recovered is what moves times what is read; no gap divides it."""
    moves, reads, cosine = _units(base, source, w_out)
    v = F.normalize(reads + cosine.sign() * moves, dim=0)
    return v, (1 + cosine.abs()) / 2, 1 - cosine.abs()


@wrong("strongest_patch", keeps=5)
def the_direction_of_each_pair(base, source, w_out):
    """Each pair's difference is a direction, and all of them count the same."""
    moves = F.normalize(F.normalize(source - base, dim=1).mean(dim=0), dim=0)
    _, reads, cosine = _units(base, source, w_out)
    v = F.normalize(reads + cosine.sign() * moves, dim=0)
    return v, (1 + 1 / cosine.abs()) / 2, 1 - cosine.abs()


# --- margin ------------------------------------------------------------------------------------


def _odds(x, W_U, positive, negative):
    logits = x @ W_U.T
    return logits[..., positive].logsumexp(dim=-1) - logits[..., negative].logsumexp(dim=-1)


def _effects(h, W_U, positive, negative, v, randoms):
    pushes = torch.cat([v[None], v.norm() * F.normalize(randoms, dim=1)])
    odds = _odds(h + pushes[:, None], W_U, positive, negative)
    return odds - _odds(h, W_U, positive, negative)


def _ends(margins):
    return margins.quantile(torch.tensor([0.025, 0.975]))


@wrong("margin", keeps=5)
def as_long_as_they_are(h, W_U, positive, negative, v, randoms, resamples):
    """A random direction is random whatever its length."""
    pushes = torch.cat([v[None], randoms])
    effect = _odds(h + pushes[:, None], W_U, positive, negative)
    effect = effect - _odds(h, W_U, positive, negative)
    drawn, mean = effect[:, resamples].mean(dim=2), effect.mean(dim=1)
    return mean[0] - mean[1:].abs().mean(), *_ends(drawn[0] - drawn[1:].abs().mean(dim=0))


@wrong("margin", keeps=5)
def directions_of_norm_one(h, W_U, positive, negative, v, randoms, resamples):
    """Random directions of other lengths are made as long as the first."""
    pushes = torch.cat([v[None], randoms[0].norm() * F.normalize(randoms, dim=1)])
    effect = _odds(h + pushes[:, None], W_U, positive, negative)
    effect = effect - _odds(h, W_U, positive, negative)
    drawn, mean = effect[:, resamples].mean(dim=2), effect.mean(dim=1)
    return mean[0] - mean[1:].abs().mean(), *_ends(drawn[0] - drawn[1:].abs().mean(dim=0))


@wrong("margin")
def randoms_cancel(h, W_U, positive, negative, v, randoms, resamples):
    """The baseline is the mean effect of random directions, whatever its sign."""
    effect = _effects(h, W_U, positive, negative, v, randoms)
    drawn, mean = effect[:, resamples].mean(dim=2), effect.mean(dim=1)
    return mean[0] - mean[1:].mean(), *_ends(drawn[0] - drawn[1:].mean(dim=0))


@wrong("margin", keeps=3)
def size_in_each_context(h, W_U, positive, negative, v, randoms, resamples):
    """The size is taken of each effect, before the mean over contexts."""
    effect = _effects(h, W_U, positive, negative, v, randoms)
    effect = torch.cat([effect[:1], effect[1:].abs()])
    drawn, mean = effect[:, resamples].mean(dim=2), effect.mean(dim=1)
    return mean[0] - mean[1:].mean(), *_ends(drawn[0] - drawn[1:].mean(dim=0))


@wrong("margin", keeps=14)
def the_size_of_the_vector(h, W_U, positive, negative, v, randoms, resamples):
    """A vector that does much, does much; the sign is a matter of use."""
    effect = _effects(h, W_U, positive, negative, v, randoms)
    drawn, mean = effect[:, resamples].mean(dim=2).abs(), effect.mean(dim=1).abs()
    return mean[0] - mean[1:].mean(), *_ends(drawn[0] - drawn[1:].mean(dim=0))


@wrong("margin", keeps=3)
def resampled_apart(h, W_U, positive, negative, v, randoms, resamples):
    """The baseline is a fixed number; only the vector's effect is resampled."""
    effect = _effects(h, W_U, positive, negative, v, randoms)
    mean = effect.mean(dim=1)
    low, high = _ends(effect[0, resamples].mean(dim=1))
    base = mean[1:].abs().mean()
    return mean[0] - base, low - base, high - base


@wrong("margin", keeps=3)
def a_spread_of_contexts(h, W_U, positive, negative, v, randoms, resamples):
    """The interval holds most of the contexts."""
    effect = _effects(h, W_U, positive, negative, v, randoms)
    mean = effect.mean(dim=1)
    base = mean[1:].abs().mean()
    low, high = _ends(effect[0] - base)
    return mean[0] - base, low, high


@wrong("margin", keeps=3)
def ninety_percent(h, W_U, positive, negative, v, randoms, resamples):
    """95 % means that 5 % are cut off on either side."""
    effect = _effects(h, W_U, positive, negative, v, randoms)
    drawn, mean = effect[:, resamples].mean(dim=2), effect.mean(dim=1)
    margins = drawn[0] - drawn[1:].abs().mean(dim=0)
    low, high = margins.quantile(torch.tensor([0.05, 0.95]))
    return mean[0] - mean[1:].abs().mean(), low, high


@wrong("margin", keeps=3)
def mean_logits(h, W_U, positive, negative, v, randoms, resamples):
    """A side's logit is the mean of its words' logits."""
    read = W_U[positive].mean(dim=0) - W_U[negative].mean(dim=0)
    pushes = torch.cat([v[None], v.norm() * F.normalize(randoms, dim=1)])
    effect = (pushes @ read)[:, None].expand(-1, len(h))
    drawn, mean = effect[:, resamples].mean(dim=2), effect.mean(dim=1)
    return mean[0] - mean[1:].abs().mean(), *_ends(drawn[0] - drawn[1:].abs().mean(dim=0))


@wrong("margin")
def gain_for_odds(h, W_U, positive, negative, v, randoms, resamples):
    """The effect is how much likelier the positive words became."""
    pushes = torch.cat([v[None], v.norm() * F.normalize(randoms, dim=1)])
    p = ((x @ W_U.T).log_softmax(dim=-1)[..., positive] for x in (h + pushes[:, None], h))
    after, before = (told.logsumexp(dim=-1) for told in p)
    drawn, mean = (after - before)[:, resamples].mean(dim=2), (after - before).mean(dim=1)
    return mean[0] - mean[1:].abs().mean(), *_ends(drawn[0] - drawn[1:].abs().mean(dim=0))


@wrong("margin", keeps=3)
def the_best_random_direction(h, W_U, positive, negative, v, randoms, resamples):
    """The loudest random direction is the baseline."""
    effect = _effects(h, W_U, positive, negative, v, randoms)
    drawn, mean = effect[:, resamples].mean(dim=2), effect.mean(dim=1)
    return mean[0] - mean[1:].abs().amax(), *_ends(drawn[0] - drawn[1:].abs().amax(dim=0))


# --- corrected ---------------------------------------------------------------------------------


def _p(won, chance, least=0):
    n = won.shape[-1]
    return torch.tensor(
        [
            sum(
                math.comb(n, j) * chance**j * (1 - chance) ** (n - j)
                for j in range(k + least, n + 1)
            )
            for k in won.sum(dim=-1).flatten().tolist()
        ]
    ).double()


def _holm(p):
    p, order = p.sort()
    found = (torch.arange(len(p), 0, -1) * p).cummax(dim=0).values.clamp(max=1)
    return torch.zeros_like(p).scatter(0, order, found)


@wrong("corrected")
def no_correction(won, chance):
    """A p-value is a p-value, however many there are."""
    return _p(won, chance).view(won.shape[:-1])


@wrong("corrected")
def bonferroni(won, chance):
    """Every p-value is multiplied by the number of cells."""
    p = _p(won, chance)
    return (len(p) * p).clamp(max=1).view(won.shape[:-1])


@wrong("corrected")
def false_discoveries(won, chance):
    """Benjamini and Hochberg's correction is the one for many cells."""
    p, order = _p(won, chance).sort()
    found = (len(p) / torch.arange(1, len(p) + 1) * p).flip(0).cummin(dim=0).values.flip(0)
    return torch.zeros_like(p).scatter(0, order, found).view(won.shape[:-1])


@wrong("corrected")
def more_than_were_won(won, chance):
    """The p-value is the chance of more wins than were seen."""
    return _holm(_p(won, chance, least=1)).view(won.shape[:-1])


@wrong("corrected")
def sides_of_the_coin(won, chance):
    """A test has two sides, so that p-values are doubled."""
    return _holm((2 * _p(won, chance)).clamp(max=1)).view(won.shape[:-1])


@wrong("corrected", keeps=5)
def a_fair_coin(won, chance):
    """By chance a context is won half of the time."""
    return _holm(_p(won, 0.5)).view(won.shape[:-1])


@wrong("corrected", keeps=5)
def no_running_maximum(won, chance):
    """Each p-value is multiplied by its own number, and that is all."""
    p, order = _p(won, chance).sort()
    found = (torch.arange(len(p), 0, -1) * p).clamp(max=1)
    return torch.zeros_like(p).scatter(0, order, found).view(won.shape[:-1])


@wrong("corrected", keeps=5)
def running_minimum_from_the_top(won, chance):
    """No value may be above one that comes after it (Hochberg's way)."""
    p, order = _p(won, chance).sort()
    found = (torch.arange(len(p), 0, -1) * p).flip(0).cummin(dim=0).values.flip(0)
    return torch.zeros_like(p).scatter(0, order, found).view(won.shape[:-1])


@wrong("corrected")
def one_factor_too_small(won, chance):
    """The smallest is multiplied by the number of the others."""
    p, order = _p(won, chance).sort()
    found = (torch.arange(len(p) - 1, -1, -1) * p).cummax(dim=0).values.clamp(max=1)
    return torch.zeros_like(p).scatter(0, order, found).view(won.shape[:-1])


@wrong("corrected")
def in_their_order(won, chance):
    """The corrected values come sorted."""
    return _holm(_p(won, chance)).sort().values.view(won.shape[:-1])


@wrong("corrected", keeps=5)
def row_by_row(won, chance):
    """Each layer is a family of its own."""
    if won.ndim == 2:
        return _holm(_p(won, chance))
    return torch.stack([row_by_row(part, chance) for part in won])


@wrong("corrected")
def normal_tail(won, chance):
    """A share is normal, with the standard error of the chance."""
    n, share = won.shape[-1], won.double().mean(dim=-1)
    z = (share - chance) / (chance * (1 - chance) / n) ** 0.5
    p = 0.5 * torch.erfc(z / 2**0.5)
    return _holm(p.flatten()).view(won.shape[:-1])


# --- my_numbers: what a student makes of their world -------------------------------------------


def _cost(W_U, other, push):
    p, q = ((x @ W_U.T).log_softmax(dim=-1) for x in (other, other + push))
    return (p.exp() * (p - q)).sum(dim=-1).mean().item()


def _strength(cost, v):
    low, high = 0.0, 100.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if cost(middle * v) > 0.5 else (middle, high)
    return high


def _gain(W_U, h, push):
    before, after = (_odds(x, W_U, [0, 1, 2], [3, 4, 5]) for x in (h, h + push))
    return (after - before).mean().item()


def _numbers(h, y, W_U, latent, cost):
    """Difference of means and the four numbers, given what a push costs."""
    means = h[y].mean(dim=0) - h[~y].mean(dim=0)
    exact, own = _strength(cost, means), _strength(cost, latent)
    by_law = 0.05 * (0.5 / cost(0.05 * means)) ** 0.5
    gains = [_gain(W_U, h[~y], push) for push in (exact * means, own * latent)]
    return means, exact, by_law, *gains


@wrong("my_numbers", keeps=3)
def divergence_turned_round(my_h, my_y, my_other, my_W_U, my_latent):
    """The KL goes from the steered prediction to the plain one."""

    def cost(push):
        return _cost(my_W_U, my_other + push, -push)

    def right(push):
        return _cost(my_W_U, my_other, push)

    _, exact, _, *gains = _numbers(my_h, my_y, my_W_U, my_latent, cost)
    return exact, _numbers(my_h, my_y, my_W_U, my_latent, right)[2], *gains


@wrong("my_numbers")
def cost_where_it_acts(my_h, my_y, my_other, my_W_U, my_latent):
    """The cost is measured on the contexts that are steered."""
    return _numbers(my_h, my_y, my_W_U, my_latent, lambda push: _cost(my_W_U, my_h[~my_y], push))[
        1:
    ]


@wrong("my_numbers")
def the_budget_is_a_sum(my_h, my_y, my_other, my_W_U, my_latent):
    """All contexts together may cost half a nat."""
    n = len(my_other)
    return _numbers(my_h, my_y, my_W_U, my_latent, lambda push: n * _cost(my_W_U, my_other, push))[
        1:
    ]


@wrong("my_numbers", keeps=12)
def the_law_is_linear(my_h, my_y, my_other, my_W_U, my_latent):
    """Ten times the cost, ten times the strength."""

    def cost(push):
        return _cost(my_W_U, my_other, push)

    means, exact, _, *gains = _numbers(my_h, my_y, my_W_U, my_latent, cost)
    return exact, 0.05 * 0.5 / cost(0.05 * means), *gains


@wrong("my_numbers", keeps=12)
def the_law_holds(my_h, my_y, my_other, my_W_U, my_latent):
    """The cost goes with the square at any strength, so that both strengths are the same."""
    _, exact, _, *gains = _numbers(
        my_h, my_y, my_W_U, my_latent, lambda push: _cost(my_W_U, my_other, push)
    )
    return exact, exact, *gains


def _latent_at(scale, h, y, other, W_U, latent):
    """The numbers, with the latent added at so many times the strength of the means."""
    means, exact, by_law, gain, _ = _numbers(
        h, y, W_U, latent, lambda push: _cost(W_U, other, push)
    )
    return exact, by_law, gain, _gain(W_U, h[~y], scale(means) * exact * latent)


@wrong("my_numbers", keeps=11)
def at_equal_strength(my_h, my_y, my_other, my_W_U, my_latent):
    """Both are added at the strength of the means."""
    return _latent_at(lambda means: 1, my_h, my_y, my_other, my_W_U, my_latent)


@wrong("my_numbers", keeps=11)
def at_equal_norm(my_h, my_y, my_other, my_W_U, my_latent):
    """Vectors of equal norm are compared fairly."""
    return _latent_at(lambda means: means.norm(), my_h, my_y, my_other, my_W_U, my_latent)


@wrong("my_numbers", keeps=7)
def gained_in_all_contexts(my_h, my_y, my_other, my_W_U, my_latent):
    """The gain is the mean over contexts of both classes."""

    def cost(push):
        return _cost(my_W_U, my_other, push)

    means, exact, by_law, *_ = _numbers(my_h, my_y, my_W_U, my_latent, cost)
    pushes = exact * means, _strength(cost, my_latent) * my_latent
    return exact, by_law, *(_gain(my_W_U, my_h, push) for push in pushes)


@wrong("my_numbers", keeps=7)
def gain_of_the_mean_context(my_h, my_y, my_other, my_W_U, my_latent):
    """The gain at the mean of the contexts is the mean of the gains."""

    def cost(push):
        return _cost(my_W_U, my_other, push)

    means, exact, by_law, *_ = _numbers(my_h, my_y, my_W_U, my_latent, cost)
    middle = my_h[~my_y].mean(dim=0, keepdim=True)
    pushes = exact * means, _strength(cost, my_latent) * my_latent
    return exact, by_law, *(_gain(my_W_U, middle, push) for push in pushes)


@wrong("my_numbers")
def bits(my_h, my_y, my_other, my_W_U, my_latent):
    """Half a nat is half a bit."""
    return _numbers(
        my_h, my_y, my_W_U, my_latent, lambda push: _cost(my_W_U, my_other, push) / math.log(2)
    )[1:]
