"""A change is made where it was asked for and nowhere else, and gone afterwards."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_lib.activations import Ablate, Add, Patch, intervene, read, record
from course_lib.models.gpt import GPT, GPTConfig, KVCache
from course_lib.runtime import generator

D = 16
MODEL = GPT(GPTConfig(d_vocab=11, n_ctx=12, d_model=D, n_heads=4, n_layers=3)).eval()
with torch.no_grad():
    for parameter in MODEL.parameters():
        parameter.mul_(5.0)
TOKENS = torch.randint(0, 11, (3, 8), generator=generator(0))
VECTOR = torch.randn(D, generator=generator(1))
SITES = ["resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "q", "v", "z", "pattern"]


def change_at(site, *interventions, positions=None, tokens=TOKENS):
    """How the activations at the site differ from the plain run's."""
    plain = read(MODEL, site, tokens)
    with intervene(MODEL, site, *interventions, positions=positions):
        return read(MODEL, site, tokens) - plain


@pytest.mark.parametrize("site", [*SITES, "mlp_pre", "mlp_post"])
def test_no_change_is_no_change_bit_for_bit(site):
    plain = MODEL(TOKENS)
    with intervene(MODEL, f"blocks.1.{site}", lambda x: x):
        unchanged = MODEL(TOKENS)
    if site == "pattern":  # then computed apart from torch's fused attention: it rounds otherwise
        torch.testing.assert_close(unchanged, plain)
    else:
        assert torch.equal(unchanged, plain)
    assert torch.equal(MODEL(TOKENS), plain)


@pytest.mark.parametrize("site", SITES)
def test_a_change_reaches_what_the_model_computes_next(site):
    plain = MODEL(TOKENS)
    with intervene(MODEL, f"blocks.1.{site}", lambda x: 1.5 * x):
        assert (MODEL(TOKENS) - plain).abs().max() > 1e-3


def test_a_later_stream_adds_up_from_what_was_changed():
    with (
        torch.no_grad(),
        record(MODEL, ["blocks.1.resid_mid", "blocks.1.resid_post"]) as acts,
        intervene(MODEL, "blocks.1.mlp_out", Ablate()),
    ):
        MODEL(TOKENS)
    assert torch.equal(acts["blocks.1.resid_mid"], acts["blocks.1.resid_post"])


@pytest.mark.parametrize(
    ("positions", "meant"),
    [
        (None, range(8)),
        (5, [5]),
        ([6, 2], [2, 6]),
        (range(1, 4), [1, 2, 3]),
        (slice(6, None), [6, 7]),
        (slice(None, 7, 3), [0, 3, 6]),
        (torch.tensor([0, 7]), [0, 7]),
        (torch.tensor(3), [3]),
        (torch.arange(8) % 2 == 0, [0, 2, 4, 6]),
        ([], []),
    ],
)
def test_positions_say_where(positions, meant):
    change = change_at("blocks.1.resid_post", Add(VECTOR), positions=positions)
    expected = torch.zeros(3, 8, D)
    expected[:, list(meant)] = VECTOR
    torch.testing.assert_close(change, expected, rtol=0, atol=1e-5)
    assert (change[expected == 0] == 0).all()


@given(data=st.data())
def test_a_mask_says_which_sequence_too_in_any_number_of_passes(data):
    seed, cuts = data.draw(st.integers(0, 99)), sorted(data.draw(st.sets(st.integers(1, 7))))
    mask = torch.rand(3, 8, generator=generator(seed)) < 0.3
    cache, parts = KVCache(), zip([0, *cuts], [*cuts, 8], strict=True)
    site = "blocks.0.resid_pre"  # depends on the token and its position alone
    plain = read(MODEL, site, TOKENS)
    with (
        torch.no_grad(),
        record(MODEL, site) as acts,
        intervene(MODEL, site, Add(VECTOR), positions=mask),
    ):
        for start, stop in parts:
            MODEL(TOKENS[:, start:stop], cache)
    torch.testing.assert_close(acts[site], plain + mask[..., None] * VECTOR)


@pytest.mark.parametrize("intervention", [Add(VECTOR, 3.0), Patch(torch.randn(3, 12, D))])
def test_steering_does_with_a_cache_what_it_does_without(intervention):
    positions = [2, 5, 7]
    with intervene(MODEL, "blocks.1.resid_post", intervention, positions=positions):
        cached = MODEL.generate(TOKENS[:, :4], 6)
        plain = TOKENS[:, :4]
        while plain.shape[1] < 10:
            new = MODEL(plain)[:, -1].argmax(-1, keepdim=True)
            plain = torch.cat([plain, new], dim=1)
    assert torch.equal(cached, plain)
    assert not torch.equal(cached, MODEL.generate(TOKENS[:, :4], 6))


def test_several_on_one_site_act_in_the_order_in_which_they_were_begun():
    double, add = (lambda x: 2 * x), Add(VECTOR)
    x = read(MODEL, "blocks.1", TOKENS)
    site = "blocks.1"
    torch.testing.assert_close(change_at(site, double, add), x + VECTOR)
    with intervene(MODEL, site, double), intervene(MODEL, site, add):
        torch.testing.assert_close(read(MODEL, site, TOKENS), 2 * x + VECTOR)
    with intervene(MODEL, site, add), intervene(MODEL, site, double):
        torch.testing.assert_close(read(MODEL, site, TOKENS), 2 * (x + VECTOR))
    with record(MODEL, site) as before, intervene(MODEL, site, add), torch.no_grad():
        MODEL(TOKENS)
    torch.testing.assert_close(before[site], x + VECTOR)  # what interventions left


