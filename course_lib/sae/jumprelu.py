"""JumpReLU: every latent learns the threshold below which it is silent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from course_lib import parallel, validate
from course_lib.sae.base import SAE

if TYPE_CHECKING:
    from jaxtyping import Float

START = 0.1  # of every threshold; activations have mean norm sqrt(d_in) in training


class JumpReLUSAE(SAE):
    """z = pre · 1[pre > threshold], with a penalty on the number of active latents.

    Neither the jump nor the count has a derivative by the threshold that training could use; both
    get one from a window of width `bandwidth` around it: it is the derivative of the mean over
    many inputs, estimated from those in the window. The penalty is l0_coefficient · L0, or
    l0_coefficient · (L0 / target_l0 - 1)² where a target is given, L0 being the mean over the
    batch. Source: Rajamanoharan et al. 2024, "Jumping Ahead: Improving Reconstruction Fidelity
    with JumpReLU Sparse Autoencoders" (arXiv:2407.14435), sections 3 and 4.

    Adam moves a parameter by about lr a step, whatever its gradient. So the thresholds are
    parameters themselves, not their logarithms, which would take thousands of steps to double; and
    they move sqrt(d_in) · lr a step, the norm of the activations in training times lr, which is how
    fast pre-activations move with W_enc.

    Args:
        l0_coefficient: weight of the penalty; a number or one per instance.
        target_l0: wanted mean number of active latents, a number or one per instance; None for
            the plain penalty.
        bandwidth: width of the window, in units of the activations, in training of the scaled
            ones; there a pre-activation has a standard deviation of about 1, whatever d_in.
        d_in, d_sae, n_instances, decoder_norm, seed: as in `SAE`.

    Attributes:
        threshold: [*n_instances, d_sae], kept at 0 or above.
    """

    coefficient = "l0_coefficient"
    penalty_degree = 0
    varying = ("l0_coefficient", "target_l0")

    def __init__(
        self,
        d_in: int,
        d_sae: int,
        l0_coefficient: float | Sequence[float] = 1.0,
        *,
        target_l0: float | Sequence[float] | None = None,
        bandwidth: float = 1.0,
        n_instances: int | None = None,
        decoder_norm: str = "unit",
        seed: int = 0,
    ) -> None:
        super().__init__(d_in, d_sae, n_instances=n_instances, decoder_norm=decoder_norm, seed=seed)
        self.register_buffer("l0_coefficient", self.per_instance("l0_coefficient", l0_coefficient))
        if target_l0 is not None:
            target_l0 = self.per_instance("target_l0", target_l0, 1e-6)
        self.register_buffer("target_l0", target_l0)
        validate.number("bandwidth", bandwidth, 1e-12)
        self.register_buffer("bandwidth", torch.tensor(float(bandwidth)))
        self.threshold = nn.Parameter(torch.full_like(self.b_enc, START))

    def activate(self, pre: Tensor) -> Tensor:
        return Jump.apply(pre, self._threshold, self.bandwidth)

    @property
    def _threshold(self) -> Float[Tensor, "*n_instances #batch d_sae"]:
        return self.threshold[:, None] if self.lead else self.threshold

    def sparsity_loss(self, z: Tensor, pre: Tensor) -> Float[Tensor, "*n_instances"]:
        l0 = Step.apply(pre, self._threshold, self.bandwidth).sum(dim=-1).mean(dim=-1)
        if self.target_l0 is None:
            return self.l0_coefficient * l0
        return self.l0_coefficient * (parallel.mean(l0) / self.target_l0 - 1).square()

    def parameter_groups(self) -> list[dict[str, object]]:
        others = [parameter for name, parameter in self.named_parameters() if name != "threshold"]
        return [
            {"params": others, "lr_scale": 1.0},
            {"params": [self.threshold], "lr_scale": self.d_in**0.5},
        ]

    @torch.no_grad()
    def constrain(self) -> None:
        super().constrain()
        self.threshold.clamp_(min=0.0)

    @torch.no_grad()
    def fold_scale(self, scale: float) -> None:
        super().fold_scale(scale)
        self.threshold /= scale
        self.bandwidth /= scale

    @torch.no_grad()
    def revive(self, latents: Tensor, directions: Tensor, size: float) -> None:
        super().revive(latents, directions, size)
        self.threshold[latents] = 0.0


class Jump(torch.autograd.Function):
    """pre · 1[pre > θ]; by θ, -θ/ε inside the window |pre - θ| < ε/2 (equation 11)."""

    @staticmethod
    def forward(ctx, pre: Tensor, threshold: Tensor, bandwidth: Tensor) -> Tensor:
        ctx.save_for_backward(pre, threshold, bandwidth)
        return torch.where(pre > threshold, pre, 0.0)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        pre, threshold, bandwidth = ctx.saved_tensors
        by_threshold = -threshold / bandwidth * _window(pre, threshold, bandwidth) * grad
        return (
            torch.where(pre > threshold, grad, 0.0),
            by_threshold.sum_to_size(threshold.shape),
            None,
        )


class Step(torch.autograd.Function):
    """1[pre > θ]; by θ, -1/ε inside the window, by pre nothing (equation 12)."""

    @staticmethod
    def forward(ctx, pre: Tensor, threshold: Tensor, bandwidth: Tensor) -> Tensor:
        ctx.save_for_backward(pre, threshold, bandwidth)
        return (pre > threshold).to(threshold.dtype)  # not in bfloat16: it will be summed

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[None, Tensor, None]:
        pre, threshold, bandwidth = ctx.saved_tensors
        by_threshold = -1 / bandwidth * _window(pre, threshold, bandwidth) * grad
        return None, by_threshold.sum_to_size(threshold.shape), None


def _window(pre: Tensor, threshold: Tensor, bandwidth: Tensor) -> Tensor:
    return ((pre - threshold).abs() < bandwidth / 2).to(threshold.dtype)
