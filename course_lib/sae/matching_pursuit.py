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

ROUNDING = 16  # in units of the last place of ‖x - b_dec‖: a fit below is that of no latent


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
        """Every step of the pursuit of x; `steps` instead of the number the SAE was made with.

        Ends early when all inputs have stopped.
        """
        return Pursuit(*map(torch.stack, self._steps(x, steps)))

    def _steps(self, x: Tensor, steps: int | None) -> tuple[list[Tensor], ...]:
        """Latents, values and residuals, step by step."""
        self._check_input(x)
        steps = self.steps if steps is None else validate.positive_int("steps", steps)
        r = x - (self.b_dec[:, None] if self.lead else self.b_dec)
        latents, values, residuals = [], [], [r]
        with torch.no_grad():
            rounding = ROUNDING * torch.finfo(r.dtype).eps * r.norm(dim=-1)
            fit = (r @ self.W_enc).to(r)  # d_j · r of every latent
            # Products of latents carry the fits on; where they are fewer than those, that is cheap.
            few = steps > 1 and self.W_dec[..., 0].numel() <= fit[..., 0].numel()
            overlap = self.W_dec @ self.W_enc if few else None
        for _ in range(steps):
            with torch.no_grad():
                best, latent = fit.max(dim=-1)
                going = (best > rounding) & (r.norm(dim=-1) > self.tol)
            row = self._rows(self.W_dec, latent)
            value = torch.where(going, (r * row).sum(dim=-1), 0.0).relu()
            r = r - value[..., None] * row
            latents.append(latent)
            values.append(value)
            residuals.append(r)
            if len(values) == steps or not going.any():
                break
            with torch.no_grad():
                if overlap is None:
                    fit = r @ self.W_enc
                else:
                    fit.addcmul_(value[..., None], self._rows(overlap, latent), value=-1)
        return latents, values, residuals

    def _rows(self, table: Tensor, latent: Int[Tensor, "*n_instances batch"]) -> Tensor:
        if not self.lead:
            return table[latent]
        return table.gather(1, latent[..., None].expand(*latent.shape, table.shape[-1]))

    def encode(
        self, x: Float[Tensor, "*n_instances batch d_in"], steps: int | None = None
    ) -> Float[Tensor, "*n_instances batch d_sae"]:
        """Latents z after at most `steps` steps."""
        latents, values, _ = self._steps(x, steps)
        return self._latents(latents, values)

    def _latents(
        self, latents: list[Tensor], values: list[Tensor]
    ) -> Float[Tensor, "*n_instances batch d_sae"]:
        z = values[0].new_zeros(*values[0].shape, self.d_sae)
        return z.scatter_add(-1, torch.stack(latents, dim=-1), torch.stack(values, dim=-1))

    def loss(
        self,
        x: Float[Tensor, "*n_instances batch d_in"],
        target: Float[Tensor, "*n_instances batch d_in"] | None = None,
        *,
        dead: Bool[Tensor, "*n_instances d_sae"] | None = None,
    ) -> Loss:
        if target is not None:
            raise ValueError("target is given; a pursuit can only rebuild its own input.")
        latents, values, residuals = self._steps(x, None)
        z, x_hat = self._latents(latents, values), x - residuals[-1]
        return Loss({"reconstruction": self.reconstruction_loss(x, z, x_hat)}, x_hat, z)

    @torch.no_grad()
    def fold_scale(self, scale: float) -> None:
        super().fold_scale(scale)
        self.tol /= scale

    @torch.no_grad()
    def revive(self, latents: Tensor, directions: Tensor, size: float) -> None:
        self.W_dec[latents] = directions
