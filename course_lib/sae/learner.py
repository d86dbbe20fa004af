"""One SAE in training: its optimiser, its dead latents, its sparsity, its history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor, nn

from course_lib import parallel, runtime, validate
from course_lib.sae.base import SAE, Loss
from course_lib.sae.batches import Batch, cut

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

# The controller of the coefficient: measured on planted features with learning rates from 0.001 to
# 0.01, l0 ends within 8 % of its target after 1,500 steps; without the damping it oscillates.
CONTROLLER_RATE = 0.02  # largest relative change of the coefficient in one step
CONTROLLER_DAMPING = 50  # steps ahead at which l0 is judged, from its present speed
CONTROLLER_MEMORY = 0.9  # of the running mean of l0
REVIVED_SIZE = 0.2  # encoder norm of a revived latent, as a share of the living ones' mean


@dataclass(frozen=True)
class Recipe:
    """How to train; the arguments of `Trainer`, where each is explained."""

    steps: int
    batch_size: int
    accumulate: int
    lr: float
    lr_warmup: float
    lr_decay: float
    sparsity_warmup: float
    target_l0: float | tuple[float, ...] | None
    dead_after: int
    resample_every: int | None
    center: str
    scale_activations: bool
    autocast: bool
    compile: bool
    log_every: int
    seed: int

    def lr_at(self, step: int) -> float:
        """Linear warm-up, constant, linear decay to 0; the two are shares of all steps."""
        rise, fall = self.lr_warmup * self.steps, self.lr_decay * self.steps
        up = (step + 1) / rise if step + 1 < rise else 1.0
        down = (self.steps - step) / fall if self.steps - step < fall else 1.0
        return self.lr * min(up, down)

    def sparsity_at(self, step: int) -> float:
        """Share of the penalty in force: rises linearly from 0 to 1."""
        rise = self.sparsity_warmup * self.steps
        return step / rise if step < rise else 1.0


@dataclass(frozen=True)
class Activity:
    """What is kept of the latents of a batch that was gone through in parts."""

    mean_l0: Float[Tensor, "*n_instances"]
    latents: Bool[Tensor, "*n_instances d_sae"]

    def l0(self) -> Float[Tensor, "*n_instances"]:
        return self.mean_l0

    def fired(self) -> Bool[Tensor, "*n_instances d_sae"]:
        return self.latents


class Learner:
    """Trains one SAE, with or without instances, on the batches it is given.

    Under `parallel.processes` a batch is this process's part; what is learnt and counted is of all.
    """

    def __init__(self, sae: SAE, recipe: Recipe) -> None:
        self.sae, self.recipe = sae, recipe
        if recipe.target_l0 is not None and sae.coefficient is None:
            raise ValueError(
                f"target_l0 is {recipe.target_l0}, but {type(sae).__name__} has no penalty to "
                "steer by; its sparsity is set by its own arguments."
            )
        if recipe.resample_every is not None and not sae.resamples:
            raise ValueError(
                f"resample_every is {recipe.resample_every}, but {type(sae).__name__} cannot point "
                "dead latents at inputs; leave it None."
            )
        self.device = sae.W_dec.device
        fused = self.device.type in ("cpu", "cuda")
        # The fused Adam copies a weight that is not contiguous, so it has W_enc by rows of latents.
        self.by_rows = {} if sae.tied else {sae.W_enc: nn.Parameter(sae.W_enc.detach().mT)}
        groups = sae.parameter_groups()
        for group in groups:
            group["params"] = [self.by_rows.get(weight, weight) for weight in group["params"]]
        self.optimizer = torch.optim.Adam(groups, lr=recipe.lr, fused=fused)
        self.inputs_since_fired = torch.zeros(*sae.lead, sae.d_sae, device=self.device)
        self.mean_l0 = torch.zeros(sae.lead, device=self.device)
        if recipe.target_l0 is not None:
            self.target_l0 = sae.per_instance("target_l0", recipe.target_l0, 1e-3).to(self.device)
        # As numbers: small tensors that stay, between large ones that go, would keep the heap from
        # shrinking, by megabytes a row.
        self.history: dict[str, list[float] | list[list[float]]] = {}
        self.loss: Callable[..., Loss] = torch.compile(sae.loss) if recipe.compile else sae.loss

    @property
    def dead(self) -> Bool[Tensor, "*n_instances d_sae"]:
        """Latents that have not fired on the last `dead_after` inputs."""
        return self.inputs_since_fired >= self.recipe.dead_after

    def train_step(self, step: int, batch: Batch, generator: Callable[[], Generator]) -> None:
        recipe, sae = self.recipe, self.sae
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.lr_at(step) * group["lr_scale"]
        sae.schedule(step / recipe.steps)
        loss = self._backward(step, batch)
        for weight, rows in self.by_rows.items():
            rows.grad = weight.grad.mT
        for group in self.optimizer.param_groups:
            parallel.average_gradients(group["params"])
        sae.prepare_gradients()
        self.optimizer.step()
        self.optimizer.zero_grad()
        sae.zero_grad()
        sae.constrain()
        self._count(step, loss, batch)
        every = recipe.resample_every
        if every is not None and (step + 1) % every == 0 and step + 1 < recipe.steps:
            self.resample(loss, batch, generator())

    def _backward(self, step: int, batch: Batch) -> Loss:
        """Add up the gradients of a batch, in parts if need be, and return its loss."""
        n = self.recipe.accumulate
        if n == 1:
            loss = self._loss(step, batch)
            loss.total.sum().backward()
            return loss
        seen = []
        rows = self.recipe.batch_size // parallel.size()
        for part in cut(batch, rows, n, self.sae.n_instances):
            loss = self._loss(step, part)
            (loss.total.sum() / n).backward()
            activity = Activity(self._l0(loss), self._fired(loss))
            terms = {name: term.detach() / n for name, term in loss.terms.items()}
            seen.append(Loss(terms, loss.x_hat.detach(), activity))
        return _joined(seen, len(self.sae.lead))

    def _loss(self, step: int, batch: Batch) -> Loss:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.autocast):
            loss = self.loss(*batch, dead=self.dead)
        if "sparsity" in loss.terms:
            loss.terms["sparsity"] = loss.terms["sparsity"] * self.recipe.sparsity_at(step)
        return loss

    @torch.no_grad()
    def _fired(self, loss: Loss) -> Bool[Tensor, "*n_instances d_sae"]:
        if not isinstance(loss.z, Tensor):
            return loss.z.fired()
        z = loss.z.reshape(*self.sae.lead, -1, self.sae.d_sae)
        return z.abs().amax(dim=-2) > 0  # `any` over an axis is eight times slower on a CPU

    @torch.no_grad()
    def _l0(self, loss: Loss) -> Float[Tensor, "*n_instances"]:
        if not isinstance(loss.z, Tensor):
            return loss.z.l0()
        z = loss.z.reshape(*self.sae.lead, -1, self.sae.d_sae)
        return (z != 0).sum(dim=-1, dtype=torch.float32).mean(dim=-1)

    @torch.no_grad()
    def _count(self, step: int, loss: Loss, batch: Batch) -> None:
        logs = (step + 1) % self.recipe.log_every == 0 or step + 1 == self.recipe.steps
        counts = logs or self.recipe.target_l0 is not None
        fired = parallel.anywhere(self._fired(loss))
        l0 = parallel.mean(self._l0(loss)) if counts else None
        self.inputs_since_fired += self.recipe.batch_size
        self.inputs_since_fired.masked_fill_(fired, 0.0)
        if self.recipe.target_l0 is not None:
            self._steer(step, l0)
        if logs:
            row = {
                "step": torch.tensor(step + 1),
                "loss": parallel.mean(loss.total.detach()),
                "fvu": self._fvu(self.sae.target(*batch), loss.x_hat),
                "l0": l0,
                "dead": self.dead.float().mean(dim=-1),
            }
            if self.sae.coefficient is not None:
                row["coefficient"] = getattr(self.sae, self.sae.coefficient).clone()
            for name, value in row.items():
                self.history.setdefault(name, []).append(value.tolist())

    def _fvu(self, target: Tensor, x_hat: Tensor) -> Float[Tensor, "*n_instances"]:
        rows = (*self.sae.lead, -1, x_hat.shape[-1])
        target, x_hat = target.expand_as(x_hat).reshape(rows), x_hat.reshape(rows)
        error = parallel.mean((target - x_hat).square().sum(dim=(-1, -2)))
        center = parallel.mean(target.mean(dim=-2, keepdim=True))
        return error / parallel.mean((target - center).square().sum(dim=(-1, -2)))

    def _steer(self, step: int, l0: Float[Tensor, "*n_instances"]) -> None:
        """Raise or lower the coefficient by where l0 is heading, compared with its target."""
        before = self.mean_l0 if step else l0
        self.mean_l0 = CONTROLLER_MEMORY * before + (1 - CONTROLLER_MEMORY) * l0
        if self.recipe.sparsity_at(step) == 1.0:
            now, then = (mean.clamp_min(1e-3).log() for mean in (self.mean_l0, before))
            off = now + CONTROLLER_DAMPING * (now - then) - self.target_l0.log()
            rate = CONTROLLER_RATE * self.recipe.lr_at(step) / self.recipe.lr
            getattr(self.sae, self.sae.coefficient).mul_((rate * off.clamp(-1, 1)).exp())

    @torch.no_grad()
    def resample(self, loss: Loss, batch: Batch, generator: Generator) -> None:
        """Turn dead latents towards inputs that are rebuilt badly, drawn by their squared error.

        Their moments in the optimiser start again from 0. Source: Bricken et al. 2023, "Towards
        Monosemanticity", appendix on neuron resampling.
        """
        sae, dead = self.sae, self.dead
        error = (sae.target(*batch) - loss.x_hat).square().sum(dim=-1)
        x = parallel.gather(batch[0].expand(*error.shape, -1), len(sae.lead))
        error = parallel.gather(error, len(sae.lead))
        alive_size = sae.W_enc.norm(dim=-2)[~dead].mean() if (~dead).any() else 1.0
        for index in range(sae.n_instances or 1):
            at = (index,) if sae.lead else ()
            latents = dead[at].nonzero()[:, 0]
            if len(latents) == 0:
                continue
            weights = error[at].flatten().float().cpu()
            rows = torch.multinomial(weights, len(latents), replacement=True, generator=generator)
            rows = x[at].flatten(end_dim=-2)[rows.to(x.device)] - sae.b_dec[at]
            directions = rows / rows.norm(dim=-1, keepdim=True).clamp_min(1e-12)
            where = (*at, latents) if at else latents
            sae.revive(where, directions.to(sae.W_dec.dtype), REVIVED_SIZE * float(alive_size))
            self._forget(where)
            self.inputs_since_fired[where] = 0.0

    def _forget(self, where: Tensor | tuple[int, Tensor]) -> None:
        for name, parameter in self.sae.named_parameters():
            state = self.optimizer.state[self.by_rows.get(parameter, parameter)]
            for moment in ("exp_avg", "exp_avg_sq"):
                if moment in state and name != "b_dec":
                    state[moment][where] = 0.0

    def state_dict(self) -> dict[str, object]:
        """All that a resumed run needs."""
        return {
            "sae": self.sae.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "inputs_since_fired": self.inputs_since_fired,
            "mean_l0": self.mean_l0,
            "history": self.history,
        }

    def load_state_dict(self, state: dict) -> None:
        self.sae.load_state_dict(state["sae"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.inputs_since_fired = state["inputs_since_fired"].to(self.device)
        self.mean_l0 = state["mean_l0"].to(self.device)
        self.history = state["history"]


def _joined(parts: list[Loss], axis: int) -> Loss:
    """The loss of a batch from those of its equal parts, whose terms are shares already."""
    terms = {name: sum(part.terms[name] for part in parts) for name in parts[0].terms}
    mean_l0 = torch.stack([part.z.l0() for part in parts]).float().mean(dim=0)
    latents = torch.stack([part.z.fired() for part in parts]).any(dim=0)
    x_hat = torch.cat([part.x_hat for part in parts], dim=axis)
    return Loss(terms, x_hat, Activity(mean_l0, latents))


def recipe(**arguments) -> Recipe:
    """A `Recipe` with every value checked."""
    for name in ("steps", "batch_size", "accumulate", "dead_after", "log_every"):
        validate.positive_int(name, arguments[name])
    runtime.checked_seed(arguments["seed"], 0)
    for name in ("lr_warmup", "lr_decay", "sparsity_warmup"):
        validate.number(name, arguments[name], 0.0, 1.0)
    if validate.number("lr", arguments["lr"], 0.0) == 0:
        raise ValueError("lr is 0; it must be above 0.")
    if arguments["target_l0"] is not None:
        values = validate.finite("target_l0", arguments["target_l0"], 1e-3).tolist()
        arguments["target_l0"] = tuple(values) if isinstance(values, list) else values
    if arguments["resample_every"] is not None:
        validate.positive_int("resample_every", arguments["resample_every"])
    validate.choice("center", arguments["center"], ("mean", "geometric_median", "zero"))
    return Recipe(**arguments)
