"""Exercise 2: find two bugs in how the effect of a patch is scored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number

ATOL = 1e-3


@exercise("causal_tests.recovered_effect", "A part that is everything", find_the_bug=True)
def make_cases(generator: Generator) -> list[Case]:
    def runs() -> tuple[Tensor, Tensor]:
        gap = torch.tensor([0.02, -0.3, 0.5, 1.0, 2.0, 4.0])
        gap = gap * (0.8 + 0.4 * torch.rand(6, generator=generator))
        corrupt = -3 + torch.randn(6, generator=generator)
        return corrupt + gap, corrupt

    def between(start: Tensor, goal: Tensor) -> Tensor:
        amount = 0.2 + 0.6 * torch.rand(3, 1, generator=generator)
        noise = 0.3 * torch.rand(3, 6, generator=generator)
        return start + amount * (goal - start) + noise

    (clean_1, corrupt_1), (clean_2, corrupt_2), (clean_3, corrupt_3) = runs(), runs(), runs()
    return [
        Case(
            "Denoising: a pair whose two runs hardly differ does not rule",
            {"patched": between(corrupt_1, clean_1), "clean": clean_1, "corrupt": corrupt_1},
            _denoise,
            _judge_denoise,
            "Print the ratio of each pair, beside its gap. What happens where the gap is 0.02?",
        ),
        Case(
            "Noising: a part that does nothing scores 0, one that carries everything 1",
            {"patched": torch.stack([clean_2, corrupt_2]), "clean": clean_2, "corrupt": corrupt_2},
            _noise,
            _judge_noise,
            "In noising the run that is patched is the clean one. Where does it start, and where "
            "would a part that carries everything take it?",
        ),
        Case(
            "Noising: so does what lies in between, over pairs with unequal gaps",
            {"patched": between(clean_2, corrupt_2), "clean": clean_2, "corrupt": corrupt_2},
            _noise,
            _judge_noise,
            "Both repairs are needed here: the start, and how pairs are put together.",
        ),
        Case(
            "Either mode asks the same question with the runs exchanged",
            {"patched": between(corrupt_3, clean_3), "clean": clean_3, "corrupt": corrupt_3},
            lambda attempt, patched, clean, corrupt: _noise(attempt, patched, corrupt, clean),
            _judge_denoise,
            "Call the run that is patched `start`, the one that the patch is from `goal`.",
        ),
    ]


def _denoise(attempt: Callable, patched: Tensor, clean: Tensor, corrupt: Tensor) -> list:
    return [attempt(row, clean, corrupt, "denoise") for row in patched]


def _noise(attempt: Callable, patched: Tensor, clean: Tensor, corrupt: Tensor) -> list:
    return [attempt(row, clean, corrupt, "noise") for row in patched]


def _judge_denoise(found: Any, patched: Tensor, clean: Tensor, corrupt: Tensor) -> str | None:
    return _judge(found, patched, corrupt, clean)


def _judge_noise(found: Any, patched: Tensor, clean: Tensor, corrupt: Tensor) -> str | None:
    return _judge(found, patched, clean, corrupt)


def _judge(found: list, patched: Tensor, start: Tensor, goal: Tensor) -> str | None:
    for value, row in zip(found, patched.tolist(), strict=True):
        if problem := not_a_number(value, "the score"):
            return problem
        pairs = list(zip(row, start.tolist(), goal.tolist(), strict=True))
        moved, gap = sum(p - s for p, s, _ in pairs), sum(g - s for _, s, g in pairs)
        ratios = [(p - s) / (g - s) for p, s, g in pairs]
        wanted = moved / gap
        if abs(float(value) - wanted) <= ATOL:
            continue
        message = (
            f"the score is {float(value):.3f}; over all {len(pairs)} pairs the measure moves by "
            f"{moved:.2f} of the {gap:.2f} from one run to the other, which is {wanted:.3f}"
        )
        mean = sum(ratios) / len(ratios)
        mistakes = {
            f"; yours is a mean of ratios, and one of them is {max(ratios, key=abs):.1f}": mean,
            "; yours is what is left of the run that is patched": 1 - wanted,
            "; yours is a mean of ratios, and it starts from the wrong run": 1 - mean,
        }
        for word, other in mistakes.items():
            if abs(float(value) - other) <= ATOL:
                return message + word
        return message
    return None
