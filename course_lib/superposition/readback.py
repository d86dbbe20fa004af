"""Reading sparse codes back from x = z W when the directions are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float


def orthogonal_matching_pursuit(
    x: Float[Tensor, "batch d_hidden"], W: Float[Tensor, "n_features d_hidden"], k: int
) -> Float[Tensor, "batch n_features"]:
    """Codes z with k active features each, chosen one by one to rebuild x from the rows of W.

    Each step takes the row that lies most along what is still missing, whichever its sign, and
    then fits the magnitudes of all rows taken so far anew, by least squares. Rows of W are used
    at norm 1, so that a long one is not preferred; z is in units of W as it is given.

    Finds every code with fewer than (1 + 1/μ) / 2 active features, where μ is
    `mutual_coherence(W)`. Source: Tropp 2004, "Greed is Good".

    Raises ValueError for shapes that do not fit, rows of zeros, and k above n_features or d_hidden.
    """
    validate.shape("W", validate.finite("W", W), ("n_features", "d_hidden"))
    validate.shape("x", validate.finite("x", x), ("batch", W.shape[-1]))
    if validate.positive_int("k", k) > min(W.shape):
        raise ValueError(f"k is {k}; for {len(W)} rows in {W.shape[1]} dimensions it must be at "
                         f"most {min(W.shape)}.")  # fmt: skip
    norm = W.norm(dim=-1)
    if (norm == 0).any():
        raise ValueError(f"row {int(norm.argmin())} of W is zero; every feature needs a direction.")
    unit = W / norm[:, None]
    taken = torch.empty(len(x), 0, dtype=torch.long, device=x.device)
    basis = x.new_empty(len(x), 0, W.shape[-1])  # orthonormal, of the rows taken so far
    residual = x
    for _ in range(k):
        reading = (residual @ unit.T).abs().scatter(-1, taken, -1.0)
        row = reading.argmax(dim=-1)
        new = unit[row] - _project(unit[row], basis)
        length = new.norm(dim=-1, keepdim=True)
        new = torch.where(length > 1e-5, new / length, 0.0)  # a row that depends on others adds 0
        taken = torch.cat([taken, row[:, None]], dim=-1)
        basis = torch.cat([basis, new[:, None]], dim=1)
        residual = residual - _project(residual, new[:, None])
    magnitude = torch.linalg.pinv(unit[taken].mT) @ x[..., None]
    z = torch.zeros(len(x), len(W), dtype=x.dtype, device=x.device)
    return z.scatter(-1, taken, magnitude[..., 0] / norm[taken])


def _project(
    x: Float[Tensor, "batch d_hidden"], basis: Float[Tensor, "batch steps d_hidden"]
) -> Float[Tensor, "batch d_hidden"]:
    """The part of each row of x that lies in the span of its own orthonormal basis."""
    return ((basis @ x[..., None]) * basis).sum(dim=1)
