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
        WRONG.setdefault(f"superposition_elsewhere.{exercise}", []).append(
            WrongAnswer(answer, says)
        )
        return answer

    return register


# --- recall ------------------------------------------------------------------------------------


def _support(x, weights):
    return torch.einsum("bi,iqk->bqk", x, weights) / x.sum(-1)[:, None, None]


@wrong("recall", says="mean over all cells")
def mean_support(x, weights):
    """Familiarity is the mean support of the memory."""
    support = _support(x, weights)
    return support.mean((1, 2)), support.argmax(-1)


@wrong("recall", says="best cell of all modules")
def one_winner_for_all(x, weights):
    """Familiarity is the best support there is."""
    support = _support(x, weights)
    return support.amax((1, 2)), support.argmax(-1)


@wrong("recall", says="sum over modules")
def summed_over_modules(x, weights):
    """The modules' best supports are added up."""
    support = _support(x, weights)
    return support.amax(-1).sum(-1), support.argmax(-1)


@wrong("recall", says="divide by the number of all inputs")
def share_of_all_inputs(x, weights):
    """Support is a mean over inputs, active or not."""
    support = torch.einsum("bi,iqk->bqk", x, weights) / x.shape[1]
    return support.amax(-1).mean(-1), support.argmax(-1)


@wrong("recall", says="entries differ from the definition")
def share_of_the_average_item(x, weights):
    """All items have about the same number of active inputs."""
    support = torch.einsum("bi,iqk->bqk", x, weights) / x.sum(-1).mean()
    return support.amax(-1).mean(-1), support.argmax(-1)


@wrong("recall", says="another cell has")
def least_supported_cell(x, weights):
    """argmin and argmax look alike."""
    support = _support(x, weights)
    return support.amax(-1).mean(-1), support.argmin(-1)


@wrong("recall", says="another cell has")
def cell_with_the_most_weights(x, weights):
    """The winner is the cell that was used most, whatever the item."""
    support = _support(x, weights)
    winners = weights.sum(0).argmax(-1).expand(len(x), -1)
    return support.amax(-1).mean(-1), winners


@wrong("recall", says="they must be [7, 5] = [items, modules]")
def winners_one_hot(x, weights):
    """A code is a vector of all cells."""
    support = _support(x, weights)
    winners = torch.nn.functional.one_hot(support.argmax(-1), support.shape[-1])
    return support.amax(-1).mean(-1), winners


@wrong("recall", says="whole numbers, the cells, are needed")
def supports_instead_of_winners(x, weights):
    """max returns the winner."""
    support = _support(x, weights)
    return support.amax(-1).mean(-1), support.amax(-1)


@wrong("recall", says="return two tensors")
def winners_alone(x, weights):
    """Recall is the code."""
    return _support(x, weights).argmax(-1)


@wrong("recall", says="it must be 1")
def weights_that_matter_twice(x, weights):
    """A cell that many inputs point to is a worse witness, so divide by its weights too."""
    support = _support(x, weights) / weights.sum(0).clamp(min=1).sqrt()
    return support.amax(-1).mean(-1), support.argmax(-1)


# --- fill_law ----------------------------------------------------------------------------------


def _p(n_inputs, n_active, n_cells):
    return n_active / n_inputs / n_cells


def _right(n_items, *sizes):
    p = _p(*sizes)
    return 1 - (1 - p) ** n_items, math.log(0.5) / math.log(1 - p)


@wrong("fill_law", says="adding item after item gives")
def straight_line(n_items, *sizes):
    """Every item switches on its share of weights."""
    return n_items * _p(*sizes), 0.5 / _p(*sizes)


@wrong("fill_law", says="a share cannot exceed 1")
def straight_line_with_the_right_half(n_items, *sizes):
    """Weights that are on are switched on again."""
    return n_items * _p(*sizes) * 2, _right(n_items, *sizes)[1]


@wrong("fill_law", says="it must be about twice")
def cells_forgotten(n_items, n_inputs, n_active, n_cells):
    """An active input switches its weights on, whoever wins."""
    return _right(n_items, n_inputs, n_active, 1)


