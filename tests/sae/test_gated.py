"""Gated: the gate decides, the magnitude measures, and each learns from its own terms."""

import pytest
import torch

from course_lib.runtime import generator
from course_lib.sae import GatedSAE, JumpReLUSAE, ReLUSAE
from tests.sae.family import lived_in


def gated(decoder_norm="unit", **arguments) -> GatedSAE:
    return lived_in(GatedSAE(3, 5, 0.7, decoder_norm=decoder_norm, **arguments).double())


def batch(*shape, seed=1):
    return 1.5 * torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def test_latents_are_the_magnitude_where_the_gate_is_open():
    """Equations 4 to 6 of the paper, each path with weights of its own."""
    sae, x = gated(), batch(40, 3)
    gate = (x - sae.b_dec) @ sae.W_enc + sae.b_enc
    magnitude = (x - sae.b_dec) @ (sae.W_enc * sae.r_mag.exp()) + sae.b_mag
    z = sae.encode(x)
    assert torch.allclose(z, (gate > 0) * magnitude.relu())
    assert ((gate > 0) & (magnitude <= 0)).any() and ((gate <= 0) & (magnitude > 0)).any()


@pytest.mark.parametrize("decoder_norm", ["unit", "free"])
def test_the_loss_is_three_terms_of_the_paper(decoder_norm):
    sae, x = gated(decoder_norm), batch(20, 3)
    loss = sae.loss(x)
    gate = ((x - sae.b_dec) @ sae.W_enc + sae.b_enc).relu()
    norm = sae.W_dec.norm(dim=-1)
    by_gate = gate @ sae.W_dec + sae.b_dec
    expected = {
        "reconstruction": (x - sae(x)).square().sum() / 20,
        "sparsity": 0.7 * (gate * norm).sum() / 20,
        "aux": (x - by_gate).square().sum() / 20,
    }
    assert loss.terms.keys() == expected.keys()
    for name, value in expected.items():
        assert loss.terms[name].item() == pytest.approx(value.item(), rel=1e-6), name


def gradient(sae, term, x):
    sae.zero_grad()
    sae.loss(x).terms[term].backward()
    return {name: p.grad for name, p in sae.named_parameters() if p.grad is not None}


def test_the_penalty_pulls_at_the_gate_alone_and_the_reconstruction_at_the_magnitude():
    sae, x = gated(), batch(20, 3)
    sparsity, aux = gradient(sae, "sparsity", x), gradient(sae, "aux", x)
    reconstruction = gradient(sae, "reconstruction", x)
    assert {"r_mag", "b_mag", "W_dec"}.isdisjoint(sparsity.keys() | aux.keys())
    assert sparsity["b_enc"].any() and aux["b_enc"].any()
    assert not reconstruction["b_enc"].any()
    assert reconstruction["r_mag"].any() and reconstruction["b_mag"].any()


def test_with_equal_paths_it_is_the_relu_autoencoder():
    sae, x = gated(), batch(20, 3)
    with torch.no_grad():
        sae.r_mag.zero_()
        sae.b_mag.copy_(sae.b_enc)
    plain = ReLUSAE(3, 5).double()
    plain.load_state_dict({name: sae.state_dict()[name] for name in plain.state_dict()})
    assert torch.allclose(sae.encode(x), plain.encode(x))
    assert torch.allclose(sae(x), plain(x))


def test_it_computes_a_jumprelu_whose_threshold_is_where_the_gate_opens():
    """Appendix on the equivalence: threshold = b_mag - exp(r_mag) b_gate, where not below 0."""
    sae, x = gated(), batch(200, 3)
    jump = JumpReLUSAE(3, 5).double()
    with torch.no_grad():
        sae.b_enc.copy_(-sae.b_enc.abs() - 0.5)
        jump.W_enc.copy_(sae.W_enc * sae.r_mag.exp())
        jump.b_enc.copy_(sae.b_mag)
        jump.threshold.copy_(sae.b_mag - sae.r_mag.exp() * sae.b_enc)
        jump.b_dec.copy_(sae.b_dec)
        jump.W_dec.copy_(sae.W_dec)
    assert (jump.threshold >= 0).all()
    assert torch.allclose(sae.encode(x), jump.encode(x))
    assert torch.allclose(sae(x), jump(x))
