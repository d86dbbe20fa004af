"""The score of a board's probes counts stones, and says what it counts."""

from types import SimpleNamespace

import pytest
import torch

from course_lib.probes import board_reading, probe
from course_lib.runtime import generator


def test_accuracy_is_told_with_and_without_the_empty_cells():
    scores = torch.tensor([[[2.0, 1, 0], [0, 1, 2], [0, 2, 1], [1, 0, 2], [0, 0, 0]]])
    labels = torch.tensor([[0, 0, 1, 2, -1]])
    found = SimpleNamespace(scores=scores, labels=labels)
    told = board_reading.board_accuracy(found)
    assert (told.all, told.occupied) == (torch.tensor([0.75]), torch.tensor([2 / 3]))
    assert told.colour == torch.tensor([2 / 3])
    with pytest.raises(ValueError, match="without a stone"):
        board_reading.board_accuracy(SimpleNamespace(scores=scores, labels=torch.full((1, 5), 2)))
    with pytest.raises(ValueError, match="three classes"):
        board_reading.board_accuracy(SimpleNamespace(scores=scores[..., 0], labels=labels))


def test_a_board_that_is_written_in_activations_is_read_whole():
    draw = generator(0)
    board = torch.randint(3, (4, 900), generator=draw)
    code = torch.randn(4, 3, 20, generator=draw)
    x = torch.stack([code[c, board[c]] for c in range(4)]).sum(0)
    told = board_reading.board_accuracy(probe(x, board))
    assert told.occupied.min() > 0.97 and told.all.min() > 0.97 and told.colour.min() > 0.97
