"""The fields solve their equations: against kernels, quadrature, and the equation itself."""

import math

import pytest
import torch

from course_lib.data import PhysicsFields
from course_lib.data.fields import REGIMES, STARTS, advection_diffusion, burgers
from course_lib.runtime import generator

X = torch.arange(256, dtype=torch.float64) / 256


def ring_gaussian(centre, variance):
    """A Gaussian of that variance on the ring: the sum over all turns round it."""
    turns = torch.arange(-6, 7, dtype=torch.float64)[:, None]
    return torch.exp(-((X - centre + turns) ** 2) / (2 * variance)).sum(0)


def test_a_bump_travels_and_spreads_like_the_heat_kernel():
    speed, diffusion = torch.tensor([0.7, -1.3, 0.0]), torch.tensor([0.01, 0.001, 0.02])
    times = torch.tensor([0.0, 0.3, 2.5], dtype=torch.float64)
    u0 = ring_gaussian(0.3, 0.05**2).expand(3, -1)
    u = advection_diffusion(u0, speed.double(), diffusion.double(), times)
    for row, (c, D) in enumerate(zip(speed.double(), diffusion.double(), strict=True)):
        for moment, t in enumerate(times):
            variance = 0.05**2 + 2 * D * t
            exact = ring_gaussian(0.3 + (c * t) % 1, variance) * 0.05 / variance.sqrt()
            assert torch.allclose(u[row, moment], exact, atol=1e-9)


def test_a_wave_travels_and_decays_at_its_rate():
    c, D, t = 0.4, 0.003, 1.7
    u = advection_diffusion(
        torch.sin(6 * math.pi * X)[None],
        torch.tensor([c]).double(),
        torch.tensor([D]).double(),
        torch.tensor([t]).double(),
    )
    exact = math.exp(-D * (6 * math.pi) ** 2 * t) * torch.sin(6 * math.pi * (X - c * t))
    assert torch.allclose(u[0, 0], exact, atol=1e-7)  # c and D were given in 32 bits


@pytest.mark.parametrize("speed", [0.0, 0.6])
def test_burgers_agrees_with_the_cole_hopf_integral(speed):
    """u(x, t) is the mean of (x - y) / t, weighted by exp(-(G(y) + (x - y)² / 2t) / 2D)."""
    D, t, mean = 0.01, 0.4, 0.2
    u0 = mean + 0.8 * torch.sin(2 * math.pi * X)
    D_, c_, t_ = (torch.tensor([v], dtype=torch.float64) for v in (D, speed, t))
    u = burgers(u0[None], c_, D_, t_)[0, 0]
    y = torch.arange(-4, 5, 1 / 2048, dtype=torch.float64)
    G = mean * y - 0.8 * torch.cos(2 * math.pi * y) / (2 * math.pi)
    away = (X[:, None] - speed * t) - y
    weight = (-(G + away**2 / (2 * t)) / (2 * D)).softmax(1)
    assert torch.allclose(u, (weight * away / t).sum(1), atol=1e-6)


def test_burgers_solves_its_equation_and_keeps_the_mean():
    D, c, h = 0.012, 0.3, 1e-4
    u0 = 0.7 * ring_gaussian(0.5, 0.08**2)
    D_, c_ = (torch.tensor([v], dtype=torch.float64) for v in (D, c))
    times = torch.tensor([0.0, 0.3 - h, 0.3, 0.3 + h], dtype=torch.float64)
    start, before, u, after = burgers(u0[None], c_, D_, times)[0]
    assert torch.allclose(start, u0, atol=1e-6)
    waves, k = torch.fft.rfft(u), 2 * math.pi * torch.arange(129)
    u_x, u_xx = torch.fft.irfft(1j * k * waves, n=256), torch.fft.irfft(-(k**2) * waves, n=256)
    residual = (after - before) / (2 * h) + (c + u) * u_x - D * u_xx
    assert residual.abs().max() < 1e-3 * (u * u_x).abs().max()
    assert torch.allclose(u.mean(), u0.mean(), atol=1e-8)


def test_a_shock_steepens_a_flow_flattens_and_a_travelling_wave_keeps_its_shape():
    def steepest(regime):
        u = PhysicsFields(regimes=[regime], starts=["sine"]).sample(64, generator(0)).u
        return u.diff(dim=-1).abs().amax(-1)

    shock, flow, wave = (steepest(regime) for regime in ("shock", "diffusive", "travelling"))
    assert (shock.amax(1) > 1.15 * shock[:, 0]).float().mean() > 0.9
    assert (flow.diff(dim=1) < 0).all()
    assert (wave[:, -1] > 0.8 * wave[:, 0]).all()


def test_parameters_lie_in_the_range_of_their_regime():
    fields = PhysicsFields().sample(3_000, generator(0))
    assert fields.u.shape == (3_000, 16, 64) and fields.u.isfinite().all()
    ranges = {
        "diffusive": ((0.0, 0.2), (0.005, 0.02)),
        "travelling": ((0.5, 1.5), (1e-4, 1e-3)),
        "shock": ((0.0, 0.0), (0.01, 0.02)),
    }
    for index, regime in enumerate(REGIMES):
        mine = fields.regime == index
        assert abs(mine.float().mean() - 1 / 3) < 4.5 * (2 / 9 / 3_000) ** 0.5
        for (low, high), values in zip(
            ranges[regime], (fields.speed[mine].abs(), fields.diffusion[mine]), strict=True
        ):
            assert low - 1e-7 <= values.min() <= low + 0.1 * (high - low)
            assert high - 0.1 * (high - low) <= values.max() <= high + 1e-7
    top = fields.u[:, 0].abs().amax(1)
    assert top.min() > 0.45 and top.max() <= 1.0
    bump = fields.start == STARTS.index("bump")
    assert (fields.u[bump, 0] >= -1e-6).all() and fields.u[~bump, 0].amin(1).max() < 0


def test_each_field_follows_its_own_speed_and_diffusion():
    fields = PhysicsFields(regimes=["travelling", "diffusive"]).sample(16, generator(2))
    times = 0.05 * torch.arange(16, dtype=torch.float64)
    again = advection_diffusion(
        fields.u[:, 0].double(), fields.speed.double(), fields.diffusion.double(), times
    )
    assert torch.allclose(again.float(), fields.u, atol=1e-5)
    first = PhysicsFields().sample(8, generator(5)).u
    assert torch.equal(first, PhysicsFields().sample(8, generator(5)).u)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: PhysicsFields(16), ValueError, "n_space is 16"),
        (lambda: PhysicsFields(regimes=["laminar"]), ValueError, "regimes is 'laminar'"),
        (lambda: PhysicsFields(starts=[]), ValueError, "must each name one at least"),
        (lambda: PhysicsFields(dt=-1.0), ValueError, "dt is -1.0"),
        (
            lambda: burgers(
                torch.sin(2 * math.pi * X)[None],
                torch.zeros(1),
                torch.tensor([1e-3]),
                torch.ones(1).double(),
            ),
            ValueError,
            r"diffusion\[0\] is 0.001; for this u0 it must be at least 0.00637",
        ),
    ],
)
def test_bad_arguments_are_named_with_their_value(build, error, message):
    with pytest.raises(error, match=message):
        build()
