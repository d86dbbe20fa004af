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
        WRONG.setdefault(f"toy_models.{exercise}", []).append(WrongAnswer(answer, says))
        return answer

    return register


def _shape(batch_size, probability):
    return probability.shape[0], batch_size, probability.shape[1]


# --- sample_features ---------------------------------------------------------------------------


@wrong("sample_features", says="switched on together")
def one_draw_switches_all_features(batch_size, probability, generator):
    """One on/off draw per sample is enough."""
    shape = _shape(batch_size, probability)
    active = torch.rand(*shape[:2], 1, generator=generator) < probability[:, None]
    return torch.rand(shape, generator=generator) * active


@wrong("sample_features", says="switched on together")
def instances_share_their_draws(batch_size, probability, generator):
    """All instances may look at the same samples."""
    shape = _shape(batch_size, probability)
    u = torch.rand(shape[1:], generator=generator).expand(shape)
    active = torch.rand(shape[1:], generator=generator).expand(shape) < probability[:, None]
    return u * active


@wrong("sample_features", says="one random number decides both")
def mask_and_magnitude_from_one_draw(batch_size, probability, generator):
    """The number that decided whether the feature is active can serve as its magnitude."""
    u = torch.rand(_shape(batch_size, probability), generator=generator)
    return u * (u < probability[:, None])


@wrong("sample_features", says="one random number decides both")
def large_draws_are_active(batch_size, probability, generator):
    """The largest draws are the active ones, and keep their value."""
    u = torch.rand(_shape(batch_size, probability), generator=generator)
    return u * (u > 1 - probability[:, None])


@wrong("sample_features", says="it is always 1")
def magnitudes_are_one(batch_size, probability, generator):
    """Active means 1."""
    u = torch.rand(_shape(batch_size, probability), generator=generator)
    return (u < probability[:, None]).float()


@wrong("sample_features", says="active equally often")
def one_probability_for_all(batch_size, probability, generator):
    """The mean probability stands for all."""
    shape = _shape(batch_size, probability)
    active = torch.rand(shape, generator=generator) < probability.mean()
    return torch.rand(shape, generator=generator) * active


@wrong("sample_features", says="probability of being zero")
def probability_is_sparsity(batch_size, probability, generator):
    """p is taken for the sparsity S = 1 - p."""
    shape = _shape(batch_size, probability)
    active = torch.rand(shape, generator=generator) > probability[:, None]
    return torch.rand(shape, generator=generator) * active


@wrong("sample_features", says="global generator")
def global_generator(batch_size, probability, generator):
    """`torch.rand` knows which generator is meant."""
    shape = _shape(batch_size, probability)
    return torch.rand(shape) * (torch.rand(shape) < probability[:, None])


@wrong("sample_features", says="global generator")
def global_magnitudes(batch_size, probability, generator):
    """`rand_like` draws from the generator that made its argument."""
    active = torch.rand(_shape(batch_size, probability), generator=generator)
    return torch.rand_like(active) * (active < probability[:, None])


@wrong("sample_features", says="must stay between 0 and 1")
def normal_magnitudes(batch_size, probability, generator):
    """Random means normal."""
    shape = _shape(batch_size, probability)
    active = torch.rand(shape, generator=generator) < probability[:, None]
    return torch.randn(shape, generator=generator) * active


@wrong("sample_features", says="share their magnitude")
def one_magnitude_per_sample(batch_size, probability, generator):
    """The features that are active in a sample have one magnitude."""
    shape = _shape(batch_size, probability)
    active = torch.rand(shape, generator=generator) < probability[:, None]
    return torch.rand(*shape[:2], 1, generator=generator) * active


@wrong("sample_features", says="the shape [4000, 4]")
def no_instance_axis(batch_size, probability, generator):
    """The instances are one model."""
    p = probability.mean(dim=0)
    shape = (batch_size, len(p))
    return torch.rand(shape, generator=generator) * (torch.rand(shape, generator=generator) < p)


