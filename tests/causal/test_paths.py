"""A path patch moves a receiver by what the sender writes to it directly, and by nothing else."""

import pytest
import torch
from torch import nn

from course_lib.activations import intervene, read
from course_lib.causal import Head, patch_paths
from tests.causal.test_patching import CLEAN, CORRUPT, measure
from tests.steering.small import MODEL

LAST = "ln_final:input"


def written(sender):
    """What the sender adds to the stream in the corrupt run less what it adds in the clean one."""
    if isinstance(sender, Head):
        z = [read(MODEL, f"blocks.{sender.layer}.z", t) for t in (CLEAN, CORRUPT)]
        own = slice(4 * sender.head, 4 * sender.head + 4)
        weight = MODEL.blocks[sender.layer].attn.out.weight.detach()[:, own]
        return (z[1] - z[0])[..., own] @ weight.T
    return read(MODEL, sender, CORRUPT) - read(MODEL, sender, CLEAN)


@torch.no_grad()
def with_value(site, value):
    with intervene(MODEL, site, lambda x: value):
        return measure(MODEL(CLEAN))


SENDERS = ["blocks.0.attn_out", "blocks.0.mlp_out", Head(0, 0), Head(0, 3), "blocks.1.mlp_out"]


@torch.no_grad()
def test_the_direct_effect_on_the_answer_is_that_of_what_was_written():
    found = patch_paths(MODEL, CLEAN, CORRUPT, SENDERS, [LAST], measure, mode="noise")
    stream = read(MODEL, "blocks.2.resid_post", CLEAN)
    for sender, value in zip(SENDERS, found.patched[:, 0], strict=True):
        expected = with_value("blocks.2.resid_post", stream + written(sender))
        torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-4)
        assert (expected - measure(MODEL(CLEAN))).abs().max() > 1e-4


@torch.no_grad()
def test_a_receiver_sees_the_stream_with_what_was_written_and_passes_it_on():
    receivers = ["blocks.1.q", "blocks.2.mlp_pre"]
    found = patch_paths(MODEL, CLEAN, CORRUPT, SENDERS[:3], receivers, measure, mode="noise")
    before, middle = (read(MODEL, f"blocks.{p}", CLEAN) for p in ("1.resid_pre", "2.resid_mid"))
    one, two = MODEL.blocks[1], MODEL.blocks[2]
    for sender, row in zip(SENDERS[:3], found.patched, strict=True):
        step = written(sender)
        q = with_value("blocks.1.q", one.attn.q(one.ln_1(before + step)))
        pre = with_value("blocks.2.mlp_pre", two.mlp.up(two.ln_2(middle + step)))
        torch.testing.assert_close(row, torch.stack([q, pre]), rtol=1e-4, atol=1e-4)


def test_all_heads_together_write_what_attention_writes():
    heads = sum(written(Head(0, h)) for h in range(4))
    torch.testing.assert_close(heads, written("blocks.0.attn_out"), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_denoising_swaps_the_runs_and_a_sender_after_its_receiver_changes_nothing():
    noise = patch_paths(MODEL, CORRUPT, CLEAN, SENDERS[:2], [LAST], measure, mode="noise")
    denoise = patch_paths(MODEL, CLEAN, CORRUPT, SENDERS[:2], [LAST], measure)
    torch.testing.assert_close(denoise.patched, noise.patched)
    torch.testing.assert_close(denoise.recovered, noise.recovered)
    late = patch_paths(MODEL, CLEAN, CORRUPT, ["blocks.2.mlp_out"], ["blocks.1.v"], measure)
    torch.testing.assert_close(late.recovered, torch.zeros(1, 1), atol=1e-5, rtol=0)


def test_paths_that_cannot_be_are_errors():
    with pytest.raises(ValueError, match="head is 4; a block has 4"):
        patch_paths(MODEL, CLEAN, CORRUPT, [Head(0, 4)], [LAST], measure)
    with pytest.raises(ValueError, match="no such module"):
        patch_paths(nn.Linear(2, 2), CLEAN, CORRUPT, [Head(0, 0)], [LAST], measure)
    with pytest.raises(ValueError, match="mode is"):
        patch_paths(MODEL, CLEAN, CORRUPT, [], [LAST], measure, mode="x")
