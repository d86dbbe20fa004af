"""What to do to an activation: small functions [batch, seq, d] -> the same shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@dataclass(frozen=True, eq=False)
class Add:
    """x + scale · vector.

    Attributes:
        vector: [d], or one for each place, broadcast to x.
    """

    vector: Float[Tensor, "*#places d"]
    scale: float = 1.0

    def __call__(self, x: Float[Tensor, "*places d"]) -> Float[Tensor, "*places d"]:
        return x + self.scale * _fitting("vector", self.vector, x)


@dataclass(frozen=True, eq=False)
class Ablate:
    """`value` in the place of x: 0, or the mean [d] over the data for a mean ablation."""

    value: float | Float[Tensor, "*#places d"] = 0.0

    def __call__(self, x: Float[Tensor, "*places d"]) -> Float[Tensor, "*places d"]:
        if isinstance(self.value, Tensor):
            return _fitting("value", self.value, x).expand_as(x)
        return torch.full_like(x, self.value)


@dataclass(frozen=True, eq=False)
class ProjectOut:
    """x - P (x - mean), with P the projection on the span of `directions`.

    Attributes:
        directions: [d] or [k, d]; they need be neither of norm 1 nor orthogonal.
        mean: [d], of which the part in the span stays; 0 if None.
        basis: [rank, d], orthonormal, of the span.
    """

    directions: Float[Tensor, "*k d"]
    mean: Float[Tensor, " d"] | None = None
    basis: Float[Tensor, "rank d"] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "basis", _span(self.directions))

    def __call__(self, x: Float[Tensor, "*places d"]) -> Float[Tensor, "*places d"]:
        exact = _exact(x)
        if self.mean is None:
            return (exact - _project(exact, self.basis)).to(x.dtype)
        mean = _fitting("mean", self.mean, exact)
        return (exact - _project(exact - mean, self.basis)).to(x.dtype)


@dataclass(frozen=True, eq=False)
class Clamp:
    """x with its coordinate along `direction` set to a value: x + (value - x · u) u, u of norm 1.

    Attributes:
        direction: [d], of any norm but 0; the coordinate is that along the unit vector.
        value: a number, or one for each place.
    """

    direction: Float[Tensor, " d"]
    value: float | Float[Tensor, "*#places"]

    def __post_init__(self) -> None:
        direction = validate.finite("direction", self.direction)
        object.__setattr__(self, "direction", validate.shape("direction", direction, ("d",)))
        if not direction.any():
            raise ValueError("direction is all 0; it must point somewhere.")

    def __call__(self, x: Float[Tensor, "*places d"]) -> Float[Tensor, "*places d"]:
        exact = _exact(x)
        unit = _fitting("direction", self.direction, exact)
        unit = unit / unit.norm()
        value = self.value
        if isinstance(value, Tensor):
            value = _fitting("value", value, exact[..., 0])
        return (exact + (value - exact @ unit)[..., None] * unit).to(x.dtype)


class FromRun:
    """An intervention that takes each place's activation from the same place of another run."""

    source: Float[Tensor, "*#batch #seq d"]

    def __call__(self, x: Float[Tensor, "*places d"]) -> Float[Tensor, "*places d"]:
        return self.put(self.source, x)

    def at(self, positions: Int[Tensor, " seq"]) -> Callable[[Tensor], Tensor]:
        """The same for an activation that has these positions alone.

        Raises ValueError when the source has not all of them.
        """
        source = self.source
        if source.ndim < 2 or source.shape[-2] == 1 or len(positions) == 0:
            return self
        if (last := int(positions.max())) >= source.shape[-2]:
            raise ValueError(
                f"source has {source.shape[-2]} positions and none for position {last}; choose "
                "positions that both runs have."
            )
        return partial(self.put, source.index_select(-2, positions.to(source.device)))

    def put(self, source: Tensor, x: Tensor) -> Tensor:
        """x with what is taken from `source`, which broadcasts to it."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Patch(FromRun):
    """The activation of another run in the place of x.

    Attributes:
        source: [batch, seq, d] as it was recorded; with a size of 1, or [d], for one and the same
            everywhere.
    """

    source: Float[Tensor, "*#batch #seq d"]

    def put(self, source: Tensor, x: Tensor) -> Tensor:
        return _fitting("source", source, x).expand_as(x)


@dataclass(frozen=True, eq=False)
class ReplaceSubspace(FromRun):
    """x + P (source - x): the part of x in the span of `directions` from another run.

    Source: interchange interventions on subspaces, Geiger et al. 2024 (arXiv:2303.02536).

    Attributes:
        source: as in `Patch`.
        directions: [d] or [k, d]; they need be neither of norm 1 nor orthogonal.
        basis: [rank, d], orthonormal, of the span.
    """

    source: Float[Tensor, "*#batch #seq d"]
    directions: Float[Tensor, "*k d"]
    basis: Float[Tensor, "rank d"] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "basis", _span(self.directions))

    def put(self, source: Tensor, x: Tensor) -> Tensor:
        exact = _exact(x)
        return (exact + _project(_fitting("source", source, exact) - exact, self.basis)).to(x.dtype)


class Autoencoder(Protocol):
    """What `Splice` needs: an SAE of `course_lib.sae`, or anything that encodes and decodes."""

    def encode(self, x: Tensor) -> Tensor: ...

    def decode(self, z: Tensor) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Splice:
    """What an SAE makes of x in the place of x: x̂, its error x - x̂ dropped or kept.

    With the error kept, and latents not edited, x stays what it is, bit for bit; what the latents
    are changed to is then all that changes. Gradients see the error as a constant. Source: Marks et
    al. 2024, "Sparse Feature Circuits" (arXiv:2403.19647), section 3.

        Splice(sae, keep_error=True, edit=lambda z: z.index_fill(-1, torch.tensor([7]), 0.0))

    Attributes:
        sae: on any device; it computes there, in its own precision.
        edit: changes the latents z [batch, seq, d_sae] before they are decoded; None for no change.
    """

    sae: Autoencoder
    keep_error: bool = False
    edit: Callable[[Tensor], Tensor] | None = None

    def __call__(self, x: Float[Tensor, "*places d"]) -> Float[Tensor, "*places d"]:
        weight = next(self.sae.parameters(), x) if hasattr(self.sae, "parameters") else x
        own = x.to(weight)
        z = self.sae.encode(own)
        x_hat = self._decode(own, z)
        if self.edit is None and not self.keep_error:
            return x_hat.to(x)
        # A copy, so that an edit in place reaches neither x_hat nor what a gradient still needs.
        new = x_hat if self.edit is None else self._decode(own, self.edit(z.clone()))
        if not self.keep_error:
            return new.to(x)
        return x.detach() + (new - x_hat.detach()).to(x)

    def _decode(self, x: Tensor, z: Tensor) -> Tensor:
        if hasattr(self.sae, "reconstruct"):  # a transcoder's skip connection looks at x
            return self.sae.reconstruct(x, z)
        return self.sae.decode(z)


def _fitting(name: str, given: Tensor, x: Tensor) -> Tensor:
    """`given` on x's device and in its dtype; ValueError if it does not broadcast to x's shape."""
    try:
        fits = torch.broadcast_shapes(given.shape, x.shape) == x.shape
    except RuntimeError:
        fits = False
    if not fits:
        raise ValueError(
            f"{name} has shape {list(given.shape)} and the activation {list(x.shape)}; it must "
            "have that shape, or one that broadcasts to it."
        )
    return given.to(x)


def _exact(x: Tensor) -> Tensor:
    """x in single precision at least."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _span(directions: Tensor) -> Float[Tensor, "rank d"]:
    """An orthonormal basis of the span, in double precision."""
    rows = torch.atleast_2d(validate.finite("directions", directions).detach())
    if rows.ndim != 2 or rows.numel() == 0:
        raise ValueError(f"directions has shape {list(rows.shape)}; it must be [d] or [k, d].")
    _, size, basis = torch.linalg.svd(rows.double(), full_matrices=False)
    basis = basis[size > size.max() * max(rows.shape) * torch.finfo(rows.dtype).eps]
    if len(basis) == 0:
        raise ValueError("directions are all 0; give at least one that is not.")
    return basis


def _project(x: Tensor, basis: Float[Tensor, "rank d"]) -> Tensor:
    if x.shape[-1] != basis.shape[-1]:
        raise ValueError(
            f"directions has d = {basis.shape[-1]} and the activation {x.shape[-1]}; they must be "
            "equal."
        )
    basis = basis.to(x)
    return x @ basis.T @ basis