def test_a_layer_can_be_replaced_by_a_function_of_its_input():
    x, y = "blocks.1.mlp:input", "blocks.1.mlp_out"
    same = copy.deepcopy(MODEL.blocks[1].mlp)
    with record(MODEL, x) as acts, intervene(MODEL, y, lambda _: same(acts[x])):
        replaced = MODEL(TOKENS)
    assert torch.equal(replaced, MODEL(TOKENS))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_half_precision_and_inference_mode_change_the_same_places(dtype, mode):
    model = GPT(MODEL.config).to(dtype).eval()
    with mode():
        plain = read(model, "blocks.1", TOKENS)
        with intervene(model, "blocks.1", Add(VECTOR), positions=[4]):
            changed = read(model, "blocks.1", TOKENS)
            assert model(TOKENS).dtype == dtype
    assert changed.dtype == dtype
    assert torch.equal(changed[:, 4], plain[:, 4] + VECTOR.to(dtype))
    assert torch.equal(changed[:, 5:], plain[:, 5:])


class TwoDevices(nn.Module):
    """A first layer on the CPU and a second one on a device of shapes alone."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(D, D), nn.Linear(D, D, device="meta")

    def forward(self, x):
        return self.second(self.first(x).to("meta"))


@pytest.mark.parametrize("positions", [None, [1], torch.rand(2, 5, generator=generator(0)) < 0.5])
def test_a_model_on_several_devices_is_changed_on_each(positions):
    model, x = TwoDevices(), torch.randn(2, 5, D, generator=generator(0))
    with record(model, ["first", "second"]) as acts, torch.no_grad():
        for site in ("first", "second"):
            with intervene(model, site, Add(VECTOR), Ablate(VECTOR), positions=positions):
                assert model(x).device.type == "meta"
    assert [acts[site].device.type for site in acts] == ["cpu", "meta"]
    assert acts["second"].shape == (2, 5, D)


def test_gradients_go_through_a_change():
    vector = VECTOR.clone().requires_grad_()
    with intervene(MODEL, "blocks.1", Add(vector), positions=[2]):
        MODEL(TOKENS).square().sum().backward()
    assert vector.grad.abs().min() > 0


@pytest.mark.parametrize(
    ("positions", "error", "message"),
    [
        (-1, ValueError, "positions is -1; count from the start, because under a KV cache"),
        ([2, -1], ValueError, "count from the start"),
        (slice(-3, None), ValueError, "count from the start"),
        (slice(None, None, -1), ValueError, "its step must be at least 1"),
        (torch.ones(1, 2, 3, dtype=torch.bool), ValueError, r"mask of shape \[1, 2, 3\]"),
        (0.5, TypeError, "positions is 0.5; it must be a whole number"),
        (True, TypeError, "positions is True"),
        ("all", TypeError, "positions is 'a'"),
    ],
)
def test_positions_that_mean_nothing_are_refused(positions, error, message):
    with (
        pytest.raises(error, match=message),
        intervene(MODEL, "blocks.1", Add(VECTOR), positions=positions),
    ):
        pass


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        ([3, 8, 9], "blocks.1 was not changed at position 8, 9: the model read 8 positions"),
        (slice(8, None), "not changed at position 8 and those after it"),
        (torch.ones(10, dtype=torch.bool), "not changed at the mask's positions from 8 on"),
    ],
)
def test_a_position_that_was_never_read_is_an_error(positions, message):
    with (
        pytest.raises(ValueError, match=message),
        intervene(MODEL, "blocks.1", Add(VECTOR), positions=positions),
    ):
        MODEL(TOKENS)


def test_a_site_that_the_model_ran_without_is_an_error():
    class Lazy(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x):
            return self.used(x)

    model, x = Lazy(), torch.zeros(1, 2)
    with (
        pytest.raises(ValueError, match="unused was not changed: the model ran without it"),
        intervene(model, "unused", Ablate()),
    ):
        model(x)
    with intervene(model, "unused", Ablate()):
        pass  # nothing ran
    with intervene(model, "unused", Ablate()):  # stopped before anything could have been missed
        read(model, "used", x)


@pytest.mark.parametrize(
    ("intervention", "error", "message"),
    [
        (VECTOR, TypeError, "an intervention is of type Tensor; it must be a function"),
        (lambda x: x[..., 0], ValueError, r"made \[3, 8\] of an activation of shape \[3, 8, 16\]"),
        (lambda x: None, ValueError, "made NoneType of an activation"),
    ],
)
def test_what_is_no_intervention_is_refused(intervention, error, message):
    with pytest.raises(error, match=message), intervene(MODEL, "blocks.1", intervention):
        MODEL(TOKENS)


def test_a_mask_of_another_batch_and_a_site_without_positions_are_refused():
    with pytest.raises(ValueError, match="mask of 2 sequences and the batch has 3"):
        change_at("blocks.1", Ablate(), positions=torch.ones(2, 8, dtype=torch.bool))
    layer = nn.Linear(2, 2)
    with (
        pytest.raises(ValueError, match=r"shape \[5, 2\] and thus no positions"),
        intervene(layer, "", Ablate(), positions=[0]),
    ):
        layer(torch.zeros(5, 2))


def test_part_of_a_model_does_not_guess_positions_under_a_cache():
    cache = KVCache()
    with torch.no_grad():
        MODEL(TOKENS, cache)
    block = MODEL.blocks[0]
    with (
        pytest.raises(ValueError, match="give the whole model, and the path from there"),
        intervene(block, "mlp", Ablate()),
    ):
        block(torch.zeros(3, 1, D), torch.tensor([8]), cache)
