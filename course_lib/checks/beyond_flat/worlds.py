"""Dictionaries and inputs that the checks of this chapter share, and a pursuit in slow motion."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor


def unit_rows(n: int, d: int, generator: Generator) -> Tensor:
    """Random rows of norm 1."""
    rows = torch.randn(n, d, generator=generator)
    return rows / rows.norm(dim=-1, keepdim=True)


def there_and_back(generator: Generator) -> tuple[Tensor, Tensor]:
    """Atoms [3, 2] and inputs [4, 2] that are taken to atom 0, then 1, then 0 again.

    Atoms 0 and 1 stand at an obtuse angle, so that what atom 1 takes away leaves a rest along
    atom 0; atom 2 points away from all of it.
    """
    turn = 2 * math.pi * torch.rand((), generator=generator).item()
    angles = torch.tensor([0.0, 2.0, -2.4]) + turn
    atoms = torch.stack([angles.cos(), angles.sin()], dim=-1)
    towards = turn + 0.5 + 0.3 * torch.rand(4, generator=generator)
    length = 1 + torch.rand(4, 1, generator=generator)
    return atoms, length * torch.stack([towards.cos(), towards.sin()], dim=-1)


def slow_pursuit(x: Tensor, D: Tensor, n_steps: int) -> tuple[Tensor, Tensor, list[list[int]]]:
    """z [batch, n_atoms], what is left [batch, d_in], and the atoms taken, input by input.

    In double precision, number by number; rows of D have norm 1.
    """
    z = torch.zeros(len(x), len(D), dtype=torch.double)
    left, taken = x.double().clone(), []
    for s in range(len(x)):
        atoms: list[int] = []
        for _ in range(n_steps):
            best, most = 0, -math.inf
            for j in range(len(D)):
                along = sum((D[j].double() * left[s]).tolist())
                if along > most:
                    best, most = j, along
            if most <= 0:
                break
            z[s, best] += most
            left[s] -= most * D[best].double()
            atoms.append(best)
        taken.append(atoms)
    return z, left, taken
