"""Exercise 6: XOR with one negative weight."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import not_a_tensor

CORNERS = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.double)
NAMES = ("W_in", "b_in", "W_out", "b_out")
LOW, HIGH = 0.1, 0.9


@exercise("features_as_directions.xor_weights", "One negative weight")
def make_cases(generator: Generator) -> list[Case]:
    return [
        Case(
            "The output is at least 0.9 where one input is on, at most 0.1 where none or both are",
            {},
            lambda attempt: attempt(),
            _judge_answers,
            "One neuron can count: ReLU(x_1 + x_2) is 0, 1, 1, 2. What has to be taken away, and "
            "where?",
        ),
        Case(
            "Exactly one weight is negative",
            {},
            lambda attempt: attempt(),
            _judge_signs,
            "Biases may have any sign and do not count. |x_1 - x_2| needs two negative weights; "
            "there is a way with one.",
        ),
        Case(
            "Two hidden neurons are enough",
            {},
            lambda attempt: attempt(),
            _judge_width,
            "One neuron that counts and one that notices when both are on.",
        ),
    ]


def _malformed(answer: Any) -> str | None:
    if not isinstance(answer, tuple | list) or len(answer) != 4:
        got = "None" if answer is None else f"a {type(answer).__name__}"
        return f"it returned {got}; return four tensors, (W_in, b_in, W_out, b_out)"
    W_in = answer[0]
    if not isinstance(W_in, Tensor) or W_in.ndim != 2 or W_in.shape[0] != 2 or 0 in W_in.shape:
        got = list(W_in.shape) if isinstance(W_in, Tensor) else type(W_in).__name__
        return f"W_in is {got}; it must be a tensor of shape [2, d_hidden]"
    width = W_in.shape[1]
    shapes = ((2, width), (width,), (width,), ())
    axes = ("2, d_hidden", "d_hidden", "d_hidden", "")
    for name, part, shape, axis in zip(NAMES, answer, shapes, axes, strict=True):
        if problem := not_a_tensor(part, shape, axis, f"as {name} it"):
            return problem
    for name, part in (("W_in", W_in), ("W_out", answer[2])):
        if not part.any():
            return f"every weight of {name} is 0, so the inputs cannot reach the output"
    return None


def _judge_answers(answer: Any) -> str | None:
    if problem := _malformed(answer):
        return problem
    W_in, b_in, W_out, b_out = (part.detach().double() for part in answer)
    output = (CORNERS @ W_in + b_in).clamp(min=0) @ W_out + b_out
    for corner, value in zip(CORNERS.int().tolist(), output.tolist(), strict=True):
        one = sum(corner) == 1
        if (one and value < HIGH) or (not one and value > LOW):
            wanted = f"at least {HIGH}" if one else f"at most {LOW}"
            return f"at the input {tuple(corner)} the output is {value:.2f}; it must be {wanted}"
    return None


def _judge_signs(answer: Any) -> str | None:
    if problem := _malformed(answer):
        return problem
    negative = int((answer[0] < 0).sum() + (answer[2] < 0).sum())
    if negative == 1:
        return None
    if negative == 0:
        return "no weight is negative, so the output can never fall when an input rises"
    return f"{negative} weights are negative; one is enough"


def _judge_width(answer: Any) -> str | None:
    if problem := _malformed(answer):
        return problem
    if answer[0].shape[1] > 2:
        return f"there are {answer[0].shape[1]} hidden neurons; two are enough"
    return None
