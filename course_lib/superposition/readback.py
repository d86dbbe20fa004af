"""Reading sparse codes back from x = z W when the directions are known.

`orthogonal_matching_pursuit` is greedy, `ista` lowers an L1 penalty, `l1_transition` is the theory
of how far the latter goes.
"""

from __future__ import annotations

import math
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
    W = validate.shape("W", validate.finite("W", W), ("n_features", "d_hidden"))
    x = validate.shape("x", validate.finite("x", x), ("batch", W.shape[-1]))
    validate.tensors("alike", x=(x, "batch d_hidden"), W=(W, "n_features d_hidden"))
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


@torch.no_grad()
def ista(
    x: Float[Tensor, "*batch rows d_hidden"],
    W: Float[Tensor, "*batch n_features d_hidden"],
    l1_coefficient: float,
    steps: int = 300,
) -> Float[Tensor, "*batch rows n_features"]:
    """Codes z that nearly minimise ½|x - z W|² + λ Σ|z|, by iterative soft thresholding.

    Each step goes down the gradient of the square, as far as the largest singular value of W
    allows, and pulls every entry λ times as far towards 0; with Nesterov's momentum (FISTA).
    Leading axes are problems of their own, side by side. With a small λ this is basis pursuit: of
    all z with x = z W, the one of least Σ|z|. Source: Daubechies, Defrise & De Mol 2004; Beck &
    Teboulle 2009, section 4.

    Raises ValueError for shapes that do not fit, entries that are not finite, and λ below 0.
    """
    validate.instance("x", x, Tensor), validate.instance("W", W, Tensor)
    if W.ndim < 2 or x.shape[:-2] != W.shape[:-2] or x.shape[-1:] != W.shape[-1:]:
        raise ValueError(f"x has shape {list(x.shape)} and W {list(W.shape)}; they must be "
                         "[..., rows, d_hidden] and [..., n_features, d_hidden].")  # fmt: skip
    for name, tensor in (("W", W), ("x", x)):
        validate.finite(name, tensor)
    validate.tensors("alike", x=(x, "*any rows d_hidden"), W=(W, "*any n_features d_hidden"))
    penalty = validate.number("l1_coefficient", l1_coefficient, 0.0)
    largest = torch.linalg.matrix_norm(W, 2).square()[..., None, None]
    rate = 1 / largest.where(largest > 0, 1.0)
    z = ahead = x.new_zeros(*x.shape[:-1], W.shape[-2])
    momentum = 1.0
    for _ in range(validate.positive_int("steps", steps)):
        down = ahead - rate * (ahead @ W - x) @ W.mT
        new = down.sign() * (down.abs() - rate * penalty).clamp(min=0)
        growing = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new + (momentum - 1) / growing * (new - z)
        z, momentum = new, growing
    return z


def l1_transition(dimensions_per_feature: float) -> float:
    """The largest k/d for which L1 minimisation reads typical codes back from d random dimensions.

    For d and n to infinity with δ = d/n fixed: max over t of (1 - 2 c/δ) / (1 + t² - 2 c) with
    c = (1 + t²) Φ(-t) - t φ(t). At δ = 1/2 it is 0.386. Source: Donoho, Maleki & Montanari 2009,
    "Message-passing algorithms for compressed sensing"; it equals Donoho & Tanner's transition.
    """
    delta = validate.number("dimensions_per_feature", dimensions_per_feature, 0.0, 1.0)
    if delta == 0:
        return 0.0
    t = torch.linspace(0, 8, 8001, dtype=torch.double)[1:]
    density = torch.exp(-t.square() / 2) / math.sqrt(2 * math.pi)
    c = (1 + t.square()) * torch.special.ndtr(-t) - t * density
    return ((1 - 2 * c / delta) / (1 + t.square() - 2 * c)).max().item()
