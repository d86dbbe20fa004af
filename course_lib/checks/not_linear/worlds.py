"""What the exercises on circles and planes share."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor


def turned(n: int, frequency: int) -> Tensor:
    """(cos, sin) of n places of a circle, [n, 2]."""
    angle = [2 * math.pi * frequency * j / n for j in range(n)]
    return torch.tensor([[math.cos(a), math.sin(a)] for a in angle])


def axes(d: int, generator: Generator, radius: float = 1.0) -> Tensor:
    """Two orthogonal rows of this length, [2, d]."""
    return radius * torch.linalg.qr(torch.randn(d, 2, generator=generator))[0].T


def shares(means: Tensor) -> list[float]:
    """Of each frequency, by least squares on its cosine and sine; they are orthogonal."""
    n = len(means)
    centred = (means - means.mean(0)).double()
    found = []
    for k in range(1, n // 2 + 1):
        basis = turned(n, k).double()
        columns = basis[:, :1] if 2 * k == n else basis
        fitted = columns @ torch.linalg.pinv(columns) @ centred
        found.append((fitted.square().sum() / centred.square().sum()).item())
    return found
