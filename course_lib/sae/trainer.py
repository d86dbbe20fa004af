"""Train sparse autoencoders of any architecture, several on one stream."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from course_lib import files, parallel, runtime, validate
from course_lib.sae.base import SAE
from course_lib.sae.batches import Batch, Data, axis_of, batches, shard_paths
from course_lib.sae.learner import Learner, recipe
from course_lib.sae.start import activation_scale


class Trainer:
    """Adam on `sae.loss`, for one SAE or a list that learns from the same stream.

    SAEs of a list, and instances of one SAE, never influence each other. Everything random comes
    from `seed` and the number of the step, so a run that was stopped and resumed ends, on a CPU,
    with the same weights bit for bit as one that was not.

    Under torchrun or `accelerate launch` the same script trains on many processes (see
    `course_lib.parallel`). Each takes an equal part of every batch, and the gradients, dead
    latents, l0, scale, centre, thresholds and resampled latents are those of the whole batch: the
    weights are a single process's up to rounding (which autocast makes that of bfloat16), if it
    draws on as many `streams`. Process 0 writes the checkpoint, which all must be able to read; the
    run may go on from it with any number of processes that divides batch_size.

    Args:
        saes: trained in place, on the device of their parameters.
        data: a tensor [rows, d_in], a world, paths of shards or an iterable: see `batches`.
        steps, batch_size, lr: lr is Adam's rate between warm-up and decay. batch_size is that of
            all processes together.
        accumulate: parts in which each process goes through its part of a batch, to save memory.
            BatchTopK selects, JumpReLU compares l0 with its target, p-anneal keeps its penalty and
            group-sparse SAEs swap within a part: there, other parts learn slightly otherwise.
        streams: shards that a batch draws on at once; they are dealt out to that many streams, and
            a process opens those of its own. None for as many as there are processes at the start.
        lr_warmup, lr_decay: shares of the steps over which lr rises from 0 and falls back to 0.
        sparsity_warmup: share of the steps over which a penalty rises from 0 to its coefficient.
        target_l0: steer the penalty's coefficient to this mean number of active latents; a number
            or one per instance.
        dead_after: inputs without firing after which a latent counts as dead.
        resample_every: steps between resamplings of dead latents; None for none.
        center: where b_dec starts: "mean" or "geometric_median" of the first batch, or "zero".
        scale_activations: train on activations of mean norm sqrt(d_in), measured on the first
            batch, and fold the factor into the SAE at the end (`SAE.fold_scale`).
        autocast: compute losses in bfloat16, weights and optimiser staying as they are.
        compile: run the loss through torch.compile.
        log_every: steps between rows of `history`; None for about a hundred rows.
        checkpoint: file to save to every `checkpoint_every` steps, on Ctrl-C and when `fit` ends;
            if it exists when `fit` begins, training goes on from it. One run at a time writes it.
        seed: of the stream and of everything random in training.

    Attributes:
        history: one dict per SAE, from "step", "loss", "fvu", "l0", "dead" and, with a penalty,
            "coefficient" to a tensor [rows, *n_instances], measured on the batch of that step.
        step: number of steps done.
        scale: factor of the activations; 1.0 before training and without `scale_activations`.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
        FileNotFoundError: data names shards that are not there.
    """

    def __init__(
        self,
        saes: SAE | Sequence[SAE],
        data: Data,
        *,
        steps: int,
        batch_size: int = 2048,
        accumulate: int = 1,
        streams: int | None = None,
        lr: float = 3e-4,
        lr_warmup: float = 0.05,
        lr_decay: float = 0.2,
        sparsity_warmup: float = 0.05,
        target_l0: float | Sequence[float] | None = None,
        dead_after: int = 256_000,
        resample_every: int | None = None,
        center: str = "mean",
        scale_activations: bool = True,
        autocast: bool = False,
        compile: bool = False,
        log_every: int | None = None,
        checkpoint: str | Path | None = None,
        checkpoint_every: int = 1000,
        seed: int = 0,
    ) -> None:
        validate.positive_int("steps", steps)
        if log_every is not None:
            validate.positive_int("log_every", log_every, minimum=0)
        self.recipe = recipe(
            steps=steps, batch_size=batch_size, accumulate=accumulate, lr=lr, lr_warmup=lr_warmup,
            lr_decay=lr_decay, sparsity_warmup=sparsity_warmup, target_l0=target_l0,
            dead_after=dead_after, resample_every=resample_every, center=center,
            scale_activations=scale_activations, autocast=autocast, compile=compile,
            log_every=log_every or max(1, steps // 100), seed=seed,
        )  # fmt: skip
        self.saes = [saes] if isinstance(saes, SAE) else list(validate.sequence("saes", saes))
        if not self.saes:
            raise ValueError("saes is empty; give an SAE or a list of them.")
        for sae in self.saes:
            validate.instance("saes", sae, SAE)
        how = asdict(self.recipe)
        del how["accumulate"]  # another number of processes may need another one
        self.identity = {  # what must be equal for a checkpoint to fit
            "recipe": how,
            "saes": [[type(sae).__name__, sae.config] for sae in self.saes],
        }
        self.data, self.streams = data, streams
        self.checkpoint = None if checkpoint is None else validate.path("checkpoint", checkpoint)
        with parallel.processes():
            self._open()
        self.learners = [Learner(sae, self.recipe) for sae in self.saes]
        self.checkpoint_every = checkpoint_every
        self.steps, self.step, self.scale, self.finished = steps, 0, 1.0, False

    @property
    def history(self) -> list[dict[str, Tensor]]:
        return [
            {name: torch.tensor(values) for name, values in learner.history.items()}
            for learner in self.learners
        ]

    def fit(self, until: int | None = None) -> list[dict[str, Tensor]]:
        """Train to the last step, fold the scale, and return `history`.

        until: stop after this step instead, without a progress bar, folding nothing; the next call
            goes on from there, to the same weights bit for bit. Equal in all processes.

        Raises runtime.TrainingStopped on Ctrl-C (after the step under way, once all is saved),
        FloatingPointError when a loss is no longer finite, files.InUse when another run writes the
        checkpoint, MemoryError when a batch is too large for the device, ConnectionError when
        another process of this run is gone, and TypeError and ValueError for an `until` that is no
        step.
        """
        if self.finished:
            return self.history
        with parallel.processes(), ExitStack() as held:
            if self.checkpoint is not None:
                lock = files.only_writer(self.checkpoint)
                parallel.from_first(lambda: held.enter_context(lock))
                if self.step == 0 and parallel.from_first(self.checkpoint.exists):
                    self._load()
            if not self.finished:
                self._fit(until)
        return self.history

    def _fit(self, until: int | None) -> None:
        bar = runtime.remaining(self.step, self.steps, until, "training SAEs")
        devices = {learner.device for learner in self.learners if learner.device.type == "cuda"}
        with runtime.interruptions() as stopped, torch.random.fork_rng(devices=devices):
            if self.step == 0:
                self._start()
            for sae in self.saes:
                sae.train()
            for step in bar:
                with runtime.memory_advice(self._advice()):
                    self._train_step(step)
                if self.step % self.recipe.log_every == 0:
                    self._report(bar)
                if parallel.anywhere(stopped.is_set()):
                    self._save()
                    parallel.wait()  # a launcher kills the first process when another ends
                    where = "" if self.checkpoint is None else f" It is saved in {self.checkpoint}."
                    raise runtime.TrainingStopped(self, where) from None
                if self.step % self.checkpoint_every == 0:
                    self._save()
        if self.step == self.steps:
            self.finish()
        else:
            self._save()

    def finish(self) -> None:
        """Fold the scale into the SAEs and put them in evaluation mode.

        `fit` does it at the end; call it to keep a run that was stopped.
        """
        if not self.finished:
            for sae in self.saes:
                sae.eval()
                sae.fold_scale(self.scale)
            self.finished = True
            with parallel.processes():
                self._save()
                parallel.wait()

    def _open(self) -> None:
        """Open the data, of which this process reads its part."""
        parts = parallel.size() * self.recipe.accumulate
        if self.recipe.batch_size % parts:
            raise ValueError(
                f"batch_size is {self.recipe.batch_size}; {parallel.size()} processes with "
                f"accumulate = {self.recipe.accumulate} need a multiple of {parts}."
            )
        self.n_shards = parallel.from_first(lambda: len(shard_paths(self.data)))
        if self.streams is None:
            self.streams = parallel.from_first(self._usual_streams)
        self.instances = next((sae.n_instances for sae in self.saes if sae.lead), None)
        self.source = batches(
            self.data, self.recipe.batch_size, self.recipe.seed, self.streams, self.instances
        )

    def _usual_streams(self) -> int:
        """Those of the checkpoint that `fit` will go on from, else one for each process."""
        if self.n_shards and self.checkpoint is not None and self.checkpoint.exists():
            return runtime.load_checkpoint(self.checkpoint, self.identity).get("streams", 1)
        most = min(parallel.size(), self.n_shards or 1)
        return max(n for n in range(1, most + 1) if self.recipe.batch_size % n == 0)

    def _advice(self) -> str:
        """What to try when a step needs more memory than there is."""
        rows, parts = self.recipe.batch_size, self.recipe.accumulate
        each = rows // (parallel.size() * parts)
        tried = f"A step with batch_size = {rows} and accumulate = {parts} did not fit; try"
        if each % 2:
            return f"{tried} fewer SAEs, or ones with a smaller d_sae."
        return (
            f"{tried} accumulate = {2 * parts}, with which a checkpoint goes on, or batch_size = "
            f"{rows // 2}."
        )

    # --- one step --------------------------------------------------------------------------------

    def _train_step(self, step: int) -> None:
        batch = self.source.batch(step)
        own = runtime.step_generator(self.recipe.seed, step).initial_seed()
        for index, learner in enumerate(self.learners):
            runtime.seed_torch(own)
            learner.train_step(
                step,
                self._prepare(learner.sae, batch),
                lambda index=index: runtime.step_generator(self.recipe.seed + index, step),
            )
        self.step = step + 1

    def _prepare(self, sae: SAE, batch: Batch) -> Batch:
        batch = tuple(part.to(sae.W_dec, non_blocking=True) for part in batch)
        return sae.scale_batch(self.scale, *batch) if self.scale != 1.0 else batch

    def _start(self) -> None:
        rows = self.recipe.batch_size // parallel.size()
        batch = self.source.batch(0)
        if parallel.size() > 1:
            batch = tuple(
                parallel.gather(part, axis_of(part, rows, self.instances)) for part in batch
            )
        if self.recipe.scale_activations:
            self.scale = activation_scale(batch[0])
        for sae in self.saes:
            parallel.copy_from_first(sae.state_dict().values())
            sae.start(self.recipe.center, *self._prepare(sae, batch))

    def _report(self, bar: object) -> None:
        last = [{name: rows[-1].float().mean() for name, rows in h.items()} for h in self.history]
        for sae, row in zip(self.saes, last, strict=True):
            if not row["loss"].isfinite():
                raise FloatingPointError(
                    f"The loss of {type(sae).__name__} is not finite at step {self.step} with "
                    f"lr = {self.recipe.lr}; lower lr, or look for outliers in the data."
                )
        if hasattr(bar, "set_postfix_str"):
            text = "; ".join(f"fvu {row['fvu']:.3f} l0 {row['l0']:.1f}" for row in last[:3])
            bar.set_postfix_str(text, refresh=False)

    # --- files -----------------------------------------------------------------------------------

    def _save(self) -> None:
        if self.checkpoint is not None and parallel.rank() == 0:
            state = {
                "step": self.step, "scale": self.scale, "finished": self.finished,
                "streams": self.streams, "shards": self.n_shards,
                "learners": [learner.state_dict() for learner in self.learners],
            }  # fmt: skip
            runtime.save_checkpoint(self.checkpoint, self.identity, state)

    def _load(self) -> None:
        state = runtime.load_checkpoint(self.checkpoint, self.identity)
        if (shards := state.get("shards", self.n_shards)) != self.n_shards:
            raise ValueError(
                f"{self.checkpoint} was trained on {shards} shards, and there are {self.n_shards} "
                "now; bring back what is lost, or name another file to begin anew."
            )
        for learner, saved in zip(self.learners, state["learners"], strict=True):
            learner.load_state_dict(saved)
        if self.n_shards and (streams := state.get("streams", 1)) != self.streams:
            raise ValueError(
                f"{self.checkpoint} was trained on {streams} streams, now it is {self.streams}; "
                "leave streams out, or name another file."
            )
        self.step, self.scale, self.finished = state["step"], state["scale"], state["finished"]
