"""Exercise 2: labels that stand on the word and on nothing else."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise

WORDS, TIMES = 900, 3


@exercise("probing.control_labels", "Labels by word")
def make_cases(generator: Generator) -> list[Case]:
    def text(shares: list[float], by_word: bool) -> dict[str, Any]:
        """Words, each three times, in random order; true labels by word or by place."""
        words = torch.arange(WORDS).repeat(TIMES)
        n_labels = WORDS if by_word else len(words)
        y = torch.multinomial(torch.tensor(shares), n_labels, True, generator=generator)
        y = y.repeat(TIMES) if by_word else y
        order = torch.randperm(len(words), generator=generator)
        seed = int(torch.randint(10**6, (1,), generator=generator))
        names = torch.randperm(5 * WORDS, generator=generator)[:WORDS]
        return {"words": names[words[order]], "y": y[order], "seed": seed}

    return [
        Case(
            "A word has one label, wherever it stands",
            text([0.5, 0.5], by_word=False),
            _label,
            _judge_constant,
            "Draw one label for each *different* word; then every place looks up its word's.",
        ),
        Case(
            "The classes are as frequent as in the true task",
            text([0.8, 0.15, 0.05], by_word=False),
            _label,
            _judge_shares,
            "A control that is easier or harder by its class shares alone is no control. Which "
            "draw from y itself has its shares?",
        ),
        Case(
            "The labels know nothing of the true ones",
            text([0.5, 0.5], by_word=True),
            _label,
            _judge_independent,
            "Here every word has one true label. Of two words with the same true label, the "
            "control labels must differ as often as of any two.",
        ),
        Case(
            "The generator decides: the same seed gives the same labels, another seed others",
            text([0.5, 0.5], by_word=False),
            _label_again,
            _judge_seeds,
            "Give `generator=generator` to whatever draws, and draw from nothing else.",
        ),
    ]


def _label(attempt: Callable, words: Tensor, y: Tensor, seed: int) -> Any:
    return attempt(words, y, torch.Generator().manual_seed(seed))


def _label_again(attempt: Callable, words: Tensor, y: Tensor, seed: int) -> Any:
    return [_label(attempt, words, y, s) for s in (seed, seed, seed + 1)]


def _malformed(output: Any, words: Tensor, y: Tensor) -> str | None:
    if not isinstance(output, Tensor):
        got = "None" if output is None else f"a {type(output).__name__}"
        return f"it returned {got}; return a tensor with one label for each place"
    if output.shape != y.shape:
        return f"it returned the shape {list(output.shape)}; it must be {list(y.shape)} = [n]"
    if output.is_floating_point() or output.is_complex():
        return f"it returned the dtype {output.dtype}; labels are whole numbers"
    strange = set(output.tolist()) - set(y.tolist())
    if strange:
        return f"the label {min(strange)} is among yours, and y has no such class"
    if len(output.unique()) == 1:
        return f"every place has the label {int(output[0])}; a task has at least two classes"
    return None


def _by_word(words: Tensor, labels: Tensor) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for word, label in zip(words.tolist(), labels.tolist(), strict=True):
        found.setdefault(word, set()).add(label)
    return found


def _judge_constant(output: Any, words: Tensor, y: Tensor, seed: int) -> str | None:
    if problem := _malformed(output, words, y):
        return problem
    torn = [word for word, labels in _by_word(words, output).items() if len(labels) > 1]
    if not torn:
        return None
    why = ""
    if torch.equal(output, y):
        why = "; these are the true labels"
    elif sorted(output.tolist()) == sorted(y.tolist()):
        why = "; these are the true labels in another order, which is the shuffled control"
    return f"{len(torn)} of {WORDS} words have different labels at different places{why}"


def _judge_shares(output: Any, words: Tensor, y: Tensor, seed: int) -> str | None:
    if problem := _judge_constant(output, words, y, seed):
        return problem
    for label in y.unique().tolist():
        true, got = (y == label).double().mean().item(), (output == label).double().mean().item()
        if abs(true - got) > 5 * (true * (1 - true) / WORDS) ** 0.5:
            n_classes = len(y.unique())
            even = abs(got - 1 / n_classes) < 0.06
            why = "; all classes are equally frequent with you" if even else ""
            return f"class {label} has {true:.0%} of y and {got:.0%} of your labels{why}"
    return None


def _judge_independent(output: Any, words: Tensor, y: Tensor, seed: int) -> str | None:
    if problem := _judge_constant(output, words, y, seed):
        return problem
    agree = (output == y).double().mean().item()
    if abs(agree - 0.5) > 5 * 0.5 / WORDS**0.5:
        return (
            f"your labels agree with the true ones at {agree:.0%} of the places; two independent "
            "ones would at about 50%"
        )
    labels = _by_word(words, output)
    ordered = [min(labels[word]) for word in sorted(labels)]
    changes = sum(a != b for a, b in pairwise(ordered)) / (WORDS - 1)
    if abs(changes - 0.5) > 5 * 0.5 / WORDS**0.5:
        return (
            f"going through the words in the order of their numbers, your label changes at "
            f"{changes:.0%} of the steps; at random it would at about 50%: the number of a word "
            "decides its label"
        )
    return None


def _judge_seeds(outputs: Any, words: Tensor, y: Tensor, seed: int) -> str | None:
    for output in outputs:
        if problem := _judge_constant(output, words, y, seed):
            return problem
    first, again, other = outputs
    if not torch.equal(first, again):
        return "two calls with the same seed give different labels"
    if torch.equal(first, other):
        return "another seed gives the same labels; they are not drawn with the generator"
    return None
