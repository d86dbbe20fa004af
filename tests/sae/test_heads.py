"""A latent's pre-activation is the sum of its parts, whatever the parts are."""

import pytest
import torch

from course_lib.runtime import generator
from course_lib.sae import (
    ReLUSAE,
    TopKSAE,
    Transcoder,
    head_contributions,
    head_shares,
    source_contributions,
)
from tests.sae.family import lived_in

BATCH, SEQ, HEADS, D_HEAD, D_SAE = 3, 7, 4, 5, 30


def attention(seed=0):
    """Pattern, values and the heads' outputs of a causal layer."""
    draw = generator(seed)
    scores = torch.randn(BATCH, HEADS, SEQ, SEQ, generator=draw, dtype=torch.float64)
    future = torch.ones(SEQ, SEQ, dtype=torch.bool).triu(1)
    pattern = scores.masked_fill(future, -torch.inf).softmax(dim=-1)
    values = torch.randn(BATCH, SEQ, HEADS, D_HEAD, generator=draw, dtype=torch.float64)
    return pattern, values, torch.einsum("bhqk,bkhd->bqhd", pattern, values)


@pytest.fixture(params=[TopKSAE, ReLUSAE, Transcoder])
def sae(request):
    return lived_in(request.param(HEADS * D_HEAD, D_SAE, 3)).double()


def test_heads_and_bias_add_up_to_the_pre_activation(sae):
    _, _, heads = attention()
    parts = head_contributions(sae, heads)
    assert parts.shape == (BATCH, SEQ, HEADS, D_SAE)
    whole = sae.pre_activations(heads.flatten(-2))
    assert torch.allclose(parts.sum(dim=-2) + sae.b_enc, whole, rtol=0, atol=1e-12)


def test_a_head_that_says_what_is_usual_adds_nothing():
    sae = lived_in(TopKSAE(HEADS * D_HEAD, D_SAE, 3)).double()
    _, _, heads = attention()
    heads[..., 2, :] = sae.b_dec.unflatten(0, (HEADS, D_HEAD))[2]
    parts = head_contributions(sae, heads)
    assert torch.equal(parts[..., 2, :], torch.zeros_like(parts[..., 2, :]))
    assert (parts[..., 1, :] != 0).any()


@pytest.mark.parametrize("latent", [0, 17])
def test_sources_and_what_every_input_gets_add_up_to_the_pre_activation(sae, latent):
    pattern, values, heads = attention(1)
    parts = source_contributions(sae, pattern, values, latent)
    assert parts.shape == pattern.shape
    assert (parts.triu(1) == 0).all(), "no token looks ahead"
    whole = sae.pre_activations(heads.flatten(-2))[..., latent]
    total = parts.sum(dim=(1, 3)) + sae.encoder_bias[latent]
    assert torch.allclose(total, whole, rtol=0, atol=1e-12)


def test_shares_are_one_where_a_latent_writes_in_one_head_alone():
    sae = TopKSAE(HEADS * D_HEAD, D_SAE, 3)
    sae.W_dec.data[4].unflatten(0, (HEADS, D_HEAD))[[0, 1, 3]] = 0.0
    shares = head_shares(sae, HEADS)
    assert torch.allclose(shares.sum(dim=-1), torch.ones(D_SAE))
    assert shares[4].tolist() == [0.0, 0.0, 1.0, 0.0]


def test_heads_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="heads"):
        head_shares(TopKSAE(HEADS * D_HEAD, D_SAE, 3), 7)
    with pytest.raises(ValueError, match="instance"):
        head_shares(TopKSAE(HEADS * D_HEAD, D_SAE, 3, n_instances=2), HEADS)
