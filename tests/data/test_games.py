"""Othello and the torus game follow their rules, as slow engines written another way find them."""

import math
from itertools import product

import pytest
import torch
from scipy import stats

from course_lib.data import Othello, TorusGame
from course_lib.data.games import BLACK, CELL, EMPTY, RELATIVE_CELL, WHITE
from course_lib.data.sequences import NONE
from course_lib.runtime import generator

WORLDS = [Othello(4), Othello(6), Othello(8), TorusGame(), TorusGame(3, 9), TorusGame(7, 40)]
OTHELLO_PERFT = {
    6: [4, 12, 56, 244, 1364, 7604, 47740],
    8: [4, 12, 56, 244, 1396, 8200, 55092, 390216],
}


GAMES = 16


class SlowOthello:
    """Othello on a dictionary of (column, row), one cell and one direction at a time."""

    def __init__(self, size):
        m = size // 2
        self.size, self.player = size, "black"
        self.stones = {(m - 1, m - 1): "white", (m, m): "white"}
        self.stones |= {(m, m - 1): "black", (m - 1, m): "black"}

    def other(self):
        return "white" if self.player == "black" else "black"

    def captured(self, at):
        found = set()
        if at in self.stones:
            return found
        for dx, dy in product((-1, 0, 1), repeat=2):
            x, y, row = at[0] + dx, at[1] + dy, set()
            while (dx, dy) != (0, 0) and self.stones.get((x, y)) == self.other():
                row.add((x, y))
                x, y = x + dx, y + dy
            if self.stones.get((x, y)) == self.player:
                found |= row
        return found

    def legal(self):
        squares = product(range(self.size), repeat=2)
        return {at for at in squares if self.captured(at)}

    def play(self, at):
        flipped = self.captured(at)
        self.stones |= dict.fromkeys(flipped | {at}, self.player)
        self.player = self.other()
        if not self.legal():
            self.player = self.other()
            if not self.legal():
                self.player = self.other()
        return flipped


class SlowTorus(SlowOthello):
    def __init__(self, size):
        self.size, self.player, self.stones = size, "black", {}

    def captured(self, at):
        return set()

    def legal(self):
        found = set()
        for x, y in product(range(self.size), repeat=2):
            around = [(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)]
            near = [self.stones.get((a % self.size, b % self.size)) for a, b in around]
            if (x, y) not in self.stones and (not self.stones or self.other() in near):
                found.add((x, y))
        return found


def slow(world):
    return (SlowOthello if isinstance(world, Othello) else SlowTorus)(world.size)


def square(name):
    return ord(name[0]) - ord("A"), int(name[1:]) - 1


def squares(world, mask):
    return {square(world.vocabulary[cell]) for cell in mask.nonzero()[:, 0].tolist()}


def identifier(world):
    return f"{type(world).__name__}{world.size}"


@pytest.mark.parametrize("world", WORLDS, ids=identifier)
def test_every_label_of_random_games_is_what_the_slow_engine_says(world):
    games = world.sample(GAMES, generator(0))
    play, log_prob = world.replay(games.tokens), world.log_prob(games.tokens)
    assert world.log_prob(games.tokens).dtype == torch.float32
    for g in range(len(games)):
        engine, over = slow(world), False
        for t, token in enumerate(games.tokens[g].tolist()):
            if token == NONE:
                assert over
                assert log_prob[g, t] == 0
                assert {games.labels[name][g, t].item() for name in world.attributes} == {NONE}
                continue
            assert not over
            mover, choices = engine.player, engine.legal()
            at = square(world.vocabulary[token])
            assert at in choices
            assert log_prob[g, t].item() == pytest.approx(-math.log(len(choices)))
            assert squares(world, play.flipped[g, t]) == engine.play(at)
            assert squares(world, play.legal[g, t]) == engine.legal()
            mine = {at for at, colour in engine.stones.items() if colour == engine.player}
            assert squares(world, play.relative[g, t] == RELATIVE_CELL.index("mine")) == mine
            assert squares(world, play.relative[g, t] == RELATIVE_CELL.index("theirs")) == (
                set(engine.stones) - mine
            )
            for code, name in enumerate(CELL[:2]):
                stones = {at for at, colour in engine.stones.items() if colour == name}
                assert squares(world, play.board[g, t] == code) == stones
            assert world.attributes["mover"][games.labels["mover"][g, t]] == mover
            assert world.attributes["player"][games.labels["player"][g, t]] == engine.player
            assert CELL[play.player[g, t]] == engine.player
            over = not engine.legal()


def test_games_with_a_pass_and_games_that_end_early_are_among_those_checked():
    for size in (4, 6):
        games = Othello(size).sample(GAMES, generator(0))
        passes = (games.labels["mover"] == games.labels["player"]) & (games.tokens != NONE)
        assert passes.any() and (games.tokens[:, -1] == NONE).any()


@pytest.mark.parametrize("size", [6, 8])
def test_the_number_of_games_of_each_length_is_the_known_one(size):
    world = Othello(size)
    everything = torch.arange(world.cells)
    prefixes, counts = None, []
    board = world.legal(world.start, torch.tensor(BLACK))
    while len(counts) < len(OTHELLO_PERFT[size]):
        legal = board[None] if prefixes is None else world.replay(prefixes).legal[:, -1]
        counts.append(int(legal.sum()))
        if prefixes is None:
            prefixes = everything[board][:, None]
        else:
            game, cell = legal.nonzero(as_tuple=True)
            prefixes = torch.cat([prefixes[game], cell[:, None]], 1)
    assert counts == OTHELLO_PERFT[size]


