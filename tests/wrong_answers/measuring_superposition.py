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
        key = f"measuring_superposition.{exercise}"
        WRONG.setdefault(key, []).append(WrongAnswer(answer, says))
        return answer

    return register


def _shares(z):
    activity = z.abs().sum(dim=1)
    return activity / activity.sum(dim=-1, keepdim=True)


def _entropy(p):
    return torch.special.entr(p).sum(dim=-1)


# --- effective_features ------------------------------------------------------------------------


@wrong("effective_features", says="you have the entropy H")
def entropy_itself(z):
    """The entropy is the count."""
    return _entropy(_shares(z))


@wrong("effective_features", says="your entropy is in bits")
def bits_and_e(z):
    """log2 is the logarithm of information theory, exp its inverse."""
    return (_entropy(_shares(z)) / math.log(2)).exp()


@wrong("effective_features", says="NaN; it must count for nothing")
def log_of_zero(z):
    """p log p needs no special case."""
    p = _shares(z)
    return (-(p * p.log()).sum(dim=-1)).exp()


@wrong("effective_features", says="a share below 0 has no logarithm")
def sign_kept(z):
    """Latents are not negative, so |z| is z."""
    activity = z.sum(dim=1)
    p = activity / activity.sum(dim=-1, keepdim=True)
    return (-(p * p.log()).where(p != 0, 0.0).sum(dim=-1)).exp()


@wrong("effective_features", says="differ from the definition")
def relu_for_the_absolute_value(z):
    """What is negative is not active."""
    return _entropy(_shares(z.relu())).exp()


@wrong("effective_features", says="differ from the definition")
def number_of_active_latents(z):
    """Five are active, so there are five."""
    return (z != 0).any(dim=1).sum(dim=-1).float()


@wrong("effective_features", says="eight even latents get 1.000")
def input_by_input(z):
    """The entropy of each input, averaged."""
    p = z.abs() / z.abs().sum(dim=-1, keepdim=True).clamp(min=1e-9)
    return _entropy(p).mean(dim=-1).exp()


@wrong("effective_features", says="the shape []")
def all_instances_pooled(z):
    """The instances are one SAE."""
    return _entropy(_shares(z.flatten(0, 1)[None]))[0].exp()


@wrong("effective_features", says="differ from the definition")
def squares_for_activity(z):
    """Activity is energy."""
    return _entropy(_shares(z.square())).exp()


@wrong("effective_features", says="differ from the definition")
def one_over_the_sum_of_squares(z):
    """All effective numbers are the same."""
    return 1 / _shares(z).square().sum(dim=-1)


@wrong("effective_features", says="eight even latents get")
def small_number_in_the_logarithm(z):
    """A small number keeps the logarithm finite."""
    p = _shares(z)
    return (-(p * (p + 0.01).log()).sum(dim=-1)).exp()


# --- participation_ratio -----------------------------------------------------------------------


def _covariance(h, center=True):
    if center:
        h = h - h.mean(dim=1, keepdim=True)
    return h.mT @ h / h.shape[1]


def _ratio(values):
    return values.sum(dim=-1) ** 2 / values.square().sum(dim=-1)


@wrong("participation_ratio", says="with an offset added to all inputs")
def mean_not_subtracted(h):
    """hᵀh is the covariance."""
    return _ratio(torch.linalg.eigvalsh(_covariance(h, center=False)))


@wrong("participation_ratio", says="made of singular values")
def singular_values(h):
    """Singular values are the eigenvalues of a matrix that is not square."""
    return _ratio(torch.linalg.svdvals(h - h.mean(dim=1, keepdim=True)))


@wrong("participation_ratio", says="upside down")
def upside_down(h):
    """The sum of squares goes on top."""
    return 1 / _ratio(torch.linalg.eigvalsh(_covariance(h)))


@wrong("participation_ratio", says="inputs on a line get")
def variances_of_the_neurons(h):
    """The diagonal of the covariance has the eigenvalues."""
    return _ratio(_covariance(h).diagonal(dim1=1, dim2=2))


@wrong("participation_ratio", says="differ from the definition")
def exponential_of_the_entropy(h):
    """All effective dimensions are the same."""
    values = torch.linalg.eigvalsh(_covariance(h)).clamp(min=0)
    return _entropy(values / values.sum(dim=-1, keepdim=True)).exp()


@wrong("participation_ratio", says="inputs on a line get")
def square_of_the_sum_forgotten(h):
    """Sum over sum of squares."""
    values = torch.linalg.eigvalsh(_covariance(h))
    return values.sum(dim=-1) / values.square().sum(dim=-1)


@wrong("participation_ratio", says="differ from the definition")
def mean_of_each_input_subtracted(h):
    """The mean is over the neurons."""
    return _ratio(torch.linalg.eigvalsh(_covariance(h - h.mean(dim=2, keepdim=True), False)))


@wrong("participation_ratio", says="the shape []")
def instances_pooled(h):
    """All inputs of all instances are one cloud."""
    return _ratio(torch.linalg.eigvalsh(_covariance(h.flatten(0, 1)[None])))[0]


