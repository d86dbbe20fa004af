"""Physics in one dimension: what flows, spreads and steepens on a ring, solved exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float, Int

REGIMES = ("diffusive", "travelling", "shock")
STARTS = ("bump", "sine")
FINER = 4  # the fields are computed on a grid this much finer than the one that is returned
STEEPEST = 25.0  # exp of this is as far as the Cole-Hopf transform goes in 64 bits


@dataclass(frozen=True)
class Fields:
    """Fields over time on a ring of length 1.

    Attributes:
        u: [batch, time, space].
        speed, diffusion: [batch], c and D of each field's equation; c is 0 for shocks, whose every
            height travels at its own speed.
        regime, start: [batch], indices into `REGIMES` and `STARTS`.
    """

    u: Float[Tensor, "batch time space"]
    speed: Float[Tensor, " batch"]
    diffusion: Float[Tensor, " batch"]
    regime: Int[Tensor, " batch"]
    start: Int[Tensor, " batch"]


class PhysicsFields:
    """Random fields that spread out, travel, or steepen into shocks.

    | planted          | where                        | law                                    |
    |------------------|------------------------------|----------------------------------------|
    | regime           | `Fields.regime`              | any of `regimes`, equally likely       |
    | its equation     | `REGIMES`                    | see below                              |
    | speed, diffusion | `Fields.speed`, `.diffusion` | uniform in the regime's range          |
    | the first field  | `Fields.start`               | any of `starts`, height 0.5 to 1       |

    *diffusive*: u_t + c u_x = D u_xx with |c| at most 0.2 and D from 0.005 to 0.02. *travelling*:
    the same with |c| from 0.5 to 1.5 and D from 0.0001 to 0.001. *shock*: Burgers' equation,
    u_t + u u_x = D u_xx, D from 0.01 to 0.02. A *bump* is a Gaussian of width 0.04 to 0.1, a *sine*
    one or two waves; both lie anywhere.

    Space is a ring of length 1, times are 0, dt, 2 dt, … A small stand-in for the simulations of
    Fear et al. 2025, "Physics Steering: Causal Control of Cross-Domain Concepts in a Physics
    Foundation Model".

    Args:
        n_space: points of the ring. n_times: moments, the first is the start. dt: between them.
        regimes, starts: which of `REGIMES` and `STARTS` to draw from.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(
        self,
        n_space: int = 64,
        n_times: int = 16,
        dt: float = 0.05,
        *,
        regimes: Sequence[str] = REGIMES,
        starts: Sequence[str] = STARTS,
    ) -> None:
        self.n_space = validate.positive_int("n_space", n_space, 32)
        self.n_times = validate.positive_int("n_times", n_times)
        self.dt = validate.number("dt", dt, 0.0)
        self.regimes, self.starts = (
            tuple(validate.choice(name, one, allowed) for one in validate.sequence(name, given))
            for name, given, allowed in (("regimes", regimes, REGIMES), ("starts", starts, STARTS))
        )
        if not self.regimes or not self.starts:
            raise ValueError("regimes and starts must each name one at least.")

    def sample(self, batch_size: int, generator: Generator) -> Fields:
        """Draw fields on the generator's device, in the default dtype."""
        validate.positive_int("batch_size", batch_size)
        device = generator.device

        def uniform(low: float, high: float) -> Tensor:
            u = torch.rand(batch_size, generator=generator, device=device, dtype=torch.float64)
            return low + (high - low) * u

        def pick(names: tuple[str, ...], all_names: tuple[str, ...]) -> Tensor:
            index = torch.tensor([all_names.index(name) for name in names], device=device)
            chosen = torch.randint(len(names), (batch_size,), generator=generator, device=device)
            return index[chosen]

        regime, start = pick(self.regimes, REGIMES), pick(self.starts, STARTS)
        sign = 1.0 - 2.0 * (uniform(0, 1) < 0.5).double()
        speeds = torch.stack([uniform(-0.2, 0.2), sign * uniform(0.5, 1.5), 0 * sign])
        diffusions = torch.stack([uniform(0.005, 0.02), uniform(1e-4, 1e-3), uniform(0.01, 0.02)])
        speed, diffusion = (of.gather(0, regime[None])[0] for of in (speeds, diffusions))

        place, height, width = uniform(0, 1), uniform(0.5, 1), uniform(0.04, 0.1)
        waves = 1.0 + (uniform(0, 1) < 0.5).double()
        x = torch.arange(FINER * self.n_space, device=device, dtype=torch.float64)
        away = x / len(x) - place[:, None]
        away = away - away.round()  # the short way round the ring
        first = torch.where(
            start[:, None] == STARTS.index("bump"),
            (-(away**2) / (2 * width[:, None] ** 2)).exp(),
            (2 * torch.pi * waves[:, None] * away).sin(),
        )
        times = self.dt * torch.arange(self.n_times, device=device, dtype=torch.float64)
        u = torch.empty(batch_size, self.n_times, self.n_space, device=device)
        shock = regime == REGIMES.index("shock")
        for which, solve in ((~shock, advection_diffusion), (shock, burgers)):
            if which.any():
                u0 = (height[:, None] * first)[which]
                solution = solve(u0, speed[which], diffusion[which], times)
                u[which] = solution[..., ::FINER].to(u.dtype)
        return Fields(u, speed.to(u.dtype), diffusion.to(u.dtype), regime, start)


