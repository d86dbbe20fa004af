"""What the card of a shipped model says of it: numbers that anyone can measure again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import runtime
from course_lib.data.sequences import NONE, Sequences
from course_lib.models.next_token import floor, next_token_loss

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from course_lib.data import (
        CalendarArithmetic,
        InContextTasks,
        RepeatCopy,
        StoryWorld,
        TorusGame,
    )
    from course_lib.data.sequences import TokenWorld
    from course_lib.models.cnn import CNN
    from course_lib.models.gpt import GPT
    from course_lib.models.gru import GRU
    from course_lib.models.tasks import DigitPictures, NextFrame, SceneFactors

TEST_SEED = 4_000_000  # no training has a seed as high
BATCH = 256
RIDGE = 1e-3  # of the number of tokens

STORY_STATES = (  # those whose label is the state itself
    "language", "gender", "number", "tense", "valence", "topic", "place", "theme", "day", "cue",
    "speaker", "honest", "persona",
)  # fmt: skip

Numbers = dict[str, float]


def drawn(world: TokenWorld, n: int, seed: int = TEST_SEED) -> Sequences:
    """n sequences that no training has drawn."""
    return world.sample(n, runtime.generator(seed))


@torch.no_grad()
def in_batches(function: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    return torch.cat([function(part) for part in rows.split(BATCH)])


def against_the_floor(model: GPT | GRU, world: TokenWorld, n: int = 2048) -> Numbers:
    """The loss on new sequences (nats a token), the floor on the same, and the relative excess."""
    tokens = drawn(world, n).tokens
    loss = in_batches(lambda rows: next_token_loss(model(rows[:, :-1]), rows), tokens).mean().item()
    least = floor(world, tokens, model.n_given).mean().item()
    return {"loss": loss, "floor": least} | ({"excess": loss / least - 1} if least > 0 else {})


def games(model: GPT, world: TorusGame, n: int = 2048) -> Numbers:
    """And the share of moves that are legal where the model thinks them the likeliest."""
    tokens = drawn(world, n).tokens
    best = in_batches(lambda rows: model(rows[:, :-1]).argmax(dim=-1), tokens)
    legal = world.replay(tokens).legal[:, :-1].gather(-1, best[..., None])[..., 0]
    more_to_come = tokens[:, 1:] != NONE
    return against_the_floor(model, world, n) | {"legal": legal[more_to_come].float().mean().item()}


def calendar(model: GPT, world: CalendarArithmetic) -> Numbers:
    """And the share of all sentences about weekdays and about months that it ends rightly."""
    sentences = world.every_sentence()
    best = in_batches(lambda rows: model(rows[:, :-1])[:, -1].argmax(dim=-1), sentences.tokens)
    right, month = best == sentences.tokens[:, -1], sentences.labels["cycle"][:, -1] == 1
    parts = {"weekdays": right[~month], "months": right[month]}
    return against_the_floor(model, world) | {
        name: part.float().mean().item() for name, part in parts.items()
    }


def in_context(model: GPT, world: InContextTasks, n: int = 2048) -> Numbers:
    """And how often it gives the last query the right label, and how often the best observer."""
    drawing = drawn(world, n)
    context, truth = drawing.tokens[:, :-1], drawing.labels["label"][:, -1]
    labels = slice(world.n_items, None)
    said = in_batches(lambda rows: model(rows)[:, -1, labels].argmax(dim=-1), context)
    law = world.posterior(drawing.tokens)[:, -2]
    given = torch.nn.functional.one_hot(world.table[:, context[:, -1]].T, world.n_labels)
    best = (law[:, :, None] * given).sum(1).argmax(-1)
    parts = {"right": said == truth, "ideal": best == truth}
    return against_the_floor(model, world, n) | {
        name: part.float().mean().item() for name, part in parts.items()
    }


def copying(model: GRU, world: RepeatCopy, n: int = 2048) -> Numbers:
    """And the share of sequences that it writes without a mistake, on its own."""
    tokens = drawn(world, n).tokens
    read = world.length
    written = model.write(in_batches(model.encode, tokens[:, :read]), world.n_symbols, read)
    right = (written == tokens[:, -read:]).all(dim=1).float().mean().item()
    return against_the_floor(model, world, n) | {"sequences": right}


def classes(model: CNN, world: DigitPictures) -> Numbers:
    """The share of the pictures set aside that it names rightly."""
    x, y = world.test
    right = in_batches(lambda rows: model(rows).argmax(dim=1), x) == y
    return {"accuracy": right.float().mean().item()}


def factors(model: CNN, world: SceneFactors, n: int = 4096) -> Numbers:
    """The share of new pictures on which it names the shape, the colour, the position rightly."""
    x, labels = world.sample(n, runtime.generator(TEST_SEED))
    said = in_batches(model, x).split(model.config.classes, dim=1)
    right = [part.argmax(dim=1) == label for part, label in zip(said, labels.T, strict=True)]
    names = ("shape", "colour", "position")
    return {name: part.float().mean().item() for name, part in zip(names, right, strict=True)}


def frames(model: CNN, world: NextFrame, n: int = 2048) -> Numbers:
    """The squared error, as a share of that of saying that nothing will change."""
    x, target = world.sample(n, runtime.generator(TEST_SEED))
    error = F.mse_loss(in_batches(model, x), target) / F.mse_loss(x[:, -1:], target)
    return {"error": error.item()}


# --- what a linear read-out finds ----------------------------------------------------------------


def read_out(model: GPT, train: Sequences, test: Sequences) -> dict[str, dict[str, float]]:
    """For each attribute: how often a linear read-out of the residual stream finds its value.

    Ridge regression on the values, one-hot, after each block, from the tokens of `train` that have
    the attribute, the last of a sequence apart, which a model predicts and does not read.
    "read_out" is the share of those of `test` on which the largest output is right, at the best
    block, "block" which that is, "commonest" the share of the commonest value.
    """
    streams = [
        in_batches(lambda rows: _streams(model, rows), part.tokens[:, :-1])
        for part in (train, test)
    ]
    result = {}
    for name in train.labels:
        y_train, y_test = (part.labels[name][:, :-1] for part in (train, test))
        known = [y != NONE for y in (y_train, y_test)]
        if not all(mask.any() for mask in known):
            continue
        y_train, y_test = y_train[known[0]], y_test[known[1]]
        shares = [
            _share_right(streams[0][known[0]][:, block], y_train,
                         streams[1][known[1]][:, block], y_test)
            for block in range(model.config.n_layers)
        ]  # fmt: skip
        result[name] = {
            "read_out": max(shares),
            "block": shares.index(max(shares)),
            "commonest": (y_test == y_train.mode().values).double().mean().item(),
        }
    return result


def with_the_board(world: TorusGame, games: Sequences) -> dict[str, Sequences]:
    """By kind, what stone each cell holds, cell by cell; `NONE` where it is empty."""
    play = world.replay(games.tokens)
    kinds = {"black or white": play.board, "mine or theirs": play.relative}
    boards = {}
    for kind, board in kinds.items():
        stones = board.long().where((board < 2) & (games.tokens != NONE)[..., None], NONE)
        cells = dict(zip(world.vocabulary, stones.unbind(-1), strict=True))
        boards[kind] = Sequences(games.tokens, cells)
    return boards


def token_accuracy(model: GPT, world: TokenWorld, n: int = 1024) -> dict[str, dict[str, float]]:
    """`read_out` of all attributes of a world of tokens."""
    return read_out(model, drawn(world, n, TEST_SEED + 1), drawn(world, n, TEST_SEED + 2))


def game_accuracy(model: GPT, world: TorusGame, n: int = 1024) -> dict[str, dict[str, float]]:
    """And of the stones on the board, in both readings, as a mean over cells."""
    parts = [with_the_board(world, drawn(world, n, TEST_SEED + part)) for part in (1, 2)]
    result = token_accuracy(model, world, n)
    for kind in parts[0]:
        cells = read_out(model, parts[0][kind], parts[1][kind]).values()
        result[kind] = {
            what: sum(cell[what] for cell in cells) / len(cells)
            for what in ("read_out", "commonest")
        }
    return result


def story_accuracy(model: GPT, world: StoryWorld, n: int = 768) -> dict[str, dict[str, float]]:
    """And "ideal": how often an observer is right who knows the world's law and reads the same.

    "needed" and "ideal, needed" are the same two at the tokens before a word that shows the
    attribute: a model has a use for a state there, and may leave it unread elsewhere.
    """
    train, test = (drawn(world, n, TEST_SEED + part) for part in (1, 2))
    result = read_out(model, train, test)
    needed = read_out(model, before_it_is_shown(world, train), before_it_is_shown(world, test))
    for name, row in needed.items():
        result[name]["needed"] = row["read_out"]
    for state in STORY_STATES:
        best = world.posterior(state, test.tokens).argmax(dim=-1)
        parts = {"ideal": test, "ideal, needed": before_it_is_shown(world, test)}
        for name, part in parts.items():
            truth = part.labels.get(state)
            if truth is not None and (truth != NONE).any():
                result[state][name] = (best == truth)[truth != NONE].double().mean().item()
    return result


def before_it_is_shown(world: StoryWorld, told: Sequences) -> Sequences:
    """The labels of the attributes that words show, only where the next word shows them."""
    labels = {}
    for name, words in world.words.items():
        if name in told.labels:
            coming = F.pad(words[told.tokens[:, 1:]] != NONE, (0, 1), value=False)
            labels[name] = told.labels[name].where(coming, NONE)
    return Sequences(told.tokens, labels)


def state_accuracy(model: GRU, world: RepeatCopy, n: int = 4096) -> dict[str, dict[str, float]]:
    """For each place: how often a linear read-out of the encoder's last state finds its symbol."""
    train, test = (drawn(world, n, TEST_SEED + part).tokens[:, : world.length] for part in (1, 2))
    x_train, x_test = (in_batches(model.encode, part) for part in (train, test))
    return {
        f"place {place + 1}": {
            "read_out": _share_right(x_train, train[:, place], x_test, test[:, place]),
            "commonest": 1 / world.n_symbols,
        }
        for place in range(world.length)
    }


def nothing_to_read_out(model: object, world: object) -> Mapping[str, dict[str, float]]:
    """Of a model whose world has no attributes."""
    return {}


def _streams(model: GPT, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq block d"]:
    kept: list[Tensor] = []
    hooks = [
        block.register_forward_hook(lambda _, __, stream: kept.append(stream))
        for block in model.blocks
    ]
    try:
        model(tokens)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(kept, dim=2)


def _share_right(
    x_train: Float[Tensor, "n d"],
    y_train: Int[Tensor, " n"],
    x_test: Float[Tensor, "m d"],
    y_test: Int[Tensor, " m"],
) -> float:
    mean = x_train.mean(dim=0)
    x_train, x_test = ((F.pad(x - mean, (0, 1), value=1.0)).double() for x in (x_train, x_test))
    one_hot = F.one_hot(y_train).double()
    gram = x_train.T @ x_train
    gram.diagonal().add_(RIDGE * len(x_train))
    weights = torch.linalg.solve(gram, x_train.T @ one_hot)
    return ((x_test @ weights).argmax(dim=1) == y_test).double().mean().item()
