"""Spectral: a convolutional dictionary of functions, the same on every grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from course_lib import validate
from course_lib.sae.base import SAE
from course_lib.sae.start import center

if TYPE_CHECKING:
    from jaxtyping import Complex, Float


class SpectralSAE(SAE):
    """x̂(t) = b + Σ_j ∫ d_j(t - s) z_j(s) ds, for periodic functions x(t), t in [0, 1).

    Atoms d_j and encoder filters e_j are functions, kept as Fourier coefficients up to frequency
    modes - 1, so that the same weights serve any grid. Codes are functions, too:
    pre_j(s) = ∫ e_j(t - s) (x(t) - b) dt + b_enc,j. Of these the k latents with the highest peaks
    are kept, each at its peak alone: z_j is a point of mass z_j at s_j. That says which concepts
    are there and where, and does not count points of the grid.
    Source: "Sparse Autoencoder Neural Operators: Model Recovery in Function Spaces"
    (arXiv:2509.03738), the SAE with Fourier neural operators; that a latent fires at one place
    only is ours.

    With `lift`, x is first lifted to that many channels, one number each, atoms and filters have
    as many, and a second such map projects back: what is computed could be computed without, how
    it is learnt changes (there, section on lifting as a preconditioner).

    Args:
        modes: frequencies kept, 0 to modes - 1; a grid needs at least 2 · modes - 1 points.
        d_sae: number of atoms.
        k: active latents per function.
        lift: channels, or None for no lifting.
        n_instances, decoder_norm, seed: as in `SAE`.

    Attributes:
        W_dec, W_enc: as in `SAE` with d_in = (lift or 1) · (2 · modes - 1) coordinates of an
            orthonormal basis: per channel 1, √2 cos 2πft for f = 1 …, √2 sin 2πft for f = 1 ….
        b_dec: [*n_instances, 1], the constant b.
        lifting, projection: [*n_instances, lift], or None.
    """

    resamples = False

    def __init__(
        self,
        modes: int,
        d_sae: int,
        k: int,
        *,
        lift: int | None = None,
        n_instances: int | None = None,
        decoder_norm: str = "unit",
        seed: int = 0,
    ) -> None:
        self.n_coordinates = 2 * validate.positive_int("modes", modes) - 1
        channels = 1 if lift is None else validate.positive_int("lift", lift)
        super().__init__(
            channels * self.n_coordinates, d_sae, n_instances=n_instances,
            decoder_norm=decoder_norm, seed=seed,
        )  # fmt: skip
        self.modes, self.lift = modes, lift
        self.k = validate.positive_int("k", k)
        if k > d_sae:
            raise ValueError(f"k is {k}; it must be at most d_sae = {d_sae}.")
        self.b_dec = nn.Parameter(torch.zeros(*self.lead, 1))
        for name in ("lifting", "projection"):
            even = torch.full((*self.lead, channels), channels**-0.5)
            self.register_parameter(name, nn.Parameter(even) if lift else None)

    def pre_activations(
        self, x: Float[Tensor, "*n_instances batch grid"]
    ) -> Float[Tensor, "*n_instances batch grid d_sae"]:
        """∫ e_j(t - s) (x(t) - b) dt + b_enc,j at every s of the grid.

        Raises ValueError when the grid is too coarse for the modes.
        """
        self._check_input(x)
        spectrum = torch.fft.rfft(x - self.b_dec[..., None, :], norm="forward")
        spectrum = spectrum[..., : self.modes, None] * self._filters().conj()
        pre = torch.fft.irfft(spectrum, n=x.shape[-1], dim=-2, norm="forward")
        return pre + self.b_enc[..., None, None, :]

    def _check_input(self, x: Tensor) -> None:
        self._check_alike("x", x)
        fits = x.ndim == 2 or (x.ndim == 3 and (len(x),) == self.lead)
        if not fits or x.shape[-1] < self.n_coordinates:
            wanted = " or ".join(f"[{n}batch, grid]" for n in ("", *(f"{n}, " for n in self.lead)))
            raise ValueError(
                f"x has shape {list(x.shape)}; it must be {wanted} with at least "
                f"{self.n_coordinates} points, as {self.modes} modes need."
            )

    def activate(
        self, pre: Float[Tensor, "*n_instances batch grid d_sae"]
    ) -> Float[Tensor, "*n_instances batch grid d_sae"]:
        """Each latent's peak over the grid, through a ReLU, for the k latents with the highest."""
        peak, place = pre.max(dim=-2, keepdim=True)
        values, latents = peak.topk(self.k, dim=-1)
        kept = torch.zeros_like(peak).scatter(-1, latents, values.relu())
        return torch.zeros_like(pre).scatter(-2, place, kept)

    def decode(
        self, z: Float[Tensor, "*n_instances batch grid d_sae"]
    ) -> Float[Tensor, "*n_instances batch grid"]:
        """Every atom where its latent's mass is: a convolution, by Fourier transform."""
        masses = torch.fft.rfft(z, dim=-2)[..., : self.modes, :]
        spectrum = (masses * self._atoms()).sum(dim=-1)
        x = torch.fft.irfft(spectrum, n=z.shape[-2], norm="forward")
        return x + self.b_dec[..., None, :]

    @torch.no_grad()
    def atoms(self, n_points: int) -> Float[Tensor, "*n_instances d_sae n_points"]:
        """The atoms on a grid, as `decode` writes them at place 0."""
        return torch.fft.irfft(self._atoms().squeeze(-3).mT, n=n_points, norm="forward")

    def _atoms(self) -> Complex[Tensor, "*n_instances 1 modes d_sae"]:
        return self._spectra(self.W_dec, self.projection)

    def _filters(self) -> Complex[Tensor, "*n_instances 1 modes d_sae"]:
        return self._spectra(self.W_enc.mT, self.lifting)

    def _spectra(self, W: Tensor, weight: Tensor | None) -> Tensor:
        if weight is not None:
            channels = W.unflatten(-1, (-1, self.n_coordinates))
            W = (weight[..., None, :, None] * channels).sum(dim=-2)
        constant, cos, sin = W.mT.split([1, self.modes - 1, self.modes - 1], dim=-2)
        real = torch.cat([constant, cos * 0.5**0.5], dim=-2)
        imaginary = torch.cat([torch.zeros_like(constant), -sin * 0.5**0.5], dim=-2)
        return torch.complex(real, imaginary).unsqueeze(-3)

    def reconstruction_loss(self, target: Tensor, z: Tensor, x_hat: Tensor) -> Tensor:
        """Mean over the batch of ∫ (x - x̂)² dt, the same on every grid."""
        return (target - x_hat).square().mean(dim=(-2, -1))

    @torch.no_grad()
    def start(self, how: str, *batch: Tensor) -> None:
        self.b_dec.copy_(center(batch[0].mean(dim=-1, keepdim=True), how))


def resample_grid(x: Float[Tensor, "*batch grid"], n_points: int) -> Float[Tensor, "*batch n"]:
    """Periodic functions on another grid, by their Fourier series up to what both grids carry.

    Exact for functions without frequencies of half the coarser grid or above.
    """
    validate.tensors("floating", x=(x, "*batch grid"))
    validate.positive_int("n_points", n_points)
    carried = (min(x.shape[-1], n_points) + 1) // 2
    wide = x.to(torch.promote_types(x.dtype, torch.float32))  # half precision has no FFT on a CPU
    spectrum = torch.fft.rfft(wide, norm="forward")[..., :carried]
    return torch.fft.irfft(spectrum, n=n_points, norm="forward").to(x.dtype)
