"""What superposition costs: small changes of the input that other features' readings follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.models import ToyModel
from course_lib.superposition.training import reconstruction_loss

if TYPE_CHECKING:
    from jaxtyping import Float


def attack_gain(model: ToyModel) -> Float[Tensor, "n_instances n_features"]:
    """How far output i moves, before its ReLU, per unit of the best L2 perturbation: |(W W_dec)_i|.

    For a tied model it is |W_i|² / sqrt(D_i), with D_i of `feature_dimensionality`: a feature
    with the tenth part of a dimension is sqrt(10) times as easy to push as one with its own.
    """
    validate.instance("model", model, ToyModel)
    return _linear_map(model).norm(dim=-2)


@torch.no_grad()
def optimal_l2_attack(
    model: ToyModel,
    x: Float[Tensor, "n_instances batch n_features"],
    feature: int,
    epsilon: float,
) -> Float[Tensor, "n_instances batch n_features"]:
    """The perturbation of norm `epsilon` that makes output `feature` most wrong about x.

    Output i depends on δ only through a non-decreasing function of m_i·δ, m_i the i-th column of
    W W_dec, and a squared error is largest at an end of the range: δ = ± epsilon m_i / |m_i|, with
    the worse sign for each sample. Zero where m_i is zero: such an output cannot be moved.
    Source: Elhage et al. 2022, section "Relationship to Adversarial Robustness".

    Raises:
        ValueError: for a model with hidden="relu" (its output is not of that form), a feature out
            of range, a negative epsilon or a wrong shape of x.
    """
    validate.instance("model", model, ToyModel)
    feature = validate.positive_int("feature", feature, minimum=0)
    if feature >= model.n_features:
        raise ValueError(f"feature is {feature}; it must be below {model.n_features}.")
    epsilon = validate.number("epsilon", epsilon, 0.0)
    validate.tensors("alike", x=(x, "n batch n_features"), W=(model.W, "n n_features d_hidden"))
    column = _linear_map(model)[..., feature]
    norm = column.norm(dim=-1, keepdim=True)
    delta = (epsilon * column / norm.where(norm > 0, 1.0))[:, None].expand_as(x)

    def error(delta: Tensor) -> Tensor:
        return (model(x + delta)[..., feature] - x[..., feature]).abs()

    return torch.where((error(delta) >= error(-delta))[..., None], delta, -delta)


@torch.no_grad()
def vulnerability(
    model: ToyModel, x: Float[Tensor, "n_instances batch n_features"], epsilon: float
) -> Float[Tensor, " n_instances"]:
    """Rise of the loss under attack, in units of epsilon²: (L' - L) / epsilon².

    For each sample the attacker has the optimal L2 attack on each feature and takes the one that
    harms the whole output most; L and L' are mean `reconstruction_loss` with importance 1, before
    and after. Source: as `optimal_l2_attack`; the paper divides by the same difference of a model
    without superposition instead of epsilon².
    """
    validate.instance("model", model, ToyModel)
    validate.tensors("floating", x=(x, "n_instances batch n_features"))
    epsilon = validate.number("epsilon", epsilon, 0.0)
    if epsilon == 0:
        raise ValueError("epsilon is 0; it must be above 0.")

    def loss(perturbed: Tensor) -> Tensor:
        return (model(perturbed) - x).square().sum(dim=-1)

    worst = torch.full(x.shape[:-1], float("-inf"), device=x.device, dtype=x.dtype)
    for feature in range(model.n_features):
        worst = torch.maximum(worst, loss(x + optimal_l2_attack(model, x, feature, epsilon)))
    return (worst.mean(dim=-1) - reconstruction_loss(model(x), x)) / (epsilon * epsilon)


def _linear_map(model: ToyModel) -> Tensor:
    if model.hidden != "linear":
        raise ValueError(
            "model has hidden='relu'; the closed-form attack needs hidden='linear', where the "
            "output before its ReLU is linear in the input."
        )
    return (model.W @ model.W_dec).detach()
