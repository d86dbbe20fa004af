"""Exercise 2: steer the same tokens with a cache and without."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

BATCH, SEQ, WIDTH = 3, 9, 4
PARTS = ("all", "prompt", "last", "new", "answer")


@exercise("steering_vectors.steer_pass", "The same tokens, with a cache and without")
def make_cases(generator: Generator) -> list[Case]:
    def world(n_prompt: list[int]) -> dict[str, Tensor]:
        return {
            "h": torch.randn(BATCH, SEQ, WIDTH, generator=generator),
            "n_prompt": torch.tensor(n_prompt),
            "delta": torch.randn(WIDTH, generator=generator) + 2,
        }

    length = int(torch.randint(4, 6, (1,), generator=generator))
    return [
        Case(
            "One pass over the whole sequence: each part steers its own tokens",
            {**world([length] * BATCH), "ends": (0, SEQ)},
            _steer,
            _judge,
            "Places are counted from 0, so that the last token of a prompt of n stands at n - 1.",
        ),
        Case(
            "A prompt in one pass, then one token a pass: the same tokens as before",
            {**world([length] * BATCH), "ends": (0, *range(length, SEQ + 1))},
            _steer,
            _judge,
            "A pass of one token has no idea how far the sequence is, and `seen` does.",
        ),
        Case(
            "Rows whose prompts have different lengths",
            {**world([3, length, 7]), "ends": (0, SEQ)},
            _steer,
            _judge,
            "n_prompt[:, None] has a row for each sequence.",
        ),
        Case(
            "Passes of any length, and the end of a prompt in the middle of one",
            {**world([2, length, 6]), "ends": (0, 3, 4, 8, SEQ)},
            _steer,
            _judge,
            "A long prompt may be read in pieces, and rows of a batch need not end it together.",
        ),
    ]


def _steer(
    attempt: Callable, h: Tensor, n_prompt: Tensor, delta: Tensor, ends: tuple[int, ...]
) -> Any:
    told = []
    for part in PARTS:
        cuts = pairwise(ends)
        pieces = [attempt(h[:, a:b], a, n_prompt, delta, part) for a, b in cuts]
        told.append(pieces)
    return told


def _meant(part: str, place: int, end: int) -> bool:
    return {
        "all": True,
        "prompt": place <= end - 1,
        "last": place + 1 == end,
        "new": place > end - 1,
        "answer": place + 1 >= end,
    }[part]


def _judge(
    outputs: Any, h: Tensor, n_prompt: Tensor, delta: Tensor, ends: tuple[int, ...]
) -> str | None:
    lengths = [b - a for a, b in pairwise(ends)]
    for part, pieces in zip(PARTS, outputs, strict=True):
        for piece, new in zip(pieces, lengths, strict=True):
            if problem := not_a_tensor(piece, (BATCH, new, WIDTH), "batch, new, d_model"):
                return problem
        moved = torch.cat([piece.detach().double() for piece in pieces], dim=1) - h.double()
        found = (moved.abs() > 1e-6).any(-1)
        wanted = torch.tensor(
            [[_meant(part, place, end) for place in range(SEQ)] for end in n_prompt.tolist()]
        )
        if not torch.equal(found, wanted):
            return _where(part, found, wanted, n_prompt, ends)
        expected = wanted[..., None] * delta.double()
        if problem := differs(moved, expected, 1e-4, against="delta at these tokens"):
            return f"part {part!r} changes the right tokens, but: {problem}"
    return None


def _where(
    part: str, found: Tensor, wanted: Tensor, n_prompt: Tensor, ends: tuple[int, ...]
) -> str:
    row = int((found != wanted).any(1).nonzero()[0])
    end = int(n_prompt[row])

    def places(mask: Tensor) -> str:
        return ", ".join(str(i) for i in mask.nonzero()[:, 0].tolist()) or "none"

    said = (
        f"part {part!r}, a prompt of {end} tokens, passes that end at {list(ends[1:])}: you steer "
        f"the places {places(found[row])}, it must be {places(wanted[row])}"
    )
    ends_of_passes = torch.zeros(SEQ, dtype=torch.bool)
    ends_of_passes[torch.tensor(ends[1:]) - 1] = True
    in_pass = [i - max(a for a in ends if a <= i) for i in range(SEQ)]
    forgot = torch.tensor([_meant(part, i, end) for i in in_pass])
    shared = torch.tensor([_meant(part, i, int(n_prompt[0])) for i in range(SEQ)])
    if part == "last" and torch.equal(found[row], ends_of_passes):
        return said + "; that is the last token of each pass"
    if len(ends) > 2 and torch.equal(found[row], forgot):
        return said + "; places are counted from the start of each pass"
    if row > 0 and torch.equal(found[row], shared):
        return said + "; that would be right for the first row's prompt"
    if part == "answer" and torch.equal(
        found[row], torch.tensor([_meant("new", i, end) for i in range(SEQ)])
    ):
        return said + "; the first new token is written after the prompt's last"
    if int(found[row].sum()) and torch.equal(found[row][1:], wanted[row][:-1]):
        return said + "; that is one token late"
    if torch.equal(found[row][:-1], wanted[row][1:]):
        return said + "; that is one token early"
    return said
