"""Train a toy model, all its instances at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from course_lib import runtime, validate
from course_lib.data import RareFeatures, SparseFeatures
from course_lib.models import ToyModel
from course_lib.superposition.decay import signed_decay_
from course_lib.superposition.gradient import BufferPool, GradientStep
from course_lib.superposition.rare import RareGradientStep

if TYPE_CHECKING:
    from jaxtyping import Float

CPU_CACHE_ENTRIES = 420_000  # numbers of one activation tensor that stay in a CPU's cache
RARE_ENTRIES = 1_600_000  # where few inputs are on, starting an operation costs more than its reach
GPU_ENTRIES = 2**28  # numbers of one activation tensor that fit on a GPU: a gigabyte
CPU_GROUPS = 4  # groups to share out among threads, if there are as many instances


def reconstruction_loss(
    x_hat: Float[Tensor, "*n_instances batch n_features"],
    target: Float[Tensor, "*n_instances batch n_features"],
    importance: float | Float[Tensor, "*#n_instances 1 #n_features"] = 1.0,
) -> Float[Tensor, " *n_instances"]:
    """Mean over the batch of Σ_i importance_i (x_i - x̂_i)², per instance.

    Source: Elhage et al. 2022, section 2 (there x̂ is x').
    """
    validate.tensors(
        "floating", x_hat=(x_hat, "*n_instances batch n_features"),
        target=(target, "*n_instances batch n_features"),
    )  # fmt: skip
    validate.broadcasts("importance", importance, "x_hat", x_hat)
    return (importance * (target - x_hat).square()).sum(dim=-1).mean(dim=-1)


class Trainer:
    """Adam on `reconstruction_loss` with a fresh batch each step and a cosine-decayed rate.

    Instances learn from streams of their own and never influence each other. On a CPU they are
    taken in groups whose activations fit in the cache, each group on one thread with a random
    stream of its own, so that the same seed gives the same weights, bit for bit, however many
    threads there are (for a single group, with the same number of threads).

    Args:
        model: trained in place, on the device of its parameters.
        features: the stream; n_instances and n_features as the model's.
        steps, batch_size, lr: lr is the first step's rate; it falls to 0 along half a cosine.
        importance: a number, or a tensor that broadcasts to [n_instances, n_features].
        target: what the output should be, as a function of x; None for x itself.
        weight_decay: of W, by `signed_decay_` before each step; a number, or one per instance.
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
        weight_decay: float | Float[Tensor, " n_instances"] = 0.0,
        seed: int = 0,
    ) -> None:
        validate.instance("model", model, ToyModel)
        validate.like("features", features, "n_features", "n_instances", "sample")
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
        self.weight_decay = validate.finite("weight_decay", weight_decay).to(device)
        if self.weight_decay.ndim:
            validate.shape("weight_decay", self.weight_decay, (model.n_instances,))
        self.losses = torch.full((steps, model.n_instances), float("nan"), device=device)
        self.step = 0
        seed = runtime.checked_seed(seed, 0)
        seeds = np.random.SeedSequence(seed).generate_state(model.n_instances, np.uint64)
        rare = (
            isinstance(features, RareFeatures)
            and device.type != "mps"  # which has no double precision
            and (model.tied, model.hidden, model.output, target) == (True, "linear", "relu", None)
            and bool((weight == 1).all())
        )
        groups = self._instance_groups(device, rare)
        pool = BufferPool(model, groups[0].stop, batch_size)
        step_type = RareGradientStep if rare else GradientStep
        # fused: the same rule, at an eighth of the time where few inputs are on
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=rare or None)
        self._gradient_steps = [
            step_type(model, features, weight, target, pool, group, int(seeds[group.start]))
            for group in groups
        ]

    def _instance_groups(self, device: torch.device, rare: bool) -> list[slice]:
        n, entries = self.model.n_instances, self.batch_size * self.model.n_features
        if device.type != "cpu":
            size = max(1, min(GPU_ENTRIES // entries, n))
        elif rare:
            size = math.ceil(n / math.ceil(n * entries / RARE_ENTRIES))
        else:
            size = max(1, min(CPU_CACHE_ENTRIES // entries, math.ceil(n / CPU_GROUPS)))
        return [slice(start, min(start + size, n)) for start in range(0, n, size)]

    def fit(self, until: int | None = None) -> Float[Tensor, "steps n_instances"]:
        """Train up to `steps` and return `losses`; after an interruption, go on.

        until: stop after this step instead, without a progress bar; the next call goes on from
            there, to the same weights bit for bit.

        Raises runtime.TrainingStopped on Ctrl-C, FloatingPointError when a loss is not finite,
        MemoryError when batch_size is too large for the device, TypeError and ValueError for an
        `until` that is no step.
        """
        steps = runtime.remaining(self.step, self.steps, until, "training toy models")
        try:
            with _workers(len(self._gradient_steps), self.model.W.device) as workers:
                for _ in steps:
                    with runtime.memory_advice(self._advice()):
                        self._train_step(workers)
        except KeyboardInterrupt:
            raise runtime.TrainingStopped(self) from None
        done = self.losses[: self.step].isfinite().all(dim=1)
        if not done.all():
            bad = int((~done).nonzero()[0])
            raise FloatingPointError(
                f"The loss is not finite from step {bad} on with lr = {self.lr}; lower lr."
            )
        return self.losses

    def _advice(self) -> str:
        rows = self.batch_size
        smaller = f"batch_size = {rows // 2}" if rows > 1 else "fewer n_instances"
        return f"A step with batch_size = {rows} did not fit; try {smaller}."

    def _train_step(self, workers: Executor | None) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * (1 + math.cos(math.pi * self.step / self.steps)) / 2
        run = map if workers is None else workers.map
        for gradient_step, loss in zip(
            self._gradient_steps, run(GradientStep.__call__, self._gradient_steps), strict=True
        ):
            self.losses[self.step, gradient_step.instances] = loss
        if self.weight_decay.any():
            signed_decay_(self.model.W, self.weight_decay, group["lr"])
        self.optimizer.step()
        self.step += 1


@contextmanager
def _workers(n_groups: int, device: torch.device) -> Iterator[Executor | None]:
    """Threads that take one group each; None where torch's own threads or one alone do better.

    Threads inside a small product wait for each other most of the time, threads on products of
    their own do not.
    """
    n_threads = torch.get_num_threads()
    if device.type != "cpu" or min(n_threads, n_groups) == 1:
        yield None
        return
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(n_threads) as workers:
            yield workers
    finally:
        torch.set_num_threads(n_threads)
