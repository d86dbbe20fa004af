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
        WRONG.setdefault(f"features_as_directions.{exercise}", []).append(WrongAnswer(answer, says))
        return answer

    return register


# --- mutual_coherence --------------------------------------------------------------------------


def _unit(W):
    return W / W.norm(dim=-1, keepdim=True)


def _off_diagonal(table):
    return table - torch.diag_embed(table.diagonal(dim1=-2, dim2=-1))


@wrong("mutual_coherence", says="all of yours are 1")
def with_itself(W):
    """Every pair counts, also a row with itself."""
    unit = _unit(W)
    return (unit @ unit.mT).abs().amax(dim=(-2, -1))


@wrong("mutual_coherence", says="differ from the definition")
def opposite_is_far(W):
    """A negative cosine is no overlap."""
    unit = _unit(W)
    return _off_diagonal(unit @ unit.mT).amax(dim=(-2, -1))


@wrong("mutual_coherence", says="with every row at another length")
def dot_products(W):
    """The overlap is the dot product."""
    return _off_diagonal(W @ W.mT).abs().amax(dim=(-2, -1))


@wrong("mutual_coherence", says="with every row at another length")
def one_length_divided_out(W):
    """One unit vector is enough, as in feature dimensionality."""
    return _off_diagonal(_unit(W) @ W.mT).abs().amax(dim=(-2, -1))


@wrong("mutual_coherence", says="differ from the definition")
def mean_overlap(W):
    """Coherence is how much two rows overlap on average."""
    unit = _unit(W)
    n = W.shape[-2]
    return _off_diagonal(unit @ unit.mT).abs().sum(dim=(-2, -1)) / (n * (n - 1))


@wrong("mutual_coherence", says="differ from the definition")
def neighbours_only(W):
    """Compare each row with the next."""
    return torch.cosine_similarity(W[:, 1:], W[:, :-1], dim=-1).abs().amax(dim=-1)


@wrong("mutual_coherence", says="it must be 0.333")
def squared_overlap(W):
    """The overlap counts squared."""
    unit = _unit(W)
    return _off_diagonal(unit @ unit.mT).square().amax(dim=(-2, -1))


@wrong("mutual_coherence", says="differ from the definition")
def columns_normalised(W):
    """The features are the columns."""
    unit = W / W.norm(dim=-2, keepdim=True)
    return _off_diagonal(unit @ unit.mT).abs().amax(dim=(-2, -1))


@wrong("mutual_coherence", says="the shape []")
def one_number_for_all(W):
    """There is one largest overlap."""
    unit = _unit(W)
    return _off_diagonal(unit @ unit.mT).abs().max()


@wrong("mutual_coherence", says="differ from the definition")
def instances_mixed(W):
    """All rows of all instances are one list."""
    unit = _unit(W.flatten(0, 1))
    return _off_diagonal(unit @ unit.T).abs().max().expand(len(W))


# --- guarantee ---------------------------------------------------------------------------------


def _safe(mu):
    return math.ceil((1 + 1 / mu) / 2) - 1


@wrong("guarantee", says="the lowest reading of a bit that is on is")
def all_k_take_away(k, mu):
    """All k active bits disturb, the bit itself among them."""
    return 1 - k * mu, k * mu, _safe(mu)


@wrong("guarantee", says="the highest reading of a bit that is off is")
def off_bit_counts_itself(k, mu):
    """A bit is disturbed by the other k - 1, on or off."""
    return 1 - (k - 1) * mu, (k - 1) * mu, _safe(mu)


@wrong("guarantee", says="the lowest reading of a bit that is on is")
def overlaps_only_add(k, mu):
    """Overlaps make readings larger."""
    return 1 + (k - 1) * mu, k * mu, _safe(mu)


@wrong("guarantee", says="the highest reading of a bit that is off is")
def typical_not_worst(k, mu):
    """Cross-talk adds up like noise, with a square root."""
    return 1 - (k - 1) ** 0.5 * mu, k**0.5 * mu, _safe(mu)


@wrong("guarantee", says="your largest safe k is 3; it is 2")
def equality_allowed(k, mu):
    """Up to the bound, the bound included."""
    return 1 - (k - 1) * mu, k * mu, math.floor((1 + 1 / mu) / 2)


