"""Exercise 1: effective features."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

AXES = "n_instances"


@exercise("measuring_superposition.effective_features", "Effective features")
def make_cases(generator: Generator) -> list[Case]:
    z = torch.randn(3, 20, 6, generator=generator).relu()
    z = z * torch.rand(3, 1, 6, generator=generator)
    signed = torch.randn(2, 20, 4, generator=generator)
    spoken = torch.ones(3, 1, 6)
    spoken[0, :, 2], spoken[1, :, :3] = 0.0, 0.0
    silent = z * spoken
    even = torch.eye(8).repeat(2, 3, 1)
    return [
        Case(
            "Each instance has what the definition says",
            {"z": z},
            _call,
            _judge_values,
            "Add up the activity of each latent over the inputs first, one number per latent and "
            "instance; then make the shares, then the entropy, and do not forget the exponential.",
        ),
        Case(
            "Eight latents that take turns are eight effective features",
            {"z": even},
            _call,
            _judge_even,
            "What are the shares when each latent is on equally often? Their entropy is log 8.",
        ),
        Case(
            "A latent that never speaks changes nothing",
            {"z": silent},
            _call,
            _judge_silent,
            "0 log 0 counts as 0. torch.log(0) does not know that.",
        ),
        Case(
            "A negative activation is activity too",
            {"z": signed},
            _call,
            _judge_signed,
            "The definition has |z|: without it positive and negative activity cancel.",
        ),
    ]


def _call(attempt: Any, z: Tensor) -> Any:
    return attempt(z)


def by_definition(z: Tensor) -> Tensor:
    """Term by term."""
    result = []
    for instance in z.double().tolist():
        activity = [sum(abs(row[j]) for row in instance) for j in range(len(instance[0]))]
        shares = [a / sum(activity) for a in activity]
        result.append(math.exp(-sum(p * math.log(p) for p in shares if p > 0)))
    return torch.tensor(result, dtype=torch.double)


def _judge_values(F: Any, z: Tensor) -> str | None:
    if problem := not_a_tensor(F, z.shape[:1], AXES):
        return problem
    expected = by_definition(z)
    problem = differs(F, expected, 1e-3)
    if problem is None:
        return None
    if differs(F, expected.log(), 1e-3) is None:
        return f"{problem}; you have the entropy H, and F is exp H"
    if differs(F, (expected.log() / math.log(2)).exp(), 1e-3) is None:
        return f"{problem}; your entropy is in bits, and the exponential of e needs nats"
    if (z.shape[-1] + 1e-3 < F).any():
        problem += f"; some of yours are above {z.shape[-1]}, the number of latents"
    return problem


def _judge_even(F: Any, z: Tensor) -> str | None:
    if problem := not_a_tensor(F, z.shape[:1], AXES):
        return problem
    worst = F[(F - 8).abs().argmax()].item()
    return None if abs(worst - 8) < 1e-3 else f"eight even latents get {worst:.3f} and not 8"


def _judge_silent(F: Any, z: Tensor) -> str | None:
    if isinstance(F, Tensor) and F.shape == z.shape[:1] and F.isnan().any():
        return "a latent that is never active makes the result NaN; it must count for nothing"
    return not_a_tensor(F, z.shape[:1], AXES) or differs(F, by_definition(z), 1e-3)


def _judge_signed(F: Any, z: Tensor) -> str | None:
    if isinstance(F, Tensor) and F.shape == z.shape[:1] and F.isnan().any():
        return "with negative activations it returned NaN: a share below 0 has no logarithm"
    return not_a_tensor(F, z.shape[:1], AXES) or differs(F, by_definition(z), 1e-3)
