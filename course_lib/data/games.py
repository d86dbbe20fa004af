"""Board games of two players as token sequences: one token a move, the board as planted truth.

A board is two whole numbers of 64 bits, the stones of the player to move and those of the other;
bit c is cell c. So one operation on a tensor of numbers is one operation on every board at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate
from course_lib.data.sequences import NONE, Sequences

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, UInt8

    Bits = Int[Tensor, " batch"]

BLACK, WHITE, EMPTY = 0, 1, 2
MINE, THEIRS = 0, 1
COLOURS = ("black", "white")
CELL = ("black", "white", "empty")  # what a cell of a board holds, in the colours' names
RELATIVE_CELL = ("mine", "theirs", "empty")  # the same for the player whose turn it is

_BYTE_BITS = torch.arange(256)[:, None] >> torch.arange(8) & 1
_BYTE_COUNT = _BYTE_BITS.sum(-1)
_BYTE_SELECT = (1 - _BYTE_BITS).argsort(dim=-1, stable=True)  # [byte, k]: place of its kth set bit


@dataclass(frozen=True)
class Play:
    """What is true after each move of some games; after a game's end nothing changes any more.

    Attributes:
        board: [batch, seq, cells] in `CELL`: BLACK, WHITE or EMPTY.
        player: [batch, seq], BLACK or WHITE: whose turn it is after the move; once nobody can
            move, the opponent of who moved last.
        legal: [batch, seq, cells], the cells that this player may play; none once the game is over.
        flipped: [batch, seq, cells], the stones that the move turned over.
    """

    board: UInt8[Tensor, "batch seq cells"]
    player: UInt8[Tensor, "batch seq"]
    legal: Bool[Tensor, "batch seq cells"]
    flipped: Bool[Tensor, "batch seq cells"]

    @property
    def relative(self) -> UInt8[Tensor, "batch seq cells"]:
        """The board in `RELATIVE_CELL`: MINE, THEIRS or EMPTY for `player`.

        For a stone this is colour XOR player, which is why no linear probe reads both.
        """
        return torch.where(self.board == EMPTY, self.board, self.board ^ self.player[..., None])


class BoardGame(ABC):
    """A game on size x size cells, played by random legal moves, each as likely as the other.

    Black begins. A player without a legal move passes, which is no token; the game is over when
    neither can move, or after `seq` moves. Token c is a stone on cell c; cells are numbered row by
    row and named by column and row, A1 in one corner.

    Attributes:
        vocabulary: the cells' names.
        attributes: `mover`, who played the token, and `player`, whose turn it is after it.
        seq: the most moves of a game; shorter games end in `NONE`.
        size, cells: of the board; cells = size².
    """

    def __init__(self, size: int, n_moves: int) -> None:
        self.attributes = {"mover": COLOURS, "player": COLOURS}
        self.size, self.cells, self.seq = size, size**2, n_moves
        self.vocabulary = tuple(f"{chr(65 + c % size)}{c // size + 1}" for c in range(size**2))

    @abstractmethod
    def _start(self) -> tuple[list[int], list[int]]:
        """Black's and White's cells before the first move."""

    @abstractmethod
    def _legal(self, mine: Bits, theirs: Bits) -> Bits:
        """Where the player with the stones `mine` may play."""

    def _flips(self, mine: Bits, theirs: Bits, move: Bits) -> Bits:
        """The stones of `theirs` that a legal move of `mine` turns over."""
        return torch.zeros_like(move)

    @property
    def start(self) -> UInt8[Tensor, " cells"]:
        """The board in `CELL` before the first move."""
        black, white = self._start()
        board = torch.full((self.cells,), EMPTY, dtype=torch.uint8)
        board[black], board[white] = BLACK, WHITE
        return board

    def sample(self, batch_size: int, generator: Generator) -> Sequences:
        """Games of random legal moves, on the generator's device."""
        validate.positive_int("batch_size", batch_size)
        device = generator.device

        def choose(step: int, legal: Bits) -> Bits:
            # In 64 bits a uniform number below 1 times a count stays below the count.
            u = torch.rand(len(legal), generator=generator, device=device, dtype=torch.float64)
            return _random_bit(legal, u)

        tokens, movers, players = [], [], []
        for turn in self._turns(batch_size, device, choose):
            moved = turn.move != 0
            tokens.append(turn.token.where(moved, NONE))
            movers.append(turn.mover.where(moved, NONE))
            players.append(turn.player.where(moved, NONE))
        labels = {"mover": torch.stack(movers, 1), "player": torch.stack(players, 1)}
        return Sequences(torch.stack(tokens, 1), labels)

    def replay(self, tokens: Int[Tensor, "batch seq"]) -> Play:
        """Play the games again: the board after each token. Prefixes of games are allowed.

        Raises ValueError where a move is against the rules.
        """
        turns = list(self._replay(tokens))
        for step, turn in enumerate(turns):
            wrong = (tokens[:, step] != NONE) & (turn.move == 0)
            if wrong.any():
                game = int(wrong.nonzero()[0])
                raise ValueError(
                    f"tokens[{game}, {step}] is {self.vocabulary[tokens[game, step]]}, which is "
                    "not a legal move there."
                )

        def cells(name: str) -> Tensor:
            return self._cells(torch.stack([getattr(turn, name) for turn in turns], 1))

        player = torch.stack([turn.player for turn in turns], 1).byte()
        mine, theirs = cells("mine"), cells("theirs")
        stone = player[..., None] ^ theirs.byte()
        return Play(stone.where(mine | theirs, EMPTY), player, cells("legal"), cells("flips"))

    def legal(
        self, board: Int[Tensor, "*batch cells"], player: Int[Tensor, "*batch"]
    ) -> Bool[Tensor, "*batch cells"]:
        """Where `player` may play on any board in `CELL`, also one that no game leads to.

        So a probe's edit has a right answer: change a cell of a board, ask again.
        """
        mine = self._bits(board == player[..., None])
        theirs = self._bits(board == 1 - player[..., None])
        legal = self._legal(mine.flatten(), theirs.flatten())
        return self._cells(legal.view(mine.shape))

    def log_prob(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq"]:
        """-log(number of legal moves) of each token; 0 after the end; -inf from a wrong one on."""
        result = []
        possible = torch.ones(len(tokens), dtype=torch.bool, device=tokens.device)
        for step, turn in enumerate(self._replay(tokens)):
            ended = tokens[:, step] == NONE
            possible = possible & ((turn.move != 0) | ended)
            value = -torch.log(turn.choices.to(torch.get_default_dtype()))
            result.append(value.masked_fill(ended, 0.0).masked_fill(~possible, float("-inf")))
        return torch.stack(result, 1)

    def _replay(self, tokens: Tensor) -> Iterable[_Turn]:
        validate.shape("tokens", tokens, ("batch", "seq"))
        if tokens.is_floating_point() or tokens.shape[1] > self.seq or len(tokens) == 0:
            raise ValueError(
                f"tokens has shape {list(tokens.shape)} and dtype {tokens.dtype}; it must be "
                f"[batch, at most {self.seq}] whole numbers."
            )
        if ((tokens < NONE) | (tokens >= self.cells)).any():
            raise ValueError(f"tokens must be from 0 to {self.cells - 1}, or NONE after the end.")
        if ((tokens[:, :-1] == NONE) & (tokens[:, 1:] != NONE)).any():
            raise ValueError("tokens has a move after NONE; NONE may only follow a game's end.")
        given = tokens.long()
        return self._turns(
            len(tokens), tokens.device, lambda step, _: given[:, step], tokens.shape[1]
        )

    def _turns(
        self,
        batch_size: int,
        device: torch.device,
        choose: Callable[[int, Bits], Bits],
        n_moves: int | None = None,
    ) -> Iterable[_Turn]:
        """Play; `choose(step, legal)` gives the cells. A cell that is not legal is not played."""
        black, white = (sum(bit(cell) for cell in cells) for cells in self._start())
        mine, theirs = (torch.full((batch_size,), b, device=device) for b in (black, white))
        player = torch.zeros_like(mine)
        legal = self._legal(mine, theirs)
        for step in range(n_moves or self.seq):
            choices = _count(legal)
            token = choose(step, legal)
            move = (torch.ones_like(token) << token.clamp(min=0)).where(token >= 0, 0) & legal
            flips = self._flips(mine, theirs, move)
            mover = player
            moved = move != 0
            player = player ^ moved.long()
            mine, theirs = (
                (theirs ^ flips).where(moved, mine),
                (mine | move | flips).where(moved, theirs),
            )
            legal = self._legal(mine, theirs)
            stuck = legal == 0
            if stuck.any():
                other = self._legal(theirs, mine)
                swap = stuck & (other != 0)  # a pass
                legal = other.where(swap, legal)
                player = player ^ swap.long()
                mine, theirs = theirs.where(swap, mine), mine.where(swap, theirs)
            yield _Turn(token, mover, choices, move, flips, mine, theirs, player, legal)

    def _cells(self, bits: Int[Tensor, "*batch"]) -> Bool[Tensor, "*batch cells"]:
        eight_cells = _BYTE_BITS.byte().view(torch.int64)[:, 0].to(bits.device)
        return eight_cells[_bytes(bits)].view(torch.bool)[..., : self.cells]

    def _bits(self, cells: Bool[Tensor, "*batch cells"]) -> Int[Tensor, "*batch"]:
        weight = torch.tensor([bit(cell) for cell in range(self.cells)], device=cells.device)
        return (cells * weight).sum(-1)


@dataclass(frozen=True)
class _Turn:
    """One move of every game: before it `mover`, `choices`; after it everything else."""

    token: Bits
    mover: Bits
    choices: Bits
    move: Bits
    flips: Bits
    mine: Bits
    theirs: Bits
    player: Bits
    legal: Bits


def bit(cell: int) -> int:
    """The 64-bit number in which only this cell's bit is set; bit 63 is its sign."""
    return 1 << cell if cell < 63 else -(1 << 63)


def _bytes(bits: Int[Tensor, "*batch"]) -> Int[Tensor, "*batch 8"]:
    return bits.contiguous()[..., None].view(torch.uint8).long()


def _count(bits: Bits) -> Bits:
    return _BYTE_COUNT.to(bits.device)[_bytes(bits)].sum(-1)


def _random_bit(bits: Bits, u: Float[Tensor, " batch"]) -> Bits:
    """The place of one of the set bits, chosen by the uniform number u; of none, 7 or less."""
    parts = _bytes(bits)
    count = _BYTE_COUNT.to(bits.device)[parts]
    upto = count.cumsum(-1)
    rank = (u * upto[:, -1]).long()
    place = (upto <= rank[:, None]).sum(-1, keepdim=True).clamp(max=7)
    before = (upto - count).gather(-1, place)[:, 0]
    byte = parts.gather(-1, place)[:, 0]
    return 8 * place[:, 0] + _BYTE_SELECT.to(bits.device)[byte, rank - before]