@wrong("participation_ratio", says="differ from the definition")
def correlation_matrix(h):
    """Neurons are brought to the same variance first."""
    centered = h - h.mean(dim=1, keepdim=True)
    scaled = centered / centered.norm(dim=1, keepdim=True).clamp(min=1e-9)
    return _ratio(torch.linalg.eigvalsh(scaled.mT @ scaled))


# --- effective_rank ----------------------------------------------------------------------------


def _of_unit_rows(h):
    h = h[h.norm(dim=1) > 0]
    unit = h / h.norm(dim=1, keepdim=True)
    return torch.linalg.eigvalsh(unit.T @ unit / len(unit)).clamp(min=0)


@wrong("effective_rank", says="you have the entropy S")
def entropy_without_exponential(h):
    """The entropy is the rank."""
    return _entropy(_of_unit_rows(h))


@wrong("effective_rank", says="you subtract the mean")
def mean_subtracted(h):
    """Every spectrum is one of a covariance."""
    return _entropy(_of_unit_rows(h - h.mean(dim=0))).exp()


@wrong("effective_rank", says="with inputs of other lengths")
def one_length_for_all(h):
    """Dividing by the trace makes the eigenvalues add up to 1, so the rows may stay."""
    gram = h.T @ h
    return _entropy(torch.linalg.eigvalsh(gram / gram.trace()).clamp(min=0)).exp()


@wrong("effective_rank", says="returned NaN")
def zero_rows_divided(h):
    """Every input has a direction."""
    unit = h / h.norm(dim=1, keepdim=True)
    rho = unit.T @ unit / len(unit)
    values = torch.linalg.eigvalsh(rho.nan_to_num()).clamp(min=0)
    return _entropy(values).exp() if not rho.isnan().any() else torch.tensor(float("nan"))


@wrong("effective_rank", says="the definition gives")
def zero_rows_still_counted(h):
    """An input of length zero is an input."""
    unit = torch.nn.functional.normalize(h, dim=1)
    return _entropy(torch.linalg.eigvalsh(unit.T @ unit / len(h)).clamp(min=0)).exp()


@wrong("effective_rank", says="the definition gives")
def number_of_inputs_forgotten(h):
    """The factor cancels, as in the participation ratio."""
    return _entropy(len(h) * _of_unit_rows(h)).exp()


@wrong("effective_rank", says="the definition gives")
def rank_of_the_matrix(h):
    """The rank is the rank."""
    return torch.linalg.matrix_rank(h).float()


@wrong("effective_rank", says="the definition gives")
def sum_of_squares_of_the_eigenvalues(h):
    """All effective ranks are the same."""
    return 1 / _of_unit_rows(h).square().sum()


@wrong("effective_rank", says="the definition gives")
def base_two(h):
    """Entropies are in bits."""
    return (_entropy(_of_unit_rows(h)) / math.log(2)).exp()


# --- after_splitting ---------------------------------------------------------------------------


def _eta(s):
    return -s * math.log(s) - (1 - s) * math.log(1 - s)


def _second(n, q, s):
    return n / (1 - q + q * (s**2 + (1 - s) ** 2))


@wrong("after_splitting", says="count every new latent as a whole feature")
def one_feature_more_for_each(n, q, s):
    """A split feature is two features."""
    return n * (1 + q), _second(n, q, s)


@wrong("after_splitting", says="you split in halves")
def always_in_halves(n, q, s):
    """A split doubles, whatever s is."""
    return n * 2**q, n / (1 - q / 2)


@wrong("after_splitting", says="that is the entropy")
def entropy_returned(n, q, s):
    """H is the count."""
    return math.log(n) + q * _eta(s), _second(n, q, s)


@wrong("after_splitting", says="the part 1 - s has an entropy too")
def other_part_forgotten(n, q, s):
    """The entropy of a split is -s log s."""
    return n * math.exp(-q * s * math.log(s)), _second(n, q, s)


@wrong("after_splitting", says="N_2 is not F")
def one_count_for_both(n, q, s):
    """All effective numbers are the same."""
    F = n * math.exp(q * _eta(s))
    return F, F


@wrong("after_splitting", says="you have Σ p²")
def not_inverted(n, q, s):
    """N_2 is the sum of the squares."""
    return n * math.exp(q * _eta(s)), 1 / _second(n, q, s)


@wrong("after_splitting", says="counted over the latents it is")
def bits_in_the_exponential(n, q, s):
    """Entropies are in bits."""
    return n * math.exp(q * _eta(s) / math.log(2)), _second(n, q, s)


@wrong("after_splitting", says="with nothing split")
def new_latents_without_the_old(n, q, s):
    """Only the split features have an entropy."""
    return max(n * q, 1) * math.exp(_eta(s)), n * q / (s**2 + (1 - s) ** 2) + 0.5