@wrong("sample_features", says="different seeds gave the same sample")
def seed_of_its_own(batch_size, probability, generator):
    """A fixed seed inside the function makes it reproducible."""
    own = torch.Generator().manual_seed(0)
    shape = _shape(batch_size, probability)
    return torch.rand(shape, generator=own) * (
        torch.rand(shape, generator=own) < probability[:, None]
    )


# --- toy_forward -------------------------------------------------------------------------------


@wrong("toy_forward", says="the bias is not used")
def bias_forgotten(x, W, b):
    """Biases start at 0, so they can be left out."""
    return torch.relu(x @ W @ W.mT)


@wrong("toy_forward", says="the bias belongs inside the ReLU")
def bias_after_relu(x, W, b):
    """The bias is added last."""
    return torch.relu(x @ W @ W.mT) + b[:, None]


@wrong("toy_forward", says="a ReLU never is")
def no_relu(x, W, b):
    """The linear model."""
    return x @ W @ W.mT + b[:, None]


@wrong("toy_forward", says="differ from the definition")
def relu_on_the_hidden_layer_too(x, W, b):
    """Every layer ends in a ReLU."""
    return torch.relu(torch.relu(x @ W) @ W.mT + b[:, None])


@wrong("toy_forward", says="only a part of its gradient")
def encoder_detached(x, W, b):
    """The encoder is a copy of the decoder, so its gradient is not needed."""
    return torch.relu(x @ W.detach() @ W.mT + b[:, None])


@wrong("toy_forward", says="gradient of W is wrong")
def decoder_detached(x, W, b):
    """The decoder is a copy of the encoder, so its gradient is not needed."""
    return torch.relu(x @ W @ W.detach().mT + b[:, None])


@wrong("toy_forward", says="no gradient reaches b")
def bias_detached(x, W, b):
    """`.data` is the way to read a parameter."""
    return torch.relu(x @ W @ W.mT + b.data[:, None])


@wrong("toy_forward", says="no gradient reaches W")
def no_grad(x, W, b):
    """A forward pass needs no gradients."""
    with torch.no_grad():
        return torch.relu(x @ W @ W.mT + b[:, None])


@wrong("toy_forward", says="outputs of instance 0")
def instances_added_up(x, W, b):
    """The instance axis is summed over in the einsum."""
    hidden = torch.einsum("nsi,mik->nsk", x, W)
    return torch.relu(hidden @ W.mT + b[:, None])


@wrong("toy_forward", says="left its outputs as they were")
def first_instance_serves_all(x, W, b):
    """All instances have the weights of the first."""
    return torch.relu(x @ W[0] @ W[0].T + b[:, None])


@wrong("toy_forward", says="returned the shape [1, 3]")
def squeezed(x, W, b):
    """Axes of length 1 are untidy."""
    return torch.relu(x @ W @ W.mT + b[:, None]).squeeze(0)


@wrong("toy_forward", says="in place")
def bias_added_in_place(x, W, b):
    """x is mine to change."""
    return x.copy_(torch.relu(x @ W @ W.mT + b[:, None]).detach())


@wrong("toy_forward", says="must match the size of tensor")
def bias_without_batch_axis(x, W, b):
    """[n_instances, n_features] broadcasts by itself."""
    return torch.relu(x @ W @ W.mT + b)


# --- feature_dimensionality --------------------------------------------------------------------


def _unit(W):
    length = W.norm(dim=-1, keepdim=True)
    return W / length.where(length > 0, 1.0)


def _share(W, onto):
    return W.square().sum(dim=-1) / onto.where(onto > 0, 1.0)


@wrong("feature_dimensionality", says="NaN; it must get 0")
def ignored_features_are_nan(W):
    """0/0 will sort itself out."""
    onto = (torch.nn.functional.normalize(W, dim=-1) @ W.mT).square().sum(dim=-1)
    return W.square().sum(dim=-1) / onto


