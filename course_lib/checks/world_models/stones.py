"""Exercise 1: a board in colours, seen by the player to move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib.checks.core import Case, exercise

GAMES, MOVES, CELLS = 4, 5, 9
BLACK, WHITE, EMPTY = 0, 1, 2
MINE, THEIRS = 0, 1
KINDS = ("mine", "theirs", "empty")


@exercise("world_models.whose", "Whose stone is it?")
def make_cases(generator: Generator) -> list[Case]:
    board = torch.randint(3, (GAMES, MOVES, CELLS), generator=generator)
    board[..., 0], board[..., 1], board[..., 2] = BLACK, WHITE, EMPTY  # each kind on each board
    games = (torch.arange(GAMES) % 2)[:, None].expand(GAMES, MOVES).clone()
    seldom = torch.where(torch.rand(board.shape, generator=generator) < 0.8, EMPTY, board)
    seldom[..., 0], seldom[..., 1] = BLACK, WHITE
    turns = (torch.arange(MOVES) + torch.arange(GAMES)[:, None]) % 2
    passed = turns.clone()
    passed[:, 3:] = 1 - passed[:, 3:]  # somebody passes: the same player moves twice
    return [
        Case(
            "On Black's turn black stones are mine, on White's turn white ones",
            {"board": board, "player": games},
            _look,
            _judge,
            "In each of these games one player is always to move. Which stones are that player's "
            "own?",
        ),
        Case(
            "Every move of every game has its own player",
            {"board": board, "player": turns},
            _look,
            _judge,
            "`player` is [games, moves] and `board` [games, moves, cells]: which axis is missing?",
        ),
        Case(
            "Turns need not alternate",
            {"board": board, "player": passed},
            _look,
            _judge,
            "Take the player from `player`, not from the number of the move: players may pass.",
        ),
        Case(
            "An empty cell is nobody's",
            {"board": seldom, "player": turns},
            _look,
            _judge,
            "Only stones belong to somebody. What is 2 exclusive or 1?",
        ),
    ]


def _look(attempt: Callable, board: Tensor, player: Tensor) -> Any:
    return attempt(board, player)


def _judge(output: Any, board: Tensor, player: Tensor) -> str | None:
    if not isinstance(output, Tensor):
        kind = "None" if output is None else f"a {type(output).__name__}"
        return f"it returned {kind}; return a tensor like `board`"
    if output.shape != board.shape:
        return f"it returned the shape {list(output.shape)}; it must be {list(board.shape)}"
    if output.is_floating_point() or output.is_complex() or output.dtype == torch.bool:
        return f"it returned the dtype {output.dtype}; whole numbers 0, 1 and 2 are needed"
    for game, move, cell in torch.cartesian_prod(*map(torch.arange, board.shape)).tolist():
        stone, turn = board[game, move, cell].item(), player[game, move].item()
        wanted = EMPTY if stone == EMPTY else MINE if stone == turn else THEIRS
        said = output[game, move, cell].item()
        if said != wanted:
            what = ("a black stone", "a white stone", "an empty cell")[stone]
            mover = ("Black", "White")[turn]
            called = KINDS[said] if said in (0, 1, 2) else f"{said}"
            return f"{what} with {mover} to move is {KINDS[wanted]}, and you say {called}"
    return None
