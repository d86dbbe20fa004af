"""Exercise 4: find the bugs in a BatchTopK that is to be used on single inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor, nn

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor

AXES = "batch, d_sae"
K, D_SAE, BATCHES = 3, 24, 40


@exercise("sae_family.batch_topk_module", "Different alone than in company", find_the_bug=True)
def make_cases(generator: Generator) -> list[Case]:
    given = {
        "stream": _stream(generator, BATCHES),
        "x": _stream(generator, 1)[0],
        "loud": 20 * torch.rand(16, D_SAE, generator=generator),
    }
    return [
        Case(
            "At inference an input's latents depend on that input and nothing else",
            given,
            _alone_and_together,
            _judge_alone,
            "Which line of `forward` mixes numbers of different inputs? It is right in training, "
            "where the batch is part of the definition.",
        ),
        Case(
            "A copy made from the state dict does what the trained module does",
            given,
            _copied,
            _judge_copied,
            "Print `module.state_dict()`. Everything that inference needs must stand in it: what "
            "does a module do with a plain attribute when it is saved?",
        ),
        Case(
            "One by one, rich inputs get more latents than poor ones, and k is the mean",
            given,
            _alone_and_together,
            _judge_counts,
            "The threshold is there to give each input as many latents as it has above it. Is it "
            "used, and is it the smallest value that training keeps?",
        ),
    ]


def _stream(generator: Generator, n: int) -> Tensor:
    """Pre-activations [n, 64, d_sae]: half of the inputs speak twice as loud as the others."""
    pre = torch.randn(n, 64, D_SAE, generator=generator)
    pre[:, ::2] *= 2
    return pre


def _make(attempt: Callable) -> nn.Module | str:
    try:
        module = attempt(K)
    except NotImplementedError:
        raise
    except Exception as error:
        return f"your class could not be made with k = {K}: {error}"
    if not isinstance(module, nn.Module):
        what = "None" if module is None else f"a {type(module).__name__}"
        return f"your class gave {what}; it must be a torch.nn.Module"
    return module


def _trained(attempt: Callable, stream: Tensor) -> nn.Module | str:
    module = _make(attempt)
    if isinstance(module, str):
        return module
    module.train()
    for pre in stream:
        z = module(pre.clone())
        problem = not_a_tensor(z, pre.shape, AXES, "in training, forward")
        if problem:
            return problem
        if (z != 0).sum() != K * len(pre):
            return (
                f"in training {int((z != 0).sum())} latents of a batch of {len(pre)} are active; "
                f"k · batch = {K * len(pre)} should be"
            )
    return module.eval()


def _one_by_one(module: nn.Module, x: Tensor) -> Tensor:
    return torch.cat([module(row[None].clone()) for row in x]).detach()


def _alone_and_together(attempt: Callable, stream: Tensor, x: Tensor, loud: Tensor) -> Any:
    module = _trained(attempt, stream)
    if isinstance(module, str):
        return module
    together = module(x.clone()).detach()
    module(loud.clone())
    return together, _one_by_one(module, x)


def _judge_alone(outputs: Any, x: Tensor, **rest: Any) -> str | None:
    if isinstance(outputs, str):
        return outputs
    together, alone = outputs
    problem = not_a_tensor(together, x.shape, AXES) or not_a_tensor(alone, x.shape, AXES)
    if problem:
        return problem
    changed = ((together != 0) != (alone != 0)).any(dim=-1)
    if not changed.any():
        return None
    s = int(changed.nonzero()[0])
    return (
        f"{int(changed.sum())} of {len(x)} inputs have other latents alone than in a batch: input "
        f"{s} has {int((alone[s] != 0).sum())} active alone, {int((together[s] != 0).sum())} in it"
    )


def _copied(attempt: Callable, stream: Tensor, x: Tensor, loud: Tensor) -> Any:
    module = _trained(attempt, stream)
    if isinstance(module, str):
        return module
    copy = _make(attempt)
    copy.load_state_dict(module.state_dict())
    copy.eval()
    return module(x.clone()).detach(), _one_by_one(copy, x)


def _judge_copied(outputs: Any, x: Tensor, **rest: Any) -> str | None:
    if isinstance(outputs, str):
        return outputs
    module, copy = outputs
    problem = not_a_tensor(module, x.shape, AXES) or not_a_tensor(copy, x.shape, AXES)
    if problem:
        return problem
    if (module - copy).abs().max() < 1e-5:
        return None
    counts = [(z != 0).sum(dim=-1).float().mean().item() for z in (module, copy)]
    return (
        f"the trained module has {counts[0]:.1f} active latents per input; its copy, one input at "
        f"a time, has {counts[1]:.1f}, and others"
    )


def _judge_counts(outputs: Any, x: Tensor, **rest: Any) -> str | None:
    if isinstance(outputs, str):
        return outputs
    _, alone = outputs
    if problem := not_a_tensor(alone, x.shape, AXES):
        return problem
    counts = (alone != 0).sum(dim=-1).float()
    if (counts == K).all():
        return f"every input has exactly {K} active latents: that is TopK, not a threshold"
    mean, rich, poor = counts.mean().item(), counts[::2].mean().item(), counts[1::2].mean().item()
    if abs(mean - K) > 0.25 * K:
        return f"one by one, {mean:.1f} latents are active on average; k = {K} should be"
    if rich < 2 * poor:
        return f"rich inputs have {rich:.1f} active latents and poor ones {poor:.1f}: too even"
    off = (alone - x)[alone != 0].abs().max().item()
    if off > 1e-5:
        return f"active latents are up to {off:.2f} off their pre-activations; only select them"
    return None
