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
    from jaxtyping import Float, Int

HELD_BACK = 0.15  # of the training rows, to see when training must end
BATCH = 512
LR = 5e-3
PATIENCE = 20  # epochs without a lower loss on the rows held back, then a lower rate, then the end
RATES = (1.0, 0.1)  # times LR
MAX_EPOCHS = 1000
CHUNK = 2**24  # hidden values of all rows that are held at a time


def mlp(
    x: Float[Tensor, "g n d_model"],
    y: Int[Tensor, "g m n"],
    n_classes: int,
    hidden: int = 64,
    *,
    groups: Int[Tensor, " n"] | None = None,
    seed: int = 0,
) -> MLP:
    """One hidden layer of ReLUs, trained by Adam until the loss on rows held back stops falling.

    Those are HELD_BACK of the rows, whole groups of them where `groups` are given; every problem
    keeps the weights that did best on them. x is taken at mean 0 and variance 1, feature by
    feature. Rows whose y is -1 take no part.
    """
    validate.positive_int("hidden", hidden)
    generator = runtime.generator(seed)
    held_back = _held_back(x.shape[1], groups, generator).to(x.device)
    mean, spread = x.mean(1, keepdim=True), x.std(1, keepdim=True)
    spread = torch.where(spread > 0, spread, 1.0)
    x = (x - mean) / spread
    g, m, _ = y.shape
    m_step = max(CHUNK // (hidden * x.shape[1]), 1)
    g_step = max(m_step // m, 1)
    rows = []
    for i in range(0, g, g_step):
        part = [
            _train(x[i : i + g_step], y[i : i + g_step, j : j + m_step], n_classes, hidden,
                   held_back, generator)
            for j in range(0, m, m_step)
        ]  # fmt: skip
        rows.append([torch.cat(tensors, 1) for tensors in zip(*part, strict=True)])
    W_in, b_in, W_out, b_out, steps = (torch.cat(tensors) for tensors in zip(*rows, strict=True))
    W_in = W_in / spread[:, None]
    b_in = b_in - (W_in @ mean[:, None].mT)[..., 0]
    return MLP(n_classes, W_in, b_in, W_out, b_out, steps)


def _held_back(n: int, groups: Tensor | None, generator: torch.Generator) -> Tensor:
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


@torch.enable_grad()
def _train(
    x: Tensor, y: Tensor, n_classes: int, hidden: int, held_back: Tensor,
    generator: torch.Generator,
) -> list[Tensor]:  # fmt: skip
    g, m, _ = y.shape
    n_outputs = 1 if n_classes == 2 else n_classes
    fit, judge = [(x[:, rows], y[:, :, rows]) for rows in (~held_back, held_back)]
    if not (judge[1] != NONE).any(-1).all():
        judge = x, y  # of some problem no labelled row was held back
    parameters = _start(g, m, hidden, n_outputs, x, generator)
    best = [p.detach().clone() for p in parameters]
    lowest = x.new_full((g, m), float("inf"))
    steps, step = torch.zeros(g, m, dtype=torch.long, device=x.device), 0
    for rate in RATES:
        for p, kept in zip(parameters, best, strict=True):
            p.data.copy_(kept)
        optimizer = torch.optim.Adam(parameters, lr=rate * LR)
        stale = torch.zeros(g, m, device=x.device)
        for _ in range(MAX_EPOCHS):
            order = torch.randperm(fit[0].shape[1], generator=generator).to(x.device)
            for rows in order.split(BATCH):
                optimizer.zero_grad()
                _loss(parameters, fit[0][:, rows], fit[1][:, :, rows]).sum().backward()
                optimizer.step()
                step += 1
            with torch.no_grad():
                loss = _loss(parameters, *judge)
            better = loss < lowest * (1 - 1e-4)
            for p, kept in zip(parameters, best, strict=True):
                kept[better] = p.data[better]
            lowest, steps = loss.where(better, lowest), steps.masked_fill(better, step)
            stale = (stale + 1).masked_fill(better, 0)
            if (stale >= PATIENCE).all():
                break
    return [*best, steps]


def _start(
    g: int, m: int, hidden: int, n_outputs: int, x: Tensor, generator: torch.Generator
) -> list[Tensor]:
    d = x.shape[-1]
    W_in = torch.randn(g, m, hidden, d, generator=generator) * (2 / d) ** 0.5
    W_out = torch.randn(g, m, n_outputs, hidden, generator=generator) * (1 / hidden) ** 0.5
    zeros = torch.zeros(g, m, hidden), torch.zeros(g, m, n_outputs)
    return [t.to(x).requires_grad_() for t in (W_in, zeros[0], W_out, zeros[1])]


def _loss(parameters: list[Tensor], x: Tensor, y: Tensor) -> Float[Tensor, "g m"]:
    """Mean nats of the labels."""
    W_in, b_in, W_out, b_out = parameters
    z = W_in.flatten(1, 2) @ x.mT + b_in.flatten(1, 2)[..., None]
    scores = W_out @ torch.relu(z).unflatten(1, W_in.shape[1:3]) + b_out[..., None]
    there = y != NONE
    if scores.shape[2] == 1:
        nats = F.softplus(torch.where(y == 1, -scores[:, :, 0], scores[:, :, 0]))
    else:
        index = y.where(there, 0).long()[:, :, None]
        nats = scores.logsumexp(2) - scores.gather(2, index)[:, :, 0]
    return nats.where(there, 0.0).sum(-1) / there.sum(-1).clamp(min=1)
