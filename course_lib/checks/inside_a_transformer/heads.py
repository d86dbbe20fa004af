"""Exercise 2: what each head adds to a latent's pre-activation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise
from course_lib.checks.judging import differs, not_a_tensor

HEADS, WIDTH, LATENTS, BATCH = 3, 4, 5, 6
ATOL = 1e-4


@exercise("inside_a_transformer.by_head", "The heads add up")
def make_cases(generator: Generator) -> list[Case]:
    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    sae = {
        "W_enc": draw(HEADS * WIDTH, LATENTS),
        "b_enc": draw(LATENTS),
        "b_dec": draw(HEADS * WIDTH),
        "n_heads": HEADS,
    }
    x = draw(BATCH, HEADS * WIDTH)
    silent = draw(BATCH, HEADS, WIDTH)
    silent[:3, 1], silent[3:, 2] = 0, 0
    silent[0] = 0
    return [
        Case(
            "Parts and rest add up to the pre-activations",
            {"x": x, **sae},
            _split,
            _judge_sum,
            "Multiply (x - b_dec) W_enc + b_enc out. Which terms depend on x?",
        ),
        Case(
            "A head's part is the product of its own numbers with its own rows of W_enc",
            {"x": x, **sae},
            _split,
            _judge_parts,
            "The heads stand side by side: the first d_head numbers of x are head 0's, and so are "
            "the first d_head rows of W_enc.",
        ),
        Case(
            "A head that puts out 0 has part 0",
            {"x": silent.flatten(1), **sae},
            _split,
            _judge_silent,
            "Whatever does not go away when a head falls silent is not the head's.",
        ),
        Case(
            "What every input gets is the pre-activation of an empty input",
            {"x": x, **sae},
            _split,
            _judge_rest,
            "Put x = 0 into (x - b_dec) W_enc + b_enc.",
        ),
        Case(
            "An input alone gets what it gets among others",
            {"x": x, **sae},
            _split_twice,
            _judge_alone,
            "Nothing may be averaged over the batch: other inputs are no part of this one's sum.",
        ),
    ]


def _split(attempt: Callable, **inputs: Any) -> Any:
    return attempt(*inputs.values())


def _split_twice(attempt: Callable, x: Tensor, **sae: Any) -> Any:
    return attempt(x, *sae.values()), attempt(x[:1], *sae.values())


def _malformed(output: Any, x: Tensor) -> str | None:
    if not isinstance(output, tuple | list) or len(output) != 2:
        got = "None" if output is None else f"a {type(output).__name__}"
        return f"it returned {got}; return two tensors, (parts, rest)"
    parts, rest = output
    return not_a_tensor(
        parts, (len(x), HEADS, LATENTS), "batch, n_heads, d_sae", "as parts it"
    ) or not_a_tensor(rest, (LATENTS,), "d_sae", "as rest it")


def _whole(x: Tensor, W_enc: Tensor, b_enc: Tensor, b_dec: Tensor) -> Tensor:
    """Pre-activations [batch, d_sae], number by number."""
    pre = torch.zeros(len(x), LATENTS, dtype=torch.double)
    for s in range(len(x)):
        for j in range(LATENTS):
            pre[s, j] = b_enc[j]
            for i in range(x.shape[1]):
                pre[s, j] += (x[s, i].double() - b_dec[i]) * W_enc[i, j]
    return pre


def _parts(x: Tensor, W_enc: Tensor, interleaved: bool = False) -> Tensor:
    """What each head adds, number by number; or with every n_heads-th number for a head's."""
    parts = torch.zeros(len(x), HEADS, LATENTS, dtype=torch.double)
    for i in range(x.shape[1]):
        head = i % HEADS if interleaved else i // WIDTH
        for s in range(len(x)):
            for j in range(LATENTS):
                parts[s, head, j] += x[s, i].double() * W_enc[i, j]
    return parts


def _judge_sum(
    output: Any, x: Tensor, W_enc: Tensor, b_enc: Tensor, b_dec: Tensor, n_heads: int
) -> str | None:
    if problem := _malformed(output, x):
        return problem
    parts, rest = (part.detach().double() for part in output)
    total, wanted = parts.sum(dim=1) + rest, _whole(x, W_enc, b_enc, b_dec)
    problem = differs(total, wanted, ATOL, against="the pre-activations")
    if problem is None:
        return None
    along = b_dec.double() @ W_enc.double()
    mistakes = {
        "b_dec is missing": wanted + along,
        "b_enc is missing": wanted - b_enc,
        "b_dec is added, and it is to be subtracted": wanted + 2 * along,
        "b_dec is subtracted twice": wanted - along,
        "b_enc is in it twice": wanted + b_enc,
        f"b_enc is in it {n_heads + 1} times": wanted + n_heads * b_enc,
    }
    fits = (f"; {w}" for w, value in mistakes.items() if differs(total, value, ATOL) is None)
    return f"parts.sum(1) + rest: {problem}" + next(fits, "")


def _judge_parts(
    output: Any, x: Tensor, W_enc: Tensor, b_enc: Tensor, b_dec: Tensor, n_heads: int
) -> str | None:
    if problem := _malformed(output, x):
        return problem
    parts, wanted = output[0].detach().double(), _parts(x, W_enc)
    problem = differs(parts, wanted, ATOL)
    if problem is None:
        return None
    mistakes = {
        f"you take every {n_heads}rd number for a head's; the heads stand side by side": _parts(
            x, W_enc, interleaved=True
        ),
        "you have centred x: what is subtracted is the same for every input": _parts(
            x - b_dec, W_enc
        ),
        "each of your heads has a share of b_enc": wanted + b_enc / n_heads,
    }
    fits = (f"; {w}" for w, value in mistakes.items() if differs(parts, value, ATOL) is None)
    return f"parts: {problem}" + next(fits, "")


def _judge_silent(
    output: Any, x: Tensor, W_enc: Tensor, b_enc: Tensor, b_dec: Tensor, n_heads: int
) -> str | None:
    if problem := _malformed(output, x):
        return problem
    parts, wanted = output[0].detach().double(), _parts(x, W_enc)
    size = parts.abs().amax(dim=-1)
    for s, head in (wanted.abs().amax(dim=-1) == 0).nonzero().tolist():
        if size[s, head] > ATOL:
            return (
                f"on input {s} head {head} puts out 0, and its part goes up to "
                f"{size[s, head]:.4f}; it must be 0"
            )
    return differs(parts, wanted, ATOL)


def _judge_rest(
    output: Any, x: Tensor, W_enc: Tensor, b_enc: Tensor, b_dec: Tensor, n_heads: int
) -> str | None:
    if problem := _malformed(output, x):
        return problem
    wanted = _whole(torch.zeros(1, x.shape[1]), W_enc, b_enc, b_dec)[0]
    problem = differs(output[1], wanted, ATOL, against="the pre-activation of x = 0")
    if problem and differs(output[1], b_enc, ATOL) is None:
        problem += "; yours is b_enc, and b_dec goes through the encoder too"
    return problem and f"rest: {problem}"


def _judge_alone(
    outputs: Any, x: Tensor, W_enc: Tensor, b_enc: Tensor, b_dec: Tensor, n_heads: int
) -> str | None:
    together, alone = outputs
    if problem := _malformed(together, x) or _malformed(alone, x[:1]):
        return problem
    for name, one, many in (
        ("parts", alone[0], together[0][:1]),
        ("rest", alone[1], together[1]),
    ):
        if problem := differs(one, many, ATOL, against="those in a batch of 6"):
            return f"{name} of an input alone: {problem}"
    return differs(alone[0], _parts(x[:1], W_enc), ATOL)