@wrong("feature_dimensionality", says="above 1")
def others_only(W):
    """A feature does not interfere with itself, so j = i is left out."""
    overlap = (_unit(W) @ W.mT).square()
    return _share(W, overlap.sum(dim=-1) - overlap.diagonal(dim1=-2, dim2=-1))


@wrong("feature_dimensionality", says="differ from the definition")
def both_normalised(W):
    """The overlap is the cosine, of both."""
    unit = _unit(W)
    D = 1 / (unit @ unit.mT).square().sum(dim=-1)
    return torch.where(W.norm(dim=-1) > 0, D, 0.0)


@wrong("feature_dimensionality", says="with all weights times 0.2")
def not_normalised(W):
    """The hat on W is decoration."""
    return _share(W, (W @ W.mT).square().sum(dim=-1))


@wrong("feature_dimensionality", says="it must be 0.500")
def overlap_not_squared(W):
    """The overlap is its absolute value."""
    return _share(W, (_unit(W) @ W.mT).abs().sum(dim=-1))


@wrong("feature_dimensionality", says="with all weights times 0.2")
def constant_in_the_denominator(W):
    """A small number avoids the NaN."""
    return W.square().sum(dim=-1) / ((_unit(W) @ W.mT).square().sum(dim=-1) + 0.1)


@wrong("feature_dimensionality", says="differ from the definition")
def length_not_squared(W):
    """The numerator is the length."""
    onto = (_unit(W) @ W.mT).square().sum(dim=-1)
    return W.norm(dim=-1) / onto.where(onto > 0, 1.0)


@wrong("feature_dimensionality", says="differ from the definition")
def instances_mixed(W):
    """All rows of all instances are one list."""
    rows = W.flatten(0, 1)
    return _share(rows, (_unit(rows) @ rows.T).square().sum(dim=-1)).view(W.shape[:2])


@wrong("feature_dimensionality", says="the shape [2]")
def sum_instead_of_shares(W):
    """The sum over features is what is wanted."""
    return _share(W, (_unit(W) @ W.mT).square().sum(dim=-1)).sum(dim=-1)


@wrong("feature_dimensionality", says="a row of zeros gets 1")
def ignored_features_own_one(W):
    """No interference, so a dimension of its own."""
    onto = (_unit(W) @ W.mT).square().sum(dim=-1)
    return torch.where(onto > 0, W.square().sum(dim=-1) / onto, 1.0)


# --- pair_losses -------------------------------------------------------------------------------


def _variance(p):
    return p / 3 - p**2 / 4


def _dedicated(p_1, p_2, r):
    return min(_variance(p_1), r * _variance(p_2))


def _antipodal(p_1, p_2, r):
    return (1 + r) * p_1 * p_2 / 6


@wrong("pair_losses", says="halving p_1 alone")
def one_active_feature_costs(p_1, p_2, r):
    """|cos| = 1 is the largest overlap, so each active feature disturbs the other."""
    return p_2 / 3 + r * p_1 / 3, _dedicated(p_1, p_2, r)


@wrong("pair_losses", says="given that both are active")
def activity_forgotten(p_1, p_2, r):
    """E[min²] = 1/6 is the answer."""
    return (1 + r) / 6, _dedicated(p_1, p_2, r)


@wrong("pair_losses", says="first output alone")
def smaller_output_forgotten(p_1, p_2, r):
    """The second feature does not count."""
    return p_1 * p_2 / 6, _dedicated(p_1, p_2, r)


@wrong("pair_losses", says="without the importance r")
def importance_forgotten_in_the_pair(p_1, p_2, r):
    """Both outputs count the same."""
    return 2 * p_1 * p_2 / 6, _dedicated(p_1, p_2, r)


@wrong("pair_losses", says="the mean of the two probabilities")
def mean_probability(p_1, p_2, r):
    """Two unequal features are like two features of average frequency."""
    return (1 + r) * ((p_1 + p_2) / 2) ** 2 / 6, _dedicated(p_1, p_2, r)


