"""Exercise 2: the forward pass of the batched toy model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

AXES = "n_instances, batch, n_features"


@exercise("toy_models.toy_forward", "The toy model")
def make_cases(generator: Generator) -> list[Case]:
    x, W, b = _draw(generator, 2, 3, 4, 2)
    weights = torch.randn(x.shape, generator=generator)
    other_W = torch.randn(W.shape, generator=generator)
    one_x, one_W, one_b = _draw(generator, 1, 1, 3, 1)
    return [
        Case(
            "Every output is what the equation says",
            {"x": x, "W": W, "b": b},
            lambda attempt, x, W, b: attempt(x, W, b),
            _judge_values,
            "Follow one sample through the equation on paper: hidden activations first, then the "
            "way back, then what is added, then the ReLU.",
        ),
        Case(
            "Without weights, the output is the bias after the ReLU",
            {"x": x, "W": torch.zeros_like(W), "b": b},
            lambda attempt, x, W, b: attempt(x, W, b),
            _judge_bias,
            "With W = 0 the equation leaves ReLU(b), the same for every sample.",
        ),
        Case(
            "Instances are kept apart",
            {"x": x, "W": W, "b": b, "other": other_W},
            _swap_weights,
            _judge_apart,
            "Changing the weights of instance 1 may change the outputs of instance 1 alone: the "
            "instance axis is never summed over.",
        ),
        Case(
            "It works for a single instance and a single sample",
            {"x": one_x, "W": one_W, "b": one_b},
            lambda attempt, x, W, b: attempt(x, W, b),
            _judge_values,
            "Axes of length 1 stay: [n_instances, batch, n_features] also when both are 1.",
        ),
        Case(
            "The gradient reaches W through both of its uses, and b",
            {"x": x, "W": W, "b": b, "weights": weights},
            _gradients,
            _judge_gradients,
            "Look for .detach(), .data, .item() or torch.no_grad() on the way from W and b to the "
            "output.",
        ),
    ]


def _draw(generator: Generator, *sizes: int) -> tuple[Tensor, Tensor, Tensor]:
    n_instances, batch, n_features, d_hidden = sizes
    x = torch.rand(n_instances, batch, n_features, generator=generator)
    x = x * (torch.rand(x.shape, generator=generator) < 0.6)
    x[:, 0, 0] = 0.7  # so that no instance sees empty inputs only
    W = torch.randn(n_instances, n_features, d_hidden, generator=generator)
    b = torch.rand(n_instances, n_features, generator=generator) - 0.5
    b[:, 0], b[:, 1] = b[:, 0].abs() + 0.1, -b[:, 1].abs() - 0.1
    return x, W, b


def _by_definition(x: Tensor, W: Tensor, b: Tensor) -> Tensor:
    """Entry by entry; slow, and differentiable."""
    n_instances, batch, n_features = x.shape
    out = []
    for n in range(n_instances):
        for s in range(batch):
            for i in range(n_features):
                total = b[n, i]
                for j in range(n_features):
                    for k in range(W.shape[2]):
                        total = total + x[n, s, j] * W[n, j, k] * W[n, i, k]
                out.append(total if total > 0 else 0.0 * total)
    return torch.stack(out).view(x.shape)


def _judge_values(output: Any, x: Tensor, W: Tensor, b: Tensor) -> str | None:
    if problem := not_a_tensor(output, x.shape, AXES):
        return problem
    problem = differs(output, _by_definition(x, W, b), 1e-4)
    if problem and output.min() < 0:
        problem += "; some of your outputs are negative, and a ReLU never is"
    return problem


def _judge_bias(output: Any, x: Tensor, W: Tensor, b: Tensor) -> str | None:
    if problem := not_a_tensor(output, x.shape, AXES):
        return problem
    problem = differs(output, _by_definition(x[:, :1], W, b).expand_as(x), 1e-4)
    if problem is None:
        return None
    if not output.any():
        return "with W = 0 and biases of both signs every output is 0; the bias is not used"
    if output.min() < 0:
        return "with W = 0 some outputs are negative; the bias belongs inside the ReLU"
    return f"with W = 0: {problem}"


def _swap_weights(attempt: Callable, x: Tensor, W: Tensor, b: Tensor, other: Tensor) -> Any:
    swapped = W.clone()
    swapped[1] = other[1]
    return attempt(x, W, b), attempt(x, swapped, b)


def _judge_apart(outputs: Any, x: Tensor, W: Tensor, b: Tensor, other: Tensor) -> str | None:
    before, after = outputs
    problem = not_a_tensor(before, x.shape, AXES) or not_a_tensor(after, x.shape, AXES)
    if problem:
        return problem
    if (before[0] - after[0]).abs().max() > 1e-5:
        return "changing the weights of instance 1 changed the outputs of instance 0"
    if (before[1] - after[1]).abs().max() < 1e-5:
        return "changing the weights of instance 1 left its outputs as they were"
    return None


def _gradients(attempt: Callable, x: Tensor, W: Tensor, b: Tensor, weights: Tensor) -> Any:
    W, b = W.requires_grad_(), b.requires_grad_()
    output = attempt(x, W, b)
    if not_a_tensor(output, x.shape, AXES) or not output.requires_grad:
        return output, None, None
    gradients = torch.autograd.grad((output * weights).sum(), (W, b), allow_unused=True)
    return output.detach(), *gradients


def _judge_gradients(outputs: Any, x: Tensor, W: Tensor, b: Tensor, weights: Tensor) -> str | None:
    output, *gradients = outputs
    if problem := not_a_tensor(output, x.shape, AXES):
        return problem
    leaves = W.double().requires_grad_(), b.double().requires_grad_()
    defined = (_by_definition(x.double(), *leaves) * weights).sum()
    expected = torch.autograd.grad(defined, leaves)
    for name, found, wanted in zip("Wb", gradients, expected, strict=True):
        if found is None:
            return f"no gradient reaches {name}: the output is cut off from it"
        problem = differs(found, wanted, 1e-3)
        if problem and name == "W" and found.norm() < 0.99 * wanted.norm():
            problem += "; W is used twice, and only a part of its gradient arrives"
        if problem:
            return f"the gradient of {name} is wrong: {problem}"
    return None
