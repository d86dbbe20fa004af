"""The torus game: a world model that a small transformer learns in a minute and a half."""

from __future__ import annotations

from typing import TYPE_CHECKING

from course_lib import validate
from course_lib.data.games import BoardGame

if TYPE_CHECKING:
    from course_lib.data.games import Bits


class TorusGame(BoardGame):
    """Stones on a board without edges, each next to one of the opponent's.

    Rules: players alternate, Black begins anywhere; a stone goes on an empty cell next to a stone
    of the opponent (above, below, left or right; the last row is next to the first, the last
    column to the first). Nothing is ever captured.

    | planted                        | where                                |
    |--------------------------------|--------------------------------------|
    | colour of each cell            | `replay(tokens).board`               |
    | mine, theirs or empty          | `replay(tokens).relative`            |
    | legal moves, on any board      | `replay(tokens).legal`, `legal`      |
    | who moved, who is to move      | labels `mover`, `player`             |
    | the law of the next move       | `log_prob`, -log(number of choices)  |

    All cells are alike here, by symmetry: where a cell lies tells nothing of its colour, so that a
    probe has to find the board in the moves. On a small Othello board the place alone gives much of
    the colour away. This game is the course's own, after Li et al. 2023, "Emergent World
    Representations".

    Args:
        size: cells in a row, 3 to 7.
        n_moves: the most moves of a game, at most size². On 5 x 5 nobody is ever stuck within 14.

    Raises:
        TypeError, ValueError: naming the argument, its value and what is allowed.
    """

    def __init__(self, size: int = 5, n_moves: int = 14) -> None:
        if validate.positive_int("size", size, 3) > 7:
            raise ValueError(f"size is {size}; it must be from 3 to 7.")
        if validate.positive_int("n_moves", n_moves) > size**2:
            raise ValueError(f"n_moves is {n_moves}; the board has {size**2} cells.")
        super().__init__(size, n_moves)
        row = (1 << size) - 1
        self._all = (1 << self.cells) - 1
        self._first_column = self._all // row
        self._last_column = self._first_column << (size - 1)

    def _start(self) -> tuple[list[int], list[int]]:
        return [], []

    def _legal(self, mine: Bits, theirs: Bits) -> Bits:
        n, everywhere = self.size, self._all
        first, last = theirs & self._first_column, theirs & self._last_column
        beside = (theirs ^ last) << 1 | last >> (n - 1) | theirs >> 1 & ~self._last_column
        beside = beside | first << (n - 1)
        above = theirs << n | theirs >> (n * (n - 1)) | theirs >> n | theirs << (n * (n - 1))
        legal = (beside | above) & everywhere
        return legal.masked_fill(mine | theirs == 0, everywhere) & ~(mine | theirs)
