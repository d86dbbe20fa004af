"""What a probe found: one type for all methods, and only held-out numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.data.sequences import NONE
from course_lib.probes.layout import Layout
from course_lib.probes.measures import auroc, f1_score, interval, r2_score
from course_lib.probes.readouts import MLP, Linear
from course_lib.probes.splits import Split

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

MEASURES = ("accuracy", "auroc", "f1", "r2", "selectivity")


@dataclass(frozen=True, eq=False, repr=False)
class ProbeResult:
    """Probes, and how they do on the rows held out. `lead` are the leading axes: one probe each.

    Attributes:
        method: how the probes were fitted.
        split: the rows trained on and held out.
        readout: the probes: `readout.scores(x)`.
        rows: [n_test], which rows of x were held out.
        labels: [*lead, n_test], the truth there; -1 (NaN for real targets) where a probe was not
            tested: the row has no label, or another split's test side holds it.
        scores: [*lead, n_test]; [*lead, n_test, K] for K > 2 classes. Above 0 says class 1, the
            largest of K says which; of ridge the prediction. NaN where not tested.
        commonest: [*lead], the commonest class among the training rows; None for real targets.
        control: the same probes on the control's labels, or None.
    """

    method: str
    split: Split
    readout: Linear | MLP
    rows: Int[Tensor, " n_test"]
    labels: Int[Tensor, "*lead n_test"] | Float[Tensor, "*lead n_test"]
    scores: Float[Tensor, "*lead n_test"]
    commonest: Int[Tensor, "*lead"] | None
    control: ProbeResult | None = None

    def __repr__(self) -> str:
        value, name = (self.r2, "R²") if self.r2 is not None else (self.accuracy, "accuracy")
        low, high = (float(v) for v in value.aminmax())
        said = f"{low:.3f}" if value.ndim == 0 else f"{low:.3f} to {high:.3f}"
        probes = " x ".join(map(str, self.lead)) or "1"
        return f"<{probes} {self.method} probes, {name} {said}, {self.split.kind} split>"

    @property
    def lead(self) -> torch.Size:
        return self.labels.shape[:-1]

    @property
    def n_classes(self) -> int:
        """K, or 0 for real targets."""
        return self.readout.n_classes

    @property
    def direction(self) -> Float[Tensor, "*lead d_model"] | None:
        """[*lead, d_model]; [*lead, K, d_model] for K > 2 classes; None for an MLP."""
        return self.readout.direction if isinstance(self.readout, Linear) else None

    @property
    def bias(self) -> Float[Tensor, "*lead"] | None:
        """[*lead]; [*lead, K] for K > 2 classes; None for an MLP."""
        return self.readout.bias if isinstance(self.readout, Linear) else None

    @cached_property
    def _tested(self) -> Tensor:
        return self.labels != NONE if self.n_classes else ~self.labels.isnan()

    @cached_property
    def _right(self) -> Tensor:
        return self._tested & (_decide(self.scores, self.n_classes) == self.labels)

    @cached_property
    def accuracy(self) -> Float[Tensor, "*lead"] | None:
        """Share of the tested rows that is named rightly; None for real targets."""
        return self._measured("accuracy") if self.n_classes else None

    @cached_property
    def auroc(self) -> Float[Tensor, "*lead"] | None:
        """Chance that class 1 scores above class 0; of K > 2 classes the mean of one against rest.

        NaN where a class has no tested row; None for real targets.
        """
        return self._auroc()() if self.n_classes else None

    @cached_property
    def f1(self) -> Float[Tensor, "*lead"] | None:
        """Of class 1: 2 hits / (2 hits + misses + false alarms); None but for two classes."""
        return self._measured("f1") if self.n_classes == 2 else None

    @cached_property
    def r2(self) -> Float[Tensor, "*lead"] | None:
        """Share of the tested targets' variance that is explained; None for classes."""
        return None if self.n_classes else self._measured("r2")

    @cached_property
    def majority(self) -> Float[Tensor, "*lead"] | None:
        """The accuracy of always naming the training rows' commonest class."""
        if self.commonest is None:
            return None
        hits = self._tested & (self.labels == self.commonest[..., None])
        return hits.sum(-1) / self._tested.sum(-1)

    @cached_property
    def selectivity(self) -> Float[Tensor, "*lead"]:
        """Accuracy (R² of real targets) above that on the control; ValueError without a control."""
        own = "accuracy" if self.n_classes else "r2"
        return getattr(self, own) - getattr(self._controlled(), own)

    @cached_property
    def interval(self) -> Float[Tensor, "*lead 2"]:
        """95% bootstrap interval of the accuracy, of R² for real targets."""
        return self.bootstrap("accuracy" if self.n_classes else "r2")

    def bootstrap(
        self, measure: str = "accuracy", level: float = 0.95, resamples: int = 1000, seed: int = 0
    ) -> Float[Tensor, "*lead 2"]:
        """Percentile interval over test rows drawn again with replacement.

        Whole groups are drawn where the split has groups, for the rows of one are no independent
        witnesses. It says how sure the number is for these probes; how it changes with training
        rows or models, other seeds say. Raises ValueError with fewer than two rows or groups.
        """
        validate.number("level", level, 0.0, 1.0)
        if validate.choice("measure", measure, MEASURES) == "selectivity":
            sums, combine = self._difference()
        elif getattr(self, measure) is None:
            raise ValueError(f"measure is {measure!r}, which these probes do not have.")
        elif measure == "auroc":
            sums, combine = self._auroc(), None
        else:
            sums, combine = self._sums(measure)
        unit = torch.arange(len(self.rows), device=self.rows.device)
        if self.split.groups is not None:
            unit = self.split.groups[self.rows].unique(return_inverse=True)[1]
        return interval(sums, combine, unit, level, resamples, seed)

    def _sums(self, measure: str) -> tuple[list[Tensor], Callable[..., Tensor]]:
        """Values per row, and how the measure follows from their sums."""
        there = self._tested.to(self.scores.dtype)
        if measure == "accuracy":
            return [self._right.to(there), there], torch.div
        if measure == "f1":
            hits = self._right & (self.labels == 1)
            return [hits.to(there), (self._tested & ~self._right).to(there)], f1_score
        y = self.labels.where(self._tested, 0.0)
        y = y - y.sum(-1, keepdim=True) / there.sum(
            -1, keepdim=True
        )  # R² is the same, rounding less
        y = y.where(self._tested, 0.0)
        error = (self.scores - self.labels).where(self._tested, 0.0)
        return [error**2, y, y**2, there], r2_score

    def _difference(self) -> tuple[list[Tensor], Callable[..., Tensor]]:
        own = "accuracy" if self.n_classes else "r2"
        (sums, combine), (others, _) = self._sums(own), self._controlled()._sums(own)
        return [*sums, *others], lambda *s: combine(*s[: len(sums)]) - combine(*s[len(sums) :])

    def _auroc(self) -> Callable[..., Tensor]:
        if self.n_classes == 2:
            return auroc(self.scores, self.labels == 1, self._tested)
        p = self.scores.softmax(-1)
        each = [auroc(p[..., k], self.labels == k, self._tested) for k in range(self.n_classes)]
        return lambda weight=None: torch.stack([of(weight) for of in each]).mean(0)

    def _controlled(self) -> ProbeResult:
        if self.control is None:
            raise ValueError(
                "there is no control to compare with; ask for one: probe(.., control='shuffled') "
                "or control=labels of a control task."
            )
        return self.control

    def _measured(self, measure: str) -> Tensor:
        sums, combine = self._sums(measure)
        return combine(*(part.sum(-1) for part in sums))

    def predict(self, x: Float[Tensor, "*lead n d_model"]) -> Tensor:
        """[*lead, n], the class of each row, or its target."""
        return _decide(self.readout.scores(x), self.n_classes)

    def on(self, x: Float[Tensor, "*lead n d_model"], y: Tensor) -> ProbeResult:
        """The same probes on other data, of which every labelled row is tested."""
        n = x.shape[-2]
        everything = torch.ones(n, dtype=torch.bool)
        split = Split(~everything, everything, "other data")
        return score(self.readout, x, y, split, self.method, self.commonest)

    def __getitem__(self, part: int | slice | tuple[int | slice, ...]) -> ProbeResult:
        """The result of some of the probes: indices into the leading axes."""
        parts = part if isinstance(part, tuple) else (part,)
        if len(parts) > len(self.lead):
            raise IndexError(f"{len(parts)} indices for the {len(self.lead)} leading axes.")
        split = self.split
        if split.train.ndim > 1:
            train, test = (s.expand(*self.lead, -1)[parts] for s in (split.train, split.test))
            split = replace(split, train=train, test=test)
        return replace(
            self,
            split=split,
            readout=self.readout.map(lambda t: t[parts]),
            labels=self.labels[parts],
            scores=self.scores[parts],
            commonest=None if self.commonest is None else self.commonest[parts],
            control=None if self.control is None else self.control[parts],
        )


