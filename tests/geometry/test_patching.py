"""Every move is there once, and what is added at a place is what the model computes with."""

import pytest
import torch

from course_lib.geometry import every_move, logits_after
from course_lib.models import GPT, GPTConfig

MODEL = GPT(GPTConfig(9, 5, d_model=8, n_heads=2, n_layers=1)).eval()
TOKENS = torch.tensor([[1, 2, 3, 4, 5], [5, 4, 3, 2, 1]])


def test_each_sample_goes_to_each_other_place_once():
    row, old, new = every_move(torch.tensor([2, 0]), 3)
    assert list(zip(row.tolist(), old.tolist(), new.tolist(), strict=True)) == [
        (0, 2, 0), (0, 2, 1), (1, 0, 1), (1, 0, 2),
    ]  # fmt: skip


def test_the_difference_of_two_embeddings_makes_one_word_the_other():
    E = MODEL.embed.weight.detach()
    other = TOKENS.clone()
    other[:, 2] = 7
    change = (E[7] - E[3]).expand(2, 8)
    after = logits_after(MODEL, "blocks.0.resid_pre", 2, TOKENS, change)
    torch.testing.assert_close(after, MODEL(other)[:, -1].detach())


def test_no_change_changes_nothing_and_the_model_is_left_as_it_was():
    before = MODEL(TOKENS)[:, -1].detach()
    after = logits_after(MODEL, "blocks.0.resid_mid", 4, TOKENS, torch.zeros(2, 8))
    torch.testing.assert_close(after, before)
    torch.testing.assert_close(MODEL(TOKENS)[:, -1].detach(), before)


def test_a_place_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="position is 5; it must be from 0 to 4"):
        logits_after(MODEL, "blocks.0.resid_pre", 5, TOKENS, torch.zeros(2, 8))
    with pytest.raises(ValueError, match="change has shape"):
        logits_after(MODEL, "blocks.0.resid_pre", 1, TOKENS, torch.zeros(1, 8))
