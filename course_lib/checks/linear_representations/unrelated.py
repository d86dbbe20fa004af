"""Exercise 5: refute the claim that orthogonal differences show a hierarchy."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor

BRANCHING, WORDS = (3, 4), 8  # three parents with four children of eight words each
N_WORDS, MOST = BRANCHING[0] * BRANCHING[1] * WORDS, 4096
ALIKE, ORTHOGONAL, REGULAR = 0.5, 0.1, 0.15


@exercise("linear_representations.unrelated_words", "A tree that is not there")
def make_cases(generator: Generator) -> list[Case]:
    asked = {
        "n_words": N_WORDS,
        "seed": int(torch.randint(1 << 30, (), generator=generator)),
        "order": torch.randperm(N_WORDS, generator=generator),
    }
    return [
        Case(
            "No two words are closer to each other than any other two",
            asked,
            _call,
            _judge_unrelated,
            "All cosines of two different words should be about the same. Which list of vectors "
            "treats all words alike?",
        ),
        Case(
            "Parents are orthogonal to what their children add, for a tree of random words",
            asked,
            _call,
            _judge_orthogonal,
            "The parent is the mean of its children. Write (mean of children) · (child - mean of "
            "children) with the products of single words: which of them must be 0, or cancel?",
        ),
        Case(
            "Siblings are corners of a regular simplex",
            asked,
            _call,
            _judge_simplex,
            "Four means of eight words each: when are all distances between them the same?",
        ),
    ]


def _call(attempt: Any, n_words: int, seed: int, order: Tensor) -> Any:
    return attempt(n_words, torch.Generator().manual_seed(seed))


def _malformed(g: Any) -> str | None:
    if isinstance(g, Tensor) and not (g.ndim == 2 and 0 < g.shape[1] <= MOST):
        return f"it returned the shape {list(g.shape)}; it must be [{N_WORDS}, d], d at most {MOST}"
    d = g.shape[1] if isinstance(g, Tensor) else "d"
    if problem := not_a_tensor(g, (N_WORDS, d), "n_words, d"):
        return problem
    if (g.norm(dim=1) == 0).any():
        return "it has a word of zeros, which has no direction; every word needs one"
    return None


def _tree(g: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
    """Means of the words of each child [3, 4, d], and of each parent [3, 1, d]."""
    children = g.double()[order].view(*BRANCHING, WORDS, -1).mean(2)
    return children, children.mean(1, keepdim=True)


def _judge_unrelated(g: Any, n_words: int, seed: int, order: Tensor) -> str | None:
    if problem := _malformed(g):
        return problem
    unit = torch.nn.functional.normalize(g.detach().double(), dim=1)
    cosine = unit @ unit.T
    cosine = cosine[~torch.eye(N_WORDS, dtype=torch.bool)]
    if cosine.max() > 1 - 1e-6:
        return "two words have one and the same direction; tell them apart"
    if cosine.max() - cosine.min() > ALIKE:
        return (
            f"cosines of two words go from {cosine.min().item():.2f} to {cosine.max().item():.2f}; "
            f"some are related and others are not. Keep them within {ALIKE} of each other"
        )
    return None


def _judge_orthogonal(g: Any, n_words: int, seed: int, order: Tensor) -> str | None:
    if problem := _malformed(g):
        return problem
    children, parents = _tree(g.detach(), order)
    added = children - parents
    length = parents.norm(dim=-1) * added.norm(dim=-1)
    if not (length > 1e-9).all():
        return "a parent or what a child adds to it is a vector of zeros; there is no angle"
    found = ((parents * added).sum(-1) / length).abs().mean().item()
    if found <= ORTHOGONAL:
        return None
    return (
        f"for random sets the mean |cos| of a parent and what a child adds is {found:.3f}; "
        f"{ORTHOGONAL} or less would fool the reader"
    )


def _judge_simplex(g: Any, n_words: int, seed: int, order: Tensor) -> str | None:
    if problem := _malformed(g):
        return problem
    children, parents = _tree(g.detach(), order)
    added = children - parents
    if not (added.norm(dim=-1) > 1e-9).all():
        return "what a child adds to its parent is a vector of zeros; there is no corner"
    unit = torch.nn.functional.normalize(added, dim=-1)
    cosine = (unit @ unit.mT)[:, ~torch.eye(BRANCHING[1], dtype=torch.bool)]
    target = -1 / (BRANCHING[1] - 1)
    off = (cosine - target).abs().mean().item()
    if off <= REGULAR:
        return None
    return (
        f"cosines of siblings around their mean are {target:.2f} in a regular simplex; yours are "
        f"{off:.2f} away from it on average, {REGULAR} is allowed"
    )