@wrong("fill_law", says="adding item after item")
def inputs_forgotten(n_items, n_inputs, n_active, n_cells):
    """A winner gets weights from every input."""
    return _right(n_items, 1, 1, n_cells)


@wrong("fill_law", says="your half_full")
def exponential_law(n_items, *sizes):
    """(1 - p)^N is e^(-Np), whatever p."""
    p = _p(*sizes)
    return 1 - math.exp(-p * n_items), math.log(2) / p


@wrong("fill_law", says="adding item after item gives")
def share_that_is_off(n_items, *sizes):
    """What is left is what was asked for."""
    fill, half = _right(n_items, *sizes)
    return 1 - fill, half


@wrong("fill_law", says="passes 1/2 between")
def half_by_the_straight_line(n_items, *sizes):
    """Half the weights take half of 1/p items."""
    return _right(n_items, *sizes)[0], 0.5 / _p(*sizes)


@wrong("fill_law", says="it need not be a whole number")
def rounded_up(n_items, *sizes):
    """Items are whole."""
    fill, half = _right(n_items, *sizes)
    return fill, float(math.ceil(half))


@wrong("fill_law", says="it takes more than 0 items")
def sign_of_the_logarithm(n_items, *sizes):
    """log 2 and log 1/2 are the same up to a detail."""
    fill, half = _right(n_items, *sizes)
    return fill, -half


@wrong("fill_law", says="return (fill, half_full)")
def fill_alone(n_items, *sizes):
    """The first number is the answer."""
    return _right(n_items, *sizes)[0]


@wrong("fill_law", says="it must be about twice")
def both_ends_of_the_trace(n_items, n_inputs, n_active, n_cells):
    """The chance of a weight has the square of 1 / K in it, once for each side."""
    return _right(n_items, n_inputs, n_active, n_cells**2)


# --- share_everything --------------------------------------------------------------------------


def _orthogonal(effects):
    T, V = effects.shape
    return torch.arange(V).repeat(T, 1), effects.T.clone(), torch.eye(T)


@wrong("share_everything", says="the table has 18 rows")
def a_row_for_every_value(effects):
    """Without collisions nothing can go wrong."""
    T, V = effects.shape
    rows = torch.arange(T * V).view(T, V)
    return rows, effects.flatten()[:, None], torch.ones(T, 1)


@wrong("share_everything", says="contributes")
def one_number_for_all(effects):
    """Rows of width 1, with the mean effect."""
    T, V = effects.shape
    return torch.arange(V).repeat(T, 1), effects.mean(0)[:, None], torch.ones(T, 1)


@wrong("share_everything", says="have the cosine 1.00")
def width_without_directions(effects):
    """Wide rows are enough; everybody may read them alike."""
    rows, table, theta = _orthogonal(effects)
    return rows, table, torch.ones_like(theta)


@wrong("share_everything", says="have the cosine")
def oblique_readouts(effects):
    """Exact is exact: independent directions will do."""
    rows, table, theta = _orthogonal(effects)
    theta = theta + 0.5
    return rows, table @ torch.linalg.inv(theta).T, theta


@wrong("share_everything", says="is not read at all")
def first_feature_only(effects):
    """One feature at a time."""
    rows, table, theta = _orthogonal(effects)
    theta[1:] = 0
    return rows, table, theta


@wrong("share_everything", says="puts its 6 values into 1 rows")
def everybody_in_one_row(effects):
    """The fewer rows the better."""
    rows, table, theta = _orthogonal(effects)
    return 0 * rows, table, theta


@wrong("share_everything", says="it must be [3, 3]")
def table_on_its_side(effects):
    """A row per feature."""
    rows, table, _ = _orthogonal(effects)
    return rows % 3, table.T.clone()[:, :3], torch.eye(6)


@wrong("share_everything", says="whole numbers, the places in the table")
def rows_as_numbers(effects):
    """A place is a number."""
    rows, table, theta = _orthogonal(effects)
    return rows.float(), table, theta


@wrong("share_everything", says="contributes")
def shifted_rows(effects):
    """Each feature has a hash function of its own, so each shifts the table."""
    rows, table, theta = _orthogonal(effects)
    return (rows + torch.arange(3)[:, None]) % 6, table, theta


