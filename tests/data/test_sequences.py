"""Sequences keep tokens and labels together."""

import torch

from course_lib.data.sequences import NONE, Sequences


def made():
    tokens = torch.tensor([[0, 1, 2], [3, 4, NONE], [5, 6, 7]])
    return Sequences(tokens, {"parity": tokens % 2, "half": tokens // 4})


def test_a_selection_takes_the_same_rows_of_tokens_and_of_every_label():
    for rows in (slice(1, 3), torch.tensor([1, 2]), torch.tensor([False, True, True])):
        chosen = made()[rows]
        assert len(chosen) == 2
        assert torch.equal(chosen.tokens, made().tokens[1:])
        assert all(
            torch.equal(chosen.labels[name], made().labels[name][1:]) for name in chosen.labels
        )


def test_moving_moves_tokens_and_labels():
    moved = made().to("meta")
    assert {part.device.type for part in (moved.tokens, *moved.labels.values())} == {"meta"}
