"""Exercise 6: refute the claim that more effective features than neurons are superposition."""

from __future__ import annotations

import math
from typing import Any

from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor

TOLERANCE = 1e-4


@exercise("measuring_superposition.counterexample", "More features than neurons")
def make_cases(generator: Generator) -> list[Case]:
    return [
        Case(
            "Nothing is superposed: each input switches on one neuron, and every neuron has a turn",
            {},
            lambda attempt: attempt(),
            _judge_neurons,
            "A layer whose features are its neurons, one at a time. Two neurons are enough.",
        ),
        Case(
            "The SAE is perfect: one latent per input, rows of length 1, exact reconstruction",
            {},
            lambda attempt: attempt(),
            _judge_sae,
            "If only neuron 0 is on, at 0.7, the one latent that is on must point along neuron 0 "
            "and say 0.7. Which latent it is, is for you to choose.",
        ),
        Case(
            "And there are at least twice as many effective features as neurons",
            {},
            lambda attempt: attempt(),
            _judge_count,
            "F counts latents by their activity. It does not look where they point.",
        ),
    ]


def _malformed(answer: Any) -> str | None:
    if not isinstance(answer, tuple | list) or len(answer) != 3:
        got = "None" if answer is None else f"a {type(answer).__name__}"
        return f"it returned {got}; return three tensors, (x, z, W_dec)"
    x, z, W_dec = answer
    if not isinstance(x, Tensor) or x.ndim != 2 or 0 in x.shape:
        got = f"of shape {list(x.shape)}" if isinstance(x, Tensor) else f"a {type(x).__name__}"
        return f"x is {got}; it must be a tensor of shape [batch, d_in]"
    if not isinstance(W_dec, Tensor) or W_dec.ndim != 2 or W_dec.shape[1] != x.shape[1]:
        got = list(W_dec.shape) if isinstance(W_dec, Tensor) else f"a {type(W_dec).__name__}"
        return f"W_dec is {got}; it must be a tensor of shape [d_sae, {x.shape[1]}]"
    problem = not_a_tensor(x, x.shape, "batch, d_in", "as x it") or not_a_tensor(
        W_dec, W_dec.shape, "d_sae, d_in", "as W_dec it"
    )
    shape = (len(x), len(W_dec))
    return problem or not_a_tensor(z, shape, "batch, d_sae", "as z it")


def _judge_neurons(answer: Any) -> str | None:
    if problem := _malformed(answer):
        return problem
    x = answer[0].detach()
    if x.shape[1] < 2:
        return "x has one neuron; use at least two, or there is nothing to keep apart"
    on = x != 0
    counts = on.sum(dim=1)
    if (counts != 1).any():
        k = int((counts != 1).nonzero()[0])
        return f"input {k} switches on {int(counts[k])} neurons; it must be exactly 1"
    if (x < 0).any():
        return f"x holds {x.min():.3g}; a feature that is on is above 0"
    if not on.any(dim=0).all():
        return f"neuron {int((~on.any(dim=0)).nonzero()[0])} is never on; every one needs a turn"
    return None


def _judge_sae(answer: Any) -> str | None:
    if problem := _malformed(answer):
        return problem
    x, z, W_dec = (part.detach().double() for part in answer)
    if not x.any():
        return "all inputs are 0; there is nothing to rebuild"
    length = W_dec.norm(dim=1)
    if (length - 1).abs().max() > 1e-3:
        k = int((length - 1).abs().argmax())
        return f"row {k} of W_dec has length {length[k]:.3g}; it must be 1"
    if (z < 0).any():
        return f"z holds {z.min():.3g}; a latent is never negative"
    counts = (z > 0).sum(dim=1)
    if (counts != 1).any():
        k = int((counts != 1).nonzero()[0])
        return f"input {k} has {int(counts[k])} active latents; it must be exactly 1"
    error = (z @ W_dec - x).abs()
    if error.max() > TOLERANCE:
        k = int(error.max(dim=1).values.argmax())
        return f"input {k} is rebuilt with an error of {error.max():.3g}; it must be exact"
    return None


def _judge_count(answer: Any) -> str | None:
    if problem := _malformed(answer):
        return problem
    x, z, _ = (part.detach().double() for part in answer)
    activity = z.abs().sum(dim=0)
    if not activity.any():
        return "z is 0 everywhere: no latent is active, so there are no effective features"
    p = [a / activity.sum().item() for a in activity.tolist() if a > 0]
    F, n = math.exp(-sum(v * math.log(v) for v in p)), x.shape[1]
    if 2 * n * (1 - 1e-6) <= F:
        return None
    return f"your code has {F:.3f} effective features for {n} neurons; at least {2 * n} are needed"