@wrong("guarantee", says="your largest safe k is 3; it is 2")
def bound_instead_of_a_number(k, mu):
    """The bound itself is the answer."""
    return 1 - (k - 1) * mu, k * mu, (1 + 1 / mu) / 2


@wrong("guarantee", says="it is 2")
def threshold_at_one_half_from_one_side(k, mu):
    """Only bits that are off must stay below a half; the last k below 1 / μ."""
    return 1 - (k - 1) * mu, k * mu, math.ceil(1 / mu) - 1


@wrong("guarantee", says="your largest safe k is 1; it is")
def one_less_to_be_safe(k, mu):
    """Floor of the bound, less one."""
    return 1 - (k - 1) * mu, k * mu, math.floor((1 + 1 / mu) / 2) - 1


@wrong("guarantee", says="the lowest reading of a bit that is on is")
def swapped(k, mu):
    """The order does not matter."""
    return k * mu, 1 - (k - 1) * mu, _safe(mu)


@wrong("guarantee", says="it returned 2 values")
def without_k(k, mu):
    """The two readings say it all."""
    return 1 - (k - 1) * mu, k * mu


# --- ista --------------------------------------------------------------------------------------


def _largest(W):
    return torch.linalg.matrix_norm(W, 2) ** 2


def _soft(z, by):
    return z.sign() * (z.abs() - by).clamp(min=0)


@wrong("ista", says="differ from the definition")
def pull_not_scaled(x, W, penalty, steps):
    """The pull is λ, whatever the step."""
    z = torch.zeros(len(x), len(W))
    for _ in range(steps):
        z = _soft(z + (x - z @ W) @ W.T / _largest(W), penalty)
    return z


@wrong("ista", says="none of yours is negative")
def one_sided(x, W, penalty, steps):
    """Soft thresholding is a ReLU."""
    z, rate = torch.zeros(len(x), len(W)), 1 / _largest(W)
    for _ in range(steps):
        z = torch.relu(z + rate * (x - z @ W) @ W.T - rate * penalty)
    return z


@wrong("ista", says="differ from the definition")
def hard_threshold(x, W, penalty, steps):
    """What is below the threshold is cut, what is above is left alone."""
    z, rate = torch.zeros(len(x), len(W)), 1 / _largest(W)
    for _ in range(steps):
        moved = z + rate * (x - z @ W) @ W.T
        z = moved * (moved.abs() > rate * penalty)
    return z


@wrong("ista", says="none of yours is exactly 0")
def subgradient_descent(x, W, penalty, steps):
    """The gradient of |z| is its sign."""
    z, rate = torch.zeros(len(x), len(W)), 1 / _largest(W)
    for _ in range(steps):
        z = z + rate * ((x - z @ W) @ W.T - penalty * z.sign())
    return z


@wrong("ista", says="differ from the definition")
def step_of_the_frobenius_norm(x, W, penalty, steps):
    """L is the sum of all squares."""
    z, rate = torch.zeros(len(x), len(W)), 1 / W.square().sum()
    for _ in range(steps):
        z = _soft(z + rate * (x - z @ W) @ W.T, rate * penalty)
    return z


@wrong("ista", says="holds")
def step_of_one(x, W, penalty, steps):
    """A step of the full gradient."""
    z = torch.zeros(len(x), len(W))
    for _ in range(steps):
        z = _soft(z + (x - z @ W) @ W.T, penalty)
    return z


@wrong("ista", says="comes back as")
def uphill(x, W, penalty, steps):
    """The gradient points to where one wants to go."""
    z, rate = torch.zeros(len(x), len(W)), 1 / _largest(W)
    for _ in range(min(steps, 60)):
        z = _soft(z + rate * (z @ W - x) @ W.T, rate * penalty)
    return z


@wrong("ista", says="there is one for")
def only_the_first_step(x, W, penalty, steps):
    """The gradient at 0 is good for all steps."""
    rate = 1 / _largest(W)
    return _soft(rate * x @ W.T, rate * penalty)


@wrong("ista", says="differ from the definition")
def pulled_once_at_the_end(x, W, penalty, steps):
    """Descend first, threshold last."""
    z, rate = torch.zeros(len(x), len(W)), 1 / _largest(W)
    for _ in range(steps):
        z = z + rate * (x - z @ W) @ W.T
    return _soft(z, penalty)


