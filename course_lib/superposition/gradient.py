"""The loss of a toy model and its gradient, written out by hand and without new memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib.data import SparseFeatures
from course_lib.models import ToyModel

if TYPE_CHECKING:
    from jaxtyping import Float


class GradientStep:
    """One batch: draw x, run the model forward, put the gradient of the loss in `.grad`.

    Autograd would do the same and allocate each intermediate anew, which costs a CPU more than the
    arithmetic. So the buffers are made once, and the gradient of L = mean Σ I (x̂ - y)² is written
    out, with g = ∂L/∂(pre-activation) = 2 I (x̂ - y) [x̂ > 0] / batch:

        ∂L/∂b_dec = Σ g,   ∂L/∂W_dec = hᵀ g,   ∂L/∂h = g W_decᵀ [h > 0 if ReLU],   ∂L/∂W = xᵀ ∂L/∂h

    (and a tied W receives (∂L/∂W_dec)ᵀ as well). `tests/superposition` holds it to autograd.
    """

    def __init__(
        self,
        model: ToyModel,
        features: SparseFeatures,
        importance: Float[Tensor, "n_instances 1 n_features"],
        target: Callable[[Tensor], Tensor] | None,
        batch_size: int,
        instances: slice,
    ) -> None:
        self.model, self.features, self.target = model, features, target
        self.batch_size, self.instances = batch_size, instances
        self.weight = importance[instances] * 2 / batch_size
        n_instances = instances.stop - instances.start
        like = model.W

        def buffer(width: int) -> Tensor:
            return like.new_empty(n_instances, batch_size, width)

        self.x, self.x_hat, self.error, self.grad = (buffer(model.n_features) for _ in range(4))
        self.h, self.grad_h = buffer(model.d_hidden), buffer(model.d_hidden)
        for parameter in model.parameters():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)

    @torch.no_grad()
    def __call__(self, generator: Generator) -> Float[Tensor, " n_instances"]:
        """Fill the gradients of these instances and return their losses."""
        model, x, h, error = self.model, self.x, self.h, self.error
        W, W_dec = model.W[self.instances], model.W_dec[self.instances]
        self.features.sample(self.batch_size, generator, self.instances, out=x)

        torch.bmm(x, W, out=h)
        if model.hidden == "relu":
            h.relu_()
        x_hat = torch.baddbmm(model.b_dec[self.instances, None], h, W_dec, out=self.x_hat)
        if model.output == "relu":
            x_hat.relu_()
        torch.sub(x_hat, x if self.target is None else self.target(x), out=error)
        grad = torch.mul(error, self.weight, out=self.grad)
        loss = torch.linalg.vecdot(error.flatten(1), grad.flatten(1)) / 2
        if model.output == "relu":
            _where_positive(grad, x_hat)
        self._backward(grad, W_dec)
        return loss

    def _backward(self, grad: Tensor, W_dec: Tensor) -> None:
        model, instances = self.model, self.instances
        torch.sum(grad, dim=1, out=model.b_dec.grad[instances])
        torch.bmm(grad, W_dec.mT, out=self.grad_h)
        if model.hidden == "relu":
            _where_positive(self.grad_h, self.h)
        grad_W = model.W.grad[instances]
        torch.bmm(self.x.mT, self.grad_h, out=grad_W)
        if model.tied:
            grad_W.baddbmm_(grad.mT, self.h)
        else:
            torch.bmm(self.h.mT, grad, out=model.W_dec.grad[instances])


def _where_positive(grad: Tensor, activation: Tensor) -> None:
    """ReLU's backward pass in place: `grad` where `activation` is positive, else 0."""
    torch.ops.aten.threshold_backward.grad_input(grad, activation, 0, grad_input=grad)
