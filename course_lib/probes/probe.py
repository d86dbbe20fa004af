"""The entry: from activations and labels to probes and what they are worth."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from course_lib import runtime, validate
from course_lib.data.sequences import NONE
from course_lib.probes.closed_form import lda, mass_mean, ridge
from course_lib.probes.labels import checked_classes
from course_lib.probes.layout import Layout
from course_lib.probes.logistic import logistic
from course_lib.probes.mlp import mlp
from course_lib.probes.readouts import MLP, Linear
from course_lib.probes.result import ProbeResult, of_rows, score, which
from course_lib.probes.sparse import sparse
from course_lib.probes.splits import Split, random_split

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

METHODS = {
    "logistic": logistic, "mass_mean": mass_mean, "lda": lda, "ridge": ridge, "sparse": sparse,
    "mlp": mlp,
}  # fmt: skip


def probe(
    x: Float[Tensor, "*lead n d_model"],
    y: Int[Tensor, "*lead n"] | Float[Tensor, "*lead n"],
    method: str = "logistic",
    *,
    split: Split | None = None,
    control: str | Int[Tensor, "*lead n"] | None = None,
    seed: int = 0,
    **options: Any,
) -> ProbeResult:
    """Fit on the training rows, judge on those held out. All leading axes are one batched solve.

    The leading axes of x (sites, positions, seeds), y (labels) and the split broadcast. Classes of
    y are 0, 1, .., and -1 for a row that has none; real targets are for "ridge" alone.

    | method      | options                                                     |
    |-------------|-------------------------------------------------------------|
    | "logistic"  | C=1.0                                                       |
    | "mass_mean" | whiten=False                                                |
    | "lda"       | shrinkage="auto"                                            |
    | "ridge"     | alpha=1.0                                                   |
    | "sparse"    | k=1, ranking="mean_difference" ("prune", "greedy"), C=1.0   |
    | "mlp"       | hidden=64                                                   |

    Args:
        split: None for `random_split(n, seed=seed)`. Rows that share a document, a town or a word
            need `group_split` or `block_split`.
        control: "shuffled" for the same labels in random order, or the labels of a control task;
            `result.selectivity` is the accuracy above theirs.
        seed: of the split, of the shuffled labels and of an MLP.

    Raises:
        TypeError, ValueError: naming the argument or the first probe concerned: entries that are
            not finite, a class without training rows, a test side without labels.
    """
    validate.choice("method", method, tuple(METHODS))
    x, y, _ = checked(x, y, method)
    if split is not None:
        validate.instance("split", split, Split)
    split = of_rows(x, random_split(x.shape[-2], seed=seed) if split is None else split)
    if isinstance(control, Tensor):
        control_y = _like(validate.as_tensor("control", control).to(x.device), y)
    elif control is None:
        control_y = None
    else:
        validate.choice("control", control, ("shuffled",))
        control_y = shuffled(y, seed)
    result = _probe(x, y, method, split, seed, options)
    if control_y is not None:
        result = replace(result, control=_probe(x, control_y, method, split, seed, options))
    return result


def _probe(
    x: Tensor, y: Tensor, method: str, split: Split, seed: int, options: dict[str, Any]
) -> ProbeResult:
    readout = fit(x, y, method, rows=split.train, groups=split.groups, seed=seed, **options)
    commonest = None
    if readout.n_classes:
        trained = y.where(split.train, NONE)
        counts = [(trained == k).sum(-1) for k in range(readout.n_classes)]
        commonest = torch.stack(counts, -1).argmax(-1).expand(readout.lead)
    return score(readout, x, y, split, method, commonest)


def fit(
    x: Float[Tensor, "*lead n d_model"],
    y: Int[Tensor, "*lead n"] | Float[Tensor, "*lead n"],
    method: str = "logistic",
    *,
    rows: Bool[Tensor, "*lead n"] | None = None,
    groups: Int[Tensor, " n"] | None = None,
    seed: int = 0,
    **options: Any,
) -> Linear | MLP:
    """The read-outs alone, fitted on `rows` (None for all). Arguments and errors are `probe`'s."""
    x, y, n_classes = checked(x, y, method)
    allowed = set(inspect.signature(METHODS[method]).parameters) - {
        "x", "y", "n_classes", "groups", "seed"
    }  # fmt: skip
    unknown = sorted(set(options) - allowed)
    if unknown:
        raise TypeError(
            f"{', '.join(unknown)}: no option of method={method!r}; it has "
            f"{', '.join(sorted(allowed))}."
        )
    nothing = NONE if n_classes else float("nan")
    if rows is not None:
        if validate.instance("rows", rows, Tensor).dtype != torch.bool:
            raise TypeError(f"rows has dtype {rows.dtype}; it must hold True and False.")
        if rows.is_meta or rows.shape[-1:] != y.shape[-1:]:
            raise ValueError(f"rows has shape {list(rows.shape)}; y has {list(y.shape)}.")
        y = y.where(rows.to(x.device), nothing)
    layout = Layout.of(x.shape[:-2], y.shape[:-1])
    folded = layout.fold(y)
    there = folded != NONE if n_classes else ~folded.isnan()
    used = there.any(1).any(0)
    folded, x = folded[..., used], layout.fold_x(x)[:, used]
    for k in range(max(n_classes, 1)):
        missing = ~((folded == k).any(-1) if n_classes else there.any(-1))
        if missing.any():
            what = f"row of class {k}" if n_classes else "row"
            raise ValueError(
                f"{which(layout.unfold(missing))} has no training {what}; every class, 0 to "
                f"{n_classes - 1}, needs one."
                if n_classes
                else f"{which(layout.unfold(missing))} has no training {what}."
            )
    if method == "mlp":
        options |= {"groups": None if groups is None else groups.to(x.device)[used], "seed": seed}
    return METHODS[method](x, folded, n_classes, **options).map(layout.unfold)


