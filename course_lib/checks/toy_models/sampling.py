"""Exercise 1: sparse features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor

AXES = "n_instances, batch_size, n_features"
BATCH = 4000
SIGMAS = 6.0  # a right answer strays further about once in 10^9 comparisons


@exercise("toy_models.sample_features", "Sparse features")
def make_cases(generator: Generator) -> list[Case]:
    p = 0.2 + 0.45 * torch.rand(2, 4, generator=generator)
    edges = p.clone()
    edges[0, 0], edges[1, 2] = 0.0, 1.0
    seed = int(torch.randint(10**6, (), generator=generator))
    drawn = {"probability": p, "seed": seed}
    return [
        Case(
            "Each feature is active as often as its own probability says",
            {"probability": edges, "seed": seed},
            _sample,
            _judge_frequency,
            "Compare each entry of `probability` with the share of samples where that feature is "
            "not zero. It needs an axis for the batch before it can be compared with [n_instances, "
            "batch_size, n_features] random numbers.",
        ),
        Case(
            "Active features have magnitudes that are uniform between 0 and 1",
            drawn,
            _sample,
            _judge_magnitude,
            "Knowing that a feature is active must tell you nothing about its magnitude.",
        ),
        Case(
            "Features, instances and samples are drawn independently of each other",
            drawn,
            _sample,
            _judge_independence,
            "Every entry [instance, sample, feature] needs random numbers of its own.",
        ),
        Case(
            "All randomness comes from the generator",
            drawn,
            _sample_three_times,
            _judge_generator,
            "torch's random functions take the argument `generator=`.",
        ),
    ]


def _sample(attempt: Callable, probability: Tensor, seed: int) -> Any:
    return attempt(BATCH, probability, torch.Generator().manual_seed(seed))


def _sample_three_times(attempt: Callable, probability: Tensor, seed: int) -> Any:
    state = torch.get_rng_state()
    first = attempt(50, probability, torch.Generator().manual_seed(seed))
    again = attempt(50, probability, torch.Generator().manual_seed(seed))
    other = attempt(50, probability, torch.Generator().manual_seed(seed + 1))
    return first, again, other, torch.equal(state, torch.get_rng_state())


def _malformed(x: Any, probability: Tensor, batch_size: int = BATCH) -> str | None:
    n_instances, n_features = probability.shape
    problem = not_a_tensor(x, (n_instances, batch_size, n_features), AXES)
    if problem is None and not (x != 0).any():
        problem = "every number it returned is 0: no feature is ever active"
    return problem


def _judge_frequency(x: Any, probability: Tensor, seed: int) -> str | None:
    if problem := _malformed(x, probability):
        return problem
    share = (x != 0).double().mean(dim=1)
    spread = (probability * (1 - probability) / BATCH).double().sqrt()
    off = (share - probability).abs() - SIGMAS * spread
    if off.max() <= 1e-9:
        return None
    instance, feature = divmod(int(off.flatten().argmax()), probability.shape[1])
    seen, wanted = share[instance, feature].item(), probability[instance, feature].item()
    message = (
        f"feature {feature} of instance {instance} is active in {seen:.1%} of the samples, "
        f"and its probability is {wanted:.1%}"
    )
    if (share - (1 - probability)).abs().le(SIGMAS * spread + 1e-9).all():
        message += "; you take the probability of being active for the probability of being zero"
    elif (share - share.mean()).abs().max() < 0.03:
        message += "; all your features are active equally often"
    return message


def _judge_magnitude(x: Any, probability: Tensor, seed: int) -> str | None:
    if problem := _malformed(x, probability):
        return problem
    low, high = x.min().item(), x.max().item()
    if low < 0 or high > 1:
        return f"the values run from {low:.3g} to {high:.3g}; they must stay between 0 and 1"
    for instance, feature in torch.cartesian_prod(*map(torch.arange, probability.shape)).tolist():
        values = x[instance, :, feature]
        values = values[values > 0].double().sort().values
        if len(values) < 50:
            return f"feature {feature} of instance {instance} is active in {len(values)} samples"
        ranks = torch.arange(1, len(values) + 1) / len(values)
        if (values - ranks).abs().max() < 3 / len(values) ** 0.5:  # Kolmogorov-Smirnov distance
            continue
        at = f"where feature {feature} of instance {instance} is active,"
        if values[0] == values[-1]:
            return f"{at} it is always {values[0].item():.3g}; the magnitude must vary"
        p = probability[instance, feature].item()
        if 0.95 * p < values[-1] <= p:
            return (
                f"{at} no magnitude is above its probability {p:.2f}: one random number decides "
                "both whether it is active and how large it is"
            )
        if values[0] >= 0.95 * (1 - p) and values[0] > 0.1:
            return (
                f"{at} no magnitude is below {values[0].item():.2f}: one random number decides "
                "both whether it is active and how large it is"
            )
        return f"{at} its mean is {values.mean().item():.3f}, and a uniform magnitude has 0.5"
    return None


def _judge_independence(x: Any, probability: Tensor, seed: int) -> str | None:
    if problem := _malformed(x, probability):
        return problem
    n_instances, n_features = probability.shape
    columns = x.detach().double().permute(0, 2, 1).reshape(n_instances * n_features, -1)
    on = (columns != 0).double()
    if (constant := on.std(dim=1) == 0).any():
        row = int(constant.nonzero()[0])
        return f"{_name(row, n_features)} is on in all samples or in none"
    limit = SIGMAS / BATCH**0.5
    if pair := _most_correlated(on, limit):
        return _together(pair, n_features, "are switched on together")
    if pair := _magnitudes_together(columns, on):
        return _together(pair, n_features, "share their magnitude where both are active")
    if pair := _most_correlated(columns, limit):
        return _together(pair, n_features, "rise and fall together")
    repeats = sum(len(row) - len(row.unique()) for row in (c[c != 0] for c in columns))
    if repeats > 0.01 * on.sum():
        return "the same magnitudes come back in sample after sample; each sample needs its own"
    return None


def _most_correlated(rows: Tensor, limit: float) -> tuple[int, int, float] | None:
    r = torch.corrcoef(rows).fill_diagonal_(0)
    if r.abs().max() <= limit:
        return None
    first, second = divmod(int(r.abs().argmax()), len(rows))
    return min(first, second), max(first, second), r[first, second].item()


def _magnitudes_together(columns: Tensor, on: Tensor) -> tuple[int, int, float] | None:
    for first in range(len(columns)):
        for second in range(first):
            both = (on[first] * on[second]) > 0
            if both.sum() < 100:
                continue
            r = torch.corrcoef(columns[[second, first]][:, both])[0, 1].item()
            if abs(r) > SIGMAS / both.sum().item() ** 0.5:
                return second, first, r
    return None


def _together(pair: tuple[int, int, float], n_features: int, what: str) -> str:
    first, second, r = pair
    return (
        f"{_name(first, n_features)} and {_name(second, n_features)} {what} (correlation {r:.2f}); "
        "they must have nothing to do with each other"
    )


def _name(row: int, n_features: int) -> str:
    return f"feature {row % n_features} of instance {row // n_features}"


def _judge_generator(samples: Any, probability: Tensor, seed: int) -> str | None:
    first, again, other, untouched = samples
    for x in (first, again, other):
        if problem := _malformed(x, probability, batch_size=50):
            return problem
    if not untouched:
        return "it drew from (or seeded) torch's global generator and not from the one it was given"
    if not torch.equal(first, again):
        return (
            "a generator with the same seed gave two different samples; some of the random "
            "numbers come from elsewhere"
        )
    if torch.equal(first, other):
        return "generators with different seeds gave the same sample; yours is not used"
    if torch.equal(first != 0, other != 0):
        return "generators with different seeds switch on the same features"
    return None
