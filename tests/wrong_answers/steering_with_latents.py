"""Answers that a student could hand in, and that the checks must reject with a word that helps.

Each docstring names the misconception; `says` must stand in the feedback.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class WrongAnswer:
    answer: Callable[..., Any]
    says: str

    @property
    def name(self) -> str:
        return self.answer.__name__


WRONG: dict[str, list[WrongAnswer]] = {}


def wrong(exercise: str, says: str) -> Callable:
    def register(answer: Callable) -> Callable:
        WRONG.setdefault(f"steering_with_latents.{exercise}", []).append(WrongAnswer(answer, says))
        return answer

    return register


# --- precision_at_top --------------------------------------------------------------------------


def _score(values, present, n):
    hits = present[values.argsort(descending=True)[:n]].sum()
    return hits / n, hits / present.sum()


@wrong("precision_at_top", says="silent ones too")
def share_of_all_tokens(values, present, share):
    """A quantile is a quantile of everything."""
    return _score(values, present, math.ceil(share * len(values)))


@wrong("precision_at_top", says="above a share of the largest")
def share_of_the_largest(values, present, share):
    """The share is a threshold."""
    chosen = values >= share * values.max()
    hits = (chosen & present).sum()
    return hits / chosen.sum(), hits / present.sum()


@wrong("precision_at_top", says="above (1 - share) of the largest")
def share_below_the_largest(values, present, share):
    """The strongest tenth are those within a tenth of the largest."""
    chosen = values > (1 - share) * values.max()
    hits = (chosen & present).sum()
    return hits / chosen.sum(), hits / present.sum()


@wrong("precision_at_top", says="changed places")
def recall_first(values, present, share):
    """Recall, then precision."""
    return _score(values, present, math.ceil(share * (values > 0).sum()))[::-1]


@wrong("precision_at_top", says="those tokens alone at which the latent fires")
def recall_where_it_fires(values, present, share):
    """Silent tokens do not count, so that they are left out first."""
    fires = values > 0
    return _score(values[fires], present[fires], math.ceil(share * fires.sum()))


@wrong("precision_at_top", says="counting gives")
def weakest_first(values, present, share):
    """`sort` puts the strongest first."""
    fires = values > 0
    n = math.ceil(share * fires.sum())
    hits = present[fires][values[fires].argsort()[:n]].sum()
    return hits / n, hits / present.sum()


@wrong("precision_at_top", says="rounded down")
def rounded_down(values, present, share):
    """`int` will do."""
    n = int(share * (values > 0).sum())
    hits = present[values.argsort(descending=True)[:n]].sum()
    return hits / max(n, 1), hits / present.sum()


@wrong("precision_at_top", says="counting gives")
def in_the_order_of_the_text(values, present, share):
    """The first firings are the top ones."""
    places = (values > 0).nonzero()[:, 0]
    chosen = places[: math.ceil(share * len(places))]
    hits = present[chosen].sum()
    return hits / len(chosen), hits / present.sum() + 1e-3


@wrong("precision_at_top", says="two numbers are needed")
def precision_alone(values, present, share):
    """Precision is the question."""
    return _score(values, present, math.ceil(share * (values > 0).sum()))[0]


# --- latent_of_two -----------------------------------------------------------------------------


def _levels(x, level):
    ones = torch.cat([x, torch.ones(len(x), 1)], 1)
    return torch.linalg.lstsq(ones, level[:, None]).solution[:, 0]


@wrong("latent_of_two", says="or the label is no mistake")
def a_latent_of_drinks(x, drink, other):
    """Ten drinks at the top are found with a direction of drinks."""
    fit = _levels(x, drink.float())
    return fit[:-1], fit[-1] - 0.5


@wrong("latent_of_two", says="would not call it that")
def a_latent_of_the_others(x, drink, other):
    """It has to fire on the others, so it is theirs."""
    fit = _levels(x, other.float())
    return fit[:-1], fit[-1] - 0.5


@wrong("latent_of_two", says="would not call it that")
def both_alike(x, drink, other):
    """A latent of both concepts has both at the same height."""
    fit = _levels(x, drink.float() + other.float())
    return fit[:-1], fit[-1] - 0.5


@wrong("latent_of_two", says="nearly everywhere")
def without_a_threshold(x, drink, other):
    """The direction is what counts; the bias is small."""
    fit = _levels(x, 2 * drink.float() + other.float())
    return fit[:-1], fit[-1] + 0.5


@wrong("latent_of_two", says="or the label is no mistake")
def a_threshold_above_the_others(x, drink, other):
    """A bias that keeps the strong firings and drops the weak ones."""
    fit = _levels(x, 2 * drink.float() + other.float())
    return fit[:-1], fit[-1] - 1.5


@wrong("latent_of_two", says="ten firings are needed")
def never_fires(x, drink, other):
    """The sign of the bias: it is subtracted anyway."""
    return torch.zeros(x.shape[1]), torch.tensor(-1.0)


@wrong("latent_of_two", says="would not call it that")
def others_above_drinks(x, drink, other):
    """Drinks at 1, the others at 2."""
    fit = _levels(x, drink.float() + 2 * other.float())
    return fit[:-1], fit[-1] - 0.5


@wrong("latent_of_two", says="must return two things")
def activations_instead_of_a_latent(x, drink, other):
    """The activations are asked for."""
    return 2 * drink.float() + other.float()


# --- even_dose ---------------------------------------------------------------------------------


def _parts(log_p, effect, a, b):
    return log_p[:, a] - log_p[:, b], effect[a] - effect[b]


@wrong("even_dose", says="not where it ends")
def how_far_to_move(log_p, z, effect, a, b):
    """The dose is what is added."""
    lead, gap = _parts(log_p, effect, a, b)
    return -lead / gap


@wrong("even_dose", says="the other way")
def wrong_sign(log_p, z, effect, a, b):
    """The lead of a, divided by the effect."""
    lead, gap = _parts(log_p, effect, a, b)
    return z + lead / gap


@wrong("even_dose", says="the other word moves, too")
def first_word_alone(log_p, z, effect, a, b):
    """Only the word that is wanted moves."""
    return z - _parts(log_p, effect, a, b)[0] / effect[a]


@wrong("even_dose", says="difference of probabilities")
def in_probabilities(log_p, z, effect, a, b):
    """Even means that the difference of probabilities is 0, and they move along a line."""
    p = log_p.exp()
    return z - (p[:, a] - p[:, b]) / (effect[a] - effect[b])


@wrong("even_dose", says="once too often")
def z_taken_away(log_p, z, effect, a, b):
    """From 0, and then back by z."""
    lead, gap = _parts(log_p, effect, a, b)
    return -z - lead / gap


@wrong("even_dose", says="it must be")
def one_dose_for_all(log_p, z, effect, a, b):
    """The mean over contexts is the dose."""
    lead, gap = _parts(log_p, effect, a, b)
    return (z - lead / gap).mean()


@wrong("even_dose", says="were the others to stay")
def one_half(log_p, z, effect, a, b):
    """Even odds: the word has one half."""
    return z + (0.5 - log_p[:, a].exp()) / (effect[a] - effect[b])


@wrong("even_dose", says="the log-odds are still")
def centred_effect(log_p, z, effect, a, b):
    """The normaliser moves, so the effects are taken relative to their mean under p."""
    relative = effect[a] - log_p.exp() @ effect
    return z - (log_p[:, a] - log_p[:, b]) / relative


# --- clamp -------------------------------------------------------------------------------------


@wrong("clamp", says="replaced by a reconstruction")
def reconstruction(x, encode, decode, latent, value):
    """Set the latent and decode."""
    z = encode(x)
    z[:, latent] = value
    return decode(z)


@wrong("clamp", says="the latent was set where it is active")
def reconstruction_where_active(x, encode, decode, latent, value):
    """Set the latent where it fires, and decode everything."""
    z = encode(x)
    z[:, latent] = torch.where(z[:, latent] > 0, value, 0.0)
    return decode(z)


@wrong("clamp", says="and there alone")
def reconstruction_there_alone(x, encode, decode, latent, value):
    """Rows that are not active stay; the others are decoded."""
    z = encode(x)
    active = z[:, latent] > 0
    z[:, latent] = value
    return torch.where(active[:, None], decode(z), x)


@wrong("clamp", says="where the latent is silent")
def always(x, encode, decode, latent, value):
    """The error is kept; clamping is for all rows."""
    z = encode(x)
    old = decode(z)
    z[:, latent] = value
    return x + decode(z) - old


@wrong("clamp", says="instead of setting it")
def added(x, encode, decode, latent, value):
    """To clamp is to add the value."""
    z = encode(x)
    old = decode(z)
    z[:, latent] += value * (z[:, latent] > 0)
    return x + decode(z) - old


@wrong("clamp", says="nothing has moved")
def written_to_a_copy(x, encode, decode, latent, value):
    """`encode(x)[:, latent] = value` changes what `encode` gives."""
    encode(x)[:, latent] = value
    return x + decode(encode(x)) - decode(encode(x))


@wrong("clamp", says="scales the latent")
def multiplied(x, encode, decode, latent, value):
    """The value is a factor."""
    z = encode(x)
    old = decode(z)
    z[:, latent] *= value
    return x + decode(z) - old


@wrong("clamp", says="opposite sign")
def error_with_the_wrong_sign(x, encode, decode, latent, value):
    """Reconstruction minus x is the error."""
    z = encode(x)
    old = decode(z)
    z[:, latent] = torch.where(z[:, latent] > 0, value, 0.0)
    return x - (decode(z) - old)


@wrong("clamp", says="set to 0")
def ablated(x, encode, decode, latent, value):
    """Take the latent out first, and then forget the value."""
    z = encode(x)
    old = decode(z)
    z[:, latent] = 0.0
    return x + decode(z) - old


# --- share_interval ----------------------------------------------------------------------------


def _around(centre, half):
    return torch.stack([centre - half, centre + half], -1)


@wrong("share_interval", says="which is 0 for eight of eight")
def standard_error_of_what_was_seen(won, z):
    """A mean plus and minus z standard errors."""
    p = won.float().mean(-1)
    return _around(p, z * (p * (1 - p) / won.shape[-1]).sqrt())


@wrong("share_interval", says="share seen")
def cut_off(won, z):
    """The same, kept between 0 and 1."""
    p = won.float().mean(-1)
    return _around(p, z * (p * (1 - p) / won.shape[-1]).sqrt()).clamp(0, 1)


@wrong("share_interval", says="spread of single contexts")
def standard_deviation(won, z):
    """The deviation, and not the error of the mean."""
    p = won.float().mean(-1)
    return _around(p, z * (p * (1 - p)).sqrt())


@wrong("share_interval", says="near miss")
def two_and_two(won, z):
    """Add two successes and two failures."""
    n = won.shape[-1] + 4
    p = (won.float().sum(-1) + 2) / n
    return _around(p, z * (p * (1 - p) / n).sqrt())


@wrong("share_interval", says="lean towards one half")
def centred_on_what_was_seen(won, z):
    """The right width, around the share that was seen."""
    n, p = won.shape[-1], won.float().mean(-1)
    half = (z * z * p * (1 - p) / n + z**4 / (4 * n * n)).sqrt() / (1 + z * z / n)
    return _around(p, half)


@wrong("share_interval", says="largest error")
def worst_case(won, z):
    """A standard error is at most one half over the root of n."""
    p = won.float().mean(-1)
    return _around(p, torch.full_like(p, z * 0.5 / won.shape[-1] ** 0.5))


@wrong("share_interval", says="changed places")
def high_first(won, z):
    """The two roots of the quadratic, plus first."""
    n, p = won.shape[-1], won.float().mean(-1)
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = (z * z * p * (1 - p) / n + z**4 / (4 * n * n)).sqrt() / (1 + z * z / n)
    return torch.stack([middle + half, middle - half], -1)


@wrong("share_interval", says="differ from the shares within")
def bootstrap(won, z):
    """Resample the contexts and take the ends."""
    n = won.shape[-1]
    means = won[..., torch.randint(n, (200, n))].float().mean(-1)
    return means.quantile(torch.tensor([0.025, 0.975]), -1).movedim(0, -1)


@wrong("share_interval", says="differ from the shares within")
def cells_confused_with_contexts(won, z):
    """The first axis is that of contexts."""
    n, p = len(won), won.float().mean(-1)
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = (z * z * p * (1 - p) / n + z**4 / (4 * n * n)).sqrt() / (1 + z * z / n)
    return _around(middle, half)


# --- honest_effect -----------------------------------------------------------------------------


def _chosen(gain, price, told, budget):
    affordable = price <= budget
    best = gain.masked_fill(~affordable, -torch.inf).argmax(1)
    return told[torch.arange(len(told)), best].where(affordable.any(1), 0.0)


def _means(values, choosing):
    return values[..., choosing].mean(-1), values[..., ~choosing].mean(-1)


@wrong("honest_effect", says="scored on the contexts that chose it")
def scored_where_chosen(effect, cost, choosing, budget):
    """The best effect found is the effect."""
    gain, _ = _means(effect, choosing)
    return _chosen(gain, _means(cost, choosing)[0], gain, budget)


@wrong("honest_effect", says="chosen on all contexts, those of the score too")
def chosen_on_all(effect, cost, choosing, budget):
    """More contexts, a better choice."""
    told, price = _means(effect, choosing)[1], _means(cost, choosing)[0]
    return _chosen(effect.mean(-1), price, told, budget)


@wrong("honest_effect", says="chosen and scored on all")
def everything_on_all(effect, cost, choosing, budget):
    """Why throw half of the contexts away?"""
    return _chosen(effect.mean(-1), cost.mean(-1), effect.mean(-1), budget)


@wrong("honest_effect", says="chosen on the contexts that score it")
def chosen_where_scored(effect, cost, choosing, budget):
    """The strength that is best where it counts."""
    told = _means(effect, choosing)[1]
    return _chosen(told, _means(cost, choosing)[0], told, budget)


@wrong("honest_effect", says="halves have changed places")
def halves_confused(effect, cost, choosing, budget):
    """`choosing` marks the contexts that are scored."""
    told, gain = _means(effect, choosing)
    return _chosen(gain, _means(cost, choosing)[1], told, budget)


@wrong("honest_effect", says="was not looked at")
def whatever_it_costs(effect, cost, choosing, budget):
    """The strongest effect wins."""
    gain, told = _means(effect, choosing)
    return _chosen(gain, torch.zeros_like(gain), told, budget)


@wrong("honest_effect", says="comes from all contexts")
def price_on_all(effect, cost, choosing, budget):
    """A cost is no score; it may come from everywhere."""
    gain, told = _means(effect, choosing)
    return _chosen(gain, cost.mean(-1), told, budget)


@wrong("honest_effect", says="dearest strength")
def all_that_is_affordable(effect, cost, choosing, budget):
    """Spend the whole budget."""
    told, price = _means(effect, choosing)[1], _means(cost, choosing)[0]
    order = torch.arange(price.shape[1]).expand_as(price).float()
    return _chosen(order, price, told, budget)


@wrong("honest_effect", says="the same strength")
def one_strength(effect, cost, choosing, budget):
    """A strength means the same for every method."""
    gain, told = _means(effect, choosing)
    price = _means(cost, choosing)[0]
    best = gain.mean(0).argmax()
    return told[:, best].where(price[:, best] <= budget, 0.0)


@wrong("honest_effect", says="it returned NaN")
def nan_where_nothing_is_affordable(effect, cost, choosing, budget):
    """Nothing to tell is NaN."""
    gain, told = _means(effect, choosing)
    price = _means(cost, choosing)[0]
    found = _chosen(gain, price, told, budget)
    return found.masked_fill((price > budget).all(1), torch.nan)


@wrong("honest_effect", says="differ from what the chosen strength does")
def best_of_each_context(effect, cost, choosing, budget):
    """Each context has its own best strength."""
    price = _means(cost, choosing)[0]
    allowed = effect[..., ~choosing].masked_fill((price > budget)[..., None], -torch.inf)
    return allowed.amax(1).mean(-1).nan_to_num(0.0, neginf=0.0)
