"""Codes are each cell's own, gradients go where they should, and the unread part is not read."""

import pytest
import torch

from course_lib.models import GPT, GPTConfig
from course_lib.probes import edits
from course_lib.runtime import generator


def correlated_board(n, seed=0):
    """Cell 1 mostly holds what cell 0 does."""
    draw = generator(seed)
    board = torch.randint(3, (n, 4), generator=draw)
    copied = torch.rand(n, generator=draw) < 0.8
    board[copied, 1] = board[copied, 0]
    return board


def test_codes_are_each_cells_own_part_where_means_hold_the_neighbours_too():
    board, draw = correlated_board(4000), generator(1)
    code = torch.randn(4, 3, 10, generator=draw)
    code = code - code.mean(1, keepdim=True)
    x = torch.stack([code[c, board[:, c]] for c in range(4)]).sum(0)
    x = 5 + x + 0.01 * torch.randn(x.shape, generator=draw)
    found = edits.board_code(x, board, ridge=1e-9)
    torch.testing.assert_close(found, code, atol=5e-3, rtol=0)
    means = torch.stack([x[board[:, 0] == k].mean(0) for k in range(3)])
    assert (means - means.mean(0) - code[0]).abs().max() > 0.5


def test_codes_turn_with_the_activations_and_do_not_see_their_mean():
    board = correlated_board(500)
    x = torch.randn(500, 6, generator=generator(1), dtype=torch.double)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=generator(2), dtype=torch.double)).Q
    code = edits.board_code(x, board)
    torch.testing.assert_close(edits.board_code(3 * x @ turn + 7, board), 3 * code @ turn)
    torch.testing.assert_close(code.sum(1), torch.zeros(4, 6, dtype=torch.double))


def test_codes_of_fewer_boards_than_cells_and_of_a_cell_that_never_changes_are_finite():
    board = correlated_board(5)
    board[:, 2] = 2
    code = edits.board_code(torch.randn(5, 6, generator=generator(0)), board)
    assert code.isfinite().all() and code[2].abs().max() < 1e-6


@pytest.mark.parametrize(
    ("x", "board", "message"),
    [
        (torch.zeros(5, 6), torch.full((5, 4), 3), "board has other values"),
        (torch.zeros(5, 6), torch.zeros(4, 4, dtype=torch.long), "board has shape"),
        (torch.full((5, 6), float("nan")), torch.zeros(5, 4, dtype=torch.long), "x has"),
    ],
)
def test_codes_of_what_is_no_board_are_refused(x, board, message):
    with pytest.raises(ValueError, match=message):
        edits.board_code(x, board)


def test_a_gradient_edit_goes_down_the_probes_loss_by_the_length_it_is_given():
    W = torch.randn(3, 6, generator=generator(0), dtype=torch.double)
    x = torch.randn(9, 6, generator=generator(1), dtype=torch.double)
    becomes = torch.arange(9) % 3
    short = edits.gradient_edit(lambda x: x @ W.T, becomes, 0.5, steps=1)(x)
    torch.testing.assert_close((short - x).norm(dim=1), torch.full((9,), 0.5).double())
    p = (x @ W.T).softmax(1)
    uphill = (torch.eye(3, dtype=torch.double)[becomes] - p) @ W  # -gradient, by hand
    torch.testing.assert_close(short - x, 0.5 * uphill / uphill.norm(dim=1, keepdim=True))
    far = edits.gradient_edit(lambda x: x @ W.T, becomes, 40.0, steps=20)(x)
    assert ((far @ W.T).argmax(1) == becomes).all() and (far - x).norm(dim=1).max() <= 40.001


def test_the_law_of_the_next_move_does_not_depend_on_what_no_move_reads():
    model = GPT(GPTConfig(9, 5, 16, 2, 2)).double()
    with torch.no_grad():  # away from the values it starts with
        for name in ("weight", "bias"):
            part = getattr(model.ln_final, name)
            part.add_(0.3 * torch.randn(part.shape, generator=generator(5), dtype=torch.double))
    model.unembed.weight.data = torch.randn(9, 16, generator=generator(6), dtype=torch.double)
    basis = edits.read_basis(model)
    assert basis.shape == (8, 16)  # a constant added to all 9 logits changes nothing
    torch.testing.assert_close(basis @ basis.T, torch.eye(8, dtype=torch.double))
    x, source = torch.randn(2, 7, 16, generator=generator(3), dtype=torch.double)
    new = edits.with_unread_of(x, source, basis)

    def law(x):
        return model.unembed(model.ln_final(x)).softmax(-1)

    torch.testing.assert_close(law(new), law(x))
    assert (new - x).norm(dim=1).min() > 1
    torch.testing.assert_close(edits.unread(new, basis) @ basis.T, torch.zeros(7, 8).double())
    cosine = torch.nn.functional.cosine_similarity(
        edits.unread(new, basis), edits.unread(source, basis)
    )
    torch.testing.assert_close(cosine, torch.ones(7, dtype=torch.double))
    assert not torch.allclose(law(x + basis[0]), law(x), atol=1e-3)
