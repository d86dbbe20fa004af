"""The gradient of a toy model when few of its inputs are on."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.data import RareFeatures
from course_lib.superposition.gradient import Buffers, GradientStep


class RareGradientStep(GradientStep):
    """`GradientStep` for `RareFeatures`: every product with x is a sum over its active entries.

    For a tied model with a ReLU output, x̂ = ReLU(x W Wᵀ + b), that is to rebuild x itself with all
    features equally important. The gradient at the output is then x̂ - x where x̂ > 0 and 0
    elsewhere, that is x̂ but for the active entries, and three products of five are left. Samples
    with nothing on all give ReLU(b): those that no instance needs are counted and not computed.
    `tests/superposition` holds it to autograd.
    """

    features: RareFeatures

    def _forward(self, buffers: Buffers) -> Tensor:
        model, batch_size, n = self.model, self.pool.batch_size, self.model.n_features
        active = self.features.sample_active(batch_size, self.generator, self.instances)
        W, b_dec = model.W[self.instances], model.b_dec[self.instances]
        used, self.row = torch.unique_consecutive(
            active.instance * batch_size + active.sample, return_inverse=True
        )
        n_used = (used // batch_size).bincount(minlength=len(W))
        n_rows = max(1, int(n_used.max()))
        self.row += (torch.arange(len(W)).to(used) * n_rows - n_used.cumsum(0) + n_used)[
            active.instance
        ]
        self.feature = active.instance * n + active.feature
        self.magnitude = active.magnitude[:, None]
        self.x_hat, self.h, self.grad_h = (
            buffer.view(-1)[: len(W) * n_rows * buffer.shape[-1]].view(len(W), n_rows, -1)
            for buffer in (buffers.x_hat, buffers.h, buffers.grad_h)
        )

        contribution = W.flatten(0, 1)[self.feature] * self.magnitude
        self.h.zero_().flatten(0, 1).index_add_(0, self.row, contribution)
        self.W_T = W.mT.contiguous()  # thin products are fastest along the long side
        for x_hat, b, h, W_T in zip(self.x_hat, b_dec, self.h, self.W_T, strict=True):
            torch.addmm(b, h, W_T, out=x_hat)
        x_hat = self.x_hat.relu_().view(-1)
        entry = self.row * n + active.feature
        error = x_hat[entry] - active.magnitude
        silent = x_hat[entry] == 0
        x_hat[entry] = error.where(~silent, 0.0)  # now the gradient, but for its scale

        self.of_empty = (batch_size - n_rows) * b_dec.relu()
        loss = (self.of_empty * b_dec).sum(dim=-1)
        loss.index_add_(0, active.instance, torch.where(silent, error.square(), 0.0))
        for k, error in enumerate(self.x_hat.flatten(1)):
            loss[k] += error.dot(error)
        return loss / batch_size

    def _backward(self, buffers: Buffers) -> None:
        grad_W, grad_b = self.model.W.grad[self.instances], self.model.b_dec.grad[self.instances]
        scale = 2 / self.pool.batch_size
        torch.sum(self.x_hat, dim=1, out=grad_b).add_(self.of_empty).mul_(scale)
        parts = zip(self.x_hat, self.h, self.grad_h, self.W_T, grad_W, strict=True)
        for grad, h, grad_h, W_T, out in parts:
            torch.mm(grad, W_T.T, out=grad_h)
            out.copy_((h.T.contiguous() @ grad).T)
        contribution = self.grad_h.flatten(0, 1)[self.row] * self.magnitude
        grad_W.flatten(0, 1).index_add_(0, self.feature, contribution)
        grad_W.mul_(scale)
