"""The short ways of training give what the definitions give: values, gradients, in any tiling."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.runtime import generator
from course_lib.sae import BatchTopKSAE, ReLUSAE, TopKSAE, dense, relu, selection
from course_lib.sae.codes import batch_topk_codes, relu_codes, topk_codes
from course_lib.sae.selection import Encoder, above, sample, top_k
from tests.sae.family import lived_in

quickly = settings(max_examples=20, deadline=None, derandomize=True)
SHAPES = {
    "batch": st.integers(1, 9), "d_in": st.integers(1, 5), "d_sae": st.integers(1, 70),
    "seed": st.integers(0, 99),
}  # fmt: skip


@pytest.fixture(params=["one tile", "many tiles"], autouse=True)
def tiling(request, monkeypatch):
    """Everything in one tile, or tiles of 3 inputs by 16 latents, and blocks of 16 latents."""
    if request.param == "many tiles":
        monkeypatch.setattr(selection, "CPU_ENTRIES", 48)
        monkeypatch.setattr(selection, "CPU_WIDTH", 16)
        monkeypatch.setattr(selection, "CPU_WIDEST", 16)
        monkeypatch.setattr(dense, "BLOCK_ENTRIES", 1)
        monkeypatch.setattr(dense, "MIN_WIDTH", 16)
    return request.param


def drawn(batch, d_in, d_sae, seed, shift=0.0):
    """Inputs, and an encoder whose biases are around `shift`."""
    draw = generator(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    return normal(batch, d_in), Encoder(normal(d_in, d_sae), shift + normal(d_sae), normal(d_in))


def all_of(x, encoder):
    return (x - encoder.center) @ encoder.W_enc + encoder.b_enc


def same(one, other):
    return torch.allclose(one, other, rtol=1e-9, atol=1e-9)


# --- selecting -----------------------------------------------------------------------------------


@quickly
@given(**SHAPES, shift=st.sampled_from([-3.0, 0.0, 3.0]), k=st.integers(1, 70))
def test_the_k_largest_of_each_input_are_found(batch, d_in, d_sae, seed, shift, k):
    k = min(k, d_sae)
    x, encoder = drawn(batch, d_in, d_sae, seed, shift)
    pre = all_of(x, encoder)
    values, latents = top_k(x, encoder, k)
    expected = pre.topk(k).values.relu()
    assert same(values.relu().sort(descending=True).values, expected)
    at_latents = pre.gather(1, latents).where(values > 0, 0.0)
    assert same(at_latents, values.relu())
    assert same(topk_codes(x, encoder, k).dense(), pre.where(pre >= expected[:, -1:], 0.0).relu())


@pytest.mark.parametrize("first", [-100.0, 0.0, 100.0])
def test_a_first_tile_unlike_the_others_costs_time_but_no_latent(first):
    """The bound comes from the first tile, which here is far below or above all the others."""
    x, encoder = drawn(7, 4, 64, 0)
    encoder.b_enc[:8] += first
    pre = all_of(x, encoder)
    kept = pre.topk(20).values[:, -1:]
    assert same(topk_codes(x, encoder, 20).dense(), pre.where(pre >= kept, 0.0).relu())


def test_of_equal_pre_activations_any_k_are_kept():
    x, encoder = torch.ones(5, 2), Encoder(torch.ones(2, 64), torch.zeros(64), None)
    codes = topk_codes(x, encoder, 9)
    assert torch.equal(codes.dense().sort(descending=True).values[:, :10], torch.tensor(
        [2.0] * 9 + [0.0]).expand(5, 10))  # fmt: skip
    assert codes.l0() == 9


@quickly
@given(**SHAPES, bound=st.sampled_from([-9.0, 0.0, 1.0, 99.0]))
def test_what_is_above_a_bound_is_found_in_order_of_the_inputs(batch, d_in, d_sae, seed, bound):
    x, encoder = drawn(batch, d_in, d_sae, seed)
    pre = all_of(x, encoder)
    values, inputs, latents = above(x, encoder, bound)
    assert (inputs.diff() >= 0).all()
    assert set(zip(inputs.tolist(), latents.tolist(), strict=True)) == set(
        map(tuple, (pre > bound).nonzero().tolist())
    )
    assert same(pre[inputs, latents], values)


@quickly
@given(**SHAPES, k=st.floats(0.2, 8), guess=st.sampled_from([0.0, 0.5, 1.0, 50.0]))
def test_the_largest_of_a_batch_are_found_whatever_was_guessed(batch, d_in, d_sae, seed, k, guess):
    x, encoder = drawn(batch, d_in, d_sae, seed)
    pre = all_of(x, encoder).relu()
    n = min(int(k * batch), pre.numel())
    smallest = pre.flatten().topk(n).values[-1] if n else torch.inf
    codes = batch_topk_codes(x, encoder, k)
    assert same(codes.dense(), pre.where(pre >= smallest, 0.0))
    assert torch.equal(codes.fired(), (codes.dense() > 0).any(0))


@quickly
@given(**SHAPES)
def test_all_positive_pre_activations_are_found(batch, d_in, d_sae, seed):
    x, encoder = drawn(batch, d_in, d_sae, seed)
    codes = relu_codes(x, encoder, 1.0)
    assert same(codes.dense(), all_of(x, encoder).relu())
    assert same(codes.means(), codes.dense().mean(0))
    assert codes.l0().item() == pytest.approx((codes.dense() > 0).sum().item() / batch)


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_inputs_that_tell_the_wrong_thing_cost_time_but_no_latent(scale, monkeypatch):
    """The bound comes from every fourth input, which here is far smaller or larger than others."""
    monkeypatch.setattr(selection, "SAMPLE", 5)
    x, encoder = drawn(20, 4, 64, 0)
    encoder.center.zero_()
    encoder.b_enc.zero_()
    x[::4] *= scale
    pre = all_of(x, encoder)
    smallest = pre.flatten().topk(60).values[-1]
    assert same(batch_topk_codes(x, encoder, 3).dense(), pre.where(pre >= smallest, 0.0))


def test_whether_few_are_active_is_told_by_a_few_inputs_of_the_whole_batch():
    x, encoder = drawn(1000, 4, 50, 0)
    share = (all_of(x, encoder) > 0).double().mean().item()
    assert relu_codes(x, encoder, share - 0.1) is None
    assert relu_codes(x, encoder, share + 0.1) is not None
    assert len(sample(x, encoder)) < 100


# --- gradients -----------------------------------------------------------------------------------


def short_way(name):
    """x̂ and the latents' means as a function of x, W_enc, b_enc, center, W_dec and b_dec."""

    def decoded(codes, W_dec, b_dec):
        return codes.decode(W_dec, b_dec), codes.means()

    return {
        "topk": lambda x, W, b, c, *decoder: decoded(topk_codes(x, Encoder(W, b, c), 3), *decoder),
        "batch topk": lambda x, W, b, c, *decoder: decoded(
            batch_topk_codes(x, Encoder(W, b, c), 2.5), *decoder
        ),
        "relu": lambda x, W, b, c, *decoder: decoded(
            relu_codes(x, Encoder(W, b, c), 1.0), *decoder
        ),
        "dense": lambda x, W, b, c, *decoder: decoded(
            dense.autoencode(x, Encoder(W, b, c), *decoder), *decoder
        ),
    }[name]


