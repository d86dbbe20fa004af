"""Train any model that has a `loss`, on fresh draws from a world."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, is_dataclass
from math import cos, pi
from pathlib import Path
from typing import Protocol, TypeAlias

import torch
from torch import Generator, Tensor, nn

from course_lib import files, runtime, validate
from course_lib.data.sequences import Sequences
from course_lib.models.muon import Muon
from course_lib.models.next_token import floor

Batch: TypeAlias = tuple[Tensor, ...]

BETAS = (0.9, 0.98)
LARGEST_GRADIENT = 1.0  # norm of all gradients together, above which they are scaled down


class World(Protocol):
    """Anything that draws a batch: a world of tokens, or one that draws what `loss` takes."""

    def sample(self, batch_size: int, generator: Generator) -> Sequences | Batch: ...


@dataclass(frozen=True)
class Schedule:
    """How to train; the arguments of `Trainer`, where each is explained."""

    steps: int
    batch_size: int
    lr: float
    muon_lr: float = 0.0
    lr_warmup: float = 0.05
    weight_decay: float = 0.01
    autocast: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        validate.positive_int("steps", self.steps)
        validate.positive_int("batch_size", self.batch_size)
        validate.number("muon_lr", self.muon_lr, 0.0)
        validate.number("lr_warmup", self.lr_warmup, 0.0, 1.0)
        validate.number("weight_decay", self.weight_decay, 0.0)
        runtime.checked_seed(self.seed, 0)
        if validate.number("lr", self.lr, 0.0) == 0:
            raise ValueError("lr is 0; it must be above 0.")

    def share_at(self, step: int) -> float:
        """What part of its rate a step takes.

        It rises from 0 to 1 along a line during warm-up, then falls to 0 along half a cosine.
        """
        rise = self.lr_warmup * self.steps
        if step + 1 < rise:
            return (step + 1) / rise
        return (1 + cos(pi * max(0.0, step - rise) / max(1.0, self.steps - rise))) / 2


class Trainer:
    """AdamW on `model.loss` with a fresh batch each step, or Muon and AdamW.

    Weight matrices decay, vectors do not; gradients of a norm above 1 are scaled down to it. The
    batch of a step depends on `seed` and the number of the step alone, so a run that was stopped
    and resumed ends, on a CPU, with the same weights bit for bit as one that was not.

    Args:
        model: trained in place, on the device of its parameters. `model.loss` takes the tokens of
            a world's sequences, or all tensors of the tuple that another world draws.
        world: where batches come from.
        steps, batch_size, lr: lr is AdamW's rate between warm-up and decay.
        muon_lr: when above 0, Muon trains the matrices in the blocks of a GPT, at this rate.
        lr_warmup: share of the steps over which rates rise from 0; then they fall along a cosine.
        weight_decay: how much of the rate times a weight is taken off it each step.
        autocast: compute losses in bfloat16, weights staying as they are; None for where that is
            fast: on CUDA.
        log_every: steps between rows of `history`; None for about a hundred rows.
        checkpoint: file to save to every `checkpoint_every` steps, on Ctrl-C and at the end;
            if it exists when `fit` begins, training goes on from it. One run at a time writes it.
        snapshots: steps after which to keep the weights, 0 for those at the start: beside the
            checkpoint, as `snapshot_path` says.
        seed: of the stream of batches.

    Attributes:
        history: "step", "loss" and, for a world with a law, "floor", the loss that no model can
            beat on the same batch: tensors [rows].
        step: number of steps done.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(
        self,
        model: nn.Module,
        world: World,
        *,
        steps: int,
        batch_size: int,
        lr: float,
        muon_lr: float = 0.0,
        lr_warmup: float = 0.05,
        weight_decay: float = 0.01,
        autocast: bool | None = None,
        log_every: int | None = None,
        checkpoint: str | Path | None = None,
        checkpoint_every: int = 500,
        snapshots: Sequence[int] = (),
        seed: int = 0,
    ) -> None:
        self.model, self.world = validate.instance("model", model, nn.Module), world
        if not is_dataclass(getattr(model, "config", None)):
            raise TypeError(
                f"model is a {type(model).__name__} without a `config`; it must have one, a "
                "dataclass, as the models of the course do."
            )
        self.device = next(model.parameters()).device
        autocast = self.device.type == "cuda" if autocast is None else autocast
        self.schedule = Schedule(
            steps, batch_size, lr, muon_lr, lr_warmup, weight_decay, autocast, seed
        )
        self.identity = {  # what must be equal for a checkpoint to fit
            "schedule": asdict(self.schedule),
            "model": f"{type(model).__name__} {asdict(model.config)}",
            "world": type(world).__name__,
        }
        self.optimizers = self._make_optimizers()
        rows = 0 if log_every is None else validate.positive_int("log_every", log_every, 0)
        self.log_every = rows or max(1, steps // 100)
        self.checkpoint = None if checkpoint is None else validate.path("checkpoint", checkpoint)
        self.checkpoint_every = validate.positive_int("checkpoint_every", checkpoint_every)
        self.snapshots = tuple(validate.items("snapshots", snapshots))
        if self.snapshots and self.checkpoint is None:
            raise ValueError("snapshots are kept beside the checkpoint; name a checkpoint too.")
        self.steps, self.step = steps, 0
        self._history: dict[str, list[float]] = {}

    def _make_optimizers(self) -> list[torch.optim.Optimizer]:
        weights, vectors, in_blocks = [], [], []
        for name, parameter in self.model.named_parameters():
            if parameter.ndim <= 1:
                vectors.append(parameter)
            elif self.schedule.muon_lr > 0 and name.startswith("blocks."):
                in_blocks.append(parameter)
            else:
                weights.append(parameter)
        decay = self.schedule.weight_decay
        adam = torch.optim.AdamW(
            [{"params": weights}, {"params": vectors, "weight_decay": 0.0}],
            lr=self.schedule.lr, betas=BETAS, weight_decay=decay,
            fused=self.device.type in ("cpu", "cuda"),
        )  # fmt: skip
        if self.schedule.muon_lr == 0:
            return [adam]
        if not in_blocks:
            raise ValueError(
                f"muon_lr is {self.schedule.muon_lr}; it must be 0 for a "
                f"{type(self.model).__name__}, which has no blocks."
            )
        return [adam, Muon(in_blocks, lr=self.schedule.muon_lr, weight_decay=decay)]

    @property
    def history(self) -> dict[str, Tensor]:
        return {name: torch.tensor(values) for name, values in self._history.items()}

    def fit(self) -> dict[str, Tensor]:
        """Train to the last step and return `history`; after an interruption, go on.

        Raises runtime.TrainingStopped on Ctrl-C (after the step under way, once all is saved),
        FloatingPointError when a loss is no longer finite, files.InUse when another run writes the
        checkpoint, and MemoryError when batch_size is too large for the device.
        """
        held = nullcontext() if self.checkpoint is None else files.only_writer(self.checkpoint)
        with held:
            if self.step == 0 and self.checkpoint is not None and self.checkpoint.exists():
                self._load()
            self._fit()
        return self.history

    def _fit(self) -> None:
        for step in self.snapshots:
            files.remove_torn(self.checkpoint.parent, self.snapshot_path(step).name)
        bar = runtime.progress(range(self.step, self.steps), "training")
        self.model.train()
        with runtime.interruptions() as stopped:
            self._snapshot()
            for step in bar:
                with runtime.memory_advice(self._advice()):
                    self._train_step(step, bar)
                self._snapshot()
                if stopped.is_set():
                    self._save()
                    where = "" if self.checkpoint is None else f" It is saved in {self.checkpoint}."
                    raise runtime.TrainingStopped(self, where)
                if self.step % self.checkpoint_every == 0 or self.step == self.steps:
                    self._save()
        self.model.eval()

    def _advice(self) -> str:
        rows = self.schedule.batch_size
        smaller = f"batch_size = {rows // 2}" if rows > 1 else "a smaller model"
        return f"A step with batch_size = {rows} did not fit; try {smaller}."

    def _train_step(self, step: int, bar: object) -> None:
        drawn = self.world.sample(
            self.schedule.batch_size, runtime.step_generator(self.schedule.seed, step)
        )
        batch = (drawn.tokens,) if isinstance(drawn, Sequences) else drawn
        share, rates = self.schedule.share_at(step), (self.schedule.lr, self.schedule.muon_lr)
        for optimizer, rate in zip(self.optimizers, rates, strict=False):
            for group in optimizer.param_groups:
                group["lr"] = rate * share
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.schedule.autocast):
            loss = self.model.loss(*(part.to(self.device, non_blocking=True) for part in batch))
        self.model.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), LARGEST_GRADIENT)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step = step + 1
        if self.step % self.log_every == 0 or self.step == self.steps:
            self._log(loss.item(), batch, bar)

    def _log(self, loss: float, batch: Batch, bar: object) -> None:
        row = {"step": self.step, "loss": loss}
        if hasattr(self.world, "log_prob"):
            row["floor"] = floor(self.world, batch[0], self.model.n_given).mean().item()
        for name, value in row.items():
            self._history.setdefault(name, []).append(value)
        if not loss < float("inf"):
            raise FloatingPointError(
                f"The loss of {type(self.model).__name__} is {loss} at step {self.step} with "
                f"lr = {self.schedule.lr}; lower lr."
            )
        if hasattr(bar, "set_postfix_str"):
            text = "  ".join(f"{name} {value:.4f}" for name, value in list(row.items())[1:])
            bar.set_postfix_str(text, refresh=False)

    # --- files -----------------------------------------------------------------------------------

    def snapshot_path(self, step: int) -> Path:
        """Where the weights after `step` steps are kept, a safetensors file."""
        return self.checkpoint.with_name(f"{self.checkpoint.stem}-step-{step}.safetensors")

    def _snapshot(self) -> None:
        if self.step in self.snapshots:
            from safetensors.torch import save

            path = self.snapshot_path(self.step)
            runtime.write_file(path, save(weights_of(self.model)))

    def _save(self) -> None:
        if self.checkpoint is not None:
            state = {
                "step": self.step, "history": self._history, "model": self.model.state_dict(),
                "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            }  # fmt: skip
            runtime.save_checkpoint(self.checkpoint, self.identity, state)

    def _load(self) -> None:
        state = runtime.load_checkpoint(self.checkpoint, self.identity)
        self.model.load_state_dict(state["model"])
        for optimizer, its_state in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(its_state)
        self.step, self._history = state["step"], state["history"]


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """A model's weights on the CPU, each tensor once: of tied ones the first name counts."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in model.named_parameters()}


def log_spaced(steps: int, n: int, first: int = 10) -> tuple[int, ...]:
    """0, and n - 1 steps from `first` to the last, each by about the same factor after the other.

    Raises ValueError for n below 3 and for steps that are not more than `first`.
    """
    validate.positive_int("steps", steps, validate.positive_int("first", first) + 1)
    between = validate.positive_int("n", n, 3) - 2
    factor = steps / first
    return (0, *sorted({round(first * factor ** (i / between)) for i in range(between + 1)}))
