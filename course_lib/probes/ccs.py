"""Contrast-consistent search: a direction found without labels, from statements and their denials.

Source: Burns, Ye, Klein & Steinhardt 2022, "Discovering Latent Knowledge in Language Models Without
Supervision". What it finds is a feature that is consistent and confident, which need not
be truth: Farquhar et al. 2023 build others, and so do the tests here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.runtime import generator

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

LR, WEIGHT_DECAY = 0.01, 0.01  # the paper's


@dataclass(frozen=True)
class ContrastProbe:
    """A probe of contrast pairs, one per leading axis.

    Attributes:
        direction: [*lead, d_model] and bias: [*lead], for x after normalisation.
        mean: [*lead, 2, d_model], of the "yes" and of the "no" half: what is taken off each, so
            that the word yes or no itself, which tells the halves apart, cannot be read.
        scale: [*lead, 2], the root mean square entry of each half after that.
        losses: [*lead, restarts], the final loss of each start; the probe is the lowest's.
    """

    direction: Float[Tensor, "*lead d_model"]
    bias: Float[Tensor, "*lead"]
    mean: Float[Tensor, "*lead 2 d_model"]
    scale: Float[Tensor, "*lead 2"]
    losses: Float[Tensor, "*lead restarts"]

    def probability(
        self, x_yes: Float[Tensor, "*lead n d_model"], x_no: Float[Tensor, "*lead n d_model"]
    ) -> Float[Tensor, "*lead n"]:
        """(p(yes) + 1 - p(no)) / 2: of "the statement is true", or else of its opposite.

        Nothing in the method says which: for a consistent probe, (-direction, -bias) has the same
        loss.
        """
        halves = _standard(torch.stack(_pairs(x_yes, x_no), dim=-3), self.mean, self.scale)
        logit = (halves @ self.direction[..., None, :, None])[..., 0] + self.bias[..., None, None]
        p_yes, p_no = torch.sigmoid(logit).unbind(-2)
        return (p_yes + 1 - p_no) / 2

    def accuracy(
        self,
        x_yes: Float[Tensor, "*lead n d_model"],
        x_no: Float[Tensor, "*lead n d_model"],
        y: Int[Tensor, "*#lead n"] | Bool[Tensor, "*#lead n"],
    ) -> Float[Tensor, "*lead"]:
        """Share of statements told right (y = 1: true) under the better of the two signs.

        The sign takes one bit of the labels, so that a probe of nothing scores a little over 1/2:
        about 1/2 + 0.4 / √n.
        """
        p = self.probability(x_yes, x_no)
        right = ((p > 0.5) == y.to(p.device).bool()).to(p.dtype).mean(-1)
        return torch.maximum(right, 1 - right)


def ccs(
    x_yes: Float[Tensor, "*lead n d_model"],
    x_no: Float[Tensor, "*lead n d_model"],
    restarts: int = 10,
    steps: int = 1000,
    seed: int = 0,
) -> ContrastProbe:
    """Fit p(x) = σ(x·w + b) so that p(yes) = 1 - p(no), and neither is near 1/2.

    Row i of `x_yes` is the statement i with "yes" after it, of `x_no` the same with "no". Each half
    is centred and scaled on its own (by one number, so that a rotation of x changes nothing but the
    starts). The loss is the mean of (p_yes + p_no - 1)² + min(p_yes, p_no)², which is 0.25 for
    w = b = 0. All restarts of all leading axes are one batch under AdamW; the loss, which sees no
    labels, chooses among them. A feature that never changes within a half is centred away.

    Raises ValueError for NaN, for halves of different shape and for fewer than two pairs, and where
    all rows of a half are the same.
    """
    validate.positive_int("restarts", restarts)
    validate.positive_int("steps", steps)
    x, mean, scale = _normalised(x_yes, x_no)
    yes, no = x.unbind(-3)
    lead, (n, d_model) = yes.shape[:-2], yes.shape[-2:]
    yes, no = yes.reshape(-1, n, d_model), no.reshape(-1, n, d_model)
    start = torch.randn(len(yes), d_model, restarts, generator=generator(seed))
    W = torch.nn.Parameter(torch.nn.functional.normalize(start, dim=1).to(yes))
    b = torch.nn.Parameter(torch.zeros(len(yes), 1, restarts).to(yes))
    optimizer = torch.optim.AdamW([W, b], lr=LR, weight_decay=WEIGHT_DECAY)
    with torch.enable_grad():
        for _ in range(steps):
            optimizer.zero_grad()
            _loss(yes, no, W, b).sum().backward()
            optimizer.step()
    with torch.no_grad():
        losses = _loss(yes, no, W, b)
        best = losses.argmin(-1)
        w = W.detach().mT[torch.arange(len(W)), best].reshape(*lead, d_model)
        chosen = b.detach()[torch.arange(len(W)), 0, best].reshape(lead)
    return ContrastProbe(w, chosen, mean, scale, losses.reshape(*lead, restarts))


def contrast_pca(
    x_yes: Float[Tensor, "*lead n d_model"], x_no: Float[Tensor, "*lead n d_model"]
) -> ContrastProbe:
    """The paper's baseline: the first principal component of x_yes - x_no, both normalised.

    It has no restarts and no steps; its `losses` are those of the direction at norm 1.
    """
    x, mean, scale = _normalised(x_yes, x_no)
    yes, no = x.unbind(-3)
    w = torch.linalg.svd(yes - no, full_matrices=False).Vh[..., 0, :]
    b = torch.zeros_like(w[..., 0])
    return ContrastProbe(w, b, mean, scale, _loss(yes, no, w[..., None], b[..., None, None]))


def _loss(yes: Tensor, no: Tensor, W: Tensor, b: Tensor) -> Tensor:
    p_yes, p_no = torch.sigmoid(yes @ W + b), torch.sigmoid(no @ W + b)
    return ((p_yes + p_no - 1) ** 2 + torch.minimum(p_yes, p_no) ** 2).mean(-2)


def _pairs(x_yes: Tensor, x_no: Tensor) -> tuple[Tensor, Tensor]:
    yes, no = validate.finite("x_yes", x_yes), validate.finite("x_no", x_no)
    if yes.ndim < 2 or yes.shape != no.shape:
        raise ValueError(
            f"x_yes has shape {list(yes.shape)} and x_no {list(no.shape)}; both must be "
            "[..., n, d_model], row i of each for the same statement."
        )
    return yes, no


def _standard(x: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    return (x - mean[..., None, :]) / scale[..., None, None]


def _normalised(x_yes: Tensor, x_no: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    x = torch.stack(_pairs(x_yes, x_no), dim=-3).detach()
    if x.shape[-2] < 2:
        raise ValueError(f"There are {x.shape[-2]} contrast pairs; at least 2 are needed.")
    mean = x.mean(-2)
    scale = (x - mean[..., None, :]).square().mean((-2, -1)).sqrt()
    if not scale.isfinite().all():
        raise ValueError("x_yes or x_no has entries too large to be squared; divide both by 1e20.")
    if not (scale > 1e-6 * (1e-30 + x.abs().amax((-2, -1)))).all():
        raise ValueError(
            "All rows of x_yes or of x_no are the same: once each half is centred, nothing is left "
            "in which statements could differ."
        )
    return _standard(x, mean, scale), mean, scale
