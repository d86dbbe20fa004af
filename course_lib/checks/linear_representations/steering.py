"""Exercise 3: steer one concept, no other, and disturb the vocabulary as little as can be."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor
from course_lib.checks.linear_representations.worlds import normal, random_map

ATOL = 1e-6


@exercise("linear_representations.steer_alone", "One concept and no other")
def make_cases(generator: Generator) -> list[Case]:
    W_U = normal(generator, 80, 7) @ random_map(generator, 7, 6.0)
    shift = 3 * normal(generator, 7)
    world = {"V": W_U[1:6:2] - W_U[0:6:2], "W_U": W_U + shift}
    return [
        Case(
            "Each vector moves its own concept by 1 and the others by 0",
            world,
            lambda attempt, V, W_U: attempt(V, W_U),
            _judge_alone,
            "Adding s to λ moves the log-odds of concept j by sᵀ v_j. Compute all of them at once "
            "and compare with the identity.",
        ),
        Case(
            "Nothing that does so changes the logits of the vocabulary less",
            world,
            lambda attempt, V, W_U: attempt(V, W_U),
            _judge_least,
            "Any n with nᵀ v_j = 0 for all j may be added. At the minimum of the variance "
            "sᵀ Σ s, with Σ = Cov(γ), no such n makes it smaller: sᵀ Σ n = 0.",
        ),
        Case(
            "Whatever is added to all words alike plays no role",
            world | {"more": shift},
            lambda attempt, V, W_U, more: (attempt(V, W_U), attempt(V, W_U + 5 * more)),
            _judge_shift,
            "A change of all logits by the same number changes no probability: it is the variance "
            "that counts, and not the mean square.",
        ),
        Case(
            "In other coordinates of the same model the logits change by the same",
            world | {"A": random_map(generator, 7, 12.0)},
            lambda attempt, V, W_U, A: (attempt(V, W_U), attempt(V @ A.T, W_U @ A.T)),
            _judge_coordinates,
            "With γ → Aγ, λ → A⁻ᵀλ, what you minimise must be a number that does not change. "
            "The Euclidean length of s does.",
        ),
    ]


def _judge_alone(S: Any, V: Tensor, W_U: Tensor) -> str | None:
    if problem := not_a_tensor(S, V.shape, "n_concepts, d"):
        return problem
    moved = S.double() @ V.double().T
    if problem := differs(moved, torch.eye(len(V)), ATOL, "the identity"):
        return f"of the table sᵢᵀ vⱼ {problem}"
    return None


def _judge_least(S: Any, V: Tensor, W_U: Tensor) -> str | None:
    if problem := _judge_alone(S, V, W_U):
        return problem
    free = torch.linalg.svd(V)[2][len(V) :]  # directions that move none of the concepts
    variance = (W_U @ S.double().T).var(0)
    for i, own in enumerate(S.double()):
        for n in free:
            for size in (0.3, 0.1, 0.03, 0.01):
                for sign in (-1, 1):
                    other = (W_U @ (own + sign * size * own.norm() * n)).var()
                    if other < variance[i] * (1 - 1e-6):
                        return (
                            f"vector {i} changes the logits with variance {variance[i]:.4f}; "
                            f"another that moves the concepts the same has {other:.4f}"
                        )
    return None


def _judge_shift(outputs: Any, V: Tensor, W_U: Tensor, more: Tensor) -> str | None:
    for S in outputs:
        if problem := _judge_alone(S, V, W_U):
            return problem
    if problem := differs(outputs[1], outputs[0], ATOL, "the one before"):
        return f"with one vector added to all words, {problem}"
    return None


def _judge_coordinates(outputs: Any, V: Tensor, W_U: Tensor, A: Tensor) -> str | None:
    S, moved = outputs
    for each, coordinates in ((S, torch.eye(len(A)).double()), (moved, A)):
        if problem := _judge_alone(each, V @ coordinates.T, W_U):
            return problem
    before, after = W_U @ S.double().T, W_U @ A.T @ moved.double().T
    if problem := differs(after, before, 1e-5, "those in the old coordinates"):
        return f"of the changes of all logits {problem}"
    return None
