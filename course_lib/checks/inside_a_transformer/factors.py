"""Exercise 5: an update of the one factor that is not negative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

INPUTS, WIDTH, LATENTS, UPDATES = 7, 5, 3, 12
ATOL = 1e-4
AXES = "batch, d_sae"


@exercise("inside_a_transformer.update", "Only one factor is non-negative")
def make_cases(generator: Generator) -> list[Case]:
    def positive(*shape: int) -> Tensor:
        return 0.2 + torch.rand(*shape, generator=generator)

    def signed(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    Z, X, W = positive(INPUTS, LATENTS), signed(INPUTS, WIDTH), _crossing(generator)
    empty = Z.clone()
    empty[0], empty[1, 0], empty[2, 1:] = 0, 0, 0
    exact = positive(INPUTS, LATENTS)
    return [
        Case(
            "Every entry is that of the formula",
            {"Z": Z, "X": X, "W": W},
            _update,
            _judge_values,
            "Split X Wᵀ and W Wᵀ into their positive and negative parts first, M = M₊ - M₋ with "
            "both at least 0. Then there is no minus sign left in the formula.",
        ),
        Case(
            "No update raises the squared error, though X and W have both signs",
            {"Z": Z, "X": X, "W": W},
            _update_often,
            _judge_falling,
            "Print the squared error after every update. Without the square root the steps are too "
            "long; with the parts exchanged they go the other way.",
        ),
        Case(
            "What is 0 stays 0, what is not stays positive, and nothing is NaN",
            {"Z": empty, "X": X, "W": W},
            _update,
            _judge_signs,
            "The fraction may be 0 / 0 or 1 / 0 where the latents of an input are all 0. A tiny "
            "number below the line is enough.",
        ),
        Case(
            "Where Z W is X already, the update rests; and only there",
            {"Z": exact, "X": exact @ W, "W": W},
            _update_near,
            _judge_rest,
            "Put X = Z W into the formula: numerator and denominator must become the same sum.",
        ),
    ]


def _crossing(generator: Generator) -> Tensor:
    """Signed rows of W, the first two at an acute angle, the third at an obtuse one to both."""
    W = torch.randn(LATENTS, WIDTH, generator=generator)
    W /= W.norm(dim=-1, keepdim=True)
    W[1] = W[0] + 0.5 * W[1]
    W[2] = 0.5 * W[2] - (W[0] + W[1])
    return W


def _update(attempt: Callable, Z: Tensor, X: Tensor, W: Tensor) -> Any:
    return attempt(Z, X, W)


def _update_often(attempt: Callable, Z: Tensor, X: Tensor, W: Tensor) -> list:
    found = [Z]
    for _ in range(UPDATES):
        found.append(attempt(found[-1], X, W))
        if not_a_tensor(found[-1], Z.shape, AXES):
            break
    return found[1:]


def _update_near(attempt: Callable, Z: Tensor, X: Tensor, W: Tensor) -> Any:
    return attempt(Z, X, W), attempt(1.5 * Z, X, W)


def _wanted(Z: Tensor, X: Tensor, W: Tensor) -> Tensor:
    """The formula, number by number."""
    Z, X, W = Z.double(), X.double(), W.double()
    new = torch.zeros_like(Z)
    for s in range(len(Z)):
        for j in range(LATENTS):
            if Z[s, j] == 0:
                continue
            fit = sum((X[s] * W[j]).tolist())
            above, below = max(fit, 0.0), max(-fit, 0.0)
            for i in range(LATENTS):
                overlap = sum((W[i] * W[j]).tolist())
                above += Z[s, i].item() * max(-overlap, 0.0)
                below += Z[s, i].item() * max(overlap, 0.0)
            new[s, j] = Z[s, j] * (above / below) ** 0.5
    return new


def _judge_values(new: Any, Z: Tensor, X: Tensor, W: Tensor) -> str | None:
    if problem := not_a_tensor(new, Z.shape, AXES):
        return problem
    wanted = _wanted(Z, X, W)
    problem = differs(new, wanted, ATOL)
    if problem is None:
        return None
    factor = wanted / Z
    mistakes = {
        "Z comes back as it was": Z,
        "the square root is missing": Z * factor**2,
        "yours is the factor alone, without Z": factor,
        "the fraction stands upside down": Z / factor,
    }
    fits = (f"; {w}" for w, value in mistakes.items() if differs(new, value, ATOL) is None)
    return problem + next(fits, "; some of yours are negative" if (new < 0).any() else "")


def _error(Z: Tensor, X: Tensor, W: Tensor) -> float:
    return (X.double() - Z.detach().double() @ W.double()).square().sum().item()


def _judge_falling(outputs: list, Z: Tensor, X: Tensor, W: Tensor) -> str | None:
    for new in outputs:
        if problem := not_a_tensor(new, Z.shape, AXES):
            return problem
        if (new < 0).any():
            return f"an update makes Z negative, down to {new.min().item():.3f}"
    errors = [_error(new, X, W) for new in (Z, *outputs)]
    for k in range(UPDATES):
        if errors[k + 1] > errors[k] * (1 + 1e-5):
            return (
                f"update {k + 1} takes the squared error from {errors[k]:.4f} up to "
                f"{errors[k + 1]:.4f}"
            )
    if errors[-1] > errors[0] * (1 - 1e-3):
        return f"after {UPDATES} updates the squared error is where it was, at {errors[0]:.4f}"
    right = Z
    for _ in range(UPDATES):
        right = _wanted(right, X, W)
    reached = _error(right, X, W)
    if abs(errors[-1] - reached) > 1e-2 * reached:
        return (
            f"after {UPDATES} updates the squared error is {errors[-1]:.4f}; the formula's is "
            f"{reached:.4f}"
        )
    return None


def _judge_signs(new: Any, Z: Tensor, X: Tensor, W: Tensor) -> str | None:
    if problem := not_a_tensor(new, Z.shape, AXES):
        return problem
    if (new < 0).any():
        return f"{int((new < 0).sum())} entries are negative, down to {new.min().item():.3f}"
    if (woken := (Z == 0) & (new.detach().abs() > ATOL)).any():
        return f"{int(woken.sum())} of {int((Z == 0).sum())} entries that were 0 no longer are"
    return differs(new, _wanted(Z, X, W), ATOL)


def _judge_rest(outputs: Any, Z: Tensor, X: Tensor, W: Tensor) -> str | None:
    there, near = outputs
    if problem := not_a_tensor(there, Z.shape, AXES) or not_a_tensor(near, Z.shape, AXES):
        return problem
    if problem := differs(there, Z, 1e-3, against="Z, which was exact"):
        return problem
    if problem := differs(near, _wanted(1.5 * Z, X, W), 1e-3):
        return f"from 1.5 Z, half too large, {problem}"
    return None
