"""Exercise 6: refute that the better reconstruction has the better features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.functional import normalize

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor

N_FEATURES, D_IN, BATCH = 24, 12, 2000
GAP, USEFUL, FOUND, CLOSE = 0.1, 0.7, 0.9, 0.95
NAMES = ("W_enc", "b_enc", "W_dec")


@exercise("saes_from_zero.counterexample", "The better reconstruction has the better features")
def make_cases(generator: Generator) -> list[Case]:
    D = normalize(torch.randn(N_FEATURES, D_IN, generator=generator), dim=-1)
    on = torch.rand(BATCH, N_FEATURES, generator=generator) < 1.5 / N_FEATURES
    f = on * (0.5 + torch.rand(BATCH, N_FEATURES, generator=generator))
    inputs = {"D": D, "f": f}
    return [
        Case(
            f"The first SAE has the lower FVU, by {GAP} or more",
            inputs,
            _call,
            _judge_fvu,
            "Which dictionary rebuilds every x exactly, whatever the features are? A ReLU cuts off "
            "what is negative, so each direction needs a partner.",
        ),
        Case(
            f"The second finds {FOUND:.0%} of the features, the first no more than a tenth",
            inputs,
            _call,
            _judge_found,
            "You are given D: nothing keeps you from writing it into W_dec.",
        ),
        Case(
            f"The second is an SAE worth having: its FVU is at most {USEFUL}",
            inputs,
            _call,
            _judge_useful,
            "Read each feature along its own direction, and choose the bias so that the overlap "
            "with other features stays silent.",
        ),
    ]


def _call(attempt: Callable, D: Tensor, f: Tensor) -> Any:
    return attempt(D)


def _malformed(output: Any) -> str | None:
    if output is None:
        return "it returned None; does every path end in `return`?"
    if not isinstance(output, tuple | list) or len(output) != 6:
        got = f"{len(output)} values" if isinstance(output, tuple | list) else type(output).__name__
        return f"it returned {got}; return six tensors, W_enc, b_enc, W_dec of the first SAE and "\
               "of the second"  # fmt: skip
    for which, weights in (("first", output[:3]), ("second", output[3:])):
        W_dec = weights[2]
        if not isinstance(W_dec, Tensor) or W_dec.ndim != 2 or W_dec.shape[1] != D_IN:
            got = list(W_dec.shape) if isinstance(W_dec, Tensor) else type(W_dec).__name__
            return f"W_dec of the {which} SAE is {got}; it must be [d_sae, {D_IN}]"
        d_sae = len(W_dec)
        if not 1 <= d_sae <= N_FEATURES:
            return f"the {which} SAE has {d_sae} latents; it may have up to {N_FEATURES}"
        shapes = (D_IN, d_sae), (d_sae,), (d_sae, D_IN)
        for name, tensor, shape in zip(NAMES, weights, shapes, strict=True):
            what = f"as {name} of the {which} SAE it"
            if problem := not_a_tensor(tensor, shape, ", ".join(map(str, shape)), what):
                return problem
    return None


def _unexplained(weights: tuple[Tensor, ...], x: Tensor) -> float:
    W_enc, b_enc, W_dec = (tensor.detach().double() for tensor in weights)
    error = x - (x @ W_enc + b_enc).clamp(min=0) @ W_dec
    return (error.square().sum() / (x - x.mean(dim=0)).square().sum()).item()


def _both(output: Any, D: Tensor, f: Tensor) -> tuple[float, float]:
    x = f.double() @ D.double()
    return _unexplained(output[:3], x), _unexplained(output[3:], x)


def _judge_fvu(output: Any, D: Tensor, f: Tensor) -> str | None:
    if problem := _malformed(output):
        return problem
    first, second = _both(output, D, f)
    if first + GAP <= second:
        return None
    return f"the first SAE has an FVU of {first:.3f}, the second one of {second:.3f}"


def _judge_found(output: Any, D: Tensor, f: Tensor) -> str | None:
    if problem := _malformed(output):
        return problem
    shares = []
    for W_dec in (output[2], output[5]):
        cosine = normalize(D, dim=-1) @ normalize(W_dec.detach().to(D.dtype), dim=-1).T
        shares.append((cosine.max(dim=1).values >= CLOSE).double().mean().item())
    if shares[0] <= 0.1 and shares[1] >= FOUND:
        return None
    return (
        f"the first SAE has {shares[0]:.0%} of the features (cosine {CLOSE} or more), the second "
        f"{shares[1]:.0%}"
    )


def _judge_useful(output: Any, D: Tensor, f: Tensor) -> str | None:
    if problem := _malformed(output):
        return problem
    second = _both(output, D, f)[1]
    if not output[5].any():
        return "the second SAE's decoder is all zeros: it writes nothing"
    return None if second <= USEFUL else f"the second SAE has an FVU of {second:.3f}"
