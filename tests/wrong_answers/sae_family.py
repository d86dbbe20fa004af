"""Answers that a student could hand in, and that the checks must reject with a word that helps.

Each docstring names the misconception; `says` must stand in the feedback.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from course_lib.sae import SAE, ReLUSAE, TopKSAE


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
        WRONG.setdefault(f"sae_family.{exercise}", []).append(WrongAnswer(answer, says))
        return answer

    return register


# --- batch_topk --------------------------------------------------------------------------------


@wrong("batch_topk", says="none of yours has more than k = 2, as in TopK")
def topk_of_each_input(pre, k):
    """Every input has its own budget."""
    values, places = pre.relu().topk(k, dim=-1)
    return torch.zeros_like(pre).scatter(-1, places, values)


@wrong("batch_topk", says="2 of yours are active in the batch, and 10 should be")
def k_of_the_whole_batch(pre, k):
    """k latents are active in the batch."""
    values, places = pre.relu().flatten().topk(k)
    return torch.zeros(pre.numel()).scatter(0, places, values).view_as(pre)


@wrong("batch_topk", says="latents are negative")
def negative_ones_are_kept(pre, k):
    """The largest are the largest, whatever their sign."""
    values, places = pre.flatten().topk(k * len(pre))
    return torch.zeros(pre.numel()).scatter(0, places, values).view_as(pre)


@wrong("batch_topk", says="no gradient reaches the pre-activations")
def a_mask_of_ones(pre, k):
    """A latent is active or it is not."""
    places = pre.relu().flatten().topk(k * len(pre)).indices
    return torch.zeros(pre.numel()).scatter(0, places, 1.0).view_as(pre) * (pre > 0)


@wrong("batch_topk", says="no gradient reaches the pre-activations")
def values_cut_off_by_detach(pre, k):
    """What was selected is a constant."""
    values, places = pre.detach().relu().flatten().topk(k * len(pre))
    return torch.zeros(pre.numel()).scatter(0, places, values).view_as(pre)


@wrong("batch_topk", says="differ from the definition")
def largest_by_magnitude(pre, k):
    """The strongest reaction counts, in either direction; then the ReLU."""
    places = pre.abs().flatten().topk(k * len(pre)).indices
    mask = torch.zeros(pre.numel()).scatter(0, places, 1.0).view_as(pre)
    return (pre * mask).relu()


@wrong("batch_topk", says="by the definition they have")
def k_inputs_of_each_latent(pre, k):
    """Every latent gets its part of the budget."""
    values, places = pre.relu().topk(min(k, len(pre)), dim=0)
    return torch.zeros_like(pre).scatter(0, places, values)


@wrong("batch_topk", says="by the definition they have")
def above_the_mean_of_all(pre, k):
    """What is above average is kept."""
    return torch.where(pre > pre.mean().clamp(min=0), pre, 0.0)


# --- nested ------------------------------------------------------------------------------------


@wrong("nested", says="between two prefixes")
def parts_instead_of_prefixes(z, W_dec, b_dec, prefixes):
    """Each doll is what the latents between two prefixes write."""
    starts = [0, *prefixes[:-1]]
    parts = [z[:, a:b] @ W_dec[a:b] + b_dec for a, b in zip(starts, prefixes, strict=True)]
    return torch.stack(parts)


@wrong("nested", says="b_dec stands in it 3 times")
def bias_in_every_round(z, W_dec, b_dec, prefixes):
    """Every part brings its bias along."""
    return parts_instead_of_prefixes(z, W_dec, b_dec, prefixes).cumsum(dim=0)


@wrong("nested", says="b_dec is missing")
def bias_forgotten(z, W_dec, b_dec, prefixes):
    """The bias belongs to no latent, so no prefix has it."""
    return torch.stack([z[:, :m] @ W_dec[:m] for m in prefixes])


@wrong("nested", says="from the largest prefix to the smallest")
def largest_first(z, W_dec, b_dec, prefixes):
    """The whole comes first, then its parts."""
    return torch.stack([z[:, :m] @ W_dec[:m] + b_dec for m in reversed(prefixes)])


@wrong("nested", says="latents moved by")
def the_largest_latents_first(z, W_dec, b_dec, prefixes):
    """A prefix holds the latents that are most active."""
    order = z.sum(dim=0).argsort(descending=True)
    return torch.stack([z[:, order[:m]] @ W_dec[order[:m]] + b_dec for m in prefixes])


@wrong("nested", says="latents moved by")
def the_last_latents(z, W_dec, b_dec, prefixes):
    """The prefix of m latents is the last m."""
    return torch.stack([z[:, -m:] @ W_dec[-m:] + b_dec for m in prefixes])


@wrong("nested", says="entries differ from the definition")
def changed_in_place(z, W_dec, b_dec, prefixes):
    """One tensor can hold every stage, if it is appended every time."""
    x_hat, levels = b_dec.expand(len(z), -1).clone(), []
    for start, end in zip([0, *prefixes[:-1]], prefixes, strict=True):
        x_hat += z[:, start:end] @ W_dec[start:end]
        levels.append(x_hat)
    return torch.stack(levels)


@wrong("nested", says="the gradient of W_dec is wrong")
def only_the_last_learns(z, W_dec, b_dec, prefixes):
    """The smaller dolls are there to be looked at."""
    levels = [z[:, :m] @ W_dec[:m] + b_dec for m in prefixes]
    return torch.stack([level.detach() for level in levels[:-1]] + levels[-1:])


# --- threshold_slope ---------------------------------------------------------------------------


def _threshold(slope, best):
    """An answer from two formulas of θ, p, c, λ."""

    def answer(theta, p, c, l0_coefficient):
        given = (theta, p, c, l0_coefficient)
        return slope(*given), best(*given)

    return answer


def _right_slope(theta, p, c, l0):
    return p * (theta**2 - l0) - (theta < c) * (1 - p) / c * (theta**2 + l0)


def _right_best(theta, p, c, l0):
    return max(c, math.sqrt(l0))


@wrong("threshold_slope", says="the interference is not in it")
def interference_forgotten(theta, p, c, l0_coefficient):
    """Only inputs with the feature have pre-activations."""
    return p * (theta**2 - l0_coefficient), math.sqrt(l0_coefficient)


@wrong("threshold_slope", says="the penalty is not in it")
def penalty_forgotten(theta, p, c, l0_coefficient):
    """The count has no derivative, so it does not move the threshold."""
    return _right_slope(theta, p, c, 0.0), c


@wrong("threshold_slope", says="the sign is turned round")
def sign_of_the_step(theta, p, c, l0_coefficient):
    """The slope is the direction in which the threshold should go."""
    return -_right_slope(theta, p, c, l0_coefficient), min(c, math.sqrt(l0_coefficient))


@wrong("threshold_slope", says="yours is twice as steep")
def derivative_of_the_square(theta, p, c, l0_coefficient):
    """A square has a factor 2 in its derivative."""
    return 2 * _right_slope(theta, p, c, l0_coefficient), 1.0


@wrong("threshold_slope", says="the loss, integrated numerically, rises by")
def density_forgotten(theta, p, c, l0_coefficient):
    """Without the feature the density is 1 - p."""
    slope = p * (theta**2 - l0_coefficient) - (theta < c) * (1 - p) * (theta**2 + l0_coefficient)
    return slope, _right_best(theta, p, c, l0_coefficient)


@wrong("threshold_slope", says="where the loss is")
def best_is_the_end_of_the_interference(theta, p, c, l0_coefficient):
    """Nothing is gained above c."""
    return _right_slope(theta, p, c, l0_coefficient), c


@wrong("threshold_slope", says="where the loss is")
def best_is_the_root_of_the_penalty(theta, p, c, l0_coefficient):
    """The slope is 0 where θ² = λ."""
    return _right_slope(theta, p, c, l0_coefficient), math.sqrt(l0_coefficient)


@wrong("threshold_slope", says="return (slope, best)")
def slope_alone(theta, p, c, l0_coefficient):
    """The best threshold follows from the slope."""
    return _right_slope(theta, p, c, l0_coefficient)


# --- batch_topk_module -------------------------------------------------------------------------


def _select(pre, k):
    values = pre.relu().flatten()
    kept, places = values.topk(k * len(pre))
    return kept, torch.zeros_like(values).scatter(0, places, kept).view_as(pre)


class _Module(nn.Module):
    """Right, so that each wrong answer differs in one place."""

    def __init__(self, k):
        super().__init__()
        self.k = k
        self.register_buffer("threshold", torch.tensor(0.0))

    def follow(self, kept):
        self.threshold = torch.lerp(kept.detach().min(), self.threshold, 0.9)

    def forward(self, pre):
        if not self.training:
            return torch.where(pre > self.threshold, pre, 0.0)
        kept, z = _select(pre, self.k)
        self.follow(kept)
        return z


@wrong("batch_topk_module", says="inputs have other latents alone than in a batch")
class OnlyTheBuffer(_Module):
    """Saving the threshold repairs it; the selection may stay."""

    def forward(self, pre):
        kept, z = _select(pre, self.k)
        if self.training:
            self.follow(kept)
        return z


@wrong("batch_topk_module", says="its copy, one input at a time, has")
class OnlyTheThreshold(_Module):
    """An attribute is kept with the module."""

    def __init__(self, k):
        super().__init__(k)
        del self.threshold
        self.threshold = torch.tensor(0.0)


@wrong("batch_topk_module", says="its copy, one input at a time, has")
class BufferThatIsNotSaved(_Module):
    """A buffer is a buffer, persistent or not."""

    def __init__(self, k):
        super().__init__(k)
        self.register_buffer("threshold", torch.tensor(0.0), persistent=False)


@wrong("batch_topk_module", says="every input has exactly 3 active latents")
class TopKAtInference(_Module):
    """At inference the batch is one input, so each input gets its k largest."""

    def forward(self, pre):
        if self.training:
            return super().forward(pre)
        values, places = pre.relu().topk(self.k, dim=-1)
        return torch.zeros_like(pre).scatter(-1, places, values)


@wrong("batch_topk_module", says="inputs have other latents alone than in a batch")
class ThresholdFollowsAtInference(_Module):
    """The running mean goes on while the module is used."""

    def forward(self, pre):
        kept, z = _select(pre, self.k)
        self.follow(kept)
        return z if self.training else torch.where(pre > self.threshold, pre, 0.0)


@wrong("batch_topk_module", says="one by one, 0.")
class ThresholdAtTheLargest(_Module):
    """The threshold is the largest value that was kept."""

    def follow(self, kept):
        self.threshold = torch.lerp(kept.detach().max(), self.threshold, 0.9)


@wrong("batch_topk_module", says="latents are active on average; k = 3 should be")
class ThresholdStaysAtZero(_Module):
    """A ReLU is threshold enough."""

    def follow(self, kept):
        pass


@wrong("batch_topk_module", says="too even")
class ThresholdInUnitsOfTheInput(_Module):
    """Each input is brought to one loudness before the threshold."""

    def forward(self, pre):
        if self.training:
            return super().forward(pre)
        loud = pre / pre.norm(dim=-1, keepdim=True) * 6.5
        return torch.where(loud > self.threshold, pre, 0.0).relu()


# --- lower_fvu ---------------------------------------------------------------------------------

A, B, a, b = torch.eye(4)


def _unit(*rows):
    rows = torch.stack(rows)
    return rows / rows.norm(dim=-1, keepdim=True)


@wrong("lower_fvu", says="4 of the 4 features are found")
def the_planted_dictionary():
    """The true features rebuild best."""
    return torch.eye(4)


@wrong("lower_fvu", says="latents fit no input best")
def the_children_absorbed_twice():
    """Two latents are enough, the others may be anything."""
    return _unit(A + a, B + b, -A, -B)


@wrong("lower_fvu", says="your FVU is")
def the_parents_and_their_difference():
    """PCA: the parents' difference comes first, then their children's."""
    return _unit(A - B, a - b, a + b, A + B)


@wrong("lower_fvu", says="row 2 has length 1.414")
def rows_that_are_not_normalised():
    """A direction has no length."""
    return torch.stack([A, B, A + a, B + b])


@wrong("lower_fvu", says="3 of the 4 features are found")
def one_parent_absorbed():
    """One absorbed parent is enough to make the dictionary a bad one."""
    return _unit(A, B, A + a, b)


@wrong("lower_fvu", says="your FVU is")
def everything_in_one_latent():
    """One latent for everything, and the parents for the rest."""
    return _unit(A + B + a + b, A + B, a + b, A - B)


@wrong("lower_fvu", says="fit no input best")
def children_beside_the_sums():
    """Children deserve a latent, and so do the sums."""
    return _unit(A + a, B + b, a, b)


# --- new_architecture --------------------------------------------------------------------------


@wrong("new_architecture", says="could not be made as (d_in, d_sae")
class WithoutInstances(SAE):
    """A constructor needs the sizes only."""

    def __init__(self, d_in, d_sae):
        super().__init__(d_in, d_sae)

    def activate(self, pre):
        return torch.where(pre > 0.5, pre, 0.0)


@wrong("new_architecture", says="it must be a course_lib.sae.SAE")
class NoSAE(nn.Module):
    """Any module with an encode will do."""

    def __init__(self, d_in, d_sae, n_instances=None, seed=0):
        super().__init__()
        self.encode = nn.Linear(d_in, d_sae)


@wrong("new_architecture", says="no gradient reaches W_enc")
class OnOrOff(SAE):
    """Latents are switches."""

    def activate(self, pre):
        return (pre > 1.0).to(pre.dtype)


@wrong("new_architecture", says="latents are active on average")
class JustReLU(SAE):
    """Non-negative is sparse."""

    def activate(self, pre):
        return pre.relu()


@wrong("new_architecture", says="have other latents alone than in a batch")
class AcrossTheBatch(SAE):
    """What is selected in training is selected at inference."""

    def activate(self, pre):
        threshold = pre.relu().flatten().topk(2 * pre.shape[-2]).values.min()
        return torch.where(pre >= threshold, pre, 0.0).relu()


@wrong("new_architecture", says="random directions leave")
class OneLatentForAll(SAE):
    """The sparsest code has the same latent for every input."""

    def activate(self, pre):
        first = torch.zeros_like(pre)
        first[..., 0] = pre[..., 0].relu() + 0.01
        return first


@wrong("new_architecture", says="is kept under no attribute of that name")
class SettingUnderAnotherName(TopKSAE):
    """Only the class itself needs to know its settings."""

    def __init__(self, d_in, d_sae, share=0.1, *, n_instances=None, seed=0):
        super().__init__(d_in, d_sae, int(share * d_sae), n_instances=n_instances, seed=seed)


@wrong("new_architecture", says="its twin, made from config and state dict")
class ThresholdOutsideTheState(SAE):
    """A running threshold is no weight."""

    def __init__(self, d_in, d_sae, *, n_instances=None, seed=0):
        super().__init__(d_in, d_sae, n_instances=n_instances, seed=seed)
        self.level = 0.3

    def activate(self, pre):
        if self.training:
            self.level = 0.9 * self.level + 0.1 * float(pre.detach().relu().quantile(0.9))
        return torch.where(pre > self.level, pre, 0.0)


@wrong("new_architecture", says="after fold_scale(2)")
class ThresholdThatIsNotFolded(SAE):
    """A threshold has no unit."""

    def activate(self, pre):
        return torch.where(pre > 0.3, pre, 0.0)


@wrong("new_architecture", says="lines; 39 are allowed")
class Lengthy(SAE):
    """Everything that the base class does is better done again."""

    def __init__(self, d_in, d_sae, k=2, *, n_instances=None, seed=0):
        super().__init__(d_in, d_sae, n_instances=n_instances, seed=seed)
        self.k = k

    def activate(self, pre):
        values, places = pre.relu().topk(self.k, dim=-1)
        return torch.zeros_like(pre).scatter(-1, places, values)

    def encode(self, x):
        """The latents, once more.

        This says what the base class says, and takes its time
        to do so. It is here to be too long. A reader has to find
        out that nothing in it is new, which is the trouble with
        code that is written twice.
        """
        pre = self.pre_activations(x)
        return self.activate(pre)

    def decode(self, z):
        """The reconstruction, once more.

        The same holds for this one, and for the next.
        There is a base class so that an architecture can
        be read in one look, and this one cannot.
        """
        bias = self.b_dec
        if self.n_instances is not None:
            bias = bias[:, None]
        return z @ self.W_dec + bias

    def forward(self, x):
        """The reconstruction of x, once more.

        The base class has it in one line. This one takes
        three, and a docstring that nobody will read to
        its end, where it says again what it has said.
        """
        z = self.encode(x)
        x_hat = self.decode(z)
        return x_hat


@wrong("new_architecture", says="has no method of its own")
class RenamedReLU(ReLUSAE):
    """A new name is a new architecture."""
