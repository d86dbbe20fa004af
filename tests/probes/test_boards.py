"""An edited board is what the rules say, and a model is changed where it is said."""

import pytest
import torch

from course_lib.activations import read
from course_lib.data import Othello, TorusGame
from course_lib.models import GPT, GPTConfig
from course_lib.probes import boards
from course_lib.runtime import generator

WORLDS = {"torus": TorusGame(), "torus 4": TorusGame(4, 9), "Othello": Othello(6)}


@pytest.fixture(scope="module", params=WORLDS)
def world(request):
    return WORLDS[request.param]


def drawn(world, n=60, seed=0):
    return world.sample(n, generator(seed)).tokens


def gpt(world, seed=0):
    return GPT(GPTConfig(world.cells, world.seq - 1, 16, 2, 2), seed=seed).eval()


@pytest.mark.parametrize("edit", boards.EDITS)
def test_a_case_is_a_stone_and_what_the_rules_allow_with_it_and_without(world, edit):
    tokens = drawn(world)
    cases = boards.board_cases(world, tokens, generator(1), edit=edit)
    assert len(cases) > 50
    play = world.replay(tokens)
    for i in range(len(cases)):
        game = (tokens[:, :-1] == cases.tokens[i]).all(1).nonzero()[0, 0]
        step, cell = cases.step[i], cases.cell[i]
        board, player = play.board[game, step].long().clone(), play.player[game, step].long()
        assert tokens[game, step] >= 0 and step >= 2 and cases.player[i] == player
        assert play.relative[game, step, cell] == cases.was[i] != cases.becomes[i]
        assert torch.equal(cases.before[i], play.legal[game, step])
        board[cell] = 2 if edit == "remove" else 1 - board[cell]
        assert torch.equal(cases.after[i], world.legal(board, player))
        assert cases.becomes[i] == (2 if edit == "remove" else 1 - cases.was[i])
        assert (cases.before[i] != cases.after[i]).any() and cases.after[i].any()


def test_cases_can_be_kept_to_some_cells_and_later_moves_and_taken_in_part():
    tokens = drawn(WORLDS["torus"], 200)
    cases = boards.board_cases(WORLDS["torus"], tokens, generator(1), cells=[3, 7], first=9)
    assert set(cases.cell.tolist()) == {3, 7} and cases.step.min() >= 9
    assert len(cases[:5]) == 5 and torch.equal(
        cases[cases.cell == 3].was, cases.was[cases.cell == 3]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"edit": "add"}, "edit is 'add'"),
        ({"first": 13}, "first is 13; the games have 13"),
        ({"first": -1}, "first"),
    ],
)
def test_arguments_that_cannot_be_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        boards.board_cases(WORLDS["torus"], drawn(WORLDS["torus"], 4), generator(0), **change)


def test_games_without_a_stone_that_matters_are_told():
    tokens = drawn(WORLDS["torus"], 3)
    first = torch.full_like(tokens, -1)
    first[:, 0] = tokens[:, 0]
    with pytest.raises(ValueError, match="no game has a token there"):
        boards.board_cases(WORLDS["torus"], first, generator(0))
    with pytest.raises(ValueError, match="hold no stone"):  # nowhere to play without the only one
        boards.board_cases(WORLDS["torus"], first, generator(0), first=0, cells=[])


def test_a_perfect_player_of_the_edited_board_makes_no_error_and_the_old_board_gets_all_wrong(
    world,
):
    cases = boards.board_cases(world, drawn(world), generator(1))
    law = cases.after.float() / cases.after.sum(1, keepdim=True)
    perfect = boards.edit_score(law, cases)
    assert (perfect.removed, perfect.created, perfect.kept, perfect.errors) == (1, 1, 1, 0)
    assert perfect.success == 1
    old = boards.edit_score(cases.before.float() / cases.before.sum(1, keepdim=True), cases)
    assert (old.removed, old.created, old.kept) == (0, 0, 1) and old.errors > 0


