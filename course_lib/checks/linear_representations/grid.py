"""Exercise 6: codes of combinations that nobody has seen."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor
from course_lib.checks.linear_representations.worlds import normal

ATOL = 1e-3
SIZES = (4, 3)


@exercise("linear_representations.complete_grid", "Combinations nobody has seen")
def make_cases(generator: Generator) -> list[Case]:
    every = torch.cartesian_prod(*[torch.arange(n) for n in SIZES])
    parts = [2 * normal(generator, n, 5) for n in SIZES]
    H = (parts[0][every[:, 0]] + parts[1][every[:, 1]] + 3 * normal(generator, 5)).float()
    corner = [int(torch.randint(n, (), generator=generator)) for n in SIZES]
    cross = (every == torch.tensor(corner)).any(1)
    uneven = cross | (torch.rand(len(every), generator=generator) < 0.4)
    noisy = H + normal(generator, *H.shape).float()
    twice = torch.cat([every[uneven], every[cross]])  # some of them several times
    codes = torch.cat([noisy[uneven], noisy[cross] + normal(generator, int(cross.sum()), 5)])
    return [
        Case(
            "From a cross of combinations, all others follow",
            {"H": H[cross], "seen": every[cross], "asked": every, "truth": H},
            _call,
            _judge_exact,
            "In a sum of parts, f(a, b) - f(a', b) is the same for every b: four corners of a "
            "parallelogram, and three of them give the fourth.",
        ),
        Case(
            "Values that are seen in uneven numbers do no harm",
            {"H": H[uneven], "seen": every[uneven], "asked": every, "truth": H},
            _call,
            _judge_exact,
            "The mean over the rows with a value also depends on the other concept's values there. "
            "Solve for all parts at once.",
        ),
        Case(
            "Where the codes are no sum, it is the sum that comes closest",
            {"H": codes.float(), "seen": twice, "asked": every},
            lambda attempt, H, seen, asked: (attempt(H, seen, seen), attempt(H, seen, asked)),
            _judge_closest,
            "Least squares: what is left over has mean 0 over the rows of every single value, or "
            "else that value's part could still be improved.",
        ),
    ]


def _call(attempt: Any, H: Tensor, seen: Tensor, asked: Tensor, truth: Tensor) -> Any:
    return attempt(H, seen, asked)


def _judge_exact(found: Any, H: Tensor, seen: Tensor, asked: Tensor, truth: Tensor) -> str | None:
    if problem := not_a_tensor(found, truth.shape, "n_asked, d"):
        return problem
    if (problem := differs(found, truth, ATOL, "the planted sum")) is None:
        return None
    shown = (asked[:, None] == seen).all(-1).any(1)
    if differs(found[shown], truth[shown], ATOL) is None:
        problem += "; the combinations that were seen are right, the others are not"
    return problem


def _judge_closest(outputs: Any, H: Tensor, seen: Tensor, asked: Tensor) -> str | None:
    fitted, everywhere = outputs
    if problem := not_a_tensor(fitted, H.shape, "n_seen, d", "asked for the seen ones it"):
        return problem
    if problem := not_a_tensor(everywhere, (len(asked), H.shape[1]), "n_asked, d"):
        return problem
    grid = everywhere.double().view(*SIZES, -1)
    bend = grid - grid[:1] - grid[:, :1] + grid[:1, :1]
    if bend.abs().max() > ATOL * (1 + grid.abs().max()):
        return (
            f"your codes are no sum of parts: four corners that should be a parallelogram miss by "
            f"{bend.abs().max().item():.3f}"
        )
    left = H.double() - fitted.double()
    for i, values in enumerate(seen.T):
        for value in values.unique():
            mean = left[values == value].mean(0).abs().max().item()
            if mean > 10 * ATOL:
                return (
                    f"over the rows with value {int(value)} of concept {i} the codes are off by "
                    f"{mean:.3f} on average: a sum that is closer exists"
                )
    return None
