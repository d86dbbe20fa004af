"""How sparse an SAE is and how well it rebuilds, from latents and reconstructions alone.

Every function takes one SAE's inputs with any number of batch axes, [batch, d] or [batch, seq, d],
and pools them; with `per_instance=True` the first axis is instances and the result has it too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float, Int


def l0(z: Float[Tensor, "*batch d_sae"], *, per_instance: bool = False) -> Float[Tensor, "*n"]:
    """Mean number of active latents (z ≠ 0) per input."""
    return (_rows("z", z, per_instance) != 0).sum(dim=-1).float().mean(dim=-1)


@torch.no_grad()
def fvu(
    x: Float[Tensor, "*batch d_in"],
    x_hat: Float[Tensor, "*batch d_in"],
    *,
    per_instance: bool = False,
) -> Float[Tensor, "*n"]:
    """Fraction of variance unexplained, Σ ‖x - x̂‖² / Σ ‖x - x̄‖² over all inputs.

    x̄ is the mean of x over the inputs, so that x̂ = x̄ gives 1, and the ratio is one of sums, so
    that inputs with little variance do not count as much as those with a lot. 1 - fvu is the
    explained variance (scikit-learn's `r2_score` with `multioutput="variance_weighted"`).
    With `per_instance`, x may be [batch, d_in] where x_hat is [n_instances, batch, d_in].

    Raises ValueError for shapes that do not fit, entries that are not finite, and x that is
    constant: there is no variance to explain.
    """
    validate.real("x", x), validate.real("x_hat", x_hat)
    if per_instance and x_hat.ndim == x.ndim + 1:
        x = x.expand(len(x_hat), *x.shape)
    if x.shape != x_hat.shape:
        hint = ", or per_instance=True for one x and many x_hat" if not per_instance else ""
        raise ValueError(
            f"x_hat has shape {list(x_hat.shape)}; it must have x's shape {list(x.shape)}{hint}."
        )
    x, x_hat = _rows("x", x, per_instance), _rows("x_hat", x_hat, per_instance)
    error = (x - x_hat).square().sum(dim=(-2, -1))
    variance = (x - x.mean(dim=-2, keepdim=True)).square().sum(dim=(-2, -1))
    _not_constant(x, variance)
    return error / variance


@torch.no_grad()
def reconstruction_bias(
    x: Float[Tensor, "*batch d_in"], x_hat: Float[Tensor, "*batch d_in"]
) -> Float[Tensor, ""]:
    """γ = Σ ‖x̂‖² / Σ x̂·x: below 1 where reconstructions are too short, as under an L1 penalty.

    x̂ / γ is the rescaling of the reconstructions that is closest to x. Source: Rajamanoharan et
    al. 2024, "Improving Dictionary Learning with Gated Sparse Autoencoders", equation 10.
    An offset that all inputs share hides the shrinkage of what varies: subtract it from both.
    NaN where all x̂ are zero. Where the truth is known, `shrinkage` says which latents shrink.
    """
    validate.tensors("any", x=(x, "*batch d_in"), x_hat=(x_hat, "*batch d_in"))
    x, x_hat = _rows("x", x, False), _rows("x_hat", x_hat, False)
    return x_hat.square().sum() / (x_hat * x).sum()


def density(
    z: Float[Tensor, "*batch d_sae"], *, per_instance: bool = False
) -> Float[Tensor, "*n d_sae"]:
    """Share of the inputs on which each latent is active."""
    return (_rows("z", z, per_instance) != 0).float().mean(dim=-2)


def dead_share(
    z: Float[Tensor, "*batch d_sae"], *, per_instance: bool = False
) -> Float[Tensor, "*n"]:
    """Share of the latents that are active on none of the inputs.

    It falls as there are more inputs: compare SAEs on the same number.
    """
    return (density(z, per_instance=per_instance) == 0).float().mean(dim=-1)


def density_histogram(
    density: Float[Tensor, " d_sae"], low: float = -5.0, bins: int = 20
) -> tuple[Int[Tensor, " bins"], Float[Tensor, " edges"]]:
    """How many latents have which log10 density, in equal bins from `low` to 0.

    Returns the counts and the bins' edges. Latents below `low` count in the first bin, dead ones
    (density 0) in none.
    """
    density = validate.probability("density", validate.shape("density", density, ("d_sae",)))
    validate.positive_int("bins", bins)
    if validate.number("low", low) >= 0:
        raise ValueError(f"low is {low}; it is a log10 density and must be below 0.")
    logs = density[density > 0].cpu().double().log10().clamp_min(low)
    counts, edges = torch.histogram(logs, bins, range=(low, 0.0))
    return counts.long(), edges.float()


def _rows(name: str, tensor: Tensor, per_instance: bool) -> Tensor:
    """`tensor` as [*n, inputs, d], in at least single precision."""
    lead = 1 if per_instance else 0
    if isinstance(tensor, Tensor):
        validate.plain(name, tensor)
    if not isinstance(tensor, Tensor) or tensor.ndim < lead + 2 or 0 in tensor.shape:
        what = list(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
        wanted = "[n_instances, batch, d]" if per_instance else "[batch, d], or more batch axes"
        raise ValueError(f"{name} is {what}; it must be a tensor {wanted}, and not empty.")
    rows = validate.finite(name, tensor).reshape(*tensor.shape[:lead], -1, tensor.shape[-1])
    return rows.float() if rows.dtype in (torch.float16, torch.bfloat16) else rows


def _not_constant(x: Tensor, variance: Tensor) -> None:
    """Raise where the deviations from the mean are no more than rounding."""
    rounding = torch.finfo(x.dtype).eps * x.abs().amax(dim=(-2, -1))
    if (variance <= rounding.square() * x.shape[-1] * x.shape[-2]).any():
        raise ValueError(
            f"x is the same in all {x.shape[-2]} inputs; there is no variance to explain. Give "
            "at least two different inputs."
        )