@pytest.mark.parametrize("way", ["topk", "batch topk", "relu", "dense"])
@pytest.mark.parametrize("shift", [-1.0, 0.5])
def test_every_custom_gradient_passes_gradcheck(way, shift):
    x, (W_enc, b_enc, center) = drawn(5, 3, 33, 1, shift)
    W_dec = torch.randn(33, 4, generator=generator(2), dtype=torch.float64)
    b_dec = torch.randn(4, generator=generator(3), dtype=torch.float64)
    inputs = [part.requires_grad_() for part in (x, W_enc, b_enc, center, W_dec, b_dec)]
    assert torch.autograd.gradcheck(short_way(way), inputs)


@pytest.mark.parametrize("way", ["topk", "batch topk", "relu", "dense"])
def test_one_of_the_two_outputs_is_enough_for_a_gradient(way):
    x, (W_enc, b_enc, center) = drawn(5, 3, 33, 1)
    W_dec = torch.randn(33, 4, generator=generator(2), dtype=torch.float64)
    W_enc.requires_grad_()
    for output in (0, 1):
        made = short_way(way)(x, W_enc, b_enc, center, W_dec, W_dec.new_zeros(4))
        (grad,) = torch.autograd.grad(made[output].square().sum(), W_enc)
        assert grad.abs().sum() > 0


ARCHITECTURES = {
    "topk": lambda: TopKSAE(6, 80, 5),
    "batch topk": lambda: BatchTopKSAE(6, 80, 2.5),
    "relu, many active": lambda: ReLUSAE(6, 80, 0.3),
    "relu, few active": lambda: ReLUSAE(6, 80, 0.3, decoder_norm="unit"),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_loss_by_the_short_way_is_the_loss_by_the_definition(name, monkeypatch):
    """Terms, reconstruction, latents, and the gradient of every parameter."""
    sae = lived_in(ARCHITECTURES[name]().double())
    if name == "relu, few active":
        monkeypatch.setattr(relu, "MAX_DENSITY", 1.0)
    x = torch.randn(50, 6, generator=generator(4), dtype=torch.float64)
    made = {}
    for way in ("short", "definition"):
        if way == "definition":
            monkeypatch.setattr(type(sae), "codes", lambda self, x: None)
        sae.zero_grad()
        loss = sae.loss(x)
        assert isinstance(loss.z, torch.Tensor) == (way == "definition")
        loss.total.backward()
        z = loss.z if way == "definition" else loss.z.dense()
        gradients = [parameter.grad.clone() for parameter in sae.parameters()]
        made[way] = [*loss.terms.values(), loss.x_hat, z, sae(x), *gradients]
    for one, other in zip(made["short"], made["definition"], strict=True):
        assert same(one, other)


def test_dead_latents_learn_through_the_encoder_too():
    """AuxK sends its gradient to W_enc and b_enc of exactly the dead latents it used."""
    sae = lived_in(TopKSAE(6, 80, 5, aux_k=40))
    x = torch.randn(50, 6, generator=generator(4))
    dead = ~sae.loss(x).z.fired()
    assert 0 < dead.sum() < 40
    sae.loss(x, dead=dead).terms["aux"].backward()
    for grad in (sae.W_enc.grad.mT, sae.W_dec.grad, sae.b_enc.grad[:, None]):
        assert (grad[~dead] == 0).all()
        assert grad[dead].any()
