"""Distributed alignment search: the subspace whose exchange changes the output as it should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from course_lib import runtime, validate

if TYPE_CHECKING:
    from jaxtyping import Float


BETA_1, BETA_2, EPS = 0.9, 0.999, 1e-8  # of Adam


@dataclass(frozen=True)
class DAS:
    """Subspaces found from many starts.

    Attributes:
        bases: [restarts, k, d], orthonormal rows.
        losses: [restarts], on all pairs.
        history: [steps, restarts], of each step's pairs.
    """

    bases: Float[Tensor, "restarts k d"] = field(repr=False)
    losses: Float[Tensor, " restarts"]
    history: Float[Tensor, "steps restarts"] = field(repr=False)

    @property
    def best(self) -> Float[Tensor, "k d"]:
        """The subspace of least loss."""
        return self.bases[self.losses.argmin()]


def swap(
    base: Float[Tensor, "n d"], source: Float[Tensor, "n d"], bases: Float[Tensor, "*lead k d"]
) -> Float[Tensor, "*lead n d"]:
    """base + P (source - base), P the projection on the orthonormal rows of each basis."""
    validate.tensors(
        "alike", base=(base, "n d"), source=(source, "n d"), bases=(bases, "*lead k d"),
    )  # fmt: skip
    along = torch.einsum("nd,...kd->...nk", source - base, bases)
    if bases.shape[-2] == 1:  # many tiny products of matrices are slower than one of numbers
        return base + along * bases
    return base + along @ bases


def mean_squared_error(
    output: Float[Tensor, "restarts n *out"], target: Tensor
) -> Float[Tensor, " restarts"]:
    """For each restart the mean square of output - target [n, *out]."""
    validate.real("output", output), validate.real("target", target)
    if output.shape[1:] != target.shape:
        raise ValueError(
            f"output has shape {list(output.shape)}; it must be [restarts, n, ...] and target "
            f"[n, ...], and is {list(target.shape)}."
        )
    return (output - target).square().flatten(1).mean(dim=1)


def cross_entropy(logits: Float[Tensor, "restarts n c"], target: Tensor) -> Tensor:
    """For each restart the mean cross-entropy (nats) with the classes target [n]."""
    validate.tensors("floating", logits=(logits, "restarts n c"))
    log_p = logits.log_softmax(dim=-1)
    validate.whole("target", target, 0, logits.shape[-1] - 1)
    validate.tensors("any", logits=(logits, "restarts n c"), target=(target, "n"))
    index = target.long().expand(len(logits), -1)[..., None]
    return -log_p.gather(-1, index)[..., 0].mean(dim=1)


def das(
    forward: Callable[[Float[Tensor, "restarts n d"]], Tensor],
    base: Float[Tensor, "n d"],
    source: Float[Tensor, "n d"],
    target: Tensor,
    *,
    loss: Callable[[Tensor, Tensor], Tensor] = mean_squared_error,
    k: int = 1,
    restarts: int = 8,
    steps: int = 300,
    lr: float = 0.03,
    batch_size: int | None = None,
    start: Float[Tensor, "restarts k d"] | None = None,
    seed: int = 0,
) -> DAS:
    """Find the k directions whose exchange between pairs gives the outputs that it should.

    All restarts are trained side by side, each by its own loss, with Adam. That the loss is small
    says that the subspace suffices on these pairs, not that the model uses it: see
    `illusion_report`. Source: Geiger et al. 2024 (arXiv:2303.02536).

    Args:
        forward: from activations to the output that the loss looks at, [restarts, n, ...]. With a
            `batch_size` it is called with `forward(h, rows)`, the pairs h is of.
        base, source: activations, pair by pair.
        target: what the causal model says the output is when base has source's value; rows of n.
        loss: one number for each restart.
        k: dimensions of the subspace; below d.
        batch_size: pairs of a step, drawn anew; all of them if None.
        start: the first directions; drawn evenly from `seed` if None.

    Raises ValueError for shapes that do not fit.
    """
    validate.function("forward", forward)
    base, source = validate.finite("base", base), validate.finite("source", source)
    n, d = validate.shape("base", base, ("n", "d")).shape
    validate.shape("source", source, (n, d))
    if validate.positive_int("k", k) >= d:
        raise ValueError(f"k is {k}; it must be below d = {d}, or all is exchanged.")
    validate.function("loss", loss)
    if batch_size is not None:
        validate.positive_int("batch_size", batch_size)
    lr = validate.number("lr", lr)
    if validate.instance("target", target, Tensor).ndim == 0 or target.is_meta:
        raise ValueError("target has no rows; give one for each pair.")
    if len(target) != n:
        raise ValueError(f"target has {len(target)} rows and there are {n} pairs.")
    draw = runtime.generator(seed)
    shape = (validate.positive_int("restarts", restarts), k, d)
    if start is None:
        start = torch.randn(shape, generator=draw).to(base)
    raw = validate.shape("start", start, shape).detach().clone().requires_grad_()
    mean, square = torch.zeros_like(raw), torch.zeros_like(raw)
    history = []
    with torch.enable_grad():
        for step in runtime.progress(range(1, validate.positive_int("steps", steps) + 1), "DAS"):
            rows, more = slice(None), ()
            if batch_size is not None:
                rows = torch.randint(n, (batch_size,), generator=draw).to(base.device)
                more = (rows,)
            output = forward(swap(base[rows], source[rows], _orthonormal(raw)), *more)
            losses = validate.shape("what loss gives", loss(output, target[rows]), (restarts,))
            gradient = torch.autograd.grad(losses.sum(), raw)[0]
            history.append(losses.detach())
            with torch.no_grad():  # Adam; torch's own takes seconds to import
                mean.lerp_(gradient, 1 - BETA_1)
                square.lerp_(gradient.square(), 1 - BETA_2)
                size = (square / (1 - BETA_2**step)).sqrt() + EPS
                raw -= lr * mean / (1 - BETA_1**step) / size
    with torch.no_grad():
        bases = _orthonormal(raw)
        more = () if batch_size is None else (torch.arange(n, device=base.device),)
        losses = loss(forward(swap(base, source, bases), *more), target)
    return DAS(bases, losses, torch.stack(history))


def _orthonormal(raw: Float[Tensor, "restarts k d"]) -> Float[Tensor, "restarts k d"]:
    if raw.shape[1] == 1:
        return functional.normalize(raw, dim=-1)
    return torch.linalg.qr(raw.mT).Q.mT
