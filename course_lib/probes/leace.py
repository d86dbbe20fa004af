"""LEACE: the least change of x after which no linear probe reads the concept better than chance.

Source: Belrose, Schneider-Joseph, Ravfogel, Cotterell, Raff & Biderman 2023, "LEACE: Perfect linear
concept erasure in closed form".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from course_lib import runtime, validate
from course_lib.data.sequences import NONE
from course_lib.probes.labels import checked_classes

if TYPE_CHECKING:
    from jaxtyping import Float, Int

TOLERANCE = 1e-7  # a correlation of x and the concept below this, in standard deviations, is noise


@dataclass(frozen=True, eq=False)
class Leace:
    """The map x ↦ mean + (x - mean) P, with P = 1 - read write.

    Attributes:
        mean: [*lead, d_model], of x; it stays where it is.
        read: [*lead, d_model, k] and write: [*lead, k, d_model]; `rank` of their columns and rows
            are not zero, and on those write read is the identity: P is a projection, oblique in
            general.
        rank: [*lead], how many directions are erased: at most K - 1 for K classes.
    """

    mean: Float[Tensor, "*lead d_model"]
    read: Float[Tensor, "*lead d_model k"]
    write: Float[Tensor, "*lead k d_model"]
    rank: Int[Tensor, "*lead"]

    @property
    def projection(self) -> Float[Tensor, "*lead d_model d_model"]:
        """P, which multiplies rows from the right."""
        return torch.eye(self.mean.shape[-1]).to(self.mean) - self.read @ self.write

    def erase(self, x: Float[Tensor, "*lead n d_model"]) -> Float[Tensor, "*lead n d_model"]:
        """x without the concept, in the dtype of x; leading axes broadcast."""
        precise = torch.float32 if x.device.type == "mps" else self.mean.dtype
        mean, read, write = (
            part.to(precise).to(x.device) for part in (self.mean, self.read, self.write)
        )
        centred = x.to(precise) - mean[..., None, :]
        return (x - centred @ read @ write).to(x.dtype)


def _checked_device(device: torch.device | str | None) -> torch.device | None:
    try:
        return None if device is None else runtime.device(str(device))
    except ValueError as error:
        raise ValueError(f"device cannot be used: {error}") from error


class Moments:
    """Means and covariances of x and a concept z, batch by batch, in float64.

    z holds classes (whole numbers or bool, [*lead, n]; -1: this row is not counted) or real values
    ([*lead, n, n_outputs]). Neither the order of the rows nor how they are cut into batches
    matters.
    """

    def __init__(
        self,
        d_model: int,
        n_outputs: int,
        lead: Sequence[int] = (),
        device: torch.device | str = "cpu",
    ) -> None:
        self.d_model = validate.positive_int("d_model", d_model)
        self.n_outputs = validate.positive_int("n_outputs", n_outputs)
        self.lead = tuple(
            validate.positive_int("lead", size, 0) for size in validate.items("lead", lead)
        )
        width, device = d_model + n_outputs, _checked_device(device)
        self.n = torch.zeros(self.lead, dtype=torch.float64, device=device)
        self._mean = torch.zeros(*self.lead, width, dtype=torch.float64, device=device)
        self._scatter = torch.zeros(*self.lead, width, width, dtype=torch.float64, device=device)

    @torch.no_grad()
    def update(
        self,
        x: Float[Tensor, "*lead n d_model"],
        z: Int[Tensor, "*lead n"] | Float[Tensor, "*lead n n_outputs"],
    ) -> Moments:
        """Add a batch, and return self.

        Raises ValueError for shapes that do not fit, NaN, and classes above n_outputs - 1.
        """
        x = validate.finite("x", x)
        targets, there = self._targets(z)
        if x.ndim < 2 or x.shape[-1] != self.d_model or targets.shape[-2] != x.shape[-2]:
            raise ValueError(
                f"x has shape {list(x.shape)} and z {list(z.shape)}; x must be [..., n, "
                f"{self.d_model}] and z [..., n], or [..., n, {self.n_outputs}] for real values."
            )
        size = (*self.lead, x.shape[-2])
        parts = [part.expand(*size, part.shape[-1]) for part in self._own(x, targets)]
        rows, there = torch.cat(parts, -1), self._own(there)[0].expand(size)[..., None]
        n = there.sum((-2, -1))
        mean = (rows * there).sum(-2) / n.clamp(min=1)[..., None]
        centred, apart = (rows - mean[..., None, :]) * there, mean - self._mean
        total = (self.n + n).clamp(min=1)
        self._scatter += centred.mT @ centred
        between = (n * self.n / total)[..., None, None]
        self._scatter += between * apart[..., :, None] * apart[..., None, :]
        self._mean += apart * (n / total)[..., None]
        self.n += n
        return self

    def _own(self, *parts: Tensor) -> list[Tensor]:
        device = self._mean.device  # first, for MPS has no float64
        return [part.to(device).to(self._mean.dtype) for part in parts]

    def _targets(self, z: Tensor) -> tuple[Tensor, Tensor]:
        if not isinstance(z, Tensor):
            raise TypeError(f"z is a {type(z).__name__}; it must be a tensor.")
        if z.is_floating_point():
            if z.ndim < 2 or z.shape[-1] != self.n_outputs:
                raise ValueError(
                    f"z has shape {list(z.shape)}; real values must be [..., n, {self.n_outputs}]."
                )
            return validate.finite("z", z), torch.ones(z.shape[:-1], device=z.device)
        z, n_classes = checked_classes(z)
        if n_classes > self.n_outputs:
            raise ValueError(f"z has the class {n_classes - 1}; n_outputs is {self.n_outputs}.")
        there = z != NONE
        return one_hot(z.where(there, 0), self.n_outputs), there

    def covariance(self) -> tuple[Tensor, Tensor, Tensor]:
        """Of x [*lead, d_model, d_model], of x with z, and of z; divided by the number of rows."""
        full, d = self._scatter / self.n[..., None, None], self.d_model
        return full[..., :d, :d], full[..., :d, d:], full[..., d:, d:]

    def eraser(self, shrinkage: float = 0.0) -> Leace:
        """The eraser of what has been seen.

        With W = cov(x)^(-1/2) and U the left singular vectors of W cov(x, z), it takes out
        W U Uᵀ W⁻¹. On the data seen cov(x_erased, z) = 0, so that under every convex loss the best
        linear probe is a constant, and no other affine map with that property moves x less in mean
        square. Directions in which x does not vary stay as they are. A correlation by chance costs
        a whole direction as well: where nothing was to be found, K - 1 random ones are lost.

        `shrinkage` s puts (1 - s) cov(x) + s (tr cov(x) / d_model) 1 in place of cov(x): the
        guarantee stays, the change is a little above the least, and where rows are few it does less
        harm to new ones. At 1 the projection is orthogonal. With fewer rows than dimensions the
        rows seen can always be erased, by chance correlations too; new rows then still show z.

        Raises ValueError where fewer than two rows were seen or z is the same in all of them.
        """
        shrinkage = validate.number("shrinkage", shrinkage, 0, 1)
        if (self.n < 2).any():
            raise ValueError(f"{int(self.n.min())} rows were seen; update(x, z) with at least two.")
        xx, xz, zz = self.covariance()
        spread = zz.diagonal(dim1=-2, dim2=-1).clamp(min=0).sum(-1).sqrt()
        level = self._mean[..., self.d_model :].norm(dim=-1)
        if (spread <= TOLERANCE * (level + 1e-300)).any():
            raise ValueError("z is the same in all rows seen; there is nothing to erase.")
        eye = torch.eye(self.d_model).to(xx)
        xx = torch.lerp(
            xx, xx.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None] * eye, shrinkage
        )
        values, basis = torch.linalg.eigh(xx)
        smallest = values[..., -1:] * self.d_model * torch.finfo(values.dtype).eps
        root = values.where(values > smallest, 0.0).sqrt()
        inverse = torch.where(root > 0, 1 / root, 0.0)
        U, size, _ = torch.linalg.svd(inverse[..., None] * (basis.mT @ xz), full_matrices=False)
        kept = size > TOLERANCE * spread[..., None]
        U = U * kept[..., None, :]
        read, write = basis @ (inverse[..., None] * U), (basis @ (root[..., None] * U)).mT
        return Leace(self._mean[..., : self.d_model].clone(), read, write, kept.sum(-1))


def leace(
    x: Float[Tensor, "*lead n d_model"],
    z: Int[Tensor, "*lead n"] | Float[Tensor, "*lead n n_outputs"],
    shrinkage: float = 0.0,
) -> Leace:
    """The eraser of z from x, both in memory; `Moments` is the same batch by batch.

    z holds classes [*lead, n] or, as floats, values [*lead, n, n_outputs]; see `Moments.eraser`.
    """
    real = isinstance(z, Tensor) and z.is_floating_point()
    x = validate.finite("x", x)
    if isinstance(z, Tensor):
        validate.plain("z", z)
    if not isinstance(z, Tensor) or x.ndim < 2 or z.ndim < 1 + real or not z.numel():
        raise ValueError("x must be a tensor [..., n, d_model] and z one [..., n] with rows in it.")
    lead = torch.broadcast_shapes(x.shape[:-2], z.shape[: -1 - real])
    n_outputs = z.shape[-1] if real else checked_classes(z)[1]
    if not real and n_outputs > max(2, z.numel()):
        raise ValueError(
            f"z has the label {n_outputs - 1} in {z.numel()} rows; number the classes from 0 on."
        )
    device = "cpu" if x.device.type == "mps" else x.device
    return Moments(x.shape[-1], n_outputs, lead, device).update(x, z).eraser(shrinkage)
