"""Spectral: an SAE for functions, whose latents are functions too, on any grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from course_lib import runtime, validate
from course_lib.sae.base import SAE, Loss

if TYPE_CHECKING:
    from jaxtyping import Bool, Complex, Float


class SpectralSAE(SAE):
    """z_j = ReLU(w_enc,j * (x - b_dec) + b_enc,j),  x̂ = Σ_j w_dec,j * z_j + b_dec.

    x, z_j and x̂ are functions on the circle, * is circular convolution, and the kernels are
    stored by their Fourier coefficients up to `modes`, so that the same weights apply on any grid.
    With as many modes as a grid has, it is an ordinary convolutional SAE on that grid. Lifting
    writes each kernel as Σ_c p_c w_jc over `lift` channels, a linear map before coding: the same
    functions in another parametrisation, which acts as a preconditioner. Source: "SAE Neural
    Operators" (arXiv:2509.03738).

    Integrals over the circle are means over the grid. The loss is the mean over t of the squared
    error, with l1_coefficient · Σ_j mean_t z_j; kernels of the decoder have mean square 1.

    Args:
        modes: frequencies 0 … modes - 1 are kept; a grid needs at least 2 · modes - 1 points.
        d_sae: number of latent functions.
        l1_coefficient: weight of the penalty; a number or one per instance.
        lift: number of channels.
        n_instances, seed: as in `SAE`.

    Attributes:
        W_enc, W_dec: [*n_instances, d_sae, lift, modes, 2], real and imaginary parts.
        P_enc, P_dec: [*n_instances, lift], the linear maps into the channels and back.
        b_enc: [*n_instances, d_sae]; b_dec: [*n_instances, 1], a constant function.
    """

    coefficient = "l1_coefficient"
    varying = ("l1_coefficient",)

    def __init__(
        self,
        modes: int,
        d_sae: int,
        l1_coefficient: float | Sequence[float] = 1.0,
        *,
        lift: int = 1,
        n_instances: int | None = None,
        seed: int = 0,
    ) -> None:
        nn.Module.__init__(self)
        self.modes = validate.positive_int("modes", modes)
        self.d_sae = validate.positive_int("d_sae", d_sae)
        self.lift = validate.positive_int("lift", lift)
        self.n_instances = n_instances
        if n_instances is not None:
            validate.positive_int("n_instances", n_instances)
        self.register_buffer("l1_coefficient", self.per_instance("l1_coefficient", l1_coefficient))
        generator = runtime.generator(seed)
        W = torch.randn(*self.lead, d_sae, lift, modes, 2, generator=generator)
        self.W_dec, self.W_enc = nn.Parameter(W), nn.Parameter(W.clone())
        P = torch.randn(*self.lead, lift, generator=generator) if lift > 1 else torch.ones(1)
        P = P.expand(*self.lead, lift) / P.norm(dim=-1, keepdim=True)
        self.P_dec, self.P_enc = nn.Parameter(P.clone()), nn.Parameter(P.clone())
        self.b_enc = nn.Parameter(torch.zeros(*self.lead, d_sae))
        self.b_dec = nn.Parameter(torch.zeros(*self.lead, 1))
        self.constrain()
        with torch.no_grad():
            self.W_enc.copy_(self.W_dec)

    def kernels(
        self, W: Float[Tensor, "*n_instances d_sae lift modes 2"], P: Tensor
    ) -> Complex[Tensor, "*n_instances d_sae modes"]:
        """Fourier coefficients of the kernels w_j = Σ_c P_c w_jc."""
        return torch.view_as_complex((P[..., None, :, None, None] * W).sum(dim=-3))

    def spectrum(self, x: Float[Tensor, "*batch n_points"]) -> Complex[Tensor, "*batch modes"]:
        """Fourier coefficients 0 … modes - 1 of functions on a grid, whatever its size.

        Raises ValueError when the grid is too coarse for that many.
        """
        if x.shape[-1] < 2 * self.modes - 1:
            raise ValueError(
                f"x has {x.shape[-1]} points; {self.modes} modes need at least "
                f"{2 * self.modes - 1}."
            )
        return torch.fft.rfft(x, norm="forward")[..., : self.modes]

    def pre_activations(
        self, x: Float[Tensor, "*n_instances batch n_points"]
    ) -> Float[Tensor, "*n_instances batch n_points d_sae"]:
        """w_enc,j (correlated with) x - b_dec, plus b_enc: how well atom j fits at each place."""
        centred = self.spectrum(x - self.b_dec[..., None, :])
        kernel = self.kernels(self.W_enc, self.P_enc).conj()
        product = centred[..., None, :] * kernel[..., None, :, :]
        fit = torch.fft.irfft(product, n=x.shape[-1], norm="forward").mT
        return fit + self.b_enc[..., None, None, :]

    def activate(self, pre: Tensor) -> Tensor:
        return torch.relu(pre)

    def decode(
        self, z: Float[Tensor, "*n_instances batch n_points d_sae"]
    ) -> Float[Tensor, "*n_instances batch n_points"]:
        kernel = self.kernels(self.W_dec, self.P_dec)
        product = (self.spectrum(z.mT) * kernel[..., None, :, :]).sum(dim=-2)
        x_hat = torch.fft.irfft(product, n=z.shape[-2], norm="forward")
        return x_hat + self.b_dec[..., None, :]

    def sparsity_loss(self, z: Tensor, pre: Tensor) -> Float[Tensor, "*n_instances"]:
        return self.l1_coefficient * z.mean(dim=-2).sum(dim=-1).mean(dim=-1)

    def loss(
        self,
        x: Float[Tensor, "*n_instances batch n_points"],
        target: None = None,
        *,
        dead: Bool[Tensor, "*n_instances d_sae"] | None = None,
    ) -> Loss:
        """Means over the grid where `SAE.loss` has sums, so that no term depends on its size."""
        loss = super().loss(x)
        loss.terms["reconstruction"] = loss.terms["reconstruction"] / x.shape[-1]
        return loss

    def prepare_gradients(self) -> None:
        """Nothing to do: `constrain` alone holds the norms."""

    @torch.no_grad()
    def constrain(self) -> None:
        """Decoder kernels back to mean square 1."""
        kernel = self.kernels(self.W_dec, self.P_dec).abs().square()
        mean_square = kernel[..., 0] + 2 * kernel[..., 1:].sum(dim=-1)
        self.W_dec /= mean_square.clamp_min(1e-24).sqrt()[..., None, None, None]

    @torch.no_grad()
    def start(self, how: str, *batch: Tensor) -> None:
        """Put b_dec at the mean of the functions ("mean") or at 0 ("zero")."""
        if validate.choice("center", how, ("mean", "zero")) == "mean":
            self.b_dec.fill_(batch[0].mean())

    def revive(self, latents: Tensor, directions: Tensor, size: float) -> None:
        raise ValueError("resample_every is set; functions have no rows to resample from.")