@wrong("pair_losses", says="integrated numerically, gives")
def squared_mean_of_the_smaller(p_1, p_2, r):
    """E[min²] = E[min]² = 1/9."""
    return (1 + r) * p_1 * p_2 / 9, _dedicated(p_1, p_2, r)


@wrong("pair_losses", says="with a bias of 0")
def bias_left_at_zero(p_1, p_2, r):
    """A feature that is left out is answered by 0."""
    return _antipodal(p_1, p_2, r), min(p_1 / 3, r * p_2 / 3)


@wrong("pair_losses", says="cannot know when the feature is active")
def variance_given_activity(p_1, p_2, r):
    """The variance of a uniform variable is 1/12."""
    return _antipodal(p_1, p_2, r), min(p_1 / 12, r * p_2 / 12)


@wrong("pair_losses", says="leaving out the first costs less")
def less_important_feature_left_out(p_1, p_2, r):
    """Importance alone decides which feature is left out."""
    dedicated = r * _variance(p_2) if r < 1 else _variance(p_1)
    return _antipodal(p_1, p_2, r), dedicated


@wrong("pair_losses", says="leaving out the second costs less")
def first_feature_always_left_out(p_1, p_2, r):
    """The second feature gets the dimension."""
    return _antipodal(p_1, p_2, r), _variance(p_1)


@wrong("pair_losses", says="the importance is not in it")
def importance_forgotten_in_the_dedicated_state(p_1, p_2, r):
    """A variance is a variance."""
    return _antipodal(p_1, p_2, r), min(_variance(p_1), _variance(p_2))


@wrong("pair_losses", says="integrated numerically, gives")
def losses_swapped(p_1, p_2, r):
    """The order of the two does not matter."""
    return _dedicated(p_1, p_2, r), _antipodal(p_1, p_2, r)


@wrong("pair_losses", says="return (antipodal, dedicated)")
def only_the_difference(p_1, p_2, r):
    """What matters is which one wins."""
    return _dedicated(p_1, p_2, r) - _antipodal(p_1, p_2, r)


# --- attack_output -----------------------------------------------------------------------------


def _gradient(W, b, x, feature, relu=False):
    x = x.clone().requires_grad_()
    output = (x @ W @ W.T + b)[:, feature]
    return torch.autograd.grad((output.relu() if relu else output).sum(), x)[0]


@wrong("attack_output", says="depends on the rest of the batch")
def only_the_relu_repaired(W, b, x, feature, epsilon):
    """Gradient masking was the only bug."""
    gradient = _gradient(W, b, x, feature)
    return epsilon * gradient / gradient.norm()


@wrong("attack_output", says="holds NaN")
def only_the_norm_repaired(W, b, x, feature, epsilon):
    """The norm was the only bug."""
    gradient = _gradient(W, b, x, feature, relu=True)
    return epsilon * gradient / gradient.norm(dim=-1, keepdim=True)


@wrong("attack_output", says="not perturbed at all")
def nan_hidden_by_a_small_number(W, b, x, feature, epsilon):
    """A small number in the denominator removes the NaN, so all is well."""
    gradient = _gradient(W, b, x, feature, relu=True)
    return epsilon * gradient / (gradient.norm(dim=-1, keepdim=True) + 1e-8)


@wrong("attack_output", says="a random search")
def push_the_feature_itself(W, b, x, feature, epsilon):
    """Output i is raised by raising input i."""
    return epsilon * torch.eye(x.shape[1])[feature].expand_as(x)


@wrong("attack_output", says="largest entry of each sample")
def sign_attack(W, b, x, feature, epsilon):
    """The sign attack, which is the best one for the largest entry and not for L2."""
    return epsilon * _gradient(W, b, x, feature).sign()


@wrong("attack_output", says="every norm is 1.000")
def epsilon_forgotten(W, b, x, feature, epsilon):
    """The direction is what counts."""
    gradient = _gradient(W, b, x, feature)
    return gradient / gradient.norm(dim=-1, keepdim=True)


