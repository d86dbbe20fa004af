"""Exercise 5: find the bugs in a count of effective features."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

BATCH = 64


@exercise("measuring_superposition.count_features", "A count that shrinks", find_the_bug=True)
def make_cases(generator: Generator) -> list[Case]:
    z = torch.rand(4 * BATCH, 12, generator=generator)
    z = z * (torch.rand(4 * BATCH, 12, generator=generator) < 0.1)
    z[0] = 0.5  # so that no latent is silent
    W = torch.randn(12, 5, generator=generator)
    W = W * torch.logspace(-0.7, 0.7, 12)[:, None]
    scale = torch.logspace(-1, 1, 12)[torch.randperm(12, generator=generator)]
    order = (z * torch.arange(1, 13)).argmax(dim=1).argsort()
    return [
        Case(
            "The count is exp of the entropy of what all latents write, over all inputs",
            {"z": z, "W_dec": W},
            lambda attempt, z, W_dec: attempt(z, W_dec),
            _judge_values,
            "How much does latent j write when it says z_j? And do the shares belong to a batch, "
            "or to the SAE?",
        ),
        Case(
            "Latents ten times as large on rows a tenth as long are the same SAE",
            {"z": z, "W_dec": W, "scale": scale},
            lambda attempt, z, W_dec, scale: (
                attempt(z, W_dec), attempt(z * scale, W_dec / scale[:, None]),
            ),
            _judge_rescaled,
            "z W_dec has not changed. Which number per latent has not changed either?",
        ),
        Case(
            "The order of the inputs changes nothing",
            {"z": z, "W_dec": W, "sorted_z": z[order]},
            lambda attempt, z, W_dec, sorted_z: (attempt(z, W_dec), attempt(sorted_z, W_dec)),
            _judge_sorted,
            "A batch sees few of the rare features, and a mean over batches never gets them back. "
            "Add up the activity over all inputs before you take the entropy.",
        ),
        Case(
            "A rare feature counts as much with ten thousand inputs as it should",
            {"z": _rare(generator), "W_dec": torch.eye(40)},
            lambda attempt, z, W_dec: attempt(z, W_dec),
            _judge_rare,
            "Forty features, each on in one input of eighty: a batch of 64 sees half of them.",
        ),
    ]  # fmt: skip


def _rare(generator: Generator) -> Tensor:
    z = torch.zeros(3200, 40)
    rows = torch.randperm(3200, generator=generator)
    z[rows, torch.arange(3200) % 40] = 1.0
    return z * (torch.rand(3200, 1, generator=generator) < 0.5)


def by_definition(z: Tensor, W_dec: Tensor) -> Tensor:
    written = []
    for j in range(z.shape[1]):
        length = math.sqrt(sum(w * w for w in W_dec[j].tolist()))
        written.append(length * sum(z[:, j].double().tolist()))
    p = [w / sum(written) for w in written if w > 0]
    return torch.tensor(math.exp(-sum(v * math.log(v) for v in p)))


def _judge_values(F: Any, z: Tensor, W_dec: Tensor) -> str | None:
    if problem := not_a_tensor(F, (), ""):
        return problem
    expected = by_definition(z, W_dec)
    if differs(F, expected, 5e-3) is None:
        return None
    message = f"you count {F.item():.3f} features and there are {expected.item():.3f}"
    if differs(F, by_definition(z, torch.ones_like(W_dec)), 5e-3) is None:
        message += "; the rows of W_dec do not come into it"
    return message


def _judge_rescaled(outputs: Any, z: Tensor, W_dec: Tensor, scale: Tensor) -> str | None:
    for F in outputs:
        if problem := not_a_tensor(F, (), ""):
            return problem
    before, after = (F.item() for F in outputs)
    if abs(before - after) > 5e-3 * before:
        return f"the same SAE in other units goes from {before:.3f} to {after:.3f} features"
    return _judge_values(outputs[0], z, W_dec)


def _judge_sorted(outputs: Any, z: Tensor, W_dec: Tensor, sorted_z: Tensor) -> str | None:
    for F in outputs:
        if problem := not_a_tensor(F, (), ""):
            return problem
    before, after = (F.item() for F in outputs)
    if abs(before - after) > 5e-3 * before:
        return f"with the inputs sorted the count goes from {before:.3f} to {after:.3f}"
    return _judge_values(outputs[0], z, W_dec)


def _judge_rare(F: Any, z: Tensor, W_dec: Tensor) -> str | None:
    return not_a_tensor(F, (), "") or _judge_values(F, z, W_dec)
