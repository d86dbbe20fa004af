"""Exercise 5: find the bug in an attack on one output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor

AXES = "batch, n_features"
EPSILON = 0.4


@exercise("toy_models.attack_output", "An attack that is too weak", find_the_bug=True)
def make_cases(generator: Generator) -> list[Case]:
    feature = int(torch.randint(6, (), generator=generator))
    opposite = (feature + 1) % 6
    W = torch.randn(6, 3, generator=generator)
    W[opposite] = -W[feature] + 0.3 * W[opposite]
    W = torch.nn.functional.normalize(W, dim=-1)
    b = 0.2 * torch.rand(6, generator=generator) - 0.1
    x = torch.rand(8, 6, generator=generator)
    x = x * (torch.rand(8, 6, generator=generator) < 0.5)
    x[1, opposite] = 0.0  # the best attack on this sample takes it below 0
    on = x.clone()
    on[:, feature] += (0.3 - _outputs(W, b, on, feature, relu=False)).clamp(min=0)
    b_off = b.clone()
    b_off[feature] = -0.1
    off = x.clone()
    off[::2] = 0.0  # nothing is active: the output stands at ReLU(-0.1) = 0
    attacked = {"W": W, "b": b, "x": on, "feature": feature}
    return [
        Case(
            "Every sample's perturbation has norm epsilon",
            attacked,
            _attack,
            _judge_norm,
            "Print `delta.norm(dim=-1)` for a batch of 8, and for a batch of 1.",
        ),
        Case(
            "A sample's perturbation does not depend on the rest of the batch",
            attacked,
            _attack_some_and_all,
            _judge_batch,
            "Which step mixes numbers of different samples?",
        ),
        Case(
            "No other perturbation of that norm raises the output further",
            attacked,
            _attack,
            _judge_best,
            "Before its ReLU the output is linear in x. Which direction raises a linear function "
            "fastest?",
        ),
        Case(
            "A sample whose output is at 0 is attacked too",
            {**attacked, "b": b_off, "x": off},
            _attack,
            _judge_best,
            "Where a ReLU is off its gradient is 0. That tells you nothing about what happens "
            "further up: what would the output do if it were already on?",
        ),
    ]


def _attack(attempt: Callable, W: Tensor, b: Tensor, x: Tensor, feature: int) -> Any:
    return attempt(W, b, x, feature, EPSILON)


def _attack_some_and_all(attempt: Callable, W: Tensor, b: Tensor, x: Tensor, feature: int) -> Any:
    return attempt(W, b, x[:3].clone(), feature, EPSILON), attempt(W, b, x, feature, EPSILON)


def _outputs(W: Tensor, b: Tensor, x: Tensor, feature: int, relu: bool = True) -> Tensor:
    """Output `feature` for inputs x [..., n_features]."""
    value = (x @ W * W[feature]).sum(dim=-1) + b[feature]
    return value.clamp(min=0) if relu else value


def _malformed(delta: Any, x: Tensor) -> str | None:
    if problem := not_a_tensor(delta, x.shape, AXES):
        return problem
    still = (delta == 0).all(dim=-1)
    if still.any():
        return f"{int(still.sum())} of {len(x)} samples are not perturbed at all"
    return None


def _judge_norm(delta: Any, W: Tensor, b: Tensor, x: Tensor, feature: int) -> str | None:
    if problem := _malformed(delta, x):
        return problem
    norm = delta.norm(dim=-1)
    if (norm - EPSILON).abs().max() < 1e-3 * EPSILON:
        return None
    low, high = f"{norm.min():.3f}", f"{norm.max():.3f}"
    spread = f"every norm is {low}" if low == high else f"the norms run from {low} to {high}"
    message = f"with epsilon = {EPSILON} and {len(x)} samples {spread}"
    if (delta.abs().amax(dim=-1) - EPSILON).abs().max() < 1e-3:
        message += "; it is the largest entry of each sample that is epsilon"
    elif ((delta - x).norm(dim=-1) - EPSILON).abs().max() < 1e-3:
        message += "; you return the attacked input, and the perturbation alone is asked for"
    return message


def _judge_batch(deltas: Any, W: Tensor, b: Tensor, x: Tensor, feature: int) -> str | None:
    some, whole = deltas
    if problem := _malformed(some, x[:3]) or _malformed(whole, x):
        return problem
    if (some - whole[:3]).abs().max() < 1e-4:
        return None
    small, large = some.norm(dim=-1).mean(), whole[:3].norm(dim=-1).mean()
    return (
        f"it depends on the rest of the batch: the first 3 samples get perturbations of norm "
        f"{small:.3f} in a batch of 3 and of norm {large:.3f} in a batch of {len(x)}"
    )


def _judge_best(delta: Any, W: Tensor, b: Tensor, x: Tensor, feature: int) -> str | None:
    if problem := _malformed(delta, x):
        return problem
    reached = _outputs(W, b, x + delta.detach(), feature)
    found = _search(W, b, x, feature)
    gap = found - reached
    if gap.max() < 0.01:
        return None
    s = int(gap.argmax())
    before = _outputs(W, b, x, feature)[s].item()
    return (
        f"in sample {s} you move output {feature} from {before:.3f} to {reached[s].item():.3f}; a "
        f"random search among perturbations of norm {EPSILON} reached {found[s].item():.3f}"
    )


def _search(W: Tensor, b: Tensor, x: Tensor, feature: int) -> Tensor:
    """The highest output found for each sample: random directions, then ever smaller steps."""
    generator = torch.Generator().manual_seed(0)
    best = torch.zeros_like(x)
    for step in [0.0] + [0.9**k for k in range(50)]:
        noise = torch.randn(64, *x.shape, generator=generator)
        tried = noise if step == 0 else torch.cat([best[None], best + step * EPSILON * noise])
        tried = EPSILON * tried / tried.norm(dim=-1, keepdim=True)
        winner = _outputs(W, b, x + tried, feature, relu=False).argmax(dim=0)
        best = tried[winner, torch.arange(len(x))]
    return _outputs(W, b, x + best, feature)
