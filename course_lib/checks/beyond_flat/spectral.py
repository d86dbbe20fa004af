"""Exercise 6: a spectral decoder."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

POINTS, LATENTS, MODES = 15, 3, 4
AXES = "batch, n_points"


@exercise("beyond_flat.spectral_decode", "All modes are a convolution")
def make_cases(generator: Generator) -> list[Case]:
    rough = torch.randn(LATENTS, POINTS, generator=generator)
    z = torch.rand(2, POINTS, LATENTS, generator=generator)
    z = z * (torch.rand(z.shape, generator=generator) < 0.3)
    z[0, 2, 0], z[1, 5, 1] = 1.3, 0.8  # so that no input is empty
    series = torch.randn(LATENTS, 2, MODES, generator=generator)
    one = torch.zeros(1, POINTS, LATENTS)
    one[0, 1 + int(torch.randint(POINTS - 2, (), generator=generator)), 1] = 2.0
    return [
        Case(
            "One mass writes its atom there, as high as the mass is large",
            {"z": one, "atoms": rough, "n_modes": POINTS // 2 + 1},
            _decode,
            _judge_convolution,
            "With all modes kept nothing is lost. Follow a mass of 2 at place 3: the atom's value "
            "at place t must appear at place t + 3, and go round at the end of the grid.",
        ),
        Case(
            "With all modes it is the circular convolution, sum by sum",
            {"z": z, "atoms": rough, "n_modes": POINTS // 2 + 1},
            _decode,
            _judge_convolution,
            "Convolution in place is multiplication in frequency: of the transform of z with the "
            "transform of the atoms, both over places, summed over latents.",
        ),
        Case(
            "With fewer modes only the lowest frequencies are written",
            {"z": z, "atoms": rough, "n_modes": MODES},
            _decode,
            _judge_modes,
            "n_modes frequencies are kept, the constant among them: 0, 1, …, n_modes - 1.",
        ),
        Case(
            "The same masses write the same function on a grid three times as fine",
            {"z": z, "series": series},
            _two_grids,
            _judge_grids,
            "Masses do not get smaller when the grid gets finer, so nothing may be divided by the "
            "number of points but what the inverse transform divides by itself.",
        ),
    ]


def _decode(attempt: Callable, z: Tensor, atoms: Tensor, n_modes: int) -> Any:
    return attempt(z, atoms, n_modes)


def _two_grids(attempt: Callable, z: Tensor, series: Tensor) -> Any:
    fine = torch.zeros(len(z), 3 * POINTS, LATENTS)
    fine[:, ::3] = z
    coarse = attempt(z, _functions(series, POINTS), MODES)
    return coarse, attempt(fine, _functions(series, 3 * POINTS), MODES)


def _functions(series: Tensor, n_points: int) -> Tensor:
    """Smooth atoms [latent, n_points], from cosines and sines of the lowest frequencies."""
    t = 2 * math.pi * torch.arange(n_points)[:, None] * torch.arange(MODES) / n_points
    return series[:, 0] @ t.cos().T + series[:, 1] @ t.sin().T


def _by_definition(z: Tensor, atoms: Tensor) -> Tensor:
    """x(t) = sum over latents j and places s of z_j(s) d_j(t - s), one number at a time."""
    batch, n_points, n_latents = z.shape
    x = torch.zeros(batch, n_points, dtype=torch.double)
    for b in range(batch):
        for t in range(n_points):
            for s in range(n_points):
                for j in range(n_latents):
                    x[b, t] += z[b, s, j].double() * atoms[j, (t - s) % n_points].double()
    return x


def _lowest(x: Tensor, n_modes: int) -> Tensor:
    """x with the frequencies from n_modes on taken out: projections on cosines and sines."""
    n_points = x.shape[-1]
    t = 2 * math.pi * torch.arange(n_points, dtype=torch.double) / n_points
    kept = torch.zeros_like(x)
    for f in range(n_modes):
        for wave in ((f * t).cos(), (f * t).sin()):
            size = wave.square().sum()
            if size > 1e-9:
                kept += (x @ wave / size)[:, None] * wave
    return kept


def _judge_convolution(x: Any, z: Tensor, atoms: Tensor, n_modes: int) -> str | None:
    if problem := not_a_tensor(x, z.shape[:2], AXES):
        return problem
    wanted = _by_definition(z, atoms)
    problem = differs(x, wanted, 1e-3)
    if problem:
        mirrored = _by_definition(z.flip(1).roll(1, dims=1), atoms)
        mirrored = mirrored.flip(1).roll(1, dims=1)
        ratio = (x.detach().double() * wanted).sum() / wanted.square().sum()
        if differs(x, mirrored, 1e-3) is None:
            problem += "; yours runs the atoms backwards: that is a correlation"
        elif differs(x, ratio * wanted, 1e-3) is None:
            problem += f"; all of yours is {ratio:.3g} times what it should be"
    return problem


def _judge_modes(x: Any, z: Tensor, atoms: Tensor, n_modes: int) -> str | None:
    if problem := not_a_tensor(x, z.shape[:2], AXES):
        return problem
    whole = _by_definition(z, atoms)
    problem = differs(x, _lowest(whole, n_modes), 1e-3)
    if problem:
        for kept in (n_modes - 1, n_modes + 1):
            if differs(x, _lowest(whole, kept), 1e-3) is None:
                problem += f"; you keep {kept} frequencies, and {n_modes} are asked for"
        if differs(x, whole, 1e-3) is None:
            problem += "; you keep them all"
    return problem


def _judge_grids(outputs: Any, z: Tensor, series: Tensor) -> str | None:
    coarse, fine = outputs
    problem = not_a_tensor(coarse, z.shape[:2], AXES) or not_a_tensor(
        fine, (len(z), 3 * POINTS), AXES
    )
    if problem:
        return problem
    if not coarse.any():
        return "it writes nothing at all on the coarse grid"
    problem = differs(fine[:, ::3], coarse, 1e-3, against="those on the coarse grid")
    if problem:
        scale = (fine[:, ::3] * coarse).sum().item() / coarse.square().sum().item()
        problem += f"; on the fine grid yours are {scale:.2f} times as large"
    return problem or differs(coarse, _by_definition(z, _functions(series, POINTS)), 1e-3)
