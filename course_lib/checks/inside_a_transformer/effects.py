"""Exercise 6: choose the latents that matter for the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

INPUTS, WIDTH, LATENTS, K = 10, 4, 9, 3
ATOL = 1e-4
AXES = "batch, d_sae"


@exercise("inside_a_transformer.select", "Latents that matter")
def make_cases(generator: Generator) -> list[Case]:
    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    W_dec = draw(LATENTS, WIDTH)
    W_dec *= (0.5 + 2 * draw(LATENTS, 1).sigmoid()) / W_dec.norm(dim=-1, keepdim=True)
    gradient = draw(INPUTS, WIDTH)
    pre = _mixed(draw(INPUTS, LATENTS), generator)
    few = -pre.abs()
    few[:, :2] = pre[:, :2].abs()  # two latents above 0, and three are asked for
    loud = pre * torch.tensor([1.0, 10.0]).repeat(INPUTS // 2)[:, None]
    curve = draw(WIDTH, WIDTH)
    common = {"W_dec": W_dec, "gradient": gradient, "k": K}
    return [
        Case(
            "Leaving a latent out changes the loss at the rate that you give",
            {"pre": pre, "W_dec": W_dec, "x": draw(INPUTS, WIDTH), "curve": curve},
            _on_a_loss,
            _judge_change,
            "Leaving latent j out moves x by minus z_j d_j. To first order the loss changes by the "
            "product of that step with the gradient.",
        ),
        Case(
            "With β = 0 the k largest latents are kept",
            {"pre": pre, **common, "beta": 0.0},
            _select,
            _judge_z,
            "β = 0 is TopK on ReLU(pre).",
        ),
        Case(
            "With β, the k largest of z_j (1 + β |d_j · ∇|), with their own values",
            {"pre": pre, **common, "beta": 2.0},
            _select,
            _judge_z,
            "The score decides who stays, and then it is thrown away. It asks how much the loss "
            "changes, not in which direction.",
        ),
        Case(
            "A latent that is not on is not kept, however much it would matter",
            {"pre": few, **common, "beta": 2.0},
            _select,
            _judge_z,
            "A negative pre-activation is a latent of 0: where nothing can be left out, nothing "
            "changes.",
        ),
        Case(
            "Each input keeps its own k",
            {"pre": loud, **common, "beta": 5.0},
            _select,
            _judge_z,
            "Every other input here has pre-activations ten times as large. Choose along the "
            "latents' axis, one input at a time.",
        ),
    ]


def _mixed(pre: Tensor, generator: Generator) -> Tensor:
    """Pre-activations of which at least five are above 0 for every input."""
    place = torch.rand(pre.shape, generator=generator).argsort(dim=-1)
    return torch.where(place < 6, pre.abs() + 0.1, -pre.abs() - 0.1)


def _select(attempt: Callable, **inputs: Any) -> Any:
    return attempt(*inputs.values())


def _on_a_loss(attempt: Callable, pre: Tensor, W_dec: Tensor, x: Tensor, curve: Tensor) -> Any:
    """Its answer where the loss is ½ |x curve|², input by input."""
    return attempt(pre, W_dec, x @ curve @ curve.T, K, 1.0)


def _malformed(output: Any, pre: Tensor) -> str | None:
    if not isinstance(output, tuple | list) or len(output) != 2:
        got = "None" if output is None else f"a {type(output).__name__}"
        return f"it returned {got}; return two tensors, (z, change)"
    return not_a_tensor(output[0], pre.shape, AXES, "as z it") or not_a_tensor(
        output[1], pre.shape, AXES, "as change it"
    )


def _judge_change(output: Any, pre: Tensor, W_dec: Tensor, x: Tensor, curve: Tensor) -> str | None:
    """Slope of the loss as a latent fades, by a central difference."""
    if problem := _malformed(output, pre):
        return problem

    def loss(at: Tensor) -> float:
        return (at @ curve.double()).square().sum().item() / 2

    step, wanted = 1e-3, torch.zeros(pre.shape, dtype=torch.double)
    for s in range(INPUTS):
        for j in range(LATENTS):
            leaving = -max(pre[s, j].item(), 0.0) * W_dec[j].double()
            here, way = x[s].double(), step * leaving
            wanted[s, j] = (loss(here + way) - loss(here - way)) / (2 * step)
    change = output[1].detach().double()
    problem = differs(change, wanted, 1e-3, against="the slope of the loss")
    if problem is None:
        return None
    gradient = x.double() @ curve.double() @ curve.T.double()
    along = -gradient @ W_dec.T.double()
    mistakes = {
        "yours has the other sign: that is the change when the latent doubles": -wanted,
        "yours has no sign; the loss may fall when a latent is left out": wanted.abs(),
        "the latent's own value is missing": along,
        "latents that are off have nothing to leave out": along * pre,
    }
    fits = (f"; {w}" for w, value in mistakes.items() if differs(change, value, 1e-3) is None)
    return f"change: {problem}" + next(fits, "")


def _kept(pre: Tensor, W_dec: Tensor, gradient: Tensor, k: int, beta: float) -> Tensor:
    """z by the definition: scores one by one, then the k largest of every input."""
    z = torch.zeros(pre.shape, dtype=torch.double)
    for s in range(INPUTS):
        scores = []
        for j in range(LATENTS):
            along = sum((W_dec[j].double() * gradient[s].double()).tolist())
            scores.append((max(pre[s, j].item(), 0.0) * (1 + beta * abs(along)), j))
        for _, j in sorted(scores, reverse=True)[:k]:
            z[s, j] = max(pre[s, j].item(), 0.0)
    return z


def _judge_z(
    output: Any, pre: Tensor, W_dec: Tensor, gradient: Tensor, k: int, beta: float
) -> str | None:
    if problem := _malformed(output, pre):
        return problem
    z, wanted = output[0].detach().double(), _kept(pre, W_dec, gradient, k, beta)
    if differs(z, wanted, ATOL) is None:
        return None
    if (z < 0).any():
        return f"z goes down to {z.min().item():.3f}; it is never negative"
    for s in range(INPUTS):
        found, right = _on(z[s]), _on(wanted[s])
        if len(found) > k:
            return f"input {s} keeps {len(found)} latents; {k} are allowed"
        if found != right:
            largest = _on(_kept(pre, W_dec, gradient, k, 0.0)[s])
            also = "; those are the largest values" if found == largest else ""
            return f"input {s} keeps the latents {found}; by score it is {right}{also}"
        for j in found:
            if abs(z[s, j] - wanted[s, j]) > ATOL:
                times = z[s, j] / wanted[s, j]
                return (
                    f"input {s}, latent {j}: z is {z[s, j]:.4f}, {times:.2f} times the value "
                    f"{wanted[s, j]:.4f} that is to pass on"
                )
    return differs(z, wanted, ATOL)


def _on(z: Tensor) -> list[int]:
    return z.nonzero()[:, 0].tolist()
