"""V-information: how much a given family of predictors can read about the labels from x.

Source: Xu, Zhao, Song, Stewart & Ermon 2020, "A Theory of Usable Information under Computational
Constraints"; pointwise as in Ethayarajh, Choi & Swayamdipta 2022; complexity
as in Fel, Béthune, Lampinen, Serre & Hermann 2024.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from course_lib import validate
from course_lib.data.sequences import NONE
from course_lib.probes.probe import checked_with_classes, fit
from course_lib.probes.splits import Split, group_split, random_split

if TYPE_CHECKING:
    from jaxtyping import Float, Int

CALIBRATION = 0.25  # share of the training rows on which the trust in the probe is chosen
TRUSTS = 21  # from 0, ignore the probe, to 1, believe it
EVIDENCE = 2.0  # standard errors by which the probe must beat ignorance to be listened to at all


@dataclass(frozen=True, eq=False)
class VInformation:
    """What the held-out labels cost without and with x, in bits per label.

    Attributes:
        label_entropy: [*lead], H_V(Y): under the class shares of the training rows.
        conditional_entropy: [*lead], H_V(Y|X): under the calibrated probe.
        pointwise: [*lead, n_test], log2 p(y | x) - log2 p(y) of every held-out row; 0 for rows
            without a label. Rows that x misleads about are negative.
        rows: [n_test], which rows these are.
        trust: [*lead], τ of p ∝ p_probe^τ p_prior^(1 - τ); 0 where the probe was not listened to.
    """

    label_entropy: Float[Tensor, "*lead"]
    conditional_entropy: Float[Tensor, "*lead"]
    pointwise: Float[Tensor, "*lead n_test"]
    rows: Int[Tensor, " n_test"]
    trust: Float[Tensor, "*lead"]

    @property
    def bits(self) -> Float[Tensor, "*lead"]:
        """I_V(X → Y) = H_V(Y) - H_V(Y|X), as estimated: exactly 0 where trust is 0."""
        return self.label_entropy - self.conditional_entropy


def v_information(
    x: Float[Tensor, "*lead n d_model"],
    y: Int[Tensor, "*lead n"],
    method: str = "logistic",
    *,
    split: Split | None = None,
    seed: int = 0,
    **options: Any,
) -> VInformation:
    """Held-out V-information of the classes y, for the family that `method` and options name.

    V-information cannot be negative, for the family holds predictors that ignore x; an over-trusted
    probe would make the estimate so. So the family here is p ∝ p_probe^τ p_prior^(1-τ): the probe
    is fitted to 3/4 of the training rows (whole groups where the split has groups), τ is chosen on
    the rest, and is 0 unless the probe beats ignorance there by two standard errors. Labels that do
    not depend on x then give 0 exactly, but for the few percent of problems in which chance passes
    that bar, where the estimate is a little off 0 either way. Information so small that the
    calibration rows cannot show it is given as 0 too.

    Processing can raise V-information, as it cannot raise mutual information: a layer that makes a
    label linear makes it usable by linear probes.

    Raises ValueError as `fit` does.
    """
    x, y, n_classes = checked_with_classes(x, y, method)
    if split is not None:
        validate.instance("split", split, Split)
    split = (random_split(y.shape[-1], seed=seed) if split is None else split).to(y.device)
    if not (split.test & (y != NONE)).any(-1).all():
        raise ValueError("A problem has no labelled row on the test side; hold out more rows.")
    calibration = _calibration(split, seed)
    rows = split.train & ~calibration
    readout = fit(x, y, method, rows=rows, groups=split.groups, seed=seed, **options)
    scores = readout.scores(x)
    log_p = torch.log_softmax(scores, -1) if n_classes > 2 else _two(scores)
    each = torch.arange(n_classes, device=y.device)
    count = ((y[..., None] == each) & rows[..., None]).sum(-2)
    prior = (count / count.sum(-1, keepdim=True)).log().to(log_p)

    index = y.clamp(min=0).expand(log_p.shape[:-1])[..., None]
    alone = prior[..., None, :].expand(log_p.shape).gather(-1, index)[..., 0]
    trusts = torch.linspace(0, 1, TRUSTS).to(log_p)
    there = (calibration & (y != NONE)).expand(alone.shape).to(log_p)
    n = there.sum(-1).clamp(min=1)
    trust, best = torch.zeros_like(n), torch.zeros_like(n)
    for tau in trusts[1:]:
        gain = (_mixed(log_p, prior, tau).gather(-1, index)[..., 0] - alone) * there
        mean = gain.sum(-1) / n
        error = (((gain - mean[..., None]) * there).square().sum(-1) / n.square()).sqrt()
        better = (mean > best) & (mean > EVIDENCE * error)
        trust, best = torch.where(better, tau, trust), torch.where(better, mean, best)

    mixed = _mixed(log_p, prior, trust[..., None, None]).gather(-1, index)[..., 0]
    tested = (split.test & (y != NONE)).expand(alone.shape)
    there, total = tested.to(log_p), tested.sum(-1)
    to_bits = 1 / math.log(2)
    heard = tested & (trust > 0)[..., None]
    pointwise = torch.where(heard, (mixed - alone) * to_bits, 0.0)
    held_out = split.test.reshape(-1, split.n).any(0).nonzero()[:, 0]
    label_entropy = -(alone * there).sum(-1) / total * to_bits
    conditional = label_entropy - pointwise.sum(-1) / total
    return VInformation(label_entropy, conditional, pointwise[..., held_out], held_out, trust)


def feature_complexity(
    information: Float[Tensor, "*lead n_layers"], entropy: Float[Tensor, "*#lead"] | float = 1.0
) -> Float[Tensor, "*lead"]:
    """K = 1 - mean over the layers of information / entropy, each share held to [0, 1].

    0: readable by the family from the first layer on; 1: from no layer. `information` is
    V-information of classes with `entropy` the labels' own in the same unit; for real-valued
    features it is R² with entropy 1, which is the V-information of linear maps with Gaussian noise
    of fixed size, as a share of the variance (Xu et al.). Which layers are listed is
    part of the number: compare features over the same ones only.
    """
    information = validate.finite("information", information)
    entropy = validate.finite("entropy", entropy, 0.0)
    if information.ndim < 1 or not information.shape[-1]:
        raise ValueError("information must be [..., n_layers] with at least one layer.")
    validate.broadcasts("entropy", entropy, "information without its layers", information[..., 0])
    if (entropy == 0).any():
        raise ValueError("entropy is 0: a label that never changes has no complexity.")
    return 1 - (information / entropy[..., None]).clamp(0, 1).mean(-1)


def _calibration(split: Split, seed: int) -> Tensor:
    """The training rows to hold back: whole groups where there are groups."""
    if split.groups is None:
        held = random_split(split.n, CALIBRATION, seed + 1).test.to(split.train.device)
    else:
        held = torch.zeros_like(split.train)
        for train, part in zip(split.train.view(-1, split.n), held.view(-1, split.n), strict=True):
            part[train] = group_split(split.groups[train], CALIBRATION, seed + 1).test
    return held & split.train


def _two(scores: Tensor) -> Tensor:
    return torch.nn.functional.logsigmoid(torch.stack([-scores, scores], -1))


def _mixed(log_p: Tensor, prior: Tensor, trust: Tensor) -> Tensor:
    """log of p_probe^τ p_prior^(1 - τ), normalised."""
    prior = prior[..., None, :]
    return torch.log_softmax(torch.lerp(prior.expand_as(log_p), log_p, trust), -1)
