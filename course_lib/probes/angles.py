"""Angles between subspaces: do two probes read from the same place?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float


def subspace_angles(
    A: Float[Tensor, "*batch r_a d_model"], B: Float[Tensor, "*batch r_b d_model"]
) -> Float[Tensor, "*batch r"]:
    """The principal angles between the row spaces of A and B, smallest first, in radians.

    r = min(r_a, r_b). They depend on the spaces alone, not on the rows that span them, and a
    rotation of the whole space leaves them. Small angles are read off the sine, large ones off the
    cosine (Björck & Golub 1973), so both are exact to rounding. Random subspaces of a large space
    are near π/2: compare with that, not with 0.

    Raises ValueError for rows that are linearly dependent, NaN, or spaces of different d_model.
    """
    A, B = validate.finite("A", A), validate.finite("B", B)
    if min(A.ndim, B.ndim) < 2 or A.shape[-1] != B.shape[-1] or 0 in (A.shape[-2:] + B.shape[-2:]):
        raise ValueError(
            f"A has shape {list(A.shape)} and B {list(B.shape)}; they must be [.., r, d_model]."
        )
    try:
        torch.broadcast_shapes(A.shape[:-2], B.shape[:-2])
    except RuntimeError as error:
        raise ValueError(
            f"A has shape {list(A.shape)} and B {list(B.shape)}; the leading axes must broadcast."
        ) from error
    exact = torch.promote_types(torch.promote_types(A.dtype, B.dtype), torch.float32)
    bases = []
    for name, rows in (("A", A.to(exact)), ("B", B.to(exact))):
        _, size, basis = torch.linalg.svd(rows, full_matrices=False)
        least = size[..., -1] > size[..., 0] * 10 * rows.shape[-1] * torch.finfo(rows.dtype).eps
        if rows.shape[-2] > rows.shape[-1] or not least.all():
            raise ValueError(
                f"The rows of {name} are linearly dependent; pass independent ones (for a probe of "
                "K classes, the differences to the last class)."
            )
        bases.append(basis)
    small, large = sorted(bases, key=lambda basis: basis.shape[-2])
    overlap = small @ large.mT
    cosine = torch.linalg.svdvals(overlap)
    sine = torch.linalg.svdvals(small - overlap @ large).flip(-1)
    by_sine, by_cosine = torch.asin(sine.clamp(max=1)), torch.acos(cosine.clamp(max=1))
    return torch.where(cosine.square() > 0.5, by_sine, by_cosine)
