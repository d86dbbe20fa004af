"""Matching pursuit: take the best latent, subtract what it explains, look again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate
from course_lib.sae.base import SAE, Loss

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Pursuit:
    """The steps of a matching pursuit, each on a leading axis.

    Attributes:
        latents: the latent picked at each step.
        values: what was added to it; 0 from the step on at which the pursuit stopped.
        residuals: what was left before the first step and after each.
    """

    latents: Int[Tensor, "steps *n_instances batch"]
    values: Float[Tensor, "steps *n_instances batch"]
    residuals: Float[Tensor, "steps+1 *n_instances batch d_in"]


class MatchingPursuitSAE(SAE):
    """r_0 = x - b_dec; then j = argmax_j d_j · r, z_j += d_j · r, r -= (d_j · r) d_j, and again.

    The rows d_j of W_dec are the encoder, too. Each step leaves a residual that is orthogonal to
    the latent just taken, so that what is picked next is conditional on what was picked before: a
    child direction need not repeat its parent's. How many steps are taken may be chosen anew at
    inference. Source: "From Flat to Hierarchical: Extracting Sparse Representations with Matching
    Pursuit" (arXiv:2506.03093), section 3; Mallat and Zhang 1993.

    Args:
        steps: largest number of steps.
        tol: a pursuit stops where the norm of its residual is below, in units of the activations
            (in training: of the scaled ones).
        d_in, d_sae, n_instances, seed: as in `SAE`. b_enc stays 0, rows of W_dec have norm 1.
    """

    tied = True

    def __init__(
        self,
        d_in: int,
        d_sae: int,
        steps: int,
        tol: float = 0.0,
        *,
        n_instances: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(d_in, d_sae, n_instances=n_instances, seed=seed)
        self.steps = validate.positive_int("steps", steps)
        validate.number("tol", tol, 0.0)
        self.register_buffer("tol", torch.tensor(float(tol)))
        del self.b_enc
        self.register_buffer("b_enc", torch.zeros(*self.lead, d_sae), persistent=False)

    @property
    def W_enc(self) -> Float[Tensor, "*n_instances d_in d_sae"]:
        return self.W_dec.mT

    def activate(self, pre: Tensor) -> Tensor:
        """The first step alone: the one largest pre-activation."""
        value, latent = pre.max(dim=-1, keepdim=True)
        return torch.zeros_like(pre).scatter(-1, latent, value.relu())

    def pursuit(
        self, x: Float[Tensor, "*n_instances batch d_in"], steps: int | None = None
    ) -> Pursuit:
        """Every step of the pursuit of x; `steps` instead of the number the SAE was made with."""
        self._check_input(x)
        steps = self.steps if steps is None else validate.positive_int("steps", steps)
        r = x - (self.b_dec[:, None] if self.lead else self.b_dec)
        latents, values, residuals = [], [], [r]
        for _ in range(steps):
            with torch.no_grad():
                value, latent = (r @ self.W_enc).max(dim=-1)
                going = (value > 0) & (r.norm(dim=-1) > self.tol)
            row = self._rows(latent)
            value = torch.where(going, (r * row).sum(dim=-1), 0.0)
            r = r - value[..., None] * row
            latents.append(latent)
            values.append(value)
            residuals.append(r)
            if not going.any():
                break
        return Pursuit(torch.stack(latents), torch.stack(values), torch.stack(residuals))

    def _rows(self, latent: Int[Tensor, "*n_instances batch"]) -> Tensor:
        if not self.lead:
            return self.W_dec[latent]
        return self.W_dec.gather(1, latent[..., None].expand(*latent.shape, self.d_in))

    def encode(
        self, x: Float[Tensor, "*n_instances batch d_in"], steps: int | None = None
    ) -> Float[Tensor, "*n_instances batch d_sae"]:
        """Latents z after at most `steps` steps."""
        return self._latents(self.pursuit(x, steps))

    def _latents(self, pursuit: Pursuit) -> Float[Tensor, "*n_instances batch d_sae"]:
        latents, values = pursuit.latents.movedim(0, -1), pursuit.values.movedim(0, -1)
        z = values.new_zeros(*values.shape[:-1], self.d_sae)
        return z.scatter_add(-1, latents, values)

    def loss(
        self,
        x: Float[Tensor, "*n_instances batch d_in"],
        target: Float[Tensor, "*n_instances batch d_in"] | None = None,
        *,
        dead: Bool[Tensor, "*n_instances d_sae"] | None = None,
    ) -> Loss:
        if target is not None:
            raise ValueError("target is given; a pursuit can only rebuild its own input.")
        pursuit = self.pursuit(x)
        z, x_hat = self._latents(pursuit), x - pursuit.residuals[-1]
        return Loss({"reconstruction": self.reconstruction_loss(x, z, x_hat)}, x_hat, z)

    @torch.no_grad()
    def fold_scale(self, scale: float) -> None:
        super().fold_scale(scale)
        self.tol /= scale

    @torch.no_grad()
    def revive(self, latents: Tensor, directions: Tensor, size: float) -> None:
        self.W_dec[latents] = directions