def test_errors_are_counted_among_the_likeliest_moves():
    def row(text):
        return torch.tensor([[c == "x" for c in text]])

    zero = torch.zeros(1, dtype=torch.long)
    cases = boards.BoardCases(zero[:, None], *5 * [zero], row("xx..."), row(".xxx."))
    law = torch.tensor([[0.3, 0.4, 0.1, 0.01, 0.19]])  # the likeliest three: 1, 0 and 4
    score = boards.edit_score(law, cases)
    assert score.errors == 4  # 0 and 4 are wrong, 2 and 3 are missing
    assert (score.removed, score.created, score.kept) == (0, 0.5, 0.5)
    assert boards.edit_score(law, cases, threshold=0.35).removed == 1


def test_an_edit_changes_the_activation_at_its_own_token_and_no_other(world):
    model, site = gpt(world), "blocks.1.resid_post"
    cases = boards.board_cases(world, drawn(world, 20), generator(1))
    rows = torch.arange(len(cases))
    plain = boards.edited_moves(model, site, cases)
    zeros = torch.zeros(len(cases), 16)
    torch.testing.assert_close(boards.edited_moves(model, site, cases, zeros), plain)
    vector = torch.randn(len(cases), 16, generator=generator(2))
    x = read(model, site, cases.tokens)[rows, cases.step]
    expected = model.unembed(model.ln_final(x + vector)).softmax(-1)
    for change in (vector, lambda here: here + vector):
        torch.testing.assert_close(boards.edited_moves(model, site, cases, change), expected)
    earlier = boards.edited_moves(model, "blocks.0.resid_pre", cases, vector)
    assert not torch.allclose(earlier, plain, atol=1e-4)
    torch.testing.assert_close(boards.edited_moves(model, site, cases), plain)  # no trace is left


def test_directions_lead_from_what_was_to_what_becomes():
    world = WORLDS["torus"]
    cases = boards.board_cases(world, drawn(world), generator(1), edit="remove")
    vectors = torch.randn(25, 3, 8, generator=generator(2))
    found = cases.directions(vectors)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(len(cases)))
    i = 7
    step = vectors[cases.cell[i], 2] - vectors[cases.cell[i], cases.was[i]]
    torch.testing.assert_close(found[i], step / step.norm())
    colour = int(cases.was[i] ^ cases.player[i])  # 0 for a black stone
    step = vectors[cases.cell[i], 2] - vectors[cases.cell[i], colour]
    torch.testing.assert_close(cases.directions(vectors, relative=False)[i], step / step.norm())
    with pytest.raises(ValueError, match="vectors of cell"):
        cases.directions(torch.ones(25, 3, 8))
    with pytest.raises(ValueError, match="vectors has shape"):
        cases.directions(vectors[:5])


def test_the_best_strength_has_the_fewest_errors_of_those_tried():
    world = WORLDS["torus"]
    model, cases = gpt(world), boards.board_cases(world, drawn(world), generator(1))
    way = torch.nn.functional.normalize(torch.randn(len(cases), 16, generator=generator(3)), dim=1)
    strengths = (0.0, 0.1, 3.0)
    best, scores = boards.best_strength(model, "blocks.0.resid_post", cases, way, strengths)
    assert len(scores) == 3
    assert scores[0] == boards.edit_score(
        boards.edited_moves(model, "blocks.0.resid_post", cases), cases
    )
    assert min(s.errors for s in scores) == scores[strengths.index(best)].errors
    measure = "success"
    best, scores = boards.best_strength(
        model, "blocks.0.resid_post", cases, way, strengths, measure
    )
    assert max(s.success for s in scores) == scores[strengths.index(best)].success


def test_every_edit_is_each_cell_as_the_two_things_that_it_is_not(world):
    tokens = drawn(world, 1)[0, :8]
    cases, play = boards.every_edit(world, tokens), world.replay(tokens[None])
    assert len(cases) == 2 * world.cells and (cases.step == 7).all()
    player = play.player[0, -1].long()
    for i in range(len(cases)):
        cell, board = i // 2, play.board[0, -1].long().clone()
        assert cases.cell[i] == cell and cases.was[i] == play.relative[0, -1, cell]
        assert cases.becomes[i] == (cases.was[i] + 1 + i % 2) % 3
        board[cell] = cases.becomes[i] if cases.becomes[i] == 2 else cases.becomes[i] ^ player
        assert torch.equal(cases.after[i], world.legal(board, player))
        assert torch.equal(cases.before[i], play.legal[0, -1])
