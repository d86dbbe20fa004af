"""Answers that a student could hand in, and that the checks must reject with a word that helps.

Each docstring names the misconception; `says` must stand in the feedback.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import normalize


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
        WRONG.setdefault(f"saes_from_zero.{exercise}", []).append(WrongAnswer(answer, says))
        return answer

    return register


# --- relu_sae ----------------------------------------------------------------------------------


def _sae(x, W_enc, b_enc, W_dec, b_dec):
    z = torch.relu((x - b_dec) @ W_enc + b_enc)
    return z, z @ W_dec + b_dec, W_dec.norm(dim=-1)


@wrong("relu_sae", says="b_dec is not taken away")
def centre_forgotten(x, W_enc, b_enc, W_dec, b_dec, l1):
    """b_dec belongs to the decoder alone."""
    z = torch.relu(x @ W_enc + b_enc)
    x_hat = z @ W_dec + b_dec
    loss = (x - x_hat).square().sum(-1).mean() + l1 * (z * W_dec.norm(dim=-1)).sum(-1).mean()
    return x_hat, z, loss


@wrong("relu_sae", says="not given back")
def bias_not_given_back(x, W_enc, b_enc, W_dec, b_dec, l1):
    """What was taken away from x need not come back."""
    z, x_hat, norm = _sae(x, W_enc, b_enc, W_dec, b_dec)
    x_hat = x_hat - b_dec
    return x_hat, z, (x - x_hat).square().sum(-1).mean() + l1 * (z * norm).sum(-1).mean()


@wrong("relu_sae", says="a ReLU never is")
def no_relu(x, W_enc, b_enc, W_dec, b_dec, l1):
    """A linear code is a code."""
    z = (x - b_dec) @ W_enc + b_enc
    x_hat = z @ W_dec + b_dec
    penalty = (z.abs() * W_dec.norm(dim=-1)).sum(-1).mean()
    return x_hat, z, (x - x_hat).square().sum(-1).mean() + l1 * penalty


@wrong("relu_sae", says="takes no notice of the norm")
def norm_forgotten(x, W_enc, b_enc, W_dec, b_dec, l1):
    """The L1 norm of z is the penalty, whatever the decoder does."""
    z, x_hat, _ = _sae(x, W_enc, b_enc, W_dec, b_dec)
    return x_hat, z, (x - x_hat).square().sum(-1).mean() + l1 * z.sum(-1).mean()


@wrong("relu_sae", says="a mean over the dimensions")
def error_averaged_over_dimensions(x, W_enc, b_enc, W_dec, b_dec, l1):
    """`mse_loss` is the squared error."""
    z, x_hat, norm = _sae(x, W_enc, b_enc, W_dec, b_dec)
    error = torch.nn.functional.mse_loss(x_hat, x)
    return x_hat, z, error + l1 * (z * norm).sum(-1).mean()


@wrong("relu_sae", says="sums over the batch")
def summed_over_the_batch(x, W_enc, b_enc, W_dec, b_dec, l1):
    """A sum is a mean up to a factor."""
    z, x_hat, norm = _sae(x, W_enc, b_enc, W_dec, b_dec)
    return x_hat, z, (x - x_hat).square().sum() + l1 * (z * norm).sum()


@wrong("relu_sae", says="a mean over the latents")
def penalty_averaged_over_latents(x, W_enc, b_enc, W_dec, b_dec, l1):
    """λ should not depend on the size of the dictionary (Sharkey et al. regret this one)."""
    z, x_hat, norm = _sae(x, W_enc, b_enc, W_dec, b_dec)
    return x_hat, z, (x - x_hat).square().sum(-1).mean() + l1 * (z * norm).mean()


@wrong("relu_sae", says="not its square")
def root_of_the_error(x, W_enc, b_enc, W_dec, b_dec, l1):
    """The norm of the error is the error."""
    z, x_hat, norm = _sae(x, W_enc, b_enc, W_dec, b_dec)
    return x_hat, z, (x - x_hat).norm(dim=-1).mean() + l1 * (z * norm).sum(-1).mean()


@wrong("relu_sae", says="squared error alone")
def penalty_forgotten(x, W_enc, b_enc, W_dec, b_dec, l1):
    """A ReLU makes things sparse enough."""
    z, x_hat, _ = _sae(x, W_enc, b_enc, W_dec, b_dec)
    return x_hat, z, (x - x_hat).square().sum(-1).mean()


@wrong("relu_sae", says="the gradient of W_dec is wrong")
def norm_detached(x, W_enc, b_enc, W_dec, b_dec, l1):
    """The norm in the penalty is a weight, and weights are constants."""
    z, x_hat, norm = _sae(x, W_enc, b_enc, W_dec, b_dec)
    return x_hat, z, (x - x_hat).square().sum(-1).mean() + l1 * (z * norm.detach()).sum(-1).mean()


@wrong("relu_sae", says="no gradient reaches the loss")
def loss_as_a_number(x, W_enc, b_enc, W_dec, b_dec, l1):
    """A loss is a number."""
    z, x_hat, norm = _sae(x, W_enc, b_enc, W_dec, b_dec)
    loss = (x - x_hat).square().sum(-1).mean() + l1 * (z * norm).sum(-1).mean()
    return x_hat, z, loss.item()


@wrong("relu_sae", says="gradient of b_dec is wrong")
def centre_detached(x, W_enc, b_enc, W_dec, b_dec, l1):
    """Centring is preprocessing, and needs no gradient."""
    z = torch.relu((x - b_dec.detach()) @ W_enc + b_enc)
    x_hat = z @ W_dec + b_dec
    loss = (x - x_hat).square().sum(-1).mean() + l1 * (z * W_dec.norm(dim=-1)).sum(-1).mean()
    return x_hat, z, loss


@wrong("relu_sae", says="return three values")
def loss_alone(x, W_enc, b_enc, W_dec, b_dec, l1):
    """Training needs the loss and nothing else."""
    z, x_hat, norm = _sae(x, W_enc, b_enc, W_dec, b_dec)
    return (x - x_hat).square().sum(-1).mean() + l1 * (z * norm).sum(-1).mean()


# --- penalty_price -----------------------------------------------------------------------------


def _fvu(h, p, m):
    error = p * ((1 - h / m) * h**2 + h**3 / (3 * m))
    return error / (p * m**2 / 3 - p**2 * m**2 / 4)


@wrong("penalty_price", says="the 2 of the square's derivative")
def half_forgotten(l1, p, m):
    """The derivative of (a - z)² is -(a - z)."""
    return l1, l1 / m, _fvu(l1, p, m)


@wrong("penalty_price", says="wrong sign")
def offset_for_shortfall(l1, p, m):
    """What the latent says minus what was planted."""
    return -l1 / 2, l1 / (2 * m), _fvu(l1 / 2, p, m)


@wrong("penalty_price", says="the share of [0, m] is asked for")
def missed_as_a_magnitude(l1, p, m):
    """The threshold is the share."""
    return l1 / 2, l1 / 2, _fvu(l1 / 2, p, m)


@wrong("penalty_price", says="features that are off are not missed")
def missed_of_all_inputs(l1, p, m):
    """A feature that is off counts as seen."""
    return l1 / 2, p * l1 / (2 * m), _fvu(l1 / 2, p, m)


@wrong("penalty_price", says="about 0 and not about the mean")
def variance_about_zero(l1, p, m):
    """The variance is the mean of the square."""
    h = l1 / 2
    error = (1 - h / m) * h**2 + h**3 / (3 * m)
    return h, h / m, error / (m**2 / 3)


@wrong("penalty_price", says="not yet divided by the variance")
def error_for_fvu(l1, p, m):
    """The squared error is what is unexplained."""
    h = l1 / 2
    return h, h / m, p * ((1 - h / m) * h**2 + h**3 / (3 * m))


@wrong("penalty_price", says="a search over all codes gives")
def missed_features_cost_nothing(l1, p, m):
    """A latent that is silent makes no error."""
    h = l1 / 2
    return h, h / m, p * (1 - h / m) * h**2 / (p * m**2 / 3 - p**2 * m**2 / 4)


@wrong("penalty_price", says="a search over all codes gives")
def every_feature_is_short(l1, p, m):
    """All features lose λ/2, also those that have less."""
    h = l1 / 2
    return h, h / m, p * h**2 / (p * m**2 / 3 - p**2 * m**2 / 4)


@wrong("penalty_price", says="it has no unit, so it must stay")
def magnitudes_up_to_one(l1, p, m):
    """Features are uniform in [0, 1]."""
    return l1 / 2, l1 / 2, _fvu(l1 / 2, p, 1.0)


@wrong("penalty_price", says="exactly three numbers")
def fvu_left_out(l1, p, m):
    """Two of the three follow from each other."""
    return l1 / 2, l1 / (2 * m)


# --- found -------------------------------------------------------------------------------------


def _cosine(W_dec, D):
    return normalize(D, dim=-1) @ normalize(W_dec, dim=-1).T


def _assignment(cosine):
    from scipy.optimize import linear_sum_assignment

    feature, latent = linear_sum_assignment(cosine.numpy(), maximize=True)
    return cosine[feature, latent]


@wrong("found", says="the best pairing has")
def best_latent_of_each_feature(W_dec, D, threshold):
    """MMCS with a threshold: one latent may serve two features."""
    cosine = _cosine(W_dec, D)
    hits = (cosine.max(dim=1).values >= threshold).sum().item()
    return (cosine.max(dim=0).values >= threshold).double().mean().item(), hits / len(D)


@wrong("found", says="the best pairing has")
def first_come_first_served(W_dec, D, threshold):
    """Each feature in turn takes the best latent that is left."""
    cosine, hits = _cosine(W_dec, D), 0
    for row in range(min(cosine.shape)):
        best = cosine[row].argmax()
        hits += (cosine[row, best] >= threshold).item()
        cosine[:, best] = -2.0
    return hits / len(W_dec), hits / len(D)


@wrong("found", says="the best pairing has")
def largest_cosine_first(W_dec, D, threshold):
    """The closest pair is surely a pair of the best pairing."""
    cosine, hits = _cosine(W_dec, D), 0
    for _ in range(min(cosine.shape)):
        row, column = divmod(int(cosine.argmax()), cosine.shape[1])
        hits += (cosine[row, column] >= threshold).item()
        cosine[row], cosine[:, column] = -2.0, -2.0
    return hits / len(W_dec), hits / len(D)


@wrong("found", says="the best pairing has")
def either_sign(W_dec, D, threshold):
    """A direction and its opposite are the same direction."""
    hits = (_assignment(_cosine(W_dec, D).abs()) >= threshold).sum().item()
    return hits / len(W_dec), hits / len(D)


@wrong("found", says="the best pairing has")
def dot_products(W_dec, D, threshold):
    """Directions have length one."""
    hits = (_assignment(D @ W_dec.T) >= threshold).sum().item()
    return hits / len(W_dec), hits / len(D)


@wrong("found", says="invalid numeric entries")
def dead_latents_are_nan(W_dec, D, threshold):
    """Dividing by the norm makes length one."""
    cosine = (D / D.norm(dim=-1, keepdim=True)) @ (W_dec / W_dec.norm(dim=-1, keepdim=True)).T
    hits = (_assignment(cosine) >= threshold).sum().item()
    return hits / len(W_dec), hits / len(D)


@wrong("found", says="have changed places")
def places_changed(W_dec, D, threshold):
    """Precision is about the features, recall about the latents."""
    hits = (_assignment(_cosine(W_dec, D)) >= threshold).sum().item()
    return hits / len(D), hits / len(W_dec)


@wrong("found", says="the precision is 1.000")
def precision_among_the_paired(W_dec, D, threshold):
    """Only latents that have a partner can be right or wrong."""
    paired = _assignment(_cosine(W_dec, D))
    hits = (paired >= threshold).sum().item()
    return hits / max(hits, 1), hits / len(D)


@wrong("found", says="exactly two numbers")
def f1_alone(W_dec, D, threshold):
    """One number says it all."""
    hits = (_assignment(_cosine(W_dec, D)) >= threshold).sum().item()
    return (2 * hits / (len(W_dec) + len(D)),)


# --- unexplained -------------------------------------------------------------------------------


@wrong("unexplained", says="the definition gives")
def only_the_mean_repaired(x, x_hat):
    """The mean was the bug."""
    error = (x - x_hat).square().sum(dim=-1)
    return (error / (x - x.mean(dim=0)).square().sum(dim=-1)).mean()


@wrong("unexplained", says="the definition gives")
def only_the_sums_repaired(x, x_hat):
    """The mean of ratios was the bug."""
    return (x - x_hat).square().sum() / x.square().sum()


@wrong("unexplained", says="the definition gives")
def one_mean_for_all_dimensions(x, x_hat):
    """The mean of x is a number."""
    return (x - x_hat).square().sum() / (x - x.mean()).square().sum()


@wrong("unexplained", says="the definition gives")
def mean_of_each_input(x, x_hat):
    """The mean is taken over the dimensions of an input."""
    return (x - x_hat).square().sum() / (x - x.mean(dim=1, keepdim=True)).square().sum()


@wrong("unexplained", says="the definition gives")
def mean_over_dimensions_of_ratios(x, x_hat):
    """Every dimension has its own FVU; take their mean."""
    error = (x - x_hat).square().sum(dim=0)
    return (error / (x - x.mean(dim=0)).square().sum(dim=0)).mean() * 1.5


@wrong("unexplained", says="the definition gives")
def explained_instead(x, x_hat):
    """Unexplained and explained are one number."""
    return 1 - (x - x_hat).square().sum() / (x - x.mean(dim=0)).square().sum()


@wrong("unexplained", says="the definition gives")
def variance_of_the_reconstruction(x, x_hat):
    """The variance to be explained is that of x_hat."""
    return (x - x_hat).square().sum() / (x_hat - x_hat.mean(dim=0)).square().sum().clamp(min=1e-9)


@wrong("unexplained", says="the definition gives")
def small_number_in_the_denominator(x, x_hat):
    """A small number in the denominator mends the division by zero."""
    error = (x - x_hat).square().sum(dim=-1)
    return (error / (x.square().sum(dim=-1) + 1e-6)).mean()


# --- unit_norm_step ----------------------------------------------------------------------------


@wrong("unit_norm_step", says="you only renormalise")
def only_renormalised(W_dec, grad, lr):
    """Taking the rows back to norm 1 makes up for everything."""
    return normalize(W_dec - lr * grad, dim=-1)


@wrong("unit_norm_step", says="the norms of the new rows")
def only_projected(W_dec, grad, lr):
    """A step across a row does not change its length."""
    return W_dec - lr * (grad - (grad * W_dec).sum(dim=-1, keepdim=True) * W_dec)


@wrong("unit_norm_step", says="uphill")
def uphill(W_dec, grad, lr):
    """A gradient step adds the gradient."""
    return normalize(W_dec + lr * (grad - (grad * W_dec).sum(dim=-1, keepdim=True) * W_dec), dim=-1)


@wrong("unit_norm_step", says="rows round")
def projected_on_the_row(W_dec, grad, lr):
    """The projection of the gradient on the row is what is kept."""
    return normalize(W_dec - lr * ((grad * W_dec).sum(dim=-1, keepdim=True) * W_dec + grad), dim=-1)


@wrong("unit_norm_step", says="the norms of the new rows")
def columns_instead_of_rows(W_dec, grad, lr):
    """The directions are the columns."""
    across = grad - (grad * W_dec).sum(dim=-2, keepdim=True) * W_dec
    return normalize(W_dec - lr * across, dim=-2)


@wrong("unit_norm_step", says="the norms of the new rows")
def one_norm_for_the_matrix(W_dec, grad, lr):
    """`norm()` is the norm of the rows."""
    across = grad - (grad * W_dec).sum(dim=-1, keepdim=True) * W_dec
    new = W_dec - lr * across
    return new / new.norm() * len(new) ** 0.5


@wrong("unit_norm_step", says="differ from the gradient's part across the row")
def gradient_normalised(W_dec, grad, lr):
    """A gradient is a direction, so it has length one."""
    across = grad - (grad * W_dec).sum(dim=-1, keepdim=True) * W_dec
    return normalize(W_dec - lr * normalize(across, dim=-1), dim=-1)


@wrong("unit_norm_step", says="in place")
def in_place(W_dec, grad, lr):
    """W_dec is mine to change."""
    W_dec -= lr * (grad - (grad * W_dec).sum(dim=-1, keepdim=True) * W_dec)
    W_dec /= W_dec.norm(dim=-1, keepdim=True)
    return W_dec


@wrong("unit_norm_step", says="the norms of the new rows")
def clipped_to_the_ball(W_dec, grad, lr):
    """Norm 1 means norm at most 1."""
    new = W_dec - lr * grad
    return new / new.norm(dim=-1, keepdim=True).clamp(min=1.0)


# --- counterexample ----------------------------------------------------------------------------


def _neurons(d, n):
    eye = torch.eye(d)
    return torch.cat([eye, -eye], dim=1), torch.zeros(2 * d), torch.cat([eye, -eye])


def _planted(D, threshold=0.45):
    return D.T.contiguous(), torch.full((len(D),), -threshold), D.clone()


@wrong("counterexample", says="the first SAE has an FVU of")
def in_the_wrong_order(D):
    """First the good features, then the good reconstruction."""
    return (*_planted(D), *_neurons(D.shape[1], len(D)))


@wrong("counterexample", says="the first SAE has an FVU of")
def one_sign_of_the_neurons(D):
    """The identity rebuilds everything, ReLU or not."""
    d = D.shape[1]
    return (torch.eye(d), torch.zeros(d), torch.eye(d), *_planted(D))


@wrong("counterexample", says="of the features (cosine")
def same_directions_twice(D):
    """A lower threshold loses the features."""
    return (*_planted(D, 0.5), *_planted(D, 0.0))


@wrong("counterexample", says="the second SAE has an FVU of")
def features_without_a_threshold(D):
    """The planted directions with no bias are the right SAE."""
    return (*_neurons(D.shape[1], len(D)), *_planted(D, 0.0))


@wrong("counterexample", says="it may have up to 24")
def as_many_latents_as_it_takes(D):
    """Neurons and features together."""
    W_enc, b_enc, W_dec = _neurons(D.shape[1], len(D))
    both = torch.cat([W_enc, D.T], dim=1), torch.cat([b_enc, b_enc]), torch.cat([W_dec, D])
    return (*both, *_planted(D))


@wrong("counterexample", says="the second 0%")
def random_second(D):
    """Any other directions have better features than the neurons."""
    g = torch.Generator().manual_seed(12345)
    W = normalize(torch.randn(D.shape, generator=g), dim=-1)
    return (*_neurons(D.shape[1], len(D)), *_planted(W))


@wrong("counterexample", says="six tensors")
def as_two_tuples(D):
    """Two SAEs are two values."""
    return _neurons(D.shape[1], len(D)), _planted(D)


@wrong("counterexample", says="the second SAE has an FVU of")
def second_is_asleep(D):
    """A high threshold keeps the features clean."""
    return (*_neurons(D.shape[1], len(D)), *_planted(D, 5.0))


@wrong("counterexample", says="b_enc of the second SAE")
def bias_as_a_number(D):
    """One bias for all latents is one number."""
    W_enc, _, W_dec = _planted(D)
    return (*_neurons(D.shape[1], len(D)), W_enc, torch.tensor(-0.45), W_dec)