def advection_diffusion(
    u0: Float[Tensor, "batch space"],
    speed: Float[Tensor, " batch"],
    diffusion: Float[Tensor, " batch"],
    times: Float[Tensor, " time"],
) -> Float[Tensor, "batch time space"]:
    """Solve u_t + c u_x = D u_xx on a ring of length 1: exact, wave by wave.

    A wave of wavenumber k moves by c t and shrinks by exp(-D k² t); there is no time step.
    """
    factor = _wave_factor(u0.shape[1], speed, diffusion, times)
    return torch.fft.irfft(torch.fft.rfft(u0)[:, None] * factor, n=u0.shape[1])


def burgers(
    u0: Float[Tensor, "batch space"],
    speed: Float[Tensor, " batch"],
    diffusion: Float[Tensor, " batch"],
    times: Float[Tensor, " time"],
) -> Float[Tensor, "batch time space"]:
    """Solve Burgers' equation u_t + (c + u) u_x = D u_xx on a ring of length 1, in 64 bits.

    The Cole-Hopf transform u - mean = -2 D φ_x / φ turns it into the heat equation for φ, seen from
    a frame that moves with c + mean (Cole 1951, Hopf 1950), which is then solved exactly.

    Raises ValueError where D is so small against u0 that φ does not fit into 64-bit numbers.
    """
    u0, n = u0.double(), u0.shape[1]
    mean = u0.mean(1, keepdim=True)
    k = _wavenumbers(n, u0.device)
    waves = torch.fft.rfft(u0 - mean)
    waves[:, 0] = 0
    integral = torch.fft.irfft(waves / (1j * k.clamp(min=1.0)), n=n)
    exponent = -integral / (2 * diffusion.double()[:, None])
    exponent = exponent - exponent.amax(1, keepdim=True)
    if (exponent < -STEEPEST).any():
        worst = int(exponent.amin(1).argmin())
        least = diffusion[worst].item() * -exponent[worst].min().item() / STEEPEST
        raise ValueError(
            f"diffusion[{worst}] is {diffusion[worst].item():.3g}; for this u0 it must be at least "
            f"{least:.3g}."
        )
    frame = speed.double() + mean[:, 0]
    phi_waves = torch.fft.rfft(exponent.exp())[:, None]
    phi_waves = phi_waves * _wave_factor(n, frame, diffusion.double(), times)
    phi, slope = torch.fft.irfft(phi_waves, n=n), torch.fft.irfft(1j * k * phi_waves, n=n)
    return mean[:, None] - 2 * diffusion.double()[:, None, None] * slope / phi


def _wavenumbers(n: int, device: torch.device) -> Float[Tensor, " waves"]:
    return 2 * torch.pi * torch.arange(n // 2 + 1, device=device, dtype=torch.float64)


def _wave_factor(n: int, speed: Tensor, diffusion: Tensor, times: Tensor) -> Tensor:
    """[batch, time, waves]: what each wave is multiplied by until each moment."""
    k, t = _wavenumbers(n, times.device), times[:, None]
    speed, diffusion = (part[:, None, None] for part in (speed, diffusion))
    return torch.exp(-(diffusion * k**2 + 1j * speed * k) * t)
