"""The loss of a toy model and its gradient, written out by hand and without new memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from course_lib.data import SparseFeatures
from course_lib.models import ToyModel

if TYPE_CHECKING:
    from jaxtyping import Float


class Buffers(NamedTuple):
    """Room for what one batch of some instances produces on the way."""

    x: Float[Tensor, "n_instances batch n_features"]
    x_hat: Float[Tensor, "n_instances batch n_features"]
    error: Float[Tensor, "n_instances batch n_features"]
    grad: Float[Tensor, "n_instances batch n_features"]
    h: Float[Tensor, "n_instances batch d_hidden"]
    grad_h: Float[Tensor, "n_instances batch d_hidden"]


class BufferPool:
    """Buffers for groups of up to `n_instances`; the next group finds them still in the cache."""

    def __init__(self, model: ToyModel, n_instances: int, batch_size: int) -> None:
        self.model, self.n_instances, self.batch_size = model, n_instances, batch_size
        self._spare: list[Buffers] = []

    @contextmanager
    def take(self, n_instances: int) -> Iterator[Buffers]:
        """Buffers that no other thread uses, for the duration of the body."""
        try:
            buffers = self._spare.pop()
        except IndexError:
            buffers = self._new()
        yield Buffers(*(buffer[:n_instances] for buffer in buffers))
        self._spare.append(buffers)

    def _new(self) -> Buffers:
        widths = [self.model.n_features] * 4 + [self.model.d_hidden] * 2
        sizes = ((self.n_instances, self.batch_size, width) for width in widths)
        return Buffers(*(self.model.W.new_empty(size) for size in sizes))


class GradientStep:
    """One batch for some instances: draw x, run forward, put the loss's gradient in `.grad`.

    Autograd would do the same and allocate each intermediate anew, which costs a CPU more than the
    arithmetic. So the gradient of L = mean Σ I (x̂ - y)² is written out, with
    g = ∂L/∂(pre-activation) = 2 I (x̂ - y) [x̂ > 0] / batch:

        ∂L/∂b_dec = Σ g,   ∂L/∂W_dec = hᵀ g,   ∂L/∂h = g W_decᵀ [h > 0 if ReLU],   ∂L/∂W = xᵀ ∂L/∂h

    (and a tied W receives (∂L/∂W_dec)ᵀ as well). `tests/superposition` holds it to autograd.
    """

    def __init__(
        self,
        model: ToyModel,
        features: SparseFeatures,
        importance: Float[Tensor, "n_instances 1 n_features"],
        target: Callable[[Tensor], Tensor] | None,
        pool: BufferPool,
        instances: slice,
        seed: int,
    ) -> None:
        self.model, self.features, self.target = model, features, target
        self.pool, self.instances = pool, instances
        self.weight = importance[instances] * 2 / pool.batch_size
        self.generator = torch.Generator(model.W.device).manual_seed(seed)
        for parameter in model.parameters():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)

    @torch.no_grad()
    def __call__(self) -> Float[Tensor, " n_instances"]:
        """Fill the gradients of these instances and return their losses."""
        with self.pool.take(self.instances.stop - self.instances.start) as buffers:
            loss = self._forward(buffers)
            self._backward(buffers)
        return loss

    def _forward(self, buffers: Buffers) -> Tensor:
        x, x_hat, error, grad, h, _ = buffers
        model, instances = self.model, self.instances
        W, W_dec = model.W[instances], model.W_dec[instances]
        self.features.sample(self.pool.batch_size, self.generator, instances, out=x)

        torch.bmm(x, W, out=h)
        if model.hidden == "relu":
            h.relu_()
        torch.baddbmm(model.b_dec[instances, None], h, W_dec, out=x_hat)
        if model.output == "relu":
            x_hat.relu_()
        torch.sub(x_hat, x if self.target is None else self.target(x), out=error)
        torch.mul(error, self.weight, out=grad)
        loss = error.mul_(grad).sum(dim=(1, 2)) / 2

        if model.output == "relu":
            _where_positive(grad, x_hat)
        return loss

    def _backward(self, buffers: Buffers) -> None:
        x, _, _, grad, h, grad_h = buffers
        model, instances = self.model, self.instances
        torch.sum(grad, dim=1, out=model.b_dec.grad[instances])
        torch.bmm(grad, model.W_dec[instances].mT, out=grad_h)
        if model.hidden == "relu":
            _where_positive(grad_h, h)
        grad_W = model.W.grad[instances]
        torch.bmm(x.mT, grad_h, out=grad_W)
        if model.tied:
            grad_W.baddbmm_(grad.mT, h)
        else:
            torch.bmm(h.mT, grad, out=model.W_dec.grad[instances])


def _where_positive(grad: Tensor, activation: Tensor) -> None:
    """ReLU's backward pass in place: `grad` where `activation` is positive, else 0."""
    torch.ops.aten.threshold_backward.grad_input(grad, activation, 0, grad_input=grad)
