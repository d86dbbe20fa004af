"""Small worlds for probes."""

import torch

from course_lib import runtime


def gaussian(n=400, d=8, m=(), classes=2, noise=1.0, seed=0, dtype=torch.float64):
    """x [n, d] of correlated features, and m labellings of it, linear up to noise."""
    generator = runtime.generator(seed)
    x = torch.randn(n, d, generator=generator, dtype=torch.float64)
    x = x @ torch.randn(d, d, generator=generator, dtype=torch.float64) + 1
    W = torch.randn(*m, classes, d, generator=generator, dtype=torch.float64) / d**0.5
    scores = (x - 1) @ W.mT
    scores = scores + noise * torch.randn(scores.shape, generator=generator, dtype=torch.float64)
    return x.to(dtype), scores.argmax(-1)


def rotation(d, seed=1):
    return torch.linalg.qr(
        torch.randn(d, d, generator=runtime.generator(seed), dtype=torch.float64)
    ).Q


def affine(d, seed=2):
    """A matrix of condition number about 100 and an offset."""
    generator = runtime.generator(seed)
    scale = torch.logspace(-1, 1, d, dtype=torch.float64)
    A = rotation(d, seed) * scale @ rotation(d, seed + 1)
    return A, torch.randn(d, generator=generator, dtype=torch.float64)
