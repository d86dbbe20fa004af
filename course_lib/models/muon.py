"""Muon, an optimizer for weight matrices: every direction of an update counts the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float

QUINTIC = (3.4445, -4.7750, 2.0315)  # a s + b s³ + c s⁵ takes all s of (0, 1] near 1 in five turns
TURNS = 5
MOMENTUM = 0.95


class Muon(torch.optim.Optimizer):
    """Gradient descent with momentum whose updates of a matrix have singular values near 1.

    With gradient G, M ← 0.95 M + 0.05 G and W ← (1 - lr decay) W - lr √max(1, out / in) O, where O
    is 0.95 M + 0.05 G with its singular values replaced. Rare directions, which a plain gradient
    hardly moves along, are learnt as fast as common ones.

    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks", with
    Nesterov's momentum. Embeddings and vectors want another optimizer.

    Args:
        params: matrices [out, in].
        lr: how far one step moves a matrix, as the singular values of the change.
        weight_decay: how much of lr times a weight is taken off it each step.
    """

    def __init__(self, params: Iterable[Tensor], *, lr: float, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            same_shape = defaultdict(list)
            for matrix in group["params"]:
                same_shape[matrix.shape].append(matrix)
            for (n_out, n_in), matrices in same_shape.items():
                update = orthogonal(torch.stack([self._direction(matrix) for matrix in matrices]))
                scale = group["lr"] * max(1, n_out / n_in) ** 0.5
                for matrix, change in zip(matrices, update, strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"])
                    matrix.sub_(change, alpha=scale)

    def _direction(self, matrix: Tensor) -> Tensor:
        state = self.state[matrix]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(matrix)
        momentum = state["momentum"].lerp_(matrix.grad, 1 - MOMENTUM)
        return matrix.grad.lerp(momentum, MOMENTUM)


def orthogonal(x: Float[Tensor, "*n rows columns"]) -> Float[Tensor, "*n rows columns"]:
    """x with its singular vectors, and its singular values all from about 0.7 to 1.2.

    Those below about a thousandth of the norm do not get that far.
    """
    wide = x if x.shape[-2] <= x.shape[-1] else x.mT
    a, b, c = QUINTIC
    wide = wide / (wide.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(TURNS):
        gram = wide @ wide.mT
        wide = a * wide + (b * gram + c * gram @ gram) @ wide
    return wide if x.shape[-2] <= x.shape[-1] else wide.mT
