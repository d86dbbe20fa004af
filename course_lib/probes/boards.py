"""Edit the board that a model keeps in its activations, and see which moves it then plays.

A case is a game, a moment and a stone. On the edited board, where the stone is the other player's
or gone, other moves are legal; how far the model follows is all that is scored here. An edit that
the model follows is evidence that what was edited is used; a probe that reads the board is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor, nn

from course_lib import validate
from course_lib.activations import intervene
from course_lib.data.games import EMPTY, MINE, THEIRS, BoardGame
from course_lib.data.sequences import NONE

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

EDITS = ("flip", "remove")


@dataclass(frozen=True)
class BoardCases:
    """Stones to edit, one in each of n games.

    Attributes:
        tokens: [n, seq], the games as the model reads them.
        step: [n], the token after which the board is edited.
        cell: [n], where the stone is.
        player: [n], BLACK or WHITE, whose turn it is.
        was, becomes: [n], MINE, THEIRS or EMPTY for this player.
        before, after: [n, cells], what is legal on the board as it is, and on the edited one.
    """

    tokens: Int[Tensor, "n seq"]
    step: Int[Tensor, " n"]
    cell: Int[Tensor, " n"]
    player: Int[Tensor, " n"]
    was: Int[Tensor, " n"]
    becomes: Int[Tensor, " n"]
    before: Bool[Tensor, "n cells"]
    after: Bool[Tensor, "n cells"]

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, rows: slice | Tensor) -> BoardCases:
        """Some of the cases."""
        return BoardCases(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def directions(
        self, vectors: Float[Tensor, "cells 3 d"], *, relative: bool = True
    ) -> Float[Tensor, "n d"]:
        """For each case, of norm 1, from what the stone was to what it becomes.

        Args:
            vectors: one for each thing that a cell can hold, such as a linear probe's weights or
                `board_code`, in the order of `RELATIVE_CELL`; of `CELL` if not `relative`.

        Raises ValueError for another shape, or two vectors of a cell that are equal.
        """
        validate.shape("vectors", vectors, (self.before.shape[1], 3, "d"))
        was, becomes = (
            part if relative else torch.where(part == EMPTY, part, part ^ self.player)
            for part in (self.was, self.becomes)
        )
        difference = vectors[self.cell, becomes] - vectors[self.cell, was]
        length = difference.norm(dim=1, keepdim=True)
        if (length == 0).any():
            cell = int(self.cell[(length[:, 0] == 0).nonzero()[0, 0]])
            raise ValueError(f"vectors of cell {cell} are equal; there is no way between them.")
        return difference / length


def board_cases(
    world: BoardGame,
    tokens: Int[Tensor, "games seq"],
    generator: Generator,
    *,
    edit: str = "flip",
    first: int = 2,
    cells: Sequence[int] | None = None,
) -> BoardCases:
    """A moment of each game and a stone that matters there: with it other moves are legal.

    Moment and stone are drawn alike from all there are, the stone among those whose edit changes
    what the player to move may do and leaves at least one move; games where the moment drawn has
    none are left out.

    Args:
        tokens: games, as `world.sample` draws them; the last token is not read.
        edit: "flip" makes the stone the other player's, "remove" empties its cell.
        first: the earliest token after which to edit, from 0.
        cells: where the stone may be; anywhere if None.

    Raises ValueError where no game has such a stone, or an argument is not what it must be.
    """
    validate.choice("edit", edit, EDITS)
    allowed = torch.ones(world.cells, dtype=torch.bool)
    if cells is not None:
        allowed.zero_()[list(cells)] = True
    read = tokens[:, :-1]
    validate.positive_int("first", first, 0)
    if first >= read.shape[1]:
        raise ValueError(f"first is {first}; the games have {read.shape[1]} tokens to read.")
    play = world.replay(read)
    n_moves = (read != NONE).sum(1)
    keep = (n_moves > first).nonzero()[:, 0]
    if len(keep) == 0:
        raise ValueError(f"first is {first}; no game has a token there.")
    u = torch.rand(len(read), generator=generator)[keep]
    step = first + (u * (n_moves[keep] - first)).long()
    player = play.player[keep, step].long()
    board, relative = play.board[keep, step].long(), play.relative[keep, step].long()
    new = torch.full_like(board, EMPTY) if edit == "remove" else 1 - board
    eye = torch.eye(world.cells, dtype=torch.bool)
    edited = torch.where(eye & (board != EMPTY)[:, None], new[:, None], board[:, None])
    after = world.legal(edited, player[:, None].expand(-1, world.cells))
    before = play.legal[keep, step]
    matters = (after != before[:, None]).any(-1) & after.any(-1) & allowed
    some = matters.any(1).nonzero()[:, 0]
    if len(some) == 0:
        raise ValueError("tokens hold no stone whose edit changes what is legal.")
    cell = torch.multinomial(matters[some].double(), 1, generator=generator)[:, 0]
    was = relative[some, cell]
    return BoardCases(
        tokens=read[keep[some]],
        step=step[some],
        cell=cell,
        player=player[some],
        was=was,
        becomes=torch.full_like(was, EMPTY) if edit == "remove" else MINE + THEIRS - was,
        before=before[some],
        after=after[some, cell],
    )


def every_edit(world: BoardGame, tokens: Int[Tensor, " seq"]) -> BoardCases:
    """All edits of one cell after the last of these moves: each cell becomes what it is not.

    Cell c's are the cases 2c and 2c + 1: what it holds plus 1, and plus 2, modulo 3.
    """
    play = world.replay(tokens[None])
    player, board = play.player[0, -1].long(), play.board[0, -1].long()
    relative = play.relative[0, -1].long()
    n = 2 * world.cells
    cell = torch.arange(world.cells).repeat_interleave(2)
    was = relative[cell]
    becomes = (was + torch.tensor([1, 2]).repeat(world.cells)) % 3
    edited = board.repeat(n, 1)
    edited[torch.arange(n), cell] = torch.where(becomes == EMPTY, becomes, becomes ^ player)
    return BoardCases(
        tokens=tokens.repeat(n, 1),
        step=torch.full((n,), len(tokens) - 1),
        cell=cell,
        player=player.repeat(n),
        was=was,
        becomes=becomes,
        before=play.legal[0, -1].repeat(n, 1),
        after=world.legal(edited, player.repeat(n)),
    )


@torch.no_grad()
def edited_moves(
    model: nn.Module,
    site: str,
    cases: BoardCases,
    change: Callable[[Tensor], Tensor] | Float[Tensor, "n d"] | None = None,
) -> Float[Tensor, "n d_vocab"]:
    """The law of the next move when the activation at a case's own token is changed, no other.

    Args:
        site: as for `intervene`, such as "blocks.0.resid_post".
        change: [n, d] to add, or a function of the activations [n, d] at these tokens that gives
            their new values; None leaves the model as it is.
    """
    rows = torch.arange(len(cases))

    def at_the_case(x: Tensor) -> Tensor:
        x = x.clone()
        here = x[rows, cases.step]
        x[rows, cases.step] = change(here) if callable(change) else here + change
        return x

    if change is None:
        logits = model(cases.tokens)
    else:
        with intervene(model, site, at_the_case):
            logits = model(cases.tokens)
    return logits[rows, cases.step].softmax(-1)


@dataclass(frozen=True)
class EditScore:
    """How far a model follows edits of its board.

    Attributes:
        removed: of the moves that the edit makes illegal, the share that the model gives up:
            below `threshold` where it was above, or never was.
        created: of those that the edit makes legal, the share that it takes up.
        kept: of the cells whose legality stays as it was, the share that stays on its side.
        errors: cells that are wrong among the N likeliest, where N moves are legal on the edited
            board: those that are not legal, and as many that are and are missing. A mean.
    """

    removed: float
    created: float
    kept: float
    errors: float

    @property
    def success(self) -> float:
        """The mean of `removed` and `created`."""
        return (self.removed + self.created) / 2


def edit_score(
    law: Float[Tensor, "n cells"], cases: BoardCases, *, threshold: float = 0.02
) -> EditScore:
    """Compare the law of the next move with what is legal on the edited boards.

    A legal move's share is 1 / their number where the game is random, far above the threshold; an
    illegal one's is next to 0. `errors` follows Li et al. 2023 (arXiv:2210.13382).
    """
    validate.shape("law", law, tuple(cases.before.shape))
    validate.number("threshold", threshold, 0.0, 1.0)
    high = law > threshold
    gone, new = cases.before & ~cases.after, ~cases.before & cases.after
    n_legal = cases.after.sum(1)
    rank = law.argsort(dim=1, descending=True).argsort(dim=1)
    likeliest = rank < n_legal[:, None]
    wrong = (likeliest & ~cases.after).sum(1) * 2
    same = cases.before == cases.after
    return EditScore(
        removed=_share(~high, gone),
        created=_share(high, new),
        kept=_share(high == cases.after, same),
        errors=wrong.float().mean().item(),
    )


def _share(yes: Tensor, among: Tensor) -> float:
    return (yes & among).sum().item() / max(int(among.sum()), 1)


def best_strength(
    model: nn.Module,
    site: str,
    cases: BoardCases,
    directions: Float[Tensor, "n d"],
    strengths: Sequence[float],
    measure: str = "errors",
) -> tuple[float, list[EditScore]]:
    """The strength with the fewest errors, or the most success, and the score of each.

    Score others than these cases with it: the best of several on the same cases is partly luck.
    """
    validate.choice("measure", measure, ("errors", "success"))
    scores = [
        edit_score(edited_moves(model, site, cases, strength * directions), cases)
        for strength in strengths
    ]
    sign = 1 if measure == "success" else -1
    best = max(range(len(scores)), key=lambda k: sign * getattr(scores[k], measure))
    return float(strengths[best]), scores
