"""Exercise 4: read an onion from the outside in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise

LENGTH, SYMBOLS, D = 4, 5, 6


@exercise("not_linear.peel", "Peel the onion")
def make_cases(generator: Generator) -> list[Case]:
    code = torch.linalg.qr(torch.randn(D, D, generator=generator))[0][:SYMBOLS]
    onion = torch.stack([code * 0.3**j for j in range(LENGTH)])
    uneven = code * torch.tensor([0.4, 0.7, 1.0, 1.3, 1.6])[:, None]
    uneven = torch.stack([uneven * 0.15**j for j in range(LENGTH)])
    tokens = torch.randint(SYMBOLS, (40, LENGTH), generator=generator)
    return [
        Case(
            "The outermost symbol is the one whose code is nearest",
            {"state": code[tokens[:, 0]], "codes": onion[:1]},
            _call,
            _judge,
            "Distances of every state to every code of place 0: [batch, n_symbols].",
        ),
        Case(
            "All symbols of an onion are found, each from what is left",
            {"state": _states(onion, tokens), "codes": onion},
            _call,
            _judge,
            "After each place, subtract the code that you have just found, of that place.",
        ),
        Case(
            "Codes of different lengths are told apart by distance, not by product",
            {"state": _states(uneven, tokens), "codes": uneven},
            _call,
            _judge,
            "The largest product favours long codes. |r - e|² = |r|² - 2 r·e + |e|²: what is "
            "missing?",
        ),
    ]


def _states(codes: Tensor, tokens: Tensor) -> Tensor:
    return codes[torch.arange(LENGTH), tokens].sum(1)


def _call(attempt: Callable, state: Tensor, codes: Tensor) -> Any:
    return attempt(state, codes)


def _read(state: Tensor, codes: Tensor, peel: bool = True, product: bool = False) -> Tensor:
    """One state at a time, one place at a time."""
    rows = []
    for left in state.double():
        found = []
        for layer in codes.double():
            score = layer @ left if product else -(left - layer).square().sum(1)
            found.append(int(score.argmax()))
            left = left - layer[found[-1]] if peel else left
        rows.append(found)
    return torch.tensor(rows)


def _judge(found: Any, state: Tensor, codes: Tensor) -> str | None:
    shape = [len(state), len(codes)]
    if found is None:
        return "it returned None; does every path end in `return`?"
    if not isinstance(found, Tensor) or list(found.shape) != shape:
        got = f"the shape {list(found.shape)}" if isinstance(found, Tensor) else "no tensor"
        return f"it returned {got}; a tensor of shape {shape} = [batch, length] is needed"
    if found.is_complex():
        return "it returned complex numbers; a symbol is a whole number"
    wanted = _read(state, codes)
    wrong = found.detach().double() != wanted
    if not wrong.any():
        return None
    share = wrong.double().mean(0)
    place = int((share > 0).nonzero()[0, 0])
    message = f"at place {place}, {share[place]:.0%} of the symbols are not those of the definition"
    mistakes = {
        "; nothing is taken off before the next place is read": _read(state, codes, peel=False),
        "; the largest product is not the nearest code": _read(state, codes, product=True),
        "; the places are in the reverse order": wanted.flip(1),
    }
    for word, other in mistakes.items():
        if torch.equal(found.detach().double(), other.double()):
            return message + word
    return message
