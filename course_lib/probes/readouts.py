"""What a fitted probe is: a function from activations to scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import validate
from course_lib.data.sequences import NONE
from course_lib.probes.layout import Layout

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@dataclass(frozen=True, eq=False)
class Linear:
    """score = direction · x + bias: one for two classes or a target, one each for more classes.

    Attributes:
        n_classes: K, or 0 for real targets.
        direction: [*lead, d_model]; [*lead, K, d_model] for K > 2 classes.
        bias: [*lead]; [*lead, K] for K > 2 classes.
    """

    n_classes: int
    direction: Float[Tensor, "*lead d_model"]
    bias: Float[Tensor, "*lead"]

    @property
    def lead(self) -> torch.Size:
        return self.bias.shape[:-1] if self.n_classes > 2 else self.bias.shape

    def scores(self, x: Float[Tensor, "*lead n d_model"]) -> Float[Tensor, "*lead n"]:
        """[*lead, n], or [*lead, n, K] for K > 2; the leading axes of x broadcast with the own."""
        W, b = _with_outputs(self, self.direction, 2), _with_outputs(self, self.bias, 1)
        x = _like(x, W)
        layout = Layout.of(x.shape[:-2], self.lead)
        W, b = layout.fold(W, 2), layout.fold(b, 1)
        scores = W.flatten(1, 2) @ layout.fold_x(x).mT + b.flatten(1, 2)[..., None]
        return _without_outputs(self, layout.unfold(scores.unflatten(1, W.shape[1:3])))

    def map(self, change: Callable[[Tensor], Tensor]) -> Linear:
        return Linear(self.n_classes, change(self.direction), change(self.bias))


@dataclass(frozen=True, eq=False)
class MLP:
    """score = W_out relu(W_in x + b_in) + b_out.

    Attributes:
        n_classes: K.
        W_in: [*lead, hidden, d_model]. b_in: [*lead, hidden].
        W_out: [*lead, outputs, hidden]. b_out: [*lead, outputs]; 1 output for K = 2, else K.
        steps: [*lead], of the optimiser, until the held-back loss was lowest.
    """

    n_classes: int
    W_in: Float[Tensor, "*lead hidden d_model"]
    b_in: Float[Tensor, "*lead hidden"]
    W_out: Float[Tensor, "*lead outputs hidden"]
    b_out: Float[Tensor, "*lead outputs"]
    steps: Int[Tensor, "*lead"]

    @property
    def lead(self) -> torch.Size:
        return self.steps.shape

    def scores(self, x: Float[Tensor, "*lead n d_model"]) -> Float[Tensor, "*lead n"]:
        """[*lead, n], or [*lead, n, K] for K > 2; the leading axes of x broadcast with the own."""
        x = _like(x, self.W_in)
        layout = Layout.of(x.shape[:-2], self.lead)
        W, b = layout.fold(self.W_in, 2), layout.fold(self.b_in, 1)
        hidden = W.flatten(1, 2) @ layout.fold_x(x).mT + b.flatten(1, 2)[..., None]
        hidden = torch.relu(hidden).unflatten(1, W.shape[1:3])
        scores = layout.fold(self.W_out, 2) @ hidden + layout.fold(self.b_out, 1)[..., None]
        return _without_outputs(self, layout.unfold(scores))

    def map(self, change: Callable[[Tensor], Tensor]) -> MLP:
        tensors = (self.W_in, self.b_in, self.W_out, self.b_out, self.steps)
        return MLP(self.n_classes, *map(change, tensors))


def _with_outputs(readout: Linear, t: Tensor, trailing: int) -> Tensor:
    return t if readout.n_classes > 2 else t.unsqueeze(t.ndim - trailing + 1)


def _without_outputs(readout: Linear | MLP, scores: Tensor) -> Tensor:
    return scores.mT if readout.n_classes > 2 else scores[..., 0, :]


def _like(x: Tensor, weight: Float[Tensor, "*lead d_model"]) -> Float[Tensor, "*lead n d_model"]:
    """x in the dtype of weights that read rows of its width; else ValueError."""
    d_model = weight.shape[-1]
    if not isinstance(x, Tensor) or x.is_complex() or x.ndim < 2 or x.shape[-1] != d_model:
        got = f"{list(x.shape)} of {x.dtype}" if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"x has shape {got}; it must be [..., n, {d_model}], real numbers.")
    return x.to(weight.dtype)


def log_prob(
    scores: Float[Tensor, "*lead n"], y: Int[Tensor, "*lead n"], n_classes: int = 2
) -> Float[Tensor, "*lead n"]:
    """Nats that scores, read as log-odds, give to the labels y; 0 where y is -1 (no label).

    scores are [*lead, n] for two classes and [*lead, n, K] for K > 2; y broadcasts.
    """
    validate.positive_int("n_classes", n_classes, 2)
    validate.whole("y", y, NONE, n_classes - 1)
    scores = validate.as_tensor("scores", scores)
    if not scores.is_floating_point():
        raise TypeError(f"scores is {scores!r}; it must be a tensor of floating-point numbers.")
    lead = scores.shape[:-1] if n_classes > 2 else scores.shape
    if n_classes > 2 and scores.shape[-1:] != (n_classes,):
        raise ValueError(
            f"scores has shape {list(scores.shape)}; it must be [..., n, {n_classes}], a score for "
            f"each of {n_classes} classes."
        )
    try:
        lead = torch.broadcast_shapes(lead, y.shape)
    except RuntimeError as error:
        raise ValueError(
            f"y has shape {list(y.shape)} and scores {list(scores.shape)}; there must be a label "
            "for each row."
        ) from error
    there = y != NONE
    if n_classes > 2:
        log_p = F.log_softmax(scores, dim=-1).expand(*lead, n_classes)
        index = y.where(there, 0).expand(lead).long()
        return log_p.gather(-1, index[..., None])[..., 0].where(there, 0.0)
    return F.logsigmoid(torch.where(y == 1, scores, -scores)).where(there, 0.0)
