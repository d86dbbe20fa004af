"""Exercise 6: a strength chosen on some contexts and scored on others, at a price."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor


@exercise("steering_with_latents.honest_effect", "The strength that was best")
def make_cases(generator: Generator) -> list[Case]:
    def drawn(n_methods: int, n_strengths: int, n: int, signal: float = 0.0) -> dict[str, Any]:
        shape = (n_methods, n_strengths)
        effect = torch.randn(*shape, n, generator=generator)
        effect = effect + signal * torch.randn(*shape, 1, generator=generator)
        cost = torch.rand(*shape, 1, generator=generator).cumsum(1)
        cost = cost * (0.5 + torch.rand(*shape, n, generator=generator))
        chosen = torch.randperm(n, generator=generator) < n // 2
        budget = float(cost[..., chosen].mean(-1).flatten().quantile(0.6))
        return {"effect": effect, "cost": cost, "choosing": chosen, "budget": budget}

    dear = drawn(4, 5, 20, 1.0)
    dear["cost"][1] += 100 * dear["budget"]
    uneven = drawn(3, 6, 40, 1.0)
    uneven["choosing"] = torch.randperm(40, generator=generator) < 10
    uneven["cost"][:, ::2] *= torch.where(uneven["choosing"], 0.3, 3.0)
    means = uneven["cost"][..., uneven["choosing"]].mean(-1)
    uneven["budget"] = float(means.flatten().quantile(0.8))
    return [
        Case(
            "The best of many strengths that do nothing is worth nothing on other contexts",
            drawn(6, 12, 24),
            _call,
            _judge,
            "Two sets of contexts: one says which strength, the other says how well.",
        ),
        Case(
            "Every method has a strength of its own",
            drawn(5, 6, 30, 1.0),
            _call,
            _judge,
            "`gather` or an index per method: the first method's best strength is not the others'.",
        ),
        Case(
            "A method that nobody can afford is not used, and has the effect 0",
            dear,
            _call,
            _judge,
            "Where no strength costs at most the budget, you leave the model alone.",
        ),
        Case(
            "The price, too, is known from the choosing contexts alone",
            uneven,
            _call,
            _judge,
            "Costs on the contexts that are scored come too late to decide anything.",
        ),
    ]


def _call(attempt: Callable, effect: Tensor, cost: Tensor, choosing: Tensor, budget: float) -> Any:
    return attempt(effect, cost, choosing, budget)


def _chosen(gain: Tensor, price: Tensor, told: Tensor, budget: float) -> Tensor:
    """What is told of each method at the affordable strength of the largest gain."""
    affordable = price <= budget
    best = gain.masked_fill(~affordable, -torch.inf).argmax(1, keepdim=True)
    return told.gather(1, best)[:, 0].where(affordable.any(1), 0.0)


def _judge(found: Any, effect: Tensor, cost: Tensor, choosing: Tensor, budget: float) -> str | None:
    if isinstance(found, Tensor) and found.is_floating_point() and found.isnan().any():
        return "it returned NaN; a method that cannot be afforded has the effect 0"
    if problem := not_a_tensor(found, (len(effect),), "methods"):
        return problem
    effect, cost = effect.double(), cost.double()
    a, b = effect[..., choosing].mean(-1), effect[..., ~choosing].mean(-1)
    price, later = cost[..., choosing].mean(-1), cost[..., ~choosing].mean(-1)
    wanted = _chosen(a, price, b, budget)
    problem = differs(found, wanted, 1e-4, "what the chosen strength does on the other contexts")
    if problem is None:
        return None
    free, every = torch.zeros_like(price), effect.mean(-1)
    common = _common(a, price, b, budget)
    dearest = _chosen(torch.arange(a.shape[1]).expand_as(a).double(), price, b, budget)
    mistakes = {
        "scored on the contexts that chose it": _chosen(a, price, a, budget),
        "chosen on all contexts, those of the score too": _chosen(every, price, b, budget),
        "chosen and scored on all contexts": _chosen(every, cost.mean(-1), every, budget),
        "chosen on the contexts that score it": _chosen(b, price, b, budget),
        "the two halves have changed places": _chosen(b, later, a, budget),
        "what it costs was not looked at": _chosen(a, free, b, budget),
        "the price comes from all contexts": _chosen(a, cost.mean(-1), b, budget),
        "the price comes from the contexts of the score": _chosen(a, later, b, budget),
        "the dearest strength within the budget is not the best one": dearest,
        "all methods have the same strength": common,
    }
    for word, values in mistakes.items():
        if differs(found, values, 1e-4) is None:
            return f"{problem}: {word}"
    return problem


def _common(gain: Tensor, price: Tensor, told: Tensor, budget: float) -> Tensor:
    """All methods at the strength that is best for their mean."""
    best = gain.mean(0).argmax()
    return told[:, best].where(price[:, best] <= budget, 0.0)
