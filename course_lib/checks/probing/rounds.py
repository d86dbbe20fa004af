"""Exercise 6: refute that the number of rounds is the dimension of a concept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise

GONE = 1e-4  # of the first gap
WIDEST, WORST = 64, 1e5
HINT = (
    "Which probe does a round fit, and what does it leave of the gap? Try a covariance with two "
    "different variances, and a gap along both."
)


@exercise("probing.many_rounds", "Seven directions of truth")
def make_cases(generator: Generator) -> list[Case]:
    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (1,), generator=generator))

    return [
        Case(
            "One round is enough for a world that you choose",
            {"n_rounds": 1},
            _world,
            _judge,
            "If Σ is the same in all directions, the probe points along the gap itself.",
        ),
        Case("Two rounds", {"n_rounds": 2}, _world, _judge, HINT),
        Case("Three rounds, or four", {"n_rounds": number(3, 4)}, _world, _judge, HINT),
        Case(
            "As many rounds as were claimed",
            {"n_rounds": number(5, 8)},
            _world,
            _judge,
            "Each variance that no other direction has, and that the gap has a part in, costs a "
            "round.",
        ),
    ]


def _world(attempt: Callable, n_rounds: int) -> Any:
    return attempt(n_rounds)


def _malformed(output: Any) -> str | None:
    if not isinstance(output, tuple | list) or len(output) != 2:
        got = "None" if output is None else f"a {type(output).__name__}"
        return f"it returned {got}; return two tensors, (gap, covariance)"
    gap, covariance = output
    for name, value in (("gap", gap), ("covariance", covariance)):
        if not isinstance(value, Tensor) or value.is_complex():
            return f"the {name} is not a tensor of real numbers; it must be one"
        if not torch.isfinite(value.double()).all():
            return f"the {name} holds NaN or infinity; it must be finite"
    if gap.ndim != 1 or not 1 <= len(gap) <= WIDEST:
        return f"the gap has the shape {list(gap.shape)}; it must be [d] with d from 1 to {WIDEST}"
    if covariance.shape != (len(gap), len(gap)):
        return (
            f"the covariance has the shape {list(covariance.shape)}; with this gap it must be "
            f"[{len(gap)}, {len(gap)}]"
        )
    covariance = covariance.double()
    if not torch.allclose(covariance, covariance.T, atol=1e-6):
        return "the covariance is not symmetric; a covariance is"
    values = torch.linalg.eigvalsh(covariance)
    if values[0] <= 0:
        return (
            f"the covariance has the variance {values[0]:.3g} in a direction; all must be above 0"
        )
    if values[-1] > WORST * values[0]:
        return f"the variances differ by a factor above {WORST:g}; stay below, for the arithmetic"
    if gap.double().norm() == 0:
        return "the gap is 0: there is no concept at all"
    return None


def _gaps(gap: Tensor, covariance: Tensor) -> list[float]:
    """The length of the gap before each round and after the last, until it is gone."""
    gap, covariance = gap.double(), covariance.double()
    left = torch.eye(len(gap), dtype=torch.double)  # an orthonormal basis of what is left
    lengths = [gap.norm().item()]
    while left.shape[1] and lengths[-1] > GONE * lengths[0]:
        own_gap, own_covariance = left.T @ gap, left.T @ covariance @ left
        w = torch.linalg.solve(own_covariance, own_gap)
        others = torch.linalg.qr(torch.cat([w[:, None], torch.eye(len(w)).double()], 1))[0][:, 1:]
        left = left @ others
        lengths.append((left.T @ gap).norm().item() if left.shape[1] else 0.0)
    return lengths


def _judge(output: Any, n_rounds: int) -> str | None:
    if problem := _malformed(output):
        return problem
    lengths = _gaps(*output)
    needed = len(lengths) - 1
    if needed == n_rounds:
        return None
    shares = ", ".join(f"{length / lengths[0]:.2g}" for length in lengths)
    n_variances = len({round(v, 6) for v in torch.linalg.eigvalsh(output[1].double()).tolist()})
    why = ""
    if needed == 1:
        why = "; the probe points along the gap, and one round takes all of it"
    elif needed < n_variances:
        why = "; not every one of your variances has a noticeable part in the gap"
    rounds = "1 round" if needed == 1 else f"{needed} rounds"
    return (
        f"your world takes {rounds}, and {n_rounds} were asked for; what is left of the gap, round "
        f"by round: {shares}{why}"
    )
