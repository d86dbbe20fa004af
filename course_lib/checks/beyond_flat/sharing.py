"""Exercise 5: what mends a split dictionary."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number

ATOL = 1e-3


@exercise("beyond_flat.split_or_shared", "What mends a split dictionary")
def make_cases(generator: Generator) -> list[Case]:
    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(6, generator=generator)

    a, cosine = draw(0.5, 1.5), draw(0.2, 0.9)
    none, strength, chance = torch.zeros(6), draw(0.2, 0.8), draw(0.1, 0.9)
    return [
        Case(
            "Without penalty and swaps, sharing costs what lies off the middle direction",
            {"a": a, "cosine": cosine, "strength": none, "swap": none},
            _losses,
            _judge,
            "Split codes rebuild both views exactly. The shared direction is at half the angle "
            "from either view's: project on it and see what is missing.",
        ),
        Case(
            "The group penalty counts a latent once, however many views use it",
            {"a": a, "cosine": cosine, "strength": strength, "swap": none},
            _losses,
            _judge,
            "One term √(z_0² + z_1²) for each latent. How many latents does each dictionary use, "
            "and with which values in the two views?",
        ),
        Case(
            "A swap of one latent in a split dictionary ruins both views",
            {"a": a, "cosine": cosine, "strength": none, "swap": chance},
            _losses,
            _judge,
            "Two latents, each swapped with its own chance: four cases. Write what each view gets "
            "in each case and how far that is from what it should be.",
        ),
        Case(
            "Penalty and swaps together",
            {"a": a, "cosine": cosine, "strength": strength, "swap": chance},
            _losses,
            _judge,
            "Does swapping the two views of a latent change √(z_0² + z_1²)?",
        ),
    ]


def _points(*columns: Tensor) -> list[tuple[float, ...]]:
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _losses(attempt: Callable, a: Tensor, cosine: Tensor, strength: Tensor, swap: Tensor) -> list:
    return [attempt(*point) for point in _points(a, cosine, strength, swap)]


def _expected(
    codes: Tensor, directions: Tensor, views: Tensor, strength: float, swap: float
) -> tuple[float, float]:
    """Error and penalty: every pattern of swaps, written out.

    codes [view, latent], directions [latent, 2], views [view, 2].
    """
    error = 0.0
    for swapped in itertools.product((False, True), repeat=len(directions)):
        decoded, chance = codes.clone(), 1.0
        for latent, is_swapped in enumerate(swapped):
            chance *= swap if is_swapped else 1 - swap
            if is_swapped:
                decoded[:, latent] = codes.flip(0)[:, latent]
        error += chance * (views - decoded @ directions).square().sum().item()
    return error, strength * codes.square().sum(dim=0).sqrt().sum().item()


def _split(a: float, cosine: float, strength: float, swap: float) -> tuple[float, float]:
    directions = _two_directions(cosine)
    codes = a * torch.eye(2, dtype=torch.double)
    return _expected(codes, directions, a * directions, strength, swap)


def _shared(a: float, cosine: float, strength: float, swap: float) -> tuple[float, float]:
    directions = _two_directions(cosine)
    middle = directions.sum(dim=0, keepdim=True)
    middle = middle / middle.norm()
    codes = a * directions @ middle.T
    return _expected(codes, middle, a * directions, strength, swap)


def _two_directions(cosine: float) -> Tensor:
    return torch.tensor([[1.0, 0.0], [cosine, (1 - cosine**2) ** 0.5]], dtype=torch.double)


def _not_a_pair(output: Any) -> str | None:
    if output is None:
        return "it returned None; does every path end in `return`?"
    if not hasattr(output, "__len__") or (isinstance(output, Tensor) and output.ndim == 0):
        return f"it returned a single {type(output).__name__}; return (split, shared)"
    if len(output) != 2:
        return f"it returned {len(output)} values; return two, (split, shared)"
    return not_a_number(output[0], "the split loss") or not_a_number(output[1], "the shared loss")


def _judge(outputs: Any, a: Tensor, cosine: Tensor, strength: Tensor, swap: Tensor) -> str | None:
    for output in outputs:
        if problem := _not_a_pair(output):
            return problem
    points = _points(a, cosine, strength, swap)
    for which, (name, parts) in enumerate((("split", _split), ("shared", _shared))):
        found = [float(output[which]) for output in outputs]
        wanted = [sum(parts(*point)) for point in points]
        k = max(range(len(points)), key=lambda k: abs(found[k] - wanted[k]))
        if abs(found[k] - wanted[k]) <= ATOL + 1e-3 * wanted[k]:
            continue
        error, penalty = parts(*points[k])
        message = (
            "at a = {:.2f}, cosine {:.2f}, strength {:.2f}, swap {:.2f} ".format(*points[k])
            + f"your {name} loss is {found[k]:.3f}; with all swaps written out the error is "
            f"{error:.3f} and the penalty {penalty:.3f}, together {wanted[k]:.3f}"
        )
        return message + _named(found, points, which, parts)
    return None


def _named(found: list[float], points: list, which: int, parts: Callable) -> str:
    """A mistake that fits all points, as the end of a sentence."""

    def both(point: tuple[float, ...]) -> tuple[float, float]:
        return parts(*point)

    mistakes: dict[str, Callable[[tuple[float, ...]], float]] = {
        "; you have the error of one view alone": lambda p: both(p)[0] / 2 + both(p)[1],
        "; the penalty is missing": lambda p: both(p)[0],
        "; your penalty is L1, which counts both views": lambda p: (
            both(p)[0] + both(p)[1] * (1.0 if which == 0 else 2**0.5)
        ),
        "; you swap both latents together": lambda p: (
            p[3] * both((p[0], p[1], 0.0, 1.0))[0] + both(p)[1]
        ),
    }
    for words, value in mistakes.items():
        pairs = zip(found, points, strict=True)
        if all(abs(f - value(point)) <= ATOL + 1e-3 * abs(f) for f, point in pairs):
            return words
    return ""
