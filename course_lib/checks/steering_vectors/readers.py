"""Exercise 6: a world in which the best reader of a concept steers nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor

READS = 4.66  # √(δᵀ Σ⁻¹ δ) at which half of it is 2.33 standard deviations: 99 %
SHARE, CONDITION = 0.1, 1e5


@exercise("steering_vectors.reads_not_steers", "It reads, so it steers")
def make_cases(generator: Generator) -> list[Case]:
    def readout(d: int, length: float) -> dict[str, Tensor]:
        r = torch.randn(d, generator=generator)
        return {"readout": length * r / r.norm()}

    axis = torch.zeros(4)
    axis[int(torch.randint(4, (1,), generator=generator))] = 3.0
    return [
        Case(
            "The best reader tells the class of 99 % of the rows",
            readout(6, 1.0),
            _make,
            _judge_reads,
            "√(δᵀΣ⁻¹δ) is how many standard deviations the classes are apart for the best reader.",
        ),
        Case(
            "The model uses the concept: the gap between the classes moves its log odds",
            readout(8, 0.2),
            _make,
            _judge_used,
            "A concept that the model does not use could not be steered by any vector; that would "
            "refute nothing. δ needs a part along the readout.",
        ),
        Case(
            "The best reader steers less than a tenth of what a random direction does",
            readout(12, 2.0),
            _make,
            _judge_steers,
            "Where does w = Σ⁻¹δ point? It is at right angles to the readout when Σ maps some "
            "direction at right angles to the readout onto δ.",
        ),
        Case(
            "Also when the readout is one of the axes, and in three dimensions",
            {"readout": axis, "small": torch.tensor([0.0, -2.0, 1.0])},
            _make_both,
            _judge_both,
            "Any direction at right angles to the readout will do as the copy, as long as there is "
            "one: what does yours become for a readout along an axis?",
        ),
    ]


def _make(attempt: Callable, readout: Tensor) -> Any:
    return attempt(readout)


def _make_both(attempt: Callable, readout: Tensor, small: Tensor) -> Any:
    return attempt(readout), attempt(small)


def _no_world(output: Any, d: int) -> str | None:
    """A sentence unless the output is a gap and a covariance."""
    if not isinstance(output, (tuple, list)) or len(output) != 2:
        kind = type(output).__name__
        return f"it returned a {kind}; two tensors are needed, δ and Σ"
    delta, covariance = output
    problem = not_a_tensor(delta, (d,), "d", "δ")
    problem = problem or not_a_tensor(covariance, (d, d), "d, d", "Σ")
    if problem:
        return problem
    sigma = covariance.detach().double()
    if (sigma - sigma.T).abs().max() > 1e-5 * sigma.abs().max():
        return "Σ is not symmetric; no covariance is like that"
    values = torch.linalg.eigvalsh(sigma)
    if values.min() <= 0:
        return f"Σ has a variance of {values.min():.3g}; all must be positive"
    if values.max() > CONDITION * values.min():
        return (
            f"the variances of Σ differ by a factor of {values.max() / values.min():.3g}; "
            f"{CONDITION:g} is allowed"
        )
    return None


def _reader(output: Any) -> tuple[Tensor, Tensor]:
    """δ, and the best reader at the length at which its reading goes from mean to mean."""
    delta, sigma = (part.detach().double() for part in output)
    w = torch.linalg.solve(sigma, delta)
    return delta, w * (w @ delta) / (w @ w)


def _judge_reads(output: Any, readout: Tensor) -> str | None:
    if problem := _no_world(output, len(readout)):
        return problem
    delta, sigma = (part.detach().double() for part in output)
    apart = math.sqrt(float(delta @ torch.linalg.solve(sigma, delta)))
    if apart >= READS - 0.01:
        return None
    share = 0.5 * (1 + math.erf(apart / 2 / math.sqrt(2)))
    return (
        f"for the best reader the classes are {apart:.3f} standard deviations apart, and it reads "
        f"{share:.1%} right; {READS} are needed"
    )


def _judge_used(output: Any, readout: Tensor) -> str | None:
    if problem := _judge_reads(output, readout):
        return problem
    moves = float(output[0].detach().double() @ readout.double())
    if moves >= 0.999:
        return None
    if abs(moves) < 1e-3:
        return f"adding δ moves the log odds by {moves:.4f}: the model does not use the concept"
    if moves < 0:
        return f"adding δ moves the log odds by {moves:.3f}: the wrong way"
    return f"adding δ moves the log odds by {moves:.3f} nats; 1 is needed (mind the length of r)"


def _judge_steers(output: Any, readout: Tensor) -> str | None:
    if problem := _judge_used(output, readout):
        return problem
    delta, vector = _reader(output)
    r = readout.double()
    moves = abs(float(vector @ r))
    chance = float(vector.norm() * r.norm()) / math.sqrt(len(r))
    if moves < SHARE * chance:
        return None
    why = ""
    if abs(float(torch.nn.functional.cosine_similarity(vector, delta, dim=0))) > 0.999:
        why = "; it points along δ, so that Σ might as well be a sphere"
    elif moves < chance:
        why = "; it still leans along the readout: let Σ take that away exactly"
    return (
        f"added, your best reader moves the log odds by {moves:.4f} nats, a random one of its "
        f"length by {chance:.4f}; less than {SHARE:.0%} of that is needed{why}"
    )


def _judge_both(outputs: Any, readout: Tensor, small: Tensor) -> str | None:
    wide, narrow = outputs
    if problem := _judge_steers(wide, readout):
        return f"for a readout along an axis: {problem}"
    problem = _judge_steers(narrow, small)
    return problem and f"in three dimensions: {problem}"
