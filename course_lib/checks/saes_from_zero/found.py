"""Exercise 3: which features were found, one to one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.functional import normalize

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_number

THRESHOLD = 0.9


@exercise("saes_from_zero.found", "Found, one to one")
def make_cases(generator: Generator) -> list[Case]:
    def near(rows: Tensor, noise: float) -> Tensor:
        return normalize(rows + noise * torch.randn(rows.shape, generator=generator), dim=-1)

    D = torch.linalg.qr(torch.randn(8, 8, generator=generator)).Q[:4]
    order = torch.randperm(4, generator=generator)
    other = torch.linalg.qr(torch.cat([D, torch.randn(4, 8, generator=generator)]).T).Q.T[4:]
    plain = torch.cat([near(D[order][:3], 0.05), other[:3]])
    doubled = torch.cat([near(D[[0, 0, 0, 1]], 0.05), other[:1]])
    opposite = torch.cat([-D[:2], near(D[2:], 0.05)])
    lengths = torch.tensor([0.2, 0.3, 3.0, 0.5, 1.0, 2.0])[:, None]
    dead = lengths * plain
    dead[4] = 0.0
    return [
        Case(
            "Recall is the share of the features, precision the share of the latents",
            {"W_dec": plain, "D": D},
            _call,
            _judge,
            "Three of four features have a latent, and three of six latents have a feature.",
        ),
        Case(
            "A feature is found once, however many latents point at it",
            {"W_dec": doubled, "D": D},
            _call,
            _judge,
            "Three latents share one feature here. In a one-to-one pairing, how many of them can "
            "have it?",
        ),
        Case(
            "The opposite direction is not the feature",
            {"W_dec": opposite, "D": D},
            _call,
            _judge,
            "Latents are never negative: a latent along -D_j cannot write feature j. Do you take "
            "the absolute value of a cosine?",
        ),
        Case(
            "Lengths do not matter, and a dead latent of norm 0 is no NaN",
            {"W_dec": dead, "D": torch.tensor([0.3, 2.0, 0.5, 1.5])[:, None] * D},
            _call,
            _judge,
            "Divide every row by its length; leave a row of zeros as it is.",
        ),
        Case(
            "The pairing with the largest sum of cosines counts, not the first that comes to hand",
            {"W_dec": _rivals(), "D": _rivals_features()},
            _call,
            _judge,
            "Taking the best latent for one feature after the other can rob a later one of its "
            "only latent. `scipy.optimize.linear_sum_assignment(matrix, maximize=True)` pairs all "
            "at once.",
        ),
    ]


def _rivals_features() -> Tensor:
    return torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])


def _rivals() -> Tensor:
    """Latent 0 is the best for features 0 and 1; latent 1 does only for feature 0."""
    return normalize(torch.tensor([[0.96, 0.28, 0.0], [0.95, -0.31, 0.0], [0.0, 0.0, 1.0]]), dim=-1)


def by_trying_all(W_dec: Tensor, D: Tensor) -> tuple[float, float]:
    """Precision and recall of the best of all one-to-one pairings, tried one by one."""
    cosine = normalize(D.double(), dim=-1) @ normalize(W_dec.double(), dim=-1).T
    if len(cosine) > len(cosine.T):
        cosine = cosine.T
    few, many = cosine.shape
    best = max(
        permutations(range(many), few),
        key=lambda pick: sum(cosine[i, j].item() for i, j in enumerate(pick)),
    )
    n_found = sum(cosine[i, j].item() >= THRESHOLD for i, j in enumerate(best))
    return n_found / len(W_dec), n_found / len(D)


def _call(attempt: Callable, W_dec: Tensor, D: Tensor) -> Any:
    return attempt(W_dec, D, THRESHOLD)


def _judge(output: Any, W_dec: Tensor, D: Tensor) -> str | None:
    if output is None:
        return "it returned None; does every path end in `return`?"
    if not hasattr(output, "__len__") or isinstance(output, str):
        return f"it returned a {type(output).__name__}; return (precision, recall)"
    if (isinstance(output, Tensor) and output.ndim != 1) or len(output) != 2:
        return "it must return exactly two numbers, (precision, recall)"
    names = ("the precision", "the recall")
    for value, name in zip(output, names, strict=True):
        if problem := not_a_number(value, name):
            return problem
    found, wanted = [float(value) for value in output], by_trying_all(W_dec, D)
    sizes = f"{len(W_dec)} latents, {len(D)} features"
    if found == list(wanted)[::-1] and wanted[0] != wanted[1]:
        return f"with {sizes} precision and recall have changed places"
    for value, right, name in zip(found, wanted, names, strict=True):
        if abs(value - right) > 1e-6:
            return f"with {sizes} {name} is {value:.3f} with you; the best pairing has {right:.3f}"
    return None
