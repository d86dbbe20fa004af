"""Small vocabularies that several checks draw."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def normal(generator: Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.double)


def random_map(generator: Generator, d: int, condition: float) -> Tensor:
    """An invertible matrix of this condition number, between two random rotations."""
    left, right = (torch.linalg.qr(normal(generator, d, d)).Q for _ in range(2))
    return left * condition ** torch.linspace(0.5, -0.5, d, dtype=torch.double) @ right


def inner_by_whitening(W_U: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """aᵀ Cov(γ)⁻¹ b between rows, by forward substitution in a triangular root."""
    root = torch.linalg.cholesky(torch.cov(W_U.double().T, correction=0))
    a, b = (torch.linalg.solve_triangular(root, v.double().T, upper=False) for v in (a, b))
    return a.T @ b
