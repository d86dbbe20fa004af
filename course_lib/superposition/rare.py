"""The gradient of a toy model when few of its inputs are on."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.data import RareFeatures
from course_lib.superposition.gradient import Buffers, GradientStep


class RareGradientStep(GradientStep):
    """`GradientStep` for `RareFeatures`: every product with x is a sum over its active entries.

    For a tied model with a ReLU output, x̂ = ReLU(x W Wᵀ + b), that is to rebuild x itself with all
    features equally important. Then the gradient at the output is x̂ - x where x̂ > 0 and 0 elsewhere,
    that is x̂ but for the active entries, and three products of five are left.
    `tests/superposition` holds it to autograd.
    """

    features: RareFeatures

    def _forward(self, buffers: Buffers) -> Tensor:
        model, batch_size, n = self.model, self.pool.batch_size, self.model.n_features
        active = self.features.sample_active(batch_size, self.generator, self.instances)
        W = model.W[self.instances]
        self.row = active.instance * batch_size + active.sample
        self.feature = active.instance * n + active.feature
        self.magnitude = active.magnitude[:, None]

        contribution = W.flatten(0, 1)[self.feature] * self.magnitude
        buffers.h.zero_().flatten(0, 1).index_add_(0, self.row, contribution)
        self.W_T = W.mT.contiguous()  # thin products are fastest along the long side
        b_dec = model.b_dec[self.instances]
        for out, b, h, W_T in zip(buffers.x_hat, b_dec, buffers.h, self.W_T, strict=True):
            torch.addmm(b, h, W_T, out=out)
        x_hat = buffers.x_hat.relu_().flatten()
        entry = self.row * n + active.feature
        error = x_hat[entry] - active.magnitude
        silent = x_hat[entry] == 0
        x_hat[entry] = error.where(~silent, 0.0)
        lost = torch.where(silent, error.square(), 0.0)
        loss = torch.zeros_like(b_dec[:, 0]).index_add_(0, active.instance, lost)
        for k, error in enumerate(buffers.x_hat.flatten(1)):
            loss[k] += error.dot(error)
        return loss / batch_size

    def _backward(self, buffers: Buffers) -> None:
        grad_W, grad_b = self.model.W.grad[self.instances], self.model.b_dec.grad[self.instances]
        scale = 2 / self.pool.batch_size
        torch.sum(buffers.x_hat, dim=1, out=grad_b).mul_(scale)
        parts = zip(buffers.x_hat, buffers.h, buffers.grad_h, self.W_T, grad_W, strict=True)
        for grad, h, grad_h, W_T, out in parts:
            torch.mm(grad, W_T.T, out=grad_h)
            out.copy_((h.T.contiguous() @ grad).T)
        contribution = buffers.grad_h.flatten(0, 1)[self.row] * self.magnitude
        grad_W.flatten(0, 1).index_add_(0, self.feature, contribution)
        grad_W.mul_(scale)
