"""Iterative null-space projection: probe, remove what the probe read, probe again.

Source: Ravfogel, Elazar, Gonen, Twiton & Goldberg 2020, "Null It Out: Guarding Protected Attributes
by Iterative Nullspace Projection". It counts directions; a count means something only beside the
same count for shuffled labels and for a feature known to be one direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from course_lib import validate
from course_lib.data.sequences import NONE
from course_lib.probes.probe import checked_with_classes, fit
from course_lib.probes.readouts import Linear
from course_lib.probes.splits import Split, random_split

if TYPE_CHECKING:
    from jaxtyping import Float, Int

NOTHING_LEFT = 1e-6  # a new direction this short against the old ones is rounding


@dataclass(frozen=True, eq=False)
class INLP:
    """Accuracy round by round, and the directions that were removed.

    Attributes:
        accuracy: [*lead, rounds + 1], held out, after 0, 1, .. removals.
        train_accuracy: the same on the rows that the probes were trained on: with many dimensions
            for the rows it stays high although nothing is left. Not to be counted by.
        majority: [*lead], held-out accuracy of the training rows' commonest class.
        n_tested: [*lead], how many rows were held out.
        directions: [*lead, rounds * per_round, d_model], orthonormal; rows of zeros where nothing
            was left to remove.
        per_round: 1 for two classes, else K - 1.
    """

    accuracy: Float[Tensor, "*lead rounds_and_one"]
    train_accuracy: Float[Tensor, "*lead rounds_and_one"]
    majority: Float[Tensor, "*lead"]
    n_tested: Int[Tensor, "*lead"]
    directions: Float[Tensor, "*lead n_directions d_model"]
    per_round: int

    def n_rounds(self, tolerance: float | None = None) -> Int[Tensor, "*lead"]:
        """The first round after which accuracy <= majority + tolerance; -1 if there is none.

        The tolerance without one given is 1.64 standard errors of the majority's accuracy on so
        many held-out rows, which a probe that knows nothing passes in 5 cases of 100.
        """
        if tolerance is None:
            p = self.majority
            margin = 1.64 * (p * (1 - p) / self.n_tested).sqrt()
        else:
            margin = torch.full_like(self.majority, validate.number("tolerance", tolerance, 0, 1))
        done = self.accuracy <= (self.majority + margin)[..., None] + 1e-9
        return torch.where(done.any(-1), done.int().argmax(-1), -1)

    def projection(self, rounds: int | None = None) -> Float[Tensor, "*lead d_model d_model"]:
        """P = 1 - Σ v vᵀ over the directions of the first `rounds` rounds (None: of all)."""
        Q = self.directions[..., : self._rows(rounds), :]
        return torch.eye(Q.shape[-1]).to(Q) - Q.mT @ Q

    def erase(
        self, x: Float[Tensor, "*lead n d_model"], rounds: int | None = None
    ) -> Float[Tensor, "*lead n d_model"]:
        """x without those directions; leading axes broadcast."""
        Q = self.directions[..., : self._rows(rounds), :].to(x)
        return x - (x @ Q.mT) @ Q

    def _rows(self, rounds: int | None) -> int:
        most = self.directions.shape[-2] // self.per_round
        if rounds is None:
            rounds = most
        if validate.positive_int("rounds", rounds, 0) > most:
            raise ValueError(f"rounds is {rounds}; {most} were run.")
        return rounds * self.per_round


def inlp(
    x: Float[Tensor, "*lead n d_model"],
    y: Int[Tensor, "*lead n"],
    method: str = "logistic",
    *,
    split: Split | None = None,
    rounds: int | None = None,
    seed: int = 0,
    **options: Any,
) -> INLP:
    """Fit a linear probe of y on x, project its directions out of x, and so on.

    For K > 2 classes a round removes the K - 1 dimensions that the differences of the read-outs
    span. `rounds` given: so many are run. None: until every problem has reached the majority (see
    `INLP.n_rounds`) or no direction is left. The projection goes through the origin, as the
    paper's; options are those of `fit`.

    Raises ValueError for a method without directions, for more rounds than dimensions, and what
    `fit` raises.
    """
    x, y, n_classes = checked_with_classes(x, y, method)
    if method == "mlp":
        raise ValueError("method is 'mlp'; a probe without directions has nothing to remove.")
    if split is not None:
        validate.instance("split", split, Split)
    split = (random_split(y.shape[-1], seed=seed) if split is None else split).to(y.device)
    per_round = max(n_classes - 1, 1)
    most = x.shape[-1] // per_round
    if rounds is not None and validate.positive_int("rounds", rounds) > most:
        raise ValueError(f"rounds is {rounds}; with d_model {x.shape[-1]} at most {most} fit.")

    tested, trained = split.test & (y != NONE), split.train & (y != NONE)
    if not tested.any(-1).all():
        raise ValueError("A problem has no labelled row on the test side; hold out more rows.")
    left, directions, accuracy, train_accuracy = x, None, [], []
    while True:
        readout = fit(left, y, method, rows=split.train, groups=split.groups, seed=seed, **options)
        if directions is None:
            directions = readout.direction.new_zeros(*readout.lead, 0, x.shape[-1])
            n_tested = tested.sum(-1).expand(readout.lead)
            majority = _majority(y, trained, tested, n_classes).expand(readout.lead)
        scores = readout.scores(left)
        right = (scores.argmax(-1) if n_classes > 2 else (scores > 0).long()) == y
        accuracy.append(_share(right, tested))
        train_accuracy.append(_share(right, trained))
        done = INLP(
            torch.stack(accuracy, -1),
            torch.stack(train_accuracy, -1),
            majority,
            n_tested,
            directions,
            per_round,
        )
        stopped = rounds is None and bool((done.n_rounds() >= 0).all())
        if stopped or len(accuracy) > (most if rounds is None else rounds):
            return done
        directions = torch.cat([directions, _new(readout, directions, per_round)], dim=-2)
        left = _without(x, directions)


def _without(x: Tensor, directions: Tensor) -> Tensor:
    """x off the directions, to rounding of what is left; 0 where only rounding is left.

    Without the second step and the 0, a probe that does not mind scale reads the removed label
    from the rounding of the first.
    """
    left = x
    for _ in range(2):
        left = left - (left @ directions.mT) @ directions
    size, was = (h.square().mean((-2, -1), keepdim=True).sqrt() for h in (left, x))
    return left * (size > 100 * torch.finfo(x.dtype).eps * was)


def _new(readout: Linear, known: Tensor, per_round: int) -> Tensor:
    """What the read-outs span beyond the known directions: orthonormal rows, or zeros."""
    W = readout.direction if readout.n_classes > 2 else readout.direction[..., None, :]
    if readout.n_classes > 2:
        W = W - W.mean(-2, keepdim=True)
    least = NOTHING_LEFT * W.norm(dim=(-2, -1))
    for _ in range(2):  # once more, for rounding
        W = W - (W @ known.mT) @ known
    _, size, rows = torch.linalg.svd(W, full_matrices=False)
    return (rows * (size > least[..., None])[..., None])[..., :per_round, :]


def _share(right: Tensor, rows: Tensor) -> Tensor:
    return (right & rows).sum(-1) / rows.sum(-1)


def _majority(y: Tensor, trained: Tensor, tested: Tensor, n_classes: int) -> Tensor:
    each = torch.arange(n_classes, device=y.device)
    counts = ((y[..., None] == each) & trained[..., None]).sum(-2)
    return _share(y == counts.argmax(-1, keepdim=True), tested)
