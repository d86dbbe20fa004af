"""Train a toy model, all its instances at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import runtime, validate
from course_lib.data import SparseFeatures
from course_lib.models import ToyModel
from course_lib.superposition.gradient import GradientStep

if TYPE_CHECKING:
    from jaxtyping import Float

CPU_CACHE_ENTRIES = 400_000  # numbers of one activation tensor that stay in a CPU's cache


class TrainingStopped(KeyboardInterrupt):
    """Training was interrupted; `trainer.fit()` goes on where it stopped."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        super().__init__(
            f"Training stopped at step {trainer.step} of {trainer.steps}. The model keeps what it "
            "has learnt; call fit() of the same trainer to go on from there."
        )

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def reconstruction_loss(
    x_hat: Float[Tensor, "n_instances batch n_features"],
    target: Float[Tensor, "n_instances batch n_features"],
    importance: float | Float[Tensor, "*#n_instances 1 #n_features"] = 1.0,
) -> Float[Tensor, " n_instances"]:
    """Mean over the batch of Σ_i importance_i (x_i - x̂_i)², per instance.

    Source: Elhage et al. 2022, section 2 (there x̂ is x').
    """
    return (importance * (target - x_hat).square()).sum(dim=-1).mean(dim=-1)


class Trainer:
    """Adam on `reconstruction_loss` with a fresh batch each step and a cosine-decayed rate.

    Instances learn from streams of their own and never influence each other. On the CPU they are
    taken in groups whose activations fit in the cache. The same seed gives the same weights, bit
    for bit, on a CPU with the same number of threads.

    Args:
        model: trained in place, on the device of its parameters.
        features: the stream; n_instances and n_features as the model's.
        steps, batch_size, lr: lr is the first step's rate; it falls to 0 along half a cosine.
        importance: a number, or a tensor that broadcasts to [n_instances, n_features].
        target: what the output should be, as a function of x; None for x itself.
        seed: of the stream of batches.

    Attributes:
        losses: [steps, n_instances], the loss of each step; NaN for steps still to come.
        step: number of steps done.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(
        self,
        model: ToyModel,
        features: SparseFeatures,
        *,
        steps: int,
        batch_size: int = 1024,
        lr: float = 1e-2,
        importance: float | Float[Tensor, "*#n_instances #n_features"] = 1.0,
        target: Callable[[Tensor], Tensor] | None = None,
        seed: int = 0,
    ) -> None:
        for name in ("n_instances", "n_features"):
            if getattr(features, name) != getattr(model, name):
                raise ValueError(
                    f"features has {name} = {getattr(features, name)}; it must be the model's, "
                    f"{getattr(model, name)}."
                )
        self.model = model
        self.steps = validate.positive_int("steps", steps)
        self.batch_size = validate.positive_int("batch_size", batch_size)
        self.lr = validate.number("lr", lr, 0.0)
        device = model.W.device
        shape = (model.n_instances, model.n_features)
        weight = validate.finite("importance", importance, 0.0).to(device, model.W.dtype)
        try:
            weight = weight.expand(shape)[:, None]
        except RuntimeError:
            raise ValueError(
                f"importance has shape {list(weight.shape)}; it must broadcast to "
                f"[n_instances, n_features] = {list(shape)}."
            ) from None
        self.generator = torch.Generator(device).manual_seed(seed)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.losses = torch.full((steps, model.n_instances), float("nan"), device=device)
        self.step = 0
        self._gradient_steps = [
            GradientStep(model, features, weight, target, batch_size, instances)
            for instances in self._instance_groups(device)
        ]

    def _instance_groups(self, device: torch.device) -> list[slice]:
        n = self.model.n_instances
        size = n
        if device.type == "cpu":
            size = max(1, CPU_CACHE_ENTRIES // (self.batch_size * self.model.n_features))
        return [slice(start, min(start + size, n)) for start in range(0, n, size)]

    def fit(self) -> Float[Tensor, "steps n_instances"]:
        """Train up to `steps` and return `losses`; after an interruption, go on.

        Raises TrainingStopped on Ctrl-C and FloatingPointError when a loss is no longer finite.
        """
        try:
            for _ in runtime.progress(range(self.step, self.steps), "training toy models"):
                self._train_step()
        except KeyboardInterrupt:
            raise TrainingStopped(self) from None
        if not self.losses.isfinite().all():
            bad = int((~self.losses.isfinite()).any(dim=1).nonzero()[0])
            raise FloatingPointError(
                f"The loss is not finite from step {bad} on with lr = {self.lr}; lower lr."
            )
        return self.losses

    def _train_step(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * (1 + math.cos(math.pi * self.step / self.steps)) / 2
        for gradient_step in self._gradient_steps:
            self.losses[self.step, gradient_step.instances] = gradient_step(self.generator)
        self.optimizer.step()
        self.step += 1
