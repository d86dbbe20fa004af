"""Probes with one hidden layer, many at once, trained until they no longer get better."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import runtime, validate
from course_lib.data.sequences import NONE
from course_lib.probes.readouts import MLP

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

HELD_BACK = 0.15  # of the training rows, to see when training must end
BATCH = 128
DECAY = 1.0  # of the weights, not the biases, times the rate (AdamW)
RATES = (5e-3, 5e-4)  # of Adam; the second from the best weights of the first
EVERY = 20  # steps between looks at the rows held back
GAIN = 1e-2  # share of the loss, and a tenth of it in nats, that counts as lower
PATIENCE = 8  # looks at which the loss is no lower than it was; then the rate ends
MAX_STEPS = 10_000
JUDGED = 1024  # rows judged at a time
CHUNK = 2**23  # hidden values that are held at a time

Weights = list[Tensor]  # W_in, b_in, W_out, b_out, as columns: [problems, ., .]


def mlp(
    x: Float[Tensor, "g n d_model"],
    y: Int[Tensor, "g m n"],
    n_classes: int,
    hidden: int = 64,
    *,
    groups: Int[Tensor, " n"] | None = None,
    seed: int = 0,
) -> MLP:
    """One hidden layer of ReLUs, trained by AdamW until the loss on rows held back stops falling.

    Those are HELD_BACK of the rows, whole groups of them where `groups` are given; every problem
    keeps the weights that did best on them. x is taken at mean 0 and variance 1, feature by
    feature. Rows whose y is -1 take no part.
    """
    validate.positive_int("hidden", hidden)
    generator = runtime.generator(seed)
    g, m, n = y.shape
    held_back = _held_back(n, groups, generator).to(x.device)
    mean, spread = x.mean(1, keepdim=True), x.std(1, keepdim=True)
    spread = torch.where(spread > 0, spread, 1.0)
    x = (x - mean) / spread
    of_x = torch.arange(g, device=x.device).repeat_interleave(m)
    y = y.reshape(g * m, n)
    size = max(CHUNK // (hidden * min(n, JUDGED)), 1)
    parts = [
        _Training(x, of_x[i : i + size], y[i : i + size], n_classes, hidden, generator)
        .until_the_end(held_back)
        for i in range(0, g * m, size)
    ]  # fmt: skip
    tensors = [torch.cat(part).unflatten(0, (g, m)) for part in zip(*parts, strict=True)]
    W_in, b_in, W_out, b_out, steps = tensors
    W_in = W_in / spread[:, None]
    b_in = b_in - W_in @ mean[:, None].mT
    return MLP(n_classes, W_in, b_in[..., 0], W_out, b_out[..., 0], steps)


def _held_back(n: int, groups: Tensor | None, generator: torch.Generator) -> Bool[Tensor, " n"]:
    group = torch.arange(n) if groups is None else groups.unique(return_inverse=True)[1].cpu()
    n_groups = int(group.max()) + 1
    if n_groups < 2:
        raise ValueError(
            "an MLP needs two training rows or groups at least, to hold one back and see when its "
            "training must end."
        )
    count = min(max(round(HELD_BACK * n_groups), 1), n_groups - 1)
    chosen = torch.zeros(n_groups, dtype=torch.bool)
    chosen[torch.randperm(n_groups, generator=generator)[:count]] = True
    return chosen[group]


class _Training:
    """Problems trained side by side; one that has ended is taken out, and the rest go on."""

    def __init__(
        self, x: Float[Tensor, "g n d_model"], of_x: Int[Tensor, " p"], y: Int[Tensor, "p n"],
        n_classes: int, hidden: int, generator: torch.Generator,
    ) -> None:  # fmt: skip
        self.x, self.of_x, self.y, self.generator = x, of_x, y, generator
        p, d, outputs = len(y), x.shape[-1], 1 if n_classes == 2 else n_classes
        W_in = torch.randn(p, hidden, d, generator=generator) * (2 / d) ** 0.5
        W_out = torch.randn(p, outputs, hidden, generator=generator) * hidden**-0.5
        self.weights: Weights = [
            W_in.to(x), x.new_zeros(p, hidden, 1), W_out.to(x), x.new_zeros(p, outputs, 1),
        ]  # fmt: skip
        self.moments = [[torch.zeros_like(w) for w in self.weights] for _ in range(2)]
        self.age = x.new_zeros(p, 1, 1)  # steps since the moments were 0
        self.rate = torch.zeros(p, dtype=torch.long, device=x.device)  # which of RATES
        self.lowest = x.new_full((p,), float("inf"))
        self.stale = torch.zeros_like(self.rate)

    def until_the_end(self, held_back: Bool[Tensor, " n"]) -> list[Tensor]:
        """The best weights, and at which step they were met."""
        fit, judge = (~held_back).nonzero()[:, 0], held_back.nonzero()[:, 0]
        if not (self.y[:, judge] != NONE).any(-1).all():
            judge = torch.arange(len(held_back), device=judge.device)  # one has none held back
        best = [w.clone() for w in self.weights]
        steps = torch.zeros_like(self.rate)
        running = torch.arange(len(self.y), device=self.x.device)
        rows = fit[:0]
        for step in range(1, MAX_STEPS + 1):
            if len(rows) == 0:
                rows = fit[torch.randperm(len(fit), generator=self.generator).to(fit.device)]
            self._step(rows[:BATCH])
            rows = rows[BATCH:]
            if step % EVERY:
                continue
            loss = self._loss(judge)
            better = loss < self.lowest * (1 - GAIN) - GAIN / 10
            for kept, now in zip(best, self.weights, strict=True):
                kept[running[better]] = now[better]
            steps[running[better]] = step
            self.stale = (self.stale + 1).masked_fill(better, 0)
            self.lowest = loss.where(better, self.lowest)
            ended = self.stale >= PATIENCE
            if ended.any():
                self._slow_down(ended, [kept[running] for kept in best])
                going_on = self.rate < len(RATES)
                running = running[going_on]
                self._keep(going_on)
                if len(running) == 0:
                    break
        return [*best, steps]

    def _scores(self, x: Tensor) -> tuple[Tensor, Tensor]:
        W_in, b_in, W_out, b_out = self.weights
        hidden = torch.baddbmm(b_in, W_in, x.mT).relu_()
        return hidden, torch.baddbmm(b_out, W_out, hidden)

    def _step(self, rows: Int[Tensor, " batch"]) -> None:
        x, y = self.x[:, rows][self.of_x], self.y[:, rows]
        hidden, error = self._scores(x)
        there = y != NONE
        if error.shape[1] == 1:
            error = error.sigmoid_() - (y == 1)[:, None].to(x.dtype)
        else:
            target = F.one_hot(y.where(there, 0), error.shape[1]).mT
            error = error.softmax(1) - target
        error *= (there / there.sum(-1, keepdim=True).clamp(min=1))[:, None].to(x.dtype)
        back = (self.weights[2].mT @ error).mul_(hidden > 0)
        gradients = [back @ x, back.sum(-1, True), error @ hidden.mT, error.sum(-1, True)]
        self.age += 1
        rate = x.new_tensor(RATES)[self.rate][:, None, None]
        for W in self.weights[::2]:
            W *= 1 - DECAY * rate
        rate = rate * (1 - 0.999**self.age).sqrt() / (1 - 0.9**self.age)
        for w, gradient, first, second in zip(self.weights, gradients, *self.moments, strict=True):
            first.lerp_(gradient, 0.1)
            second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
            w -= rate * first / (second.sqrt() + 1e-8)

    def _loss(self, rows: Int[Tensor, " n_rows"]) -> Float[Tensor, " p"]:
        """Mean nats of the labels."""
        y, nats, count = self.y[:, rows], 0.0, 0
        for part, labels in zip(rows.split(JUDGED), y.split(JUDGED, dim=1), strict=True):
            scores = self._scores(self.x[:, part][self.of_x])[1]
            if scores.shape[1] == 1:
                each = F.softplus(torch.where(labels == 1, -1, 1) * scores[:, 0])
            else:
                own = scores.gather(1, labels.clamp(min=0)[:, None])[:, 0]
                each = scores.logsumexp(1) - own
            nats = nats + each.where(labels != NONE, 0.0).sum(-1)
            count = count + (labels != NONE).sum(-1)
        return nats / count

    def _slow_down(self, ended: Bool[Tensor, " p"], best: Weights) -> None:
        """The next rate, from the best weights, for the problems that have ended one."""
        self.rate += ended
        self.stale[ended], self.age[ended] = 0, 0.0
        for w, kept, first, second in zip(self.weights, best, *self.moments, strict=True):
            w[ended], first[ended], second[ended] = kept[ended], 0.0, 0.0

    def _keep(self, problems: Bool[Tensor, " p"]) -> None:
        if problems.all():
            return
        self.weights = [w[problems] for w in self.weights]
        self.moments = [[w[problems] for w in moment] for moment in self.moments]
        for name in ("of_x", "y", "age", "rate", "lowest", "stale"):
            setattr(self, name, getattr(self, name)[problems])