def shuffled(y: Tensor, seed: int = 0) -> Tensor:
    """y with the labels of each probe in random order; rows without a label keep none."""
    validate.plain("y", validate.instance("y", y, Tensor))
    there = (y != NONE) if not y.is_floating_point() else ~y.isnan()
    keys = torch.rand(y.shape, generator=runtime.generator(seed)).to(y.device)
    keys = torch.where(there, keys, 2.0)
    natural = (~there).long().argsort(dim=-1, stable=True)
    return torch.empty_like(y).scatter_(-1, natural, y.gather(-1, keys.argsort(-1)))


def checked(x: Tensor, y: Tensor, method: str) -> tuple[Tensor, Tensor, int]:
    """x in floating point, y as int64 classes or real targets on x's device, number of classes."""
    validate.choice("method", method, tuple(METHODS))
    x = validate.finite("x", x).detach()
    if isinstance(y, Tensor):
        validate.plain("y", y)
    if x.ndim < 2 or not isinstance(y, Tensor) or y.shape[-1:] != x.shape[-2:-1]:
        shape = list(y.shape) if isinstance(y, Tensor) else type(y).__name__
        raise ValueError(
            f"x has shape {list(x.shape)} and y {shape}; they must be [..., n, d_model] and "
            "[..., n]."
        )
    if x.shape[-1] == 0:
        raise ValueError(f"x has shape {list(x.shape)}; there is no number.")
    if x.dtype not in (torch.float32, torch.float64):
        x = x.float()
    y = y.to(x.device)
    if method == "ridge":
        if not y.is_floating_point():
            raise TypeError(f"y has dtype {y.dtype}; method='ridge' is for real targets.")
        if y.isinf().any():
            raise ValueError("y has infinite entries; they must be finite, or NaN for no target.")
        return x, y, 0
    return x, *checked_classes(y)


def checked_with_classes(x: Tensor, y: Tensor, method: str) -> tuple[Tensor, Tensor, int]:
    """As `checked`, for what needs classes and not real targets."""
    if isinstance(method, str) and method == "ridge":
        raise ValueError("method is 'ridge'; this needs a probe of classes, such as 'logistic'.")
    return checked(x, y, method)


def _like(control: Tensor, y: Tensor) -> Tensor:
    try:
        return control.expand_as(y)
    except RuntimeError as error:
        raise ValueError(
            f"control has shape {list(control.shape)}; it must broadcast to y's, {list(y.shape)}."
        ) from error