def score(
    readout: Linear | MLP,
    x: Float[Tensor, "*lead n d_model"],
    y: Tensor,
    split: Split,
    method: str,
    commonest: Int[Tensor, "*lead"] | None = None,
) -> ProbeResult:
    """The result of a fitted read-out on the test rows of `split`. Raises ValueError without any.

    y are classes, -1 for none, or real targets, NaN for none. `commonest` is for the majority
    baseline: the commonest class that the read-out was trained on.
    """
    validate.instance("split", split, Split)
    validate.tensors("floating", x=(x, "*lead n d_model"))
    if not isinstance(readout, Linear | MLP):
        raise TypeError(f"readout is of type {type(readout).__name__}; it must be a probe's.")
    split = of_rows(x, split)
    y = validate.as_tensor("y", y)
    if y.shape[-1:] != (split.n,):
        raise ValueError(
            f"y has shape {list(y.shape)}; it must be [..., {split.n}], one for each row."
        )
    Layout.of(x.shape[:-2], y.shape[:-1], split.test.shape[:-1], readout.lead)
    nothing = NONE if readout.n_classes else float("nan")
    y = y.to(x.device).where(split.test, nothing)
    rows = split.test.reshape(-1, split.n).any(0).nonzero()[:, 0]
    scores, labels = readout.scores(x[..., rows, :]), y[..., rows]
    outputs = scores.shape[-1:] if readout.n_classes > 2 else ()
    shape = torch.broadcast_shapes(scores.shape[: scores.ndim - len(outputs)], labels.shape)
    labels, scores = labels.expand(shape), scores.expand(*shape, *outputs)
    tested = labels != NONE if readout.n_classes else ~labels.isnan()
    if not tested.any(-1).all():
        raise ValueError(f"{which(~tested.any(-1))} has no labelled row to be tested on.")
    scores = scores.where(tested[..., None] if outputs else tested, float("nan"))
    return ProbeResult(method, split, readout, rows, labels, scores, commonest)


def of_rows(x: Float[Tensor, "*lead n d_model"], split: Split) -> Split:
    """The split on x's device, or ValueError if it is not of x's rows."""
    if split.n != x.shape[-2]:
        raise ValueError(f"split is of {split.n} rows; x has {x.shape[-2]}.")
    return split.to(x.device)


def which(bad: Bool[Tensor, "*lead"]) -> str:
    """Words for the first probe that is bad, and how many are."""
    if bad.ndim == 0:
        return "the probe"
    first = bad.nonzero()[0].tolist()
    return f"probe {first} ({int(bad.sum())} of {bad.numel()} probes)"


def _decide(scores: Tensor, n_classes: int) -> Tensor:
    if n_classes > 2:
        return scores.argmax(-1)
    return (scores > 0).long() if n_classes else scores