@wrong("share_everything", says="return three tensors")
def no_readouts(effects):
    """The table is the answer."""
    return _orthogonal(effects)[:2]


# --- mixture_score -----------------------------------------------------------------------------


def _weighted(kappa, scores):
    return (kappa[..., None] * scores).sum(0)


@wrong("mixture_score", says="average of the scores")
def averaged(scores, log_q, log_weights):
    """Combining means averaging."""
    return scores.mean(0)


@wrong("mixture_score", says="mixture with equal weights")
def prior_forgotten(scores, log_q, log_weights):
    """The weights are a detail of sampling."""
    return _weighted(log_q.softmax(0), scores)


@wrong("mixture_score", says="gradient of the log of the mixture")
def prior_outside(scores, log_q, log_weights):
    """The weights multiply the shares."""
    return _weighted(log_q.softmax(0) * log_weights.exp()[:, None], scores)


@wrong("mixture_score", says="gradient of the log of the mixture")
def shares_over_points(scores, log_q, log_weights):
    """Softmax along the last axis, as ever."""
    return _weighted((log_q + log_weights[:, None]).softmax(-1), scores)


@wrong("mixture_score", says="holds NaN")
def densities_out_of_the_logarithm(scores, log_q, log_weights):
    """Densities are exp(log q)."""
    q = (log_q + log_weights[:, None]).exp()
    return _weighted(q / q.sum(0), scores)


@wrong("mixture_score", says="gradient of the log of the mixture")
def nan_hidden_by_a_small_number(scores, log_q, log_weights):
    """A small number in the denominator removes the NaN."""
    q = (log_q + log_weights[:, None]).exp()
    return _weighted(q / (q.sum(0) + 1e-20), scores)


@wrong("mixture_score", says="gradient of the log of the mixture")
def winner_takes_all(scores, log_q, log_weights):
    """OR is a choice."""
    best = (log_q + log_weights[:, None]).argmax(0)
    return scores[best, torch.arange(scores.shape[1])]


@wrong("mixture_score", says="gradient of the log of the mixture")
def not_normalised(scores, log_q, log_weights):
    """∇(Σ q) instead of ∇ log (Σ q)."""
    return _weighted((log_q + log_weights[:, None]).exp(), scores)


@wrong("mixture_score", says="gradient of the log of the mixture")
def logarithms_as_shares(scores, log_q, log_weights):
    """Log-densities are weights too."""
    parts = log_q + log_weights[:, None]
    return _weighted(parts / parts.sum(0), scores)


@wrong("mixture_score", says="the shape [3, 9, 2]")
def not_summed(scores, log_q, log_weights):
    """Each model keeps its share."""
    return (log_q + log_weights[:, None]).softmax(0)[..., None] * scores


# --- and_kappa ---------------------------------------------------------------------------------


def _parts(score_1, score_2, noise):
    gap = score_1 - score_2
    return (noise * gap).sum(-1), gap.square().sum(-1)


@wrong("and_kappa", says="changes log q_1 by")
def always_half(score_1, score_2, noise, variance):
    """Equal weights give equal changes."""
    return torch.full(score_1.shape[:1], 0.5)


@wrong("and_kappa", says="sign of the noise is off")
def noise_with_the_wrong_sign(score_1, score_2, noise, variance):
    """The noise pushes towards the first model, which must be followed."""
    along, square = _parts(score_1, score_2, noise)
    return 0.5 + along / square / variance


@wrong("and_kappa", says="changes log q_1 by")
def variance_forgotten(score_1, score_2, noise, variance):
    """The noise has its size in it already."""
    along, square = _parts(score_1, score_2, noise)
    return 0.5 - along / square


@wrong("and_kappa", says="changes log q_1 by")
def length_not_squared(score_1, score_2, noise, variance):
    """Divide by the length of the gap."""
    along, square = _parts(score_1, score_2, noise)
    return 0.5 - along / square.sqrt() / variance


@wrong("and_kappa", says="nothing says that they lie between 0 and 1")
def weights_are_probabilities(score_1, score_2, noise, variance):
    """Weights lie between 0 and 1."""
    along, square = _parts(score_1, score_2, noise)
    return (0.5 - along / square / variance).clamp(0, 1)


