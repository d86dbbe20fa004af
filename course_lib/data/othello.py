"""Othello on a board of any even size up to 8 x 8, all games at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from course_lib import validate
from course_lib.data.games import BoardGame, bit

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Tensor

    from course_lib.data.games import Bits

# Four directions in which the cell number grows, then the four opposite ones: (rows, columns).
DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1), (0, -1), (-1, 0), (-1, -1), (-1, 1))


class Othello(BoardGame):
    """Othello (Reversi) with its full rules, played by random legal moves.

    Rules: the four cells in the middle start with two stones each. A stone goes on an empty cell
    from where, in at least one of eight directions, a row of opponent's stones leads to a stone of
    one's own; all such rows turn over. Who cannot move passes; when neither can, the game is over.

    | planted                        | where                                |
    |--------------------------------|--------------------------------------|
    | colour of each cell            | `replay(tokens).board`               |
    | mine, theirs or empty          | `replay(tokens).relative`            |
    | stones that the move flipped   | `replay(tokens).flipped`             |
    | legal moves, on any board      | `replay(tokens).legal`, `legal`      |
    | who moved, who is to move      | labels `mover`, `player`             |
    | the law of the next move       | `log_prob`, -log(number of choices)  |

    The tokens of the four middle cells never occur. A pass is no token, as in Li et al. 2023,
    "Emergent World Representations", whose synthetic games these are; the labels mine and theirs
    are those of Nanda et al. 2023, "Emergent Linear Representations in World Models".

    Args:
        size: cells in a row: 4, 6 or 8.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(self, size: int = 8) -> None:
        if validate.positive_int("size", size) not in (4, 6, 8):
            raise ValueError(f"size is {size!r}; it must be 4, 6 or 8.")
        super().__init__(size, size**2 - 4)
        self._step = torch.tensor([[r * size + c] for r, c in DIRECTIONS[:4]])
        self._inside = torch.tensor([[self._with_source(*d)] for d in DIRECTIONS])
        self._all = sum(bit(cell) for cell in range(self.cells))

    def _with_source(self, rows: int, columns: int) -> int:
        """The cells that a step in this direction reaches from a cell on the board."""
        n = self.size
        reached = 0
        for cell in range(self.cells):
            row, column = cell // n - rows, cell % n - columns
            if 0 <= row < n and 0 <= column < n:
                reached += bit(cell)
        return reached

    def _start(self) -> tuple[list[int], list[int]]:
        n, low = self.size, self.size // 2 - 1
        first, second = low * n + low, (low + 1) * n + low
        return [first + 1, second], [first, second + 1]

    def _shift(self, bits: Int[Tensor, "8 batch"]) -> Int[Tensor, "8 batch"]:
        """One step in each of `DIRECTIONS`; stones that would leave the board are gone."""
        step = self._step.to(bits.device)
        moved = torch.cat([bits[:4] << step, bits[4:] >> step])
        return moved & self._inside.to(bits.device)

    def _rows(self, start: Bits, theirs: Bits) -> Int[Tensor, "8 batch"]:
        """The opponent's stones in an unbroken row from `start`, for each of `DIRECTIONS`."""
        row = self._shift(start.expand(8, -1)) & theirs
        for _ in range(self.size - 3):
            row = row | self._shift(row) & theirs
        return row

    def _legal(self, mine: Bits, theirs: Bits) -> Bits:
        ends = self._shift(self._rows(mine, theirs))
        return _union(ends) & ~(mine | theirs) & self._all

    def _flips(self, mine: Bits, theirs: Bits, move: Bits) -> Bits:
        rows = self._rows(move, theirs)
        closed = self._shift(rows) & mine != 0
        return _union(rows.where(closed, 0))


def _union(bits: Int[Tensor, "8 batch"]) -> Bits:
    half = bits[:4] | bits[4:]
    quarter = half[:2] | half[2:]
    return quarter[0] | quarter[1]
