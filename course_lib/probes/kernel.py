"""How many directions a task needs: labels projected on the leading kernel components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float, Int

QUANTILES = (0.01, 0.1, 0.5)  # of the squared distances: the widths that are tried


def kernel_analysis(
    x: Float[Tensor, "n d_model"],
    y: Int[Tensor, " n"],
    n_dims: int = 40,
    quantiles: Sequence[float] = QUANTILES,
) -> Float[Tensor, " n_dims"]:
    """The share of the labels' variance left after the first 1, 2, .. kernel components of x.

    The kernel is Gaussian, centred; for each number of components the best of the widths counts,
    which are quantiles of the squared distances. Labels enter one-hot and centred. The mean of the
    curve is the area under it: low for representations in which the task is simple. All rows are
    used, nothing is held out, so keep n_dims far below n. It does not depend on the scale of x, nor
    on a rotation or a shift.

    After Cadieu et al. 2013, "The Neural Representation Benchmark", section 3; there the labels are
    fitted on the components, here projected, which is the same for orthonormal components.

    Raises ValueError for one class, entries that are not finite, n_dims of n or more, and rows that
    are all equal.
    """
    x = validate.shape("x", validate.finite("x", x), ("n", "d_model")).double()
    n = len(validate.as_tensor("y", validate.shape("y", y, (len(x),))))
    if validate.positive_int("n_dims", n_dims) >= n:
        raise ValueError(f"n_dims is {n_dims}; x has {n} rows, so it must be at most {n - 1}.")
    target = one_hot(y.unique(return_inverse=True)[1]).double()
    if target.shape[1] < 2:
        raise ValueError("y has one class; the curve needs at least two.")
    target = target - target.mean(0)
    squared = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist").square()
    apart = squared[squared > 0]
    if not len(apart):
        raise ValueError("all rows of x are equal; there is nothing to tell classes by.")
    left = torch.ones(n_dims, dtype=torch.double)
    shares = validate.finite("quantiles", validate.items("quantiles", quantiles), 0.0, 1.0)
    for quantile in validate.shape("quantiles", shares, ("n",)).tolist():
        K = torch.exp(-squared / (2 * torch.quantile(apart[: 2**24], quantile)))
        K = K - K.mean(0) - K.mean(1, keepdim=True) + K.mean()
        components = torch.linalg.eigh(K).eigenvectors.flip(1)[:, :n_dims]
        explained = (components.mT @ target).square().sum(1).cumsum(0) / target.square().sum()
        left = torch.minimum(left, 1 - explained)
    return left.clamp(min=0.0)
