"""Is a direction used, or does it only work? Splits of a direction, and what each part does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.activations import ProjectOut, ReplaceSubspace
from course_lib.causal.patching import recovered

if TYPE_CHECKING:
    from jaxtyping import Float

SMALL = 1e-6  # relative size below which a part is none


def row_null_split(
    v: Float[Tensor, "*n d"], W_out: Float[Tensor, "d_out d"]
) -> tuple[Float[Tensor, "*n d"], Float[Tensor, "*n d"]]:
    """v as a part in the row space of a read-out, and one that the read-out cannot see.

    Source: Makelov et al. 2023 (arXiv:2311.17030).
    """
    validate.tensors("floating", v=(v, "*n d"), W_out=(W_out, "d_out d"))
    basis = _span(W_out)
    row = v @ basis.T.to(v) @ basis.to(v)
    return row, v - row


def disconnected_dormant_split(
    v: Float[Tensor, " d"], W_out: Float[Tensor, "d_out d"], changes: Float[Tensor, "m d"]
) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"], Float[Tensor, " d"]]:
    """v = disconnected + dormant + rest: the split by which an illusion is defined.

    The disconnected part is in the null space of the read-out, so that it does nothing; the dormant
    one is at right angles to all `changes` between inputs, so that it never moves. Of all such
    splits the one of least squares, which leaves the least rest. Where the rest is 0 the direction
    works although neither part does; the reply's point (Wu et al. 2024, arXiv:2401.12631) is that
    this happens to directions one would call right, too.

    Args:
        changes: differences of the data's activations, such as source - base.
    """
    validate.tensors("any", v=(v, "d"), W_out=(W_out, "d_out d"), changes=(changes, "m d"))
    null = _complement(_span(W_out))
    still = _complement(_span(changes))
    columns = torch.cat([null, still]).T
    weights = torch.linalg.pinv(columns, rtol=1e-9) @ v.double()
    disconnected = null.T @ weights[: len(null)]
    dormant = still.T @ weights[len(null) :]
    return disconnected.to(v), dormant.to(v), (v.double() - disconnected - dormant).to(v)


def dormancy(v: Float[Tensor, " d"], h: Float[Tensor, "n d"]) -> float:
    """The variance of h along v over its mean variance along a direction: 0 is dormant.

    It speaks of these data. On others, a dormant direction may wake.
    """
    validate.tensors("alike", v=(v, "d"), h=(h, "n d"))
    centred = h - h.mean(dim=0)
    along = (centred @ v / v.norm()).square().mean()
    return (along / centred.square().mean()).item()


@dataclass(frozen=True)
class IllusionReport:
    """What patching and ablating one direction v does, and what its parts do.

    Effects are shares of the gap between the outputs of base and source, see `recovered`.

    Attributes:
        effect: of patching along v.
        row, null: of patching along its row-space part alone, and its null-space part alone, each
            as a direction of norm 1; NaN where v has no such part.
        through_row, through_null: `effect` in two parts. How far the patch moves along v is read
            from the activations partly along v's row-space part, partly along its null-space part;
            each is written back along v. They add up to `effect` where the read-out is linear.
        kept: the share of the output's spread that stays when v is ablated.
        plane_kept: the same when a plane with v in it is ablated. Where all stays, v was not needed
            after all; but planes can be found of which that is true for a right direction, too.
            NaN where no plane is given and v has neither a disconnected nor a dormant part.
        dormancy: of v, of its disconnected and of its dormant part; NaN without such a part.
        rest: the norm of what neither part explains.
    """

    effect: float
    row: float
    null: float
    through_row: float
    through_null: float
    kept: float
    plane_kept: float
    dormancy: tuple[float, float, float]
    rest: float


@torch.no_grad()
def illusion_report(
    forward: Callable[[Float[Tensor, "n d"]], Float[Tensor, " n"]],
    base: Float[Tensor, "n d"],
    source: Float[Tensor, "n d"],
    v: Float[Tensor, " d"],
    W_out: Float[Tensor, "d_out d"],
    plane: Float[Tensor, "k d"] | None = None,
) -> IllusionReport:
    """Patch and ablate v and its parts.

    Args:
        forward: from activations to one output each.
        base, source: activations, pair by pair.
        v: a direction, of any norm but 0.
        W_out: the read-out that follows.
        plane: what is ablated for `plane_kept`; None for the parts of `disconnected_dormant_split`.
    """
    validate.function("forward", forward)
    validate.tensors("alike", base=(base, "n d"), source=(source, "n d"), v=(v, "d"))
    validate.shape("source", source, base.shape)
    v = validate.shape("v", validate.finite("v", v), base.shape[-1:])
    if not v.any():
        raise ValueError("v is all 0; it must point somewhere.")
    v = v / v.norm()
    start, goal = forward(base), forward(source)

    def effect_of(h: Tensor) -> float:
        return recovered(forward(h), start, goal).item()

    def along(direction: Tensor) -> float:
        if direction.norm() < SMALL:
            return float("nan")
        return effect_of(ReplaceSubspace(source, direction)(base))

    def spread_without(directions: Tensor) -> float:
        h = torch.cat([base, source])
        out, whole = forward(ProjectOut(directions, mean=h.mean(dim=0))(h)), forward(h)
        return (out.std() / whole.std()).item()

    row, null = row_null_split(v, W_out)
    disconnected, dormant, rest = disconnected_dormant_split(v, W_out, source - base)
    parts = [part for part in (disconnected, dormant) if part.norm() > SMALL]
    if plane is None and parts:
        plane = torch.stack(parts)
    change = source - base
    h = torch.cat([base, source])
    return IllusionReport(
        effect=along(v),
        row=along(row),
        null=along(null),
        through_row=effect_of(base + (change @ row)[:, None] * v),
        through_null=effect_of(base + (change @ null)[:, None] * v),
        kept=spread_without(v),
        plane_kept=float("nan") if plane is None else spread_without(plane),
        dormancy=tuple(
            dormancy(part, h) if part.norm() > SMALL else float("nan")
            for part in (v, disconnected, dormant)
        ),
        rest=rest.norm().item(),
    )


def _span(rows: Tensor) -> Float[Tensor, "rank d"]:
    """An orthonormal basis of the rows' span, in double precision."""
    validate.tensors("any", rows=(rows, "rank d"))
    rows = validate.finite("rows", rows).detach().double()
    _, size, basis = torch.linalg.svd(rows, full_matrices=False)
    return basis[size > SMALL * size.max()] if size.max() > 0 else basis[:0]


def _complement(basis: Float[Tensor, "rank d"]) -> Float[Tensor, "rest d"]:
    """An orthonormal basis of all that is at right angles to this one."""
    return torch.linalg.svd(basis, full_matrices=True).Vh[len(basis) :]
