"""Probes of k neurons: which they are, and a logistic regression on them alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.data.sequences import NONE
from course_lib.probes.logistic import logistic
from course_lib.probes.moments import class_means
from course_lib.probes.readouts import Linear

if TYPE_CHECKING:
    from jaxtyping import Float, Int

CHUNK = 2**24  # activations of chosen neurons that are held at a time
RANKINGS = ("mean_difference", "prune", "greedy")


def sparse(
    x: Float[Tensor, "g n d_model"],
    y: Int[Tensor, "g m n"],
    n_classes: int,
    k: int = 1,
    ranking: str = "mean_difference",
    C: float = 1.0,
) -> Linear:
    """A logistic regression on k neurons; all other entries of its direction are 0.

    The neurons are chosen on the rows it is trained on, after Gurnee et al. 2023, "Finding Neurons
    in a Haystack", by one of three rankings, the cheap first:

    - "mean_difference": the k largest differences between the classes' means;
    - "prune": fit on all, keep the half with the largest weights (in units of the neuron's standard
      deviation), fit again, until k are left;
    - "greedy": one at a time, the neuron along which the loss of the fit so far falls fastest (as
      matching pursuit does), and fit again.
    """
    d = x.shape[-1]
    if validate.positive_int("k", k) > d:
        raise ValueError(f"k is {k}; x has {d} neurons.")
    validate.choice("ranking", ranking, RANKINGS)
    if n_classes != 2:
        raise ValueError(f"y has {n_classes} classes; sparse probes are for two.")
    g, m, _ = y.shape
    if ranking == "mean_difference":
        means, _ = class_means(x, y, 2)
        chosen = (means[:, :, 1] - means[:, :, 0]).abs().topk(k).indices
    elif ranking == "prune":
        chosen = _prune(x, y, k, C)
    else:
        chosen = _greedy(x, y, k, C)
    fitted = _refit(x, y, chosen, C)
    direction = x.new_zeros(g, m, d).scatter_(2, chosen, fitted.direction)
    return Linear(2, direction, fitted.bias)


def _refit(x: Tensor, y: Tensor, chosen: Int[Tensor, "g m k"], C: float) -> Linear:
    """Logistic regressions on the chosen neurons: direction [g, m, k]."""
    g, m, k = chosen.shape
    direction, bias = x.new_empty(g, m, k), x.new_empty(g, m)
    step = max(CHUNK // (x.shape[1] * k), 1)
    for i in range(g):
        for j in range(0, m, step):
            here = i, slice(j, j + step)
            own = x[i].T[chosen[here]].mT  # [m, n, k]
            fitted = logistic(own, y[here][:, None], 2, C)
            direction[here], bias[here] = fitted.direction[:, 0], fitted.bias[:, 0]
    return Linear(2, direction, bias)


def _spread(x: Tensor, y: Tensor) -> Float[Tensor, "g m d_model"]:
    there = (y != NONE).to(x.dtype)
    n, x = there.sum(-1, keepdim=True), x - x.mean(1, keepdim=True)
    return (there @ x**2 / n - (there @ x / n) ** 2).clamp(min=0).sqrt()


def _prune(x: Tensor, y: Tensor, k: int, C: float) -> Int[Tensor, "g m k"]:
    spread = _spread(x, y)
    g, m, d = spread.shape
    chosen = torch.arange(d, device=x.device).expand(g, m, d)
    fitted = logistic(x, y, 2, C)
    while chosen.shape[-1] > k:
        size = max((chosen.shape[-1] + 1) // 2, k)
        weight = fitted.direction.abs() * spread.gather(-1, chosen)
        chosen = chosen.gather(-1, weight.topk(size).indices)
        if size > k:
            fitted = _refit(x, y, chosen, C)
    return chosen


def _greedy(x: Tensor, y: Tensor, k: int, C: float) -> Int[Tensor, "g m k"]:
    spread, (g, m, _) = _spread(x, y), y.shape
    x = x - x.mean(1, keepdim=True)
    there = y != NONE
    share = (y == 1).sum(-1, keepdim=True) / there.sum(-1, keepdim=True)
    p = share.to(x.dtype).expand(y.shape)
    chosen = torch.empty(g, m, 0, dtype=torch.long, device=x.device)
    while True:
        residual = ((y == 1).to(x.dtype) - p).where(there, 0.0)
        gain = (residual @ x).abs() / spread.where(spread > 0, float("inf"))
        gain = gain.scatter(-1, chosen, -1.0)
        chosen = torch.cat([chosen, gain.argmax(-1, keepdim=True)], -1)
        if chosen.shape[-1] == k:
            return chosen
        fitted = _refit(x, y, chosen, C)
        direction = x.new_zeros(g, m, x.shape[-1]).scatter_(2, chosen, fitted.direction)
        p = (direction @ x.mT + fitted.bias[..., None]).sigmoid()
