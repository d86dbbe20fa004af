"""Steer a model while it runs: one act, or a whole grid of acts and strengths in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor, nn

from course_lib import validate
from course_lib.activations import intervene
from course_lib.models.gpt import GPT, KVCache
from course_lib.models.next_token import logits_of
from course_lib.steering.actions import Act
from course_lib.steering.places import EVERY, Seen, Steered

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


@contextmanager
def steer(
    model: nn.Module,
    act: Act,
    strength: float | Float[Tensor, " batch"] = 1.0,
    *,
    n_prompt: int | Int[Tensor, " batch"] | None = None,
    where: Bool[Tensor, "batch seq"] | None = None,
) -> Iterator[None]:
    """Apply an act whenever the model runs within the `with` block.

        with steer(model, vector, 4.0, n_prompt=tokens.shape[1]):
            text = model.generate(tokens, 20)

    Each token is steered once, in the pass that reads it: with a KV cache the logits are those of
    one pass over all tokens. Nest blocks to apply several.

    Args:
        act: a `SteeringVector`, an `Action` or a `ClampLatent`.
        strength: one, or one for each row of the batch.
        n_prompt: tokens of the prompt; needed where the act's rule speaks of it.
        where: a mask on top of the rule; False beyond its end.

    Raises:
        ValueError: the act is not of this model; or, at the end of the block, the model ran and no
            token was steered (rules that name token ids may find none).
    """
    validate.like("act", act, "check", "change").check(model)
    with Seen(model) as seen:
        made = Steered(act, strength, EVERY, seen, n_prompt, where)
        with intervene(model, act.site, made):
            yield
        made.check()


@torch.no_grad()
def sweep(
    model: nn.Module,
    inputs: Tensor,
    acts: Sequence[Act],
    strengths: Sequence[float] | Float[Tensor, " n_strengths"],
    measure: Callable[[Float[Tensor, "cells batch ..."]], Tensor] | None = None,
    *,
    n_prompt: int | None = None,
    where: Bool[Tensor, "batch seq"] | None = None,
    rows: int = 512,
) -> Float[Tensor, "n_acts n_strengths batch ..."]:
    """What the model answers under each act, whatever its site and kind, at each strength.

    The cells of the grid lie side by side in the batch, so that one pass serves many. The result is
    that of a loop over `steer`, but for rounding.

    Args:
        inputs: [batch, ...], tokens for a language model.
        measure: from logits [cells, batch, ...] to what is kept, [cells, batch, ...]; None for all.
        rows: of a pass, at most; a cell is never split.
    """
    validate.instance("model", model, nn.Module)
    if validate.instance("inputs", inputs, Tensor).ndim == 0 or len(inputs) == 0:
        raise ValueError(f"inputs has shape {list(inputs.shape)}; it must be [batch, ...].")
    if measure is not None:
        validate.function("measure", measure)
    if where is not None:
        validate.tensors("any", where=(where, "batch seq"))
    parts = []
    for cells, stack in _chunks(model, len(inputs), acts, strengths, n_prompt, where, rows):
        with stack:
            out = logits_of(model, inputs.repeat(cells, *[1] * (inputs.ndim - 1)))
        out = out.unflatten(0, (cells, len(inputs)))
        parts.append(out if measure is None else measure(out))
    return torch.cat(parts).unflatten(0, (len(acts), -1))


@torch.no_grad()
def generate(
    model: nn.Module,
    prompts: Int[Tensor, "batch seq"],
    n_new: int,
    acts: Sequence[Act] = (),
    strengths: Sequence[float] | Float[Tensor, " n_strengths"] = (1.0,),
    *,
    temperature: float = 0.0,
    generator: Generator | None = None,
    cache: bool = True,
    rows: int = 512,
) -> Int[Tensor, "n_acts n_strengths batch seq+n_new"]:
    """The prompts and n_new more tokens under each act at each strength.

    For our GPT and for models of transformers. Without acts the result is [batch, seq + n_new]. All
    cells draw with the same chance, so that they differ by the steering alone.

    Args:
        temperature: 0 for the likeliest token, else one drawn from softmax(logits / temperature).
        generator: of the draws.
        cache: False to read everything again for each token, which gives the same, slower.
        rows: of a pass, at most.

    Raises ValueError when a temperature above 0 comes without a generator.
    """
    validate.instance("model", model, nn.Module)
    validate.shape("prompts", prompts, ("batch", "seq"))
    validate.positive_int("n_new", n_new)
    if validate.number("temperature", temperature, 0.0) > 0 and generator is None:
        raise ValueError("generator is None; give one to draw at a temperature above 0.")
    chance = None
    if temperature > 0:
        validate.instance("generator", generator, Generator)
        chance = torch.rand(len(prompts), n_new, generator=generator, device=generator.device)
        chance = chance.to(prompts.device)
    if acts is None or not len(validate.sequence("acts", acts)):
        return _continued(model, prompts, n_new, temperature, chance, cache)
    parts = []
    n_prompt = prompts.shape[1]
    for cells, stack in _chunks(model, len(prompts), acts, strengths, n_prompt, None, rows):
        same = None if chance is None else chance.repeat(cells, 1)
        with stack:
            out = _continued(model, prompts.repeat(cells, 1), n_new, temperature, same, cache)
        parts.append(out.unflatten(0, (cells, len(prompts))))
    return torch.cat(parts).unflatten(0, (len(acts), -1))


# --- within ---------------------------------------------------------------------------------------


def _continued(
    model: nn.Module,
    tokens: Tensor,
    n_new: int,
    temperature: float,
    chance: Tensor | None,
    cached: bool,
) -> Tensor:
    cache, new = KVCache() if isinstance(model, GPT) else None, tokens
    for step in range(n_new):
        if not cached:
            logits = logits_of(model, tokens)
        elif isinstance(model, GPT):
            logits = model(new, cache)
        else:
            out = model(new, past_key_values=cache, use_cache=True)
            logits, cache = out.logits, out.past_key_values
        last = logits[:, -1]
        if chance is None:
            new = last.argmax(dim=-1, keepdim=True)
        else:
            ends = (last.double() / temperature).softmax(dim=-1).cumsum(dim=-1)
            point = chance[:, step : step + 1] * ends[:, -1:]
            new = torch.searchsorted(ends, point, right=True).clamp(max=last.shape[-1] - 1)
        tokens = torch.cat([tokens, new], dim=1)
    return tokens


def _chunks(
    model: nn.Module,
    batch: int,
    acts: Sequence[Act],
    strengths: Sequence[float] | Tensor,
    n_prompt: int | None,
    where: Tensor | None,
    rows: int,
) -> Iterator[tuple[int, AbstractContextManager[None]]]:
    """Some cells of the grid at a time: how many, and what is to be entered while they run."""
    try:  # in double precision, not rounded to single
        values = torch.as_tensor(strengths, dtype=torch.double)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise TypeError(
            f"strengths is {validate.SHOWN.repr(strengths)}; it must be numbers."
        ) from error
    values = validate.finite("strengths", values).flatten().tolist()
    if not values or not len(validate.sequence("acts", acts)):
        raise ValueError("acts and strengths must name one at least.")
    for act in acts:
        validate.like("an entry of acts", act, "check", "change").check(model)
    cells = [(number, value) for number in range(len(acts)) for value in values]
    at_once = max(1, validate.positive_int("rows", rows) // batch)
    for first in range(0, len(cells), at_once):
        some = cells[first : first + at_once]
        yield len(some), _entered(model, some, acts, batch, n_prompt, where)


@contextmanager
def _entered(
    model: nn.Module,
    cells: list[tuple[int, float]],
    acts: Sequence[Act],
    batch: int,
    n_prompt: int | None,
    where: Tensor | None,
) -> Iterator[None]:
    start = 0
    made = []
    with ExitStack() as stack:
        seen = stack.enter_context(Seen(model))
        for number, group in groupby(cells, key=lambda cell: cell[0]):
            values = [value for _, value in group]
            own = slice(start, start := start + batch * len(values))
            strength = torch.tensor(values, dtype=torch.double).repeat_interleave(batch)
            mask = None if where is None else where.repeat(len(values), 1)
            made.append(Steered(acts[number], strength, own, seen, n_prompt, mask))
            stack.enter_context(intervene(model, acts[number].site, made[-1]))
        yield
    for steered in made:
        steered.check()