@wrong("after_splitting", says="with all features split in halves")
def split_share_squared(n, q, s):
    """Both the share of features and the share of activity are squared."""
    return n * math.exp(q**2 * _eta(s) / 2), n / (1 - q**2 * s)


@wrong("after_splitting", says="return two numbers, (F, N_2)")
def only_the_first(n, q, s):
    """One count is enough."""
    return n * math.exp(q * _eta(s))


# --- count_features ----------------------------------------------------------------------------


def _count(activity):
    return torch.special.entr(activity / activity.sum()).sum().exp()


@wrong("count_features", says="the rows of W_dec do not come into it")
def only_the_batches_repaired(z, W_dec):
    """The batches were the only bug."""
    return _count(z.sum(dim=0))


@wrong("count_features", says="with the inputs sorted the count goes from")
def only_the_norms_repaired(z, W_dec):
    """The norms were the only bug."""
    parts = (z * W_dec.norm(dim=-1)).split(64)
    return torch.stack([_count(part.sum(dim=0)) for part in parts if part.any()]).mean()


@wrong("count_features", says="the same SAE in other units goes from")
def squared_norms(z, W_dec):
    """The energy of a row is its length, squared."""
    return _count(z.sum(dim=0) * W_dec.square().sum(dim=-1))


@wrong("count_features", says="the same SAE in other units goes from")
def divided_by_the_norm(z, W_dec):
    """A long row makes a latent count less."""
    return _count(z.sum(dim=0) / W_dec.norm(dim=-1))


@wrong("count_features", says="and there are")
def larger_batches(z, W_dec):
    """With batches of 128 the rare features are there."""
    parts = (z * W_dec.norm(dim=-1)).split(128)
    return torch.stack([_count(part.sum(dim=0)) for part in parts if part.any()]).mean()


@wrong("count_features", says="the same SAE in other units goes from")
def how_often_and_not_how_much(z, W_dec):
    """A latent counts by how often it is on."""
    return _count((z > 0).float().sum(dim=0) * W_dec.norm(dim=-1))


@wrong("count_features", says="and there are")
def largest_value_of_each_latent(z, W_dec):
    """Rare latents must not count for less."""
    return _count(z.max(dim=0).values * W_dec.norm(dim=-1))


@wrong("count_features", says="you count")
def number_of_latents(z, W_dec):
    """Dead latents aside, every latent is a feature; and the last is a spare."""
    return (z.any(dim=0).sum() - 1.0) * torch.ones(())


# --- counterexample ----------------------------------------------------------------------------


def _clean():
    W_dec = torch.eye(2).repeat(2, 1)
    return torch.eye(4) @ W_dec, torch.eye(4), W_dec


@wrong("counterexample", says="2.000 effective features for 2 neurons")
def one_latent_for_each_neuron():
    """An SAE that is right has as many latents as there are features."""
    return torch.eye(2), torch.eye(2), torch.eye(2)


@wrong("counterexample", says="switches on 2 neurons")
def superposition_after_all():
    """Four features in two dimensions are the way to have four."""
    W_dec = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [0.8, 0.6]])
    return W_dec.clone(), torch.eye(4), W_dec


@wrong("counterexample", says="a feature that is on is above 0")
def antipodal_pairs():
    """Two features per neuron, as opposites."""
    W_dec = torch.cat([torch.eye(2), -torch.eye(2)])
    return W_dec.clone(), torch.eye(4), W_dec


@wrong("counterexample", says="has 2 active latents")
def both_halves_at_once():
    """Each neuron's two latents share its value."""
    x, _, W_dec = _clean()
    return x, x.repeat(1, 2) / 2, W_dec


@wrong("counterexample", says="of W_dec has length 2")
def longer_rows():
    """The two latents of a neuron must differ, so one of them is longer."""
    x, z, W_dec = _clean()
    scale = torch.tensor([1.0, 1.0, 2.0, 2.0])
    return x, z / scale, W_dec * scale[:, None]


@wrong("counterexample", says="effective features for 2 neurons")
def uneven_turns():
    """One of the two latents may have most of the inputs."""
    W_dec = torch.eye(2).repeat(2, 1)
    z = torch.eye(4)[[0, 0, 0, 1, 1, 1, 2, 3]]
    return z @ W_dec, z, W_dec


@wrong("counterexample", says="is never on")
def one_neuron_left_out():
    """The second neuron is there for the count of neurons."""
    W_dec = torch.eye(2)[:1].repeat(4, 1)
    return torch.eye(4) @ W_dec, torch.eye(4), W_dec


@wrong("counterexample", says="is rebuilt with an error")
def not_the_same_input():
    """Nearly exact is exact."""
    x, z, W_dec = _clean()
    return 1.1 * x, z, W_dec


@wrong("counterexample", says="use at least two")
def one_neuron():
    """The smallest example has one neuron."""
    return torch.ones(2, 1), torch.eye(2), torch.ones(2, 1)


@wrong("counterexample", says="return three tensors, (x, z, W_dec)")
def codes_alone():
    """The codes make the count."""
    return torch.eye(4)