@wrong("attack_output", says="a random search")
def downhill(W, b, x, feature, epsilon):
    """A step along minus the gradient, as in training."""
    gradient = _gradient(W, b, x, feature)
    return -epsilon * gradient / gradient.norm(dim=-1, keepdim=True)


@wrong("attack_output", says="return the attacked input")
def attacked_input(W, b, x, feature, epsilon):
    """The attack is the new input."""
    gradient = _gradient(W, b, x, feature)
    return x + epsilon * gradient / gradient.norm(dim=-1, keepdim=True)


@wrong("attack_output", says="the norms run from")
def clamped_to_the_data(W, b, x, feature, epsilon):
    """The attacked input must stay non-negative."""
    gradient = _gradient(W, b, x, feature)
    delta = epsilon * gradient / gradient.norm(dim=-1, keepdim=True)
    return (x + delta).clamp(min=0) - x


@wrong("attack_output", says="depends on the rest of the batch")
def normalised_over_samples(W, b, x, feature, epsilon):
    """dim=0 is the axis to normalise over."""
    gradient = _gradient(W, b, x, feature)
    return epsilon * gradient / gradient.norm(dim=0, keepdim=True)


# --- counterexample ----------------------------------------------------------------------------


def _directions(*degrees, length=1.0):
    angle = torch.tensor(degrees) * math.pi / 180
    return length * torch.stack([angle.cos(), angle.sin()], dim=1)


@wrong("counterexample", says="nearly in line: the cosine is -1.00")
def antipodal_pair():
    """The exception that the claim makes is itself a counterexample."""
    return torch.tensor([[1.0], [-1.0]]), torch.zeros(2)


@wrong("counterexample", says="nearly orthogonal: the cosine is")
def two_antipodal_pairs():
    """Four features in a plane, in pairs, share at a slant."""
    return _directions(0.0, 90.0, 180.0, 270.0), torch.zeros(4)


@wrong("counterexample", says="nobody has to share")
def as_many_dimensions_as_features():
    """Two features at an obtuse angle in a plane share."""
    return _directions(0.0, 120.0), torch.zeros(2)


@wrong("counterexample", says="in output")
def pentagon():
    """What training finds is free."""
    return _directions(0.0, 72.0, 144.0, 216.0, 288.0), torch.zeros(5)


@wrong("counterexample", says="alone at 1.0 comes back as 0.600")
def negative_bias():
    """A negative bias silences interference at no cost."""
    return _directions(0.0, 60.0, 120.0), torch.full((3,), -0.4)


@wrong("counterexample", says="comes back as 0.")
def right_at_one_only():
    """An answer that is right for x = 1 is right: |W|² + b = 1."""
    return _directions(0.0, 120.0, 240.0, length=1.2), torch.full((3,), -0.44)


@wrong("counterexample", says="alone at 1.0 comes back as 2.250")
def long_rows():
    """Only the angles count."""
    return _directions(0.0, 120.0, 240.0, length=1.5), torch.zeros(3)


@wrong("counterexample", says="feature 2 is not stored")
def ignored_feature():
    """A feature that is not stored disturbs nobody."""
    W = _directions(0.0, 100.0, 200.0)
    W[2] *= 0.01
    return W, torch.zeros(3)


@wrong("counterexample", says="in output")
def acute_angles():
    """A small overlap is no overlap."""
    return _directions(0.0, 80.0, 160.0), torch.zeros(3)


@wrong("counterexample", says="return two tensors, (W, b)")
def weights_alone():
    """The bias is 0, so it need not be said."""
    return _directions(0.0, 120.0, 240.0)


@wrong("counterexample", says="as b it returned the shape [2]; it must be [3]")
def bias_of_the_hidden_layer():
    """The bias belongs to the hidden dimensions."""
    return _directions(0.0, 120.0, 240.0), torch.zeros(2)