def test_othello_4_by_4_has_60060_games():
    world, finished = Othello(4), 0
    prefixes = world.legal(world.start, torch.tensor(BLACK)).nonzero()
    while prefixes.shape[1] < world.seq:
        legal = world.replay(prefixes).legal[:, -1]
        finished += int((~legal.any(1)).sum())
        game, cell = legal.nonzero(as_tuple=True)
        prefixes = torch.cat([prefixes[game], cell[:, None]], 1)
    assert finished + len(prefixes) == 60_060


def test_the_slow_engine_counts_the_same_games_on_6_by_6():
    def count(line, depth):
        engine = SlowOthello(6)
        for at in line:
            engine.play(at)
        moves = engine.legal()
        return len(moves) if depth == 1 else sum(count([*line, at], depth - 1) for at in moves)

    assert [count([], depth) for depth in range(1, 6)] == OTHELLO_PERFT[6][:5]


@pytest.mark.parametrize("world", [TorusGame(3, 4), Othello(4)], ids=identifier)
def test_probabilities_of_all_continuations_sum_to_one(world):
    every_game = torch.tensor(list(product(range(world.cells), repeat=3)))
    probability = world.log_prob(every_game).sum(1).exp()
    assert probability.sum().item() == pytest.approx(1.0, abs=1e-5)


def test_each_legal_move_is_played_equally_often():
    world = TorusGame(3, 3)
    tokens = world.sample(40_000, generator(1)).tokens
    games, counts = tokens.unique(dim=0, return_counts=True)
    expected = world.log_prob(games).sum(1).double().exp()
    assert stats.chisquare(counts.numpy(), (expected / expected.sum() * 40_000).numpy()).pvalue > (
        1e-4
    )
    assert expected.sum().item() == pytest.approx(1.0, abs=1e-6)  # so no game is missing


def test_nobody_is_stuck_within_14_moves_of_the_torus_game():
    assert (TorusGame().sample(20_000, generator(0)).tokens != NONE).all()


def test_changing_a_cell_changes_the_legal_moves_as_the_rules_say():
    world = Othello(8)
    engine, board = SlowOthello(8), world.start.clone()
    for name, colour in (("C5", "white"), ("E4", "white"), ("H8", "black")):
        board[world.vocabulary.index(name)] = CELL.index(colour)
        engine.stones[square(name)] = colour
        for player in ("black", "white"):
            engine.player = player
            legal = world.legal(board, torch.tensor(CELL.index(player)))
            assert squares(world, legal) == engine.legal()
    assert world.legal(board.expand(2, 3, -1), torch.zeros(2, 3)).shape == (2, 3, 64)


@pytest.mark.parametrize("world", WORLDS, ids=identifier)
def test_the_start_is_the_board_before_the_first_move(world):
    engine = slow(world)
    for code, name in ((BLACK, "black"), (WHITE, "white")):
        assert squares(world, world.start == code) == {
            at for at, colour in engine.stones.items() if colour == name
        }
    assert (world.start == EMPTY).sum() == world.cells - len(engine.stones)
    assert squares(world, world.legal(world.start, torch.tensor(BLACK))) == engine.legal()


def test_an_illegal_move_is_impossible_and_so_is_all_that_follows():
    world = Othello(8)
    game = world.sample(1, generator(0)).tokens
    game[0, 5] = game[0, 2]
    log_prob = world.log_prob(game)
    assert log_prob[0, :5].isfinite().all() and (log_prob[0, 5:] == -math.inf).all()
    name = world.vocabulary[game[0, 5]]
    with pytest.raises(ValueError, match=rf"tokens\[0, 5\] is {name}, which is not a legal move"):
        world.replay(game)


def test_prefixes_and_finished_games_can_be_replayed():
    world = Othello(4)
    games = world.sample(64, generator(0)).tokens
    whole, part = world.replay(games), world.replay(games[:, :4])
    assert torch.equal(whole.board[:, :4], part.board)
    ended = games[:, 1:] == NONE
    assert ended.any()
    assert not whole.legal[:, 1:][ended].any() and not whole.flipped[:, 1:][ended].any()
    assert torch.equal(whole.board[:, 1:][ended], whole.board[:, :-1][ended])


def test_games_are_repeatable_and_differ_with_the_seed():
    for world in WORLDS:
        first, again, other = (world.sample(5, generator(seed)).tokens for seed in (3, 3, 4))
        assert torch.equal(first, again) and not torch.equal(first, other)
        assert first.shape == (5, world.seq) and len(world.vocabulary) == world.cells


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: Othello(5), ValueError, "size is 5; it must be 4, 6 or 8"),
        (lambda: TorusGame(8), ValueError, "size is 8; it must be from 3 to 7"),
        (lambda: TorusGame(2), ValueError, "size is 2"),
        (lambda: TorusGame(5.0), TypeError, "size is 5.0"),
        (lambda: TorusGame(5, 26), ValueError, "n_moves is 26; the board has 25 cells"),
        (lambda: TorusGame().sample(0, generator(0)), ValueError, "batch_size is 0"),
        (lambda: TorusGame().log_prob(torch.zeros(2, 15).long()), ValueError, r"\[2, 15\]"),
        (lambda: TorusGame().log_prob(torch.zeros(2, 4)), ValueError, "torch.float32"),
        (lambda: TorusGame().log_prob(torch.tensor([[25]])), ValueError, "from 0 to 24"),
        (lambda: TorusGame().replay(torch.tensor([[3, NONE, 2]])), ValueError, "after NONE"),
        (lambda: TorusGame().replay(torch.tensor([3, 2])), ValueError, r"shape \[2\]"),
    ],
)
def test_bad_arguments_are_named_with_their_value(build, error, message):
    with pytest.raises(error, match=message):
        build()
