"""Exercise 6: an architecture of one's own."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

D_IN, D_SAE, N_FEATURES, PROBABILITY = 12, 24, 16, 0.1
STEPS, BATCH, LR = 150, 256, 0.02
LINES = 40
AXES = "batch, d_sae"


@exercise("sae_family.new_architecture", "An architecture of your own")
def make_cases(generator: Generator) -> list[Case]:
    seed = int(torch.randint(10**6, (), generator=generator))
    given = dict(zip(("x", "test"), _planted(seed), strict=True))
    return [
        Case(
            "It is an SAE, made from d_in and d_sae, and its latents have the right shape",
            {"x": given["x"], "seed": seed},
            _latents,
            _judge_latents,
            "Hand n_instances and seed on to SAE.__init__. What `activate` gets may have an axis "
            "of instances in front; what it returns has the same shape.",
        ),
        Case(
            "A loss reaches the encoder, the decoder and their biases",
            {"x": given["x"], "seed": seed},
            _gradients,
            _judge_gradients,
            "Gradients get lost in comparisons, in .detach() and in a new tensor that was filled "
            "with numbers. Which of them stands between the pre-activations and z?",
        ),
        Case(
            "After a short training few latents are active, and never because of other inputs",
            given | {"seed": seed},
            _trained_latents,
            _judge_sparsity,
            "What makes yours sparse: a selection, a threshold, a penalty? At its default setting "
            "it must be strong enough. At inference nothing may look across the batch.",
        ),
        Case(
            "It rebuilds better than random directions with as many active latents",
            given | {"seed": seed},
            _fvu,
            _judge_fvu,
            "The opponent has learnt nothing: it keeps the largest projections on random "
            "directions. Train yours in your notebook, longer: does the loss fall?",
        ),
        Case(
            "Its config and its state dict are all of it, and a scale folds in exactly",
            given | {"seed": seed},
            _twins,
            _judge_twins,
            "Every argument of your __init__ must be an attribute of the same name; every tensor "
            "that inference needs a parameter or a buffer; every one in units of the activations "
            "divided by the scale in `fold_scale`.",
        ),
        Case(
            f"It takes fewer than {LINES} lines",
            {"x": given["x"], "seed": seed},
            _lines,
            _judge_lines,
            "Most of what an SAE does stands in the base class already. Which of your methods "
            "says the same as the one it replaces?",
        ),
    ]


def _planted(seed: int) -> tuple[Tensor, Tensor]:
    """Activations with a planted dictionary, [2048, d_in] to train on and [1024, d_in] to test."""
    generator = torch.Generator().manual_seed(seed)
    D = torch.randn(N_FEATURES, D_IN, generator=generator)
    D /= D.norm(dim=-1, keepdim=True)
    active = torch.rand(3072, N_FEATURES, generator=generator) < PROBABILITY
    f = (0.5 + torch.rand(3072, N_FEATURES, generator=generator)) * active
    x = f @ D + 0.02 * torch.randn(3072, D_IN, generator=generator)
    return x[:2048], x[2048:]


def _make(attempt: Callable, seed: int, n_instances: int | None = None) -> Any:
    """An SAE, or a sentence that says why there is none."""
    from course_lib.sae import SAE

    how = f"(d_in, d_sae, n_instances={n_instances}, seed={seed})"
    try:
        sae = attempt(D_IN, D_SAE, n_instances=n_instances, seed=seed)
    except NotImplementedError:
        raise
    except Exception as error:
        return f"your class could not be made as {how}: {str(error).splitlines()[0]}"
    if not isinstance(sae, SAE):
        what = "None" if sae is None else f"a {type(sae).__name__}"
        return f"your class, called as {how}, gave {what}; it must be a course_lib.sae.SAE"
    for name in inspect.signature(type(sae)).parameters:
        if name != "seed" and not hasattr(sae, name):
            return f"the argument {name} of your __init__ is kept under no attribute of that name"
    return sae


@lru_cache(maxsize=1)  # three cases look at one training
def _trained(attempt: Callable, seed: int) -> Any:
    from course_lib.sae import Trainer

    sae = _make(attempt, seed)
    if not isinstance(sae, str):
        x = _planted(seed)[0]
        Trainer(sae, x, steps=STEPS, batch_size=BATCH, lr=LR, seed=seed).fit()
        sae.eval()
    return sae


def _latents(attempt: Callable, x: Tensor, seed: int) -> Any:
    sae, several = _make(attempt, seed), _make(attempt, seed, n_instances=2)
    if isinstance(sae, str):
        return sae
    if isinstance(several, str):
        return several
    sae.eval()
    several.eval()
    return sae.encode(x), several.encode(x), several.instance(1).eval().encode(x)


def _judge_latents(outputs: Any, x: Tensor, seed: int) -> str | None:
    if isinstance(outputs, str):
        return outputs
    alone, several, second = outputs
    problem = not_a_tensor(alone, (len(x), D_SAE), AXES, "encode") or not_a_tensor(
        several, (2, len(x), D_SAE), f"n_instances, {AXES}", "with 2 instances, encode"
    )
    if problem:
        return problem
    if not alone.any():
        return "all latents of all inputs are 0 before training; nothing could ever learn"
    problem = differs(second, several[1], 1e-5, "that instance beside its neighbour")
    return None if problem is None else f"an instance on its own computes something else: {problem}"


def _gradients(attempt: Callable, x: Tensor, seed: int) -> Any:
    sae = _make(attempt, seed)
    if isinstance(sae, str):
        return sae
    sae.train()
    loss = sae.loss(x[:BATCH], dead=torch.zeros(D_SAE, dtype=torch.bool))
    named = {name: p for name, p in sae.named_parameters() if p.requires_grad}
    if not loss.total.requires_grad:
        return dict.fromkeys(named)
    found = torch.autograd.grad(loss.total, named.values(), allow_unused=True)
    return dict(zip(named, found, strict=True))


def _judge_gradients(outputs: Any, x: Tensor, seed: int) -> str | None:
    if isinstance(outputs, str):
        return outputs
    for name in ("W_dec", "W_enc", "b_enc", "b_dec"):
        gradient = outputs.get(name, torch.ones(()))  # a tied encoder has no W_enc of its own
        if gradient is None or not gradient.any():
            return f"no gradient reaches {name}: it will stay as it was drawn"
        if not gradient.isfinite().all():
            return f"the gradient of {name} is not finite"
    return None


def _trained_latents(attempt: Callable, x: Tensor, test: Tensor, seed: int) -> Any:
    sae = _trained(attempt, seed)
    if isinstance(sae, str):
        return sae
    with torch.no_grad():
        return sae.encode(test), torch.cat([sae.encode(row[None]) for row in test[:64]])


def _judge_sparsity(outputs: Any, x: Tensor, test: Tensor, seed: int) -> str | None:
    if isinstance(outputs, str):
        return outputs
    z, alone = outputs
    if problem := not_a_tensor(z, (len(test), D_SAE), AXES, "encode"):
        return problem
    l0 = (z != 0).float().sum(dim=-1).mean().item()
    if not 0.3 <= l0 <= D_SAE / 3:
        return f"{l0:.1f} of {D_SAE} latents are active on average; 0.3 to {D_SAE // 3} is sparse"
    changed = int(((alone != 0) != (z[: len(alone)] != 0)).any(dim=-1).sum())
    if changed:
        return f"{changed} of {len(alone)} inputs have other latents alone than in a batch"
    return None


def _fvu(attempt: Callable, x: Tensor, test: Tensor, seed: int) -> Any:
    sae = _trained(attempt, seed)
    if isinstance(sae, str):
        return sae
    with torch.no_grad():
        z = sae.encode(test)
        x_hat = sae.reconstruct(test, z)
    return z, x_hat


def _judge_fvu(outputs: Any, x: Tensor, test: Tensor, seed: int) -> str | None:
    if isinstance(outputs, str):
        return outputs
    z, x_hat = outputs
    problem = not_a_tensor(z, (len(test), D_SAE), AXES, "encode") or not_a_tensor(
        x_hat, test.shape, "batch, d_in", "decode"
    )
    if problem:
        return problem
    k = max(1, math.ceil((z != 0).float().sum(dim=-1).mean().item()))
    variance = (test - test.mean(dim=0)).square().sum()
    left = ((test - x_hat).square().sum() / variance).item()
    random = (_random(test, x.mean(dim=0), k, seed).square().sum() / variance).item()
    if left < random:
        return None
    return (
        f"after {STEPS} steps it leaves {left:.3f} of the variance; the {k} best of {D_SAE} random "
        f"directions leave {random:.3f}"
    )


def _random(test: Tensor, mean: Tensor, k: int, seed: int) -> Tensor:
    """What is left of each input by the k best of random directions, at the best scale."""
    D = torch.randn(D_SAE, D_IN, generator=torch.Generator().manual_seed(seed))
    D /= D.norm(dim=-1, keepdim=True)
    x = test - mean
    values, latents = (x @ D.T).topk(k, dim=-1)
    x_hat = torch.zeros(len(x), D_SAE).scatter(-1, latents, values.relu()) @ D
    return x - (x * x_hat).sum() / x_hat.square().sum() * x_hat


def _twins(attempt: Callable, x: Tensor, test: Tensor, seed: int) -> Any:
    sae = _trained(attempt, seed)
    if isinstance(sae, str):
        return sae
    try:
        twin = type(sae)(**sae.config)
        twin.load_state_dict(sae.state_dict())
    except NotImplementedError:
        raise
    except Exception as error:
        return f"it cannot be made again from its config: {str(error).splitlines()[0]}"
    with torch.no_grad():
        z, copied = sae.encode(test), twin.eval().encode(test)
        twin.fold_scale(2.0)
        return z, copied, 2.0 * twin.encode(test / 2.0)


def _judge_twins(outputs: Any, x: Tensor, test: Tensor, seed: int) -> str | None:
    if isinstance(outputs, str):
        return outputs
    z, copied, folded = outputs
    if problem := not_a_tensor(z, (len(test), D_SAE), AXES, "encode"):
        return problem
    if problem := differs(copied, z, 1e-4, "the original"):
        return f"its twin, made from config and state dict, computes something else: {problem}"
    if problem := differs(folded, z, 1e-3, "twice as large activations without it"):
        return f"after fold_scale(2) the latents of x / 2 should be half as large: {problem}"
    return None


def _lines(attempt: Callable, x: Tensor, seed: int) -> Any:
    sae = _make(attempt, seed)
    if isinstance(sae, str):
        return sae
    sae.encode(x)
    own = [function for function in map(_function, vars(type(sae)).values()) if function]
    numbers = [line for code in own for *_, line in code.co_lines() if line]
    first = min((code.co_firstlineno for code in own), default=0)
    return torch.tensor(float(max(numbers, default=0) - first + 1 if own else 0))


def _function(member: Any) -> Any:
    """The code of a method or property, None for anything else."""
    if isinstance(member, property):
        member = member.fget
    member = inspect.unwrap(getattr(member, "__func__", member))
    return getattr(member, "__code__", None)


def _judge_lines(n: Any, x: Tensor, seed: int) -> str | None:
    if isinstance(n, str):
        return n
    if n == 0:
        return "your class has no method of its own: it is the architecture it was made from"
    if n < LINES:
        return None
    return f"from its first method to the end it takes {int(n)} lines; {LINES - 1} are allowed"
