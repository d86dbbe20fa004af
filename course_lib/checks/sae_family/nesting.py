"""Exercise 2: the nested reconstructions of a Matryoshka SAE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

AXES = "n_prefixes, batch, d_in"
PREFIXES = (2, 3, 7)


@exercise("sae_family.nested", "Dolls within dolls")
def make_cases(generator: Generator) -> list[Case]:
    z = torch.rand(4, 7, generator=generator)
    z = z * (torch.rand(4, 7, generator=generator) < 0.7)
    z[:, 0], z[:, 6] = z[:, 0] + 0.2, z[:, 6] + 0.2
    W_dec = torch.randn(7, 5, generator=generator)
    given = {"z": z, "W_dec": W_dec, "b_dec": torch.randn(5, generator=generator)}
    given["prefixes"] = torch.tensor(PREFIXES)
    return [
        Case(
            "Each reconstruction is that of the first m latents alone",
            given,
            _nested,
            _judge_values,
            "Write the middle one out: which columns of z, which rows of W_dec?",
        ),
        Case(
            "The last reconstruction is the whole SAE's, with b_dec in it once",
            given,
            _nested,
            _judge_last,
            "The last prefix is all of d_sae. Where b_dec is added, and how often, shows here.",
        ),
        Case(
            "What lies beyond a prefix can change without a trace in it",
            {**given, "other": torch.rand(4, 4, generator=generator) + 0.5},
            _change_later_latents,
            _judge_later,
            "Latents 3 to 6 were changed. Only the last of the three prefixes holds any of them.",
        ),
        Case(
            "The error of the first doll teaches its own latents and no other",
            given,
            _gradient_of_the_first,
            _judge_gradient,
            "Look at the gradient of W_dec for each prefix. Is something detached, or does the "
            "first reconstruction look at later rows?",
        ),
    ]


def _nested(
    attempt: Callable, z: Tensor, W_dec: Tensor, b_dec: Tensor, prefixes: Sequence[int] | Tensor
) -> Any:
    return attempt(z, W_dec, b_dec, [int(m) for m in prefixes])


def _by_definition(z: Tensor, W_dec: Tensor, b_dec: Tensor, prefixes: Tensor) -> Tensor:
    """Term by term."""
    stages = []
    for m in prefixes.tolist():
        stage = b_dec.expand(len(z), -1)
        for j in range(m):
            stage = stage + z[:, j, None] * W_dec[j]
        stages.append(stage)
    return torch.stack(stages)


def _malformed(output: Any, z: Tensor, b_dec: Tensor) -> str | None:
    return not_a_tensor(output, (len(PREFIXES), len(z), len(b_dec)), AXES)


def _judge_values(output: Any, z: Tensor, W_dec: Tensor, b_dec: Tensor, prefixes: Tensor) -> Any:
    if problem := _malformed(output, z, b_dec):
        return problem
    expected = _by_definition(z, W_dec, b_dec, prefixes)
    problem = differs(output, expected, 1e-5)
    if problem is None:
        return None
    steps = expected - torch.cat([b_dec.expand(1, *expected.shape[1:]), expected[:-1]])
    if differs(output, steps, 1e-5) is None or differs(output, steps + b_dec, 1e-5) is None:
        problem += "; yours are the latents between two prefixes, not all from the first on"
    elif differs(output.flip(0), expected, 1e-5) is None:
        problem += "; yours run from the largest prefix to the smallest"
    elif differs(output + b_dec, expected, 1e-5) is None:
        problem += "; b_dec is missing"
    return problem


def _judge_last(output: Any, z: Tensor, W_dec: Tensor, b_dec: Tensor, prefixes: Tensor) -> Any:
    if problem := _malformed(output, z, b_dec):
        return problem
    whole = _by_definition(z, W_dec, b_dec, prefixes)[-1]
    problem = differs(output[-1], whole, 1e-5, "z W_dec + b_dec")
    if problem is None:
        return None
    off = (output[-1] - whole).double()
    times = (off @ b_dec.double() / b_dec.double().square().sum()).mean().item()
    if abs(times) > 0.5 and differs(off, (times * b_dec).expand_as(off), 1e-4, "") is None:
        problem += f"; b_dec stands in it {1 + round(times)} times"
    return problem


def _change_later_latents(
    attempt: Callable, z: Tensor, W_dec: Tensor, b_dec: Tensor, prefixes: Tensor, other: Tensor
) -> Any:
    changed = torch.cat([z[:, :3], other], dim=1)
    return tuple(_nested(attempt, codes, W_dec, b_dec, prefixes) for codes in (z, changed))


def _judge_later(outputs: Any, z: Tensor, W_dec: Tensor, b_dec: Tensor, **rest: Any) -> str | None:
    before, after = outputs
    if problem := _malformed(before, z, b_dec) or _malformed(after, z, b_dec):
        return problem
    moved = (before - after).abs().amax(dim=(1, 2))
    if moved[:2].max() > 1e-5:
        m = PREFIXES[int(moved[:2].argmax())]
        return f"the reconstruction from {m} latents moved by {moved[:2].max().item():.3f}"
    if moved[2] < 1e-5:
        return "the reconstruction from all 7 latents did not move, and four of them did"
    return None


def _gradient_of_the_first(
    attempt: Callable, z: Tensor, W_dec: Tensor, b_dec: Tensor, prefixes: Tensor
) -> Any:
    W_dec = W_dec.clone().requires_grad_()
    output = _nested(attempt, z, W_dec, b_dec, prefixes)
    if _malformed(output, z, b_dec) or not output.requires_grad:
        return output, None
    (gradient,) = torch.autograd.grad(output[0].square().sum(), W_dec, allow_unused=True)
    return output.detach(), gradient


def _judge_gradient(outputs: Any, z: Tensor, W_dec: Tensor, b_dec: Tensor, prefixes: Tensor) -> Any:
    output, gradient = outputs
    if problem := _malformed(output, z, b_dec):
        return problem
    if gradient is None:
        return "no gradient reaches W_dec from the first reconstruction"
    if gradient[2:].any():
        return f"the error of the first 2 latents moves {int(gradient[2:].any(dim=1).sum())} others"
    leaf = W_dec.clone().requires_grad_()
    defined = _by_definition(z, leaf, b_dec, prefixes)[0].square().sum()
    (expected,) = torch.autograd.grad(defined, leaf)
    problem = differs(gradient, expected, 1e-4, "that of the definition")
    return None if problem is None else f"the gradient of W_dec is wrong: {problem}"
