"""Exercise 5: refute that, at equal l0, the lower FVU belongs to the better dictionary."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor

FOUND, AXES = 0.9, "4, 4"
TITLE = "The lower FVU is the better SAE"


@exercise("sae_family.lower_fvu", TITLE)
def make_cases(generator: Generator) -> list[Case]:
    return [
        Case(
            "With one latent per input it leaves at most half of what the planted one leaves",
            {},
            lambda attempt: attempt(),
            _judge_fvu,
            "The planted dictionary has one latent per input, and half of the inputs have two "
            "features on. Which four directions would leave nothing over?",
        ),
        Case(
            "At least two of the four features have no latent of their own",
            {},
            lambda attempt: attempt(),
            _judge_missing,
            "A feature is found when some latent has a cosine of at least 0.9 with it. Which "
            "features are never seen without another one?",
        ),
        Case(
            "Every latent is used",
            {},
            lambda attempt: attempt(),
            _judge_used,
            "There are four different inputs and four latents. A latent that fits none of the "
            "inputs best is one that you could have spent otherwise.",
        ),
    ]


def _inputs() -> Tensor:
    """The four inputs, equally likely: a parent alone, or with its child, all at magnitude 1."""
    A, B, a, b = torch.eye(4, dtype=torch.double)
    return torch.stack([A, A + a, B, B + b])


def _code(W_dec: Tensor) -> tuple[Tensor, Tensor]:
    """What the best single latent leaves of each input, [4], and which one that is, [4]."""
    x = _inputs()
    z = (x @ W_dec.T).clamp(min=0)
    left = (x[:, None] - z[..., None] * W_dec).square().sum(dim=-1)
    return left.min(dim=-1)


def _fvu(W_dec: Tensor) -> float:
    x = _inputs()
    return (_code(W_dec)[0].sum() / (x - x.mean(dim=0)).square().sum()).item()


def _malformed(W_dec: Any) -> str | None:
    if problem := not_a_tensor(W_dec, (4, 4), AXES):
        return problem
    lengths = W_dec.detach().double().norm(dim=-1)
    j = int((lengths - 1).abs().argmax())
    if abs(lengths[j] - 1) > 1e-3:
        return f"row {j} has length {lengths[j]:.3f}; every latent's direction must have length 1"
    return None


def _judge_fvu(W_dec: Any) -> str | None:
    if problem := _malformed(W_dec):
        return problem
    found, planted = _fvu(W_dec.detach().double()), _fvu(torch.eye(4, dtype=torch.double))
    if found <= planted / 2 + 1e-6:
        return None
    return (
        f"your FVU is {found:.3f}; the planted dictionary's is {planted:.3f}, so at most "
        f"{planted / 2:.3f} is needed"
    )


def _judge_missing(W_dec: Any) -> str | None:
    if problem := _malformed(W_dec):
        return problem
    best = W_dec.detach().double().max(dim=0).values  # features are the axes
    found = int((best >= FOUND).sum())
    if found <= 2:
        return None
    names = ", ".join(f"{name} {value:.2f}" for name, value in zip("ABab", best, strict=True))
    return (
        f"{found} of the 4 features are found, which makes it a good dictionary (best cosines: "
        f"{names}); the statement stands as long as the better FVU has the better dictionary"
    )


def _judge_used(W_dec: Any) -> str | None:
    if problem := _malformed(W_dec):
        return problem
    used = _code(W_dec.detach().double())[1].unique()
    if len(used) == 4:
        return None
    idle = sorted({0, 1, 2, 3} - set(used.tolist()))
    return f"{len(idle)} of 4 latents fit no input best: {', '.join(map(str, idle))}"