@wrong("ista", says="the shape")
def the_reconstruction(x, W, penalty, steps):
    """What comes back is x."""
    z, rate = torch.zeros(len(x), len(W)), 1 / _largest(W)
    for _ in range(min(steps, 60)):
        z = _soft(z + rate * (x - z @ W) @ W.T, rate * penalty)
    return z @ W


# --- readout_score -----------------------------------------------------------------------------


def _read(W, bits):
    return bits.float() @ W @ W.T / W.square().sum(dim=1) > 0.5


def _balanced(read, bits):
    return (read[bits].float().mean() + (~read)[~bits].float().mean()) / 2


@wrong("readout_score", says="a reader that says off to every bit")
def only_the_lengths_repaired(W, bits):
    """Lengths were the only bug."""
    return (_read(W, bits) == bits).float().mean()


@wrong("readout_score", says="without any overlap it must be 1")
def only_the_score_repaired(W, bits):
    """The score was the only bug."""
    return _balanced(bits.float() @ W @ W.T > 0.5, bits)


@wrong("readout_score", says="without any overlap it must be 1")
def divided_by_the_length_once(W, bits):
    """A unit vector reads the sum."""
    return _balanced(bits.float() @ W @ W.T / W.norm(dim=1) > 0.5, bits)


@wrong("readout_score", says="counted bit by bit")
def sum_of_unit_vectors(W, bits):
    """Directions have length 1; make them so, everywhere."""
    unit = W / W.norm(dim=1, keepdim=True)
    return _balanced(bits.float() @ unit @ unit.T > 0.5, bits)


@wrong("readout_score", says="so it must be 0.5")
def hits_alone(W, bits):
    """What counts is that active bits are found."""
    return _read(W, bits)[bits].float().mean()


@wrong("readout_score", says="so it must be 0.5")
def rejections_alone(W, bits):
    """What counts is that nothing is imagined."""
    return (~_read(W, bits))[~bits].float().mean()


@wrong("readout_score", says="so it must be 0.5")
def precision(W, bits):
    """The share of bits read as on that are on."""
    read = _read(W, bits)
    return bits[read].float().mean()


@wrong("readout_score", says="counted bit by bit")
def inputs_without_a_mistake(W, bits):
    """An input is read or it is not."""
    return (_read(W, bits) == bits).all(dim=1).float().mean()


@wrong("readout_score", says="counted bit by bit")
def threshold_at_zero(W, bits):
    """A reading above 0 says on."""
    return _balanced(bits.float() @ W @ W.T > 0, bits)


@wrong("readout_score", says="counted bit by bit")
def threshold_from_the_truth(W, bits):
    """The best threshold is half of what bits that are on read."""
    reading = bits.float() @ W @ W.T / W.square().sum(dim=1)
    return _balanced(reading > 0.8 * reading[bits].mean(), bits)


# --- two_codes ---------------------------------------------------------------------------------

TETRAHEDRON = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])


@wrong("two_codes", says="nearly in line: |cos| = 1.00")
def the_same_row_twice():
    """Two equal rows can stand in for each other."""
    return torch.eye(3)[[0, 0, 1]], torch.tensor([1.0, 0, 0]), torch.tensor([0, 1.0, 0])


@wrong("two_codes", says="nearly in line: |cos| = 1.00")
def opposite_rows():
    """A row and its opposite differ."""
    W = torch.tensor([[1.0, 0], [-1, 0], [0, 1]])
    return W, torch.tensor([1.0, 0, 0]), torch.tensor([0, -1.0, 0])


@wrong("two_codes", says="z_1 has 3 active features")
def three_against_one():
    """The four corners add up to 0, however they are split."""
    return TETRAHEDRON, torch.tensor([1.0, 1, 1, 0]), torch.tensor([0, 0, 0, -1.0])


@wrong("two_codes", says="so at most 1.50 may be")
def triangle():
    """Three directions of a plane add up to 0."""
    angle = 2 * math.pi * torch.arange(3) / 3
    W = torch.stack([angle.cos(), angle.sin()], dim=1)
    return W, torch.tensor([1.0, 1, 0]), torch.tensor([0, 0, -1.0])


