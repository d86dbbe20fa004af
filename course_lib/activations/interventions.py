"""What to do to an activation: small functions [batch, seq, d] -> the same shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from typing_extensions import Self


class Autoencoder(Protocol):
    """What `Splice` and `ClampLatent` need of an SAE."""

    def encode(self, x: Tensor) -> Tensor: ...

    def decode(self, z: Tensor) -> Tensor: ...


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
class _InSubspace:
    """The span of some directions; they need be neither of norm 1 nor orthogonal."""

    directions: Float[Tensor, "*k d"]
    basis: Float[Tensor, "rank d"] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rows = torch.atleast_2d(validate.finite("directions", self.directions).detach())
        if rows.ndim != 2:
            raise ValueError(f"directions has shape {list(rows.shape)}; it must be [d] or [k, d].")
        _, size, basis = torch.linalg.svd(rows.double(), full_matrices=False)
        basis = basis[size > size.max() * max(rows.shape) * torch.finfo(rows.dtype).eps]
        if len(basis) == 0:
            raise ValueError("directions are all 0; give at least one that is not.")
        object.__setattr__(self, "basis", basis)

    def project(self, x: Float[Tensor, "*places d"]) -> Float[Tensor, "*places d"]:
        """The part of x in the subspace; x in single precision at least."""
        if x.shape[-1] != self.basis.shape[-1]:
            raise ValueError(
                f"directions has d = {self.basis.shape[-1]} and the activation {x.shape[-1]}; "
                "they must be equal."
            )
        basis = self.basis.to(x)
        return x @ basis.T @ basis


@dataclass(frozen=True, eq=False)
class ProjectOut(_InSubspace):
    """x - P (x - mean), with P on the span of `directions` [d] or [k, d].

    Attributes:
        mean: [d], of which the part in the span stays; 0 if None.
    """

    mean: Float[Tensor, " d"] | None = None

    def __call__(self, x: Float[Tensor, "*places d"]) -> Float[Tensor, "*places d"]:
        exact = _exact(x)
        offset = 0.0 if self.mean is None else _fitting("mean", self.mean, exact)
        return (exact - self.project(exact - offset)).to(x.dtype)


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
        validate.shape("direction", validate.finite("direction", self.direction), ("d",))
        if not self.direction.any():
            raise ValueError("direction is all 0; it must point somewhere.")

    def __call__(self, x: Float[Tensor, "*places d"]) -> Float[Tensor, "*places d"]:
        exact = _exact(x)
        unit = _fitting("direction", self.direction, exact)
        unit = unit / unit.norm()
        value = self.value
        if isinstance(value, Tensor):
            value = _fitting("value", value, exact[..., 0])
        return (exact + (value - exact @ unit)[..., None] * unit).to(x.dtype)


@dataclass(frozen=True, eq=False)
class _FromRun:
    """Takes activations from another run, each from its own position.

    Attributes:
        source: [batch, seq, d] as it was recorded, or with a size of 1, or [d], for one and the
            same everywhere.
    """

    source: Float[Tensor, "*#batch #seq d"]

    def at(self, positions: Int[Tensor, " seq"]) -> Self:
        """The same for an activation that has these positions alone."""
        source = self.source
        if source.ndim < 2 or source.shape[-2] == 1:
            return self
        if len(positions) and int(positions.max()) >= source.shape[-2]:
            raise ValueError(
                f"source has {source.shape[-2]} positions and none for position "
                f"{int(positions.max())}; choose positions that both runs have."
            )
        return replace(self, source=source.index_select(-2, positions.to(source.device)))


@dataclass(frozen=True, eq=False)
class Patch(_FromRun):
    """The activation of another run in the place of x."""

    def __call__(self, x: Float[Tensor, "*places d"]) -> Float[Tensor, "*places d"]:
        return _fitting("source", self.source, x).expand_as(x)


@dataclass(frozen=True, eq=False)
class ReplaceSubspace(_FromRun):
    """x + P (source - x): the part of x in the span of `directions` from another run."""

    directions: Float[Tensor, "*k d"] = None
    _span: _InSubspace = field(init=False, repr=False)