@wrong("and_kappa", says="differ from one half")
def half_forgotten(score_1, score_2, noise, variance):
    """Without noise there is nothing to balance."""
    along, square = _parts(score_1, score_2, noise)
    return -along / square / variance


@wrong("and_kappa", says="differ from one half")
def half_of_g_squared_forgotten(score_1, score_2, noise, variance):
    """The formula without the ½ in front of g²."""
    gap = score_1 - score_2
    along, square = _parts(score_1, score_2, noise)
    return ((score_1 * gap).sum(-1) - along / variance) / square


@wrong("and_kappa", says="changes log q_1 by")
def batch_summed(score_1, score_2, noise, variance):
    """One weight balances the whole batch."""
    along, square = _parts(score_1, score_2, noise)
    return 0.5 - (along.sum() / square.sum() / variance).expand(len(along))


@wrong("and_kappa", says="the shape [8, 2]")
def a_weight_per_dimension(score_1, score_2, noise, variance):
    """Each direction is balanced by itself."""
    return 0.5 - noise / (score_1 - score_2) / variance


@wrong("and_kappa", says="changes log q_1 by")
def noise_without_the_other_half(score_1, score_2, noise, variance):
    """Noise of variance σ² counts half, like the drift."""
    along, square = _parts(score_1, score_2, noise)
    return 0.5 - 0.5 * along / square / variance


# --- track -------------------------------------------------------------------------------------


def _track(log_q, path, score, point=0, d=True, half=0.5, sign=1, drift=1, dt_power=1, late=False):
    dt = 1 / (len(path) - 1)
    for k in range(len(path) - 1):
        x, after, t = path[k], path[k + 1], 1 - k * dt
        beta = 0.1 + 19.9 * (1 - t if late else t)
        s = score(x + point * (after - x), t - point * dt)
        f = -0.5 * beta * x
        rest = -0.5 * sign * beta * (x.shape[1] if d else 1)
        rest = rest + ((drift * f - half * beta * s) * s).sum(-1)
        log_q = log_q + ((after - x) * s).sum(-1) + rest * dt**dt_power
    return log_q


@wrong("track", says="nats on average")
def only_the_divergence_repaired(log_q, path, score):
    """The missing dimensions were the only bug."""
    return _track(log_q, path, score, point=1)


@wrong("track", says="nats on average")
def only_the_point_repaired(log_q, path, score):
    """The score after the step was the only bug."""
    return _track(log_q, path, score, d=False)


@wrong("track", says="nats on average")
def score_in_the_middle(log_q, path, score):
    """The midpoint is more accurate, as for ordinary integrals."""
    return _track(log_q, path, score, point=0.5)


@wrong("track", says="nats on average")
def half_lost(log_q, path, score):
    """g² where g² / 2 belongs."""
    return _track(log_q, path, score, half=1.0)


@wrong("track", says="nats on average")
def divergence_with_the_wrong_sign(log_q, path, score):
    """Going back in time turns the sign of the divergence."""
    return _track(log_q, path, score, sign=-1)


@wrong("track", says="nats on average")
def drift_forgotten(log_q, path, score):
    """⟨f, s⟩ is in ⟨dx, s⟩ already."""
    return _track(log_q, path, score, drift=0)


@wrong("track", says="nats on average")
def step_squared(log_q, path, score):
    """dt is multiplied on twice."""
    return _track(log_q, path, score, dt_power=2)


@wrong("track", says="nats on average")
def clock_runs_forward(log_q, path, score):
    """β at time τ instead of t = 1 - τ."""
    return _track(log_q, path, score, late=True)


@wrong("track", says="nats on average")
def start_forgotten(log_q, path, score):
    """Only the change was asked for."""
    return _track(0 * log_q, path, score) + 10


@wrong("track", says="the shape [1, 300]")
def one_axis_too_many(log_q, path, score):
    """Keep an axis for the models."""
    return _track(log_q, path, score)[None]


@wrong("track", says="it must go to 0 with the step")
def error_hidden_by_a_constant(log_q, path, score):
    """An offset that fits these steps repairs the mean."""
    return _track(log_q, path, score, half=0.8)