@wrong("two_codes", says="so at most 2.50 may be")
def five_corners_in_four_dimensions():
    """A simplex of any size does it."""
    corners = torch.eye(5) - 1 / 5
    return corners, torch.tensor([1.0, 1, 1, 0, 0]), torch.tensor([0, 0, 0, -1.0, -1.0])


@wrong("two_codes", says="nearly the same code")
def the_same_code():
    """z_1 and z_2 are the same code, so they agree."""
    z = torch.tensor([1.0, 1, 0, 0])
    return TETRAHEDRON, z, z.clone()


@wrong("two_codes", says="apart")
def signs_forgotten():
    """The one half of the corners is the other half."""
    return TETRAHEDRON, torch.tensor([1.0, 1, 0, 0]), torch.tensor([0, 0, 1.0, 1])


@wrong("two_codes", says="apart")
def any_two_codes_at_the_bound():
    """With μ = 1/3 two features are at the bound, so any two codes will do."""
    return TETRAHEDRON, torch.tensor([1.0, 1, 0, 0]), torch.tensor([1.0, 0, 1, 0])


@wrong("two_codes", says="so at most")
def random_directions_and_a_null_vector():
    """More directions than dimensions are dependent."""
    W = torch.randn(5, 4, generator=torch.Generator().manual_seed(3))
    null = torch.linalg.svd(W.T)[2][-1]
    half = torch.tensor([1.0, 1, 1, 0, 0])
    return W, null * half, -null * (1 - half)


@wrong("two_codes", says="return three tensors, (W, z_1, z_2)")
def difference_only():
    """What matters is a combination that gives 0."""
    return TETRAHEDRON, torch.ones(4)


# --- xor_weights -------------------------------------------------------------------------------


def _net(W_in, b_in, W_out, b_out=0.0):
    return tuple(torch.tensor(part) for part in (W_in, b_in, W_out, b_out))


@wrong("xor_weights", says="2 weights are negative")
def absolute_difference():
    """XOR is |x_1 - x_2|."""
    return _net([[1.0, -1.0], [-1.0, 1.0]], [0.0, 0.0], [1.0, 1.0])


@wrong("xor_weights", says="no weight is negative")
def negative_biases():
    """A negative bias can do what a negative weight does."""
    return _net([[1.0, 1.0], [1.0, 1.0]], [0.0, -1.0], [1.0, 2.0], -0.5)


@wrong("xor_weights", says="at the input (1, 1) the output is 1.00")
def taken_away_once():
    """Both are on, so one must go."""
    return _net([[1.0, 1.0], [1.0, 1.0]], [0.0, -1.0], [1.0, -1.0])


@wrong("xor_weights", says="at the input (0, 0) the output is 1.00")
def equality():
    """The complement is as good."""
    return _net([[1.0, 1.0], [1.0, 1.0]], [0.0, -1.0], [-1.0, 2.0], 1.0)


@wrong("xor_weights", says="there are 3 hidden neurons")
def three_neurons():
    """One neuron for each input and one for both."""
    return _net([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]], [0.0, 0.0, -1.0], [1.0, 1.0, -2.0])


@wrong("xor_weights", says="the output is 0.50")
def threshold_at_a_half():
    """Above one half is on."""
    return _net([[1.0, 1.0], [1.0, 1.0]], [0.0, -1.0], [0.5, -1.0])


@wrong("xor_weights", says="at the input (1, 1)")
def relu_forgotten_in_the_head():
    """A linear network: both are subtracted from their sum."""
    return _net([[1.0, 1.0], [1.0, 1.0]], [0.0, 0.0], [2.0, -1.0])


@wrong("xor_weights", says="at the input (0, 0)")
def bias_on_the_wrong_side():
    """The neuron for both needs a bias of +1."""
    return _net([[1.0, 1.0], [1.0, 1.0]], [0.0, 1.0], [1.0, -2.0], 3.0)


@wrong("xor_weights", says="it must be a tensor of shape [2, d_hidden]")
def transposed():
    """Rows are neurons, as in nn.Linear."""
    return _net([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]], [0.0, -1.0], [1.0, -2.0])


@wrong("xor_weights", says="return four tensors")
def without_biases():
    """Biases are 0 by default."""
    return _net([[1.0, 1.0], [1.0, 1.0]], [0.0, -1.0], [1.0, -2.0])[:3]
