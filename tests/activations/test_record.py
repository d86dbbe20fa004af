"""Recording gives what the model computed, wherever it runs, and leaves the model as it was."""

import copy
import functools

import pytest
import torch
from torch import nn

from course_lib.activations import Add, Site, intervene, read, record
from course_lib.models.gpt import GPT, SITES, GPTConfig, KVCache
from course_lib.runtime import generator

CONFIG = GPTConfig(d_vocab=11, n_ctx=12, d_model=16, n_heads=4, n_layers=3)


def make(positions="learned"):
    model = GPT(GPTConfig(**{**vars(CONFIG), "positions": positions}))
    with torch.no_grad():  # large enough weights that every site matters
        for parameter in model.parameters():
            parameter.mul_(5.0)
    return model.eval()


def tokens(batch=3, seq=8, seed=0):
    return torch.randint(0, CONFIG.d_vocab, (batch, seq), generator=generator(seed))


def hooks(model):
    """Everything on a model that records or changes."""
    return [
        (name, entry)
        for name, module in model.named_modules()
        for entry in (*module._forward_hooks, *module._forward_pre_hooks, *module.__dict__)
        if entry == "forward" or isinstance(entry, int)
    ]


class Twice(nn.Module):
    """Runs one layer twice, then something in place."""

    def __init__(self):
        super().__init__()
        self.layer, self.act = nn.Linear(4, 4), nn.ReLU(inplace=True)

    def forward(self, x):
        return {"out": self.act(self.layer(self.layer(x))), "n": 3}


def test_each_site_has_the_values_that_a_computation_by_hand_has():
    model, t = make(), tokens()
    acts = read(model, [f"blocks.1.{name}" for name in SITES], t)
    a = {name.removeprefix("blocks.1."): value for name, value in acts.items()}
    block = model.blocks[1]
    x = a["resid_pre"]

    def heads(y):
        return y.unflatten(-1, (4, 4)).transpose(1, 2)

    def close(name, value):
        torch.testing.assert_close(a[name], value)

    for name in "qkv":
        close(name, getattr(block.attn, name)(block.ln_1(x)))
    scores = heads(a["q"]) @ heads(a["k"]).mT / 2
    future = torch.ones(8, 8, dtype=torch.bool).triu(1)
    close("pattern", scores.masked_fill(future, -torch.inf).softmax(-1))
    close("z", (a["pattern"] @ heads(a["v"])).transpose(1, 2).flatten(2))
    close("attn_out", a["z"] @ block.attn.out.weight.T + block.attn.out.bias)
    close("resid_mid", x + a["attn_out"])
    close("mlp_pre", block.mlp.up(block.ln_2(a["resid_mid"])))
    close("mlp_post", nn.functional.gelu(a["mlp_pre"], approximate="tanh"))
    close("mlp_out", block.mlp.down(a["mlp_post"]))
    close("resid_post", a["resid_mid"] + a["mlp_out"])


def test_heads_write_what_attention_adds_and_no_more():
    model, t = make(), tokens()
    acts = read(model, ["blocks.2.z", "blocks.2.attn_out"], t)
    out = model.blocks[2].attn.out
    by_head = torch.einsum(
        "bshd,ohd->bsho",
        acts["blocks.2.z"].unflatten(-1, (4, -1)),
        out.weight.unflatten(-1, (4, -1)),
    )
    torch.testing.assert_close(by_head.sum(2) + out.bias, acts["blocks.2.attn_out"])


def test_nothing_is_left_on_the_model_even_after_an_error():
    model, t = make(), tokens()
    assert hooks(model) == []
    with (
        pytest.raises(ZeroDivisionError),
        record(model, ["blocks.0.z", "blocks.2"]),
        intervene(model, "blocks.1", Add(torch.ones(16))),
    ):
        assert len(hooks(model)) == 4  # three sites and `forward`
        model(t)
        raise ZeroDivisionError
    assert hooks(model) == []
    with (
        pytest.raises(RuntimeError),
        record(model, "blocks.2"),
        intervene(model, "blocks.0", lambda x: x @ torch.ones(3, 3)),
    ):
        model(t)
    assert hooks(model) == []
    with pytest.raises(ValueError), record(model, ["blocks.0", "blocks.9"]):
        pass
    assert hooks(model) == []
    copy.deepcopy(model)


def test_what_stood_in_for_forward_before_does_so_again():
    model, t = make(), tokens()
    plain, own = model(t), functools.partial(GPT.forward, model)
    model.forward = own  # as the hooks of accelerate do
    with record(model, "blocks.0") as acts:
        assert torch.equal(model(t), plain)
    assert "blocks.0" in acts
    assert model.forward is own


def test_a_model_is_not_copied_with_hooks_on_it():
    model = make()
    with record(model, "blocks.0"), pytest.raises(RuntimeError, match="cannot be copied"):
        copy.deepcopy(model)


def test_recording_does_not_change_the_model_by_a_bit():
    model, t = make(), tokens()
    plain = model(t)
    with record(model, ["blocks.0", "blocks.1.mlp_post", "blocks.2.attn_out", "blocks.2.q"]):
        assert torch.equal(model(t), plain)


def test_stopping_runs_nothing_after_the_last_site():
    model, t, ran = make(), tokens(), []
    for number, block in enumerate(model.blocks):
        block.mlp.register_forward_hook(lambda *_, number=number: ran.append(number))
    with record(model, ["blocks.0", "blocks.1.attn_out"], stop=True) as acts:
        assert model(t) is None
    assert ran == [0]
    assert set(acts) == {"blocks.0", "blocks.1.attn_out"}
    with record(model, "blocks.0", stop=True), record(model, "blocks.1") as outer:
        assert model(t).shape == (3, 8, 11)  # the other one did not ask to stop
    assert ran == [0, 0, 1, 2]
    assert "blocks.1" in outer
    with record(model, "blocks.0", stop=True), record(model, "blocks.1", stop=True) as both:
        assert model(t) is None
    assert ran == [0, 0, 1, 2, 0, 1]
    assert "blocks.1" in both


def test_a_stop_reaches_the_model_through_what_catches_errors():
    class Careful(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = make()

        def forward(self, t):
            try:
                return self.model(t)
            except Exception:
                return "caught"

    careful = Careful()
    with record(careful, "model.blocks.0", stop=True) as acts:
        assert careful(tokens()) is None
    assert acts["model.blocks.0"].shape == (3, 8, 16)


@pytest.mark.parametrize("positions", ["learned", "rotary"])
@pytest.mark.parametrize("cuts", [[8], [3, 8], [1, 2, 3, 8], [5, 6, 7, 8]])
def test_passes_with_a_cache_give_what_one_pass_gives(positions, cuts):
    model, t = make(positions), tokens()
    sites = ["blocks.0.resid_pre", "blocks.1.z", "blocks.2.pattern", "blocks.2.mlp_post"]
    whole = read(model, sites, t)
    cache = KVCache()
    with torch.no_grad(), record(model, sites) as acts:
        for start, stop in zip([0, *cuts], cuts, strict=False):
            model(t[:, start:stop], cache)
        for site in sites:
            torch.testing.assert_close(acts[site], whole[site], rtol=1e-4, atol=1e-5)
        model(t[:2, :4])  # another sequence: the first one goes
        assert acts["blocks.1.z"].shape == (2, 4, 16)


def test_what_is_generated_is_recorded_token_by_token():
    model = make()
    with record(model, "blocks.1") as acts:
        out = model.generate(tokens(seq=4), 5)
    assert acts["blocks.1"].shape == (3, 8, 16)  # the last token is not read
    torch.testing.assert_close(
        acts["blocks.1"], read(model, "blocks.1", out[:, :-1]), rtol=1e-4, atol=1e-5
    )


def test_under_inference_mode_one_gets_tensors_to_train_on():
    model = make()
    with torch.inference_mode(), record(model, "blocks.1") as acts:
        model(tokens())
    probe = nn.Linear(16, 1)
    probe(acts["blocks.1"]).sum().backward()
    assert probe.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_activations_keep_the_precision_of_the_model(dtype):
    assert read(make().to(dtype), "blocks.1.z", tokens()).dtype == dtype


@pytest.mark.parametrize("site", ["blocks.1.resid_post", "blocks.1.k", "blocks.0.mlp_post"])
def test_one_can_differentiate_by_what_was_recorded(site):
    model, t = make(), tokens()
    with record(model, site) as acts:
        loss = model(t)[..., 3].sum()
    (slope,) = torch.autograd.grad(loss, acts[site])
    step = torch.randn(acts[site].shape, generator=generator(1)) * 1e-3
    with torch.no_grad(), intervene(model, site, Add(step)):
        up = model(t)[..., 3].sum()
    with torch.no_grad(), intervene(model, site, Add(-step)):
        down = model(t)[..., 3].sum()
    assert float((slope * step).sum()) == pytest.approx(float(up - down) / 2, rel=0.02)


def test_copies_are_safe_from_a_model_that_works_in_place():
    model, x = Twice(), torch.randn(5, 4, generator=generator(0))
    with torch.no_grad(), record(model, ["layer", "act", "", "act:input"]) as acts:
        out = model(x)["out"]
    first = model.layer(x)
    assert [call.shape for call in acts.calls("layer")] == [(5, 4), (5, 4)]
    assert torch.equal(acts.calls("layer")[1], model.layer(first))
    assert torch.equal(acts["act:input"], model.layer(first))
    assert (acts["act:input"] < 0).any()
    assert torch.equal(acts[""], out)
    with pytest.raises(ValueError, match="layer runs 2 times in one pass"):
        acts["layer"]
    with record(model, "act:input") as acts:
        model(x)
    with pytest.raises(ValueError, match="changed the activations of act:input in place"):
        acts["act:input"]


def test_a_module_that_is_called_by_itself_counts_from_the_start():
    model = make()
    with torch.no_grad(), record(model, "blocks.1.mlp_out") as acts:
        model(tokens())
        out = model.blocks[1].mlp(torch.ones(1, 2, 16))
        assert torch.equal(acts["blocks.1.mlp_out"], out)


def test_a_list_of_tensors_is_read_by_its_index():
    model = nn.GRU(3, 5, batch_first=True)
    x = torch.randn(2, 4, 3, generator=generator(0))
    out, last = model(x)
    assert torch.equal(read(model, "", x), out)
    assert torch.equal(read(model, Site("", index=1), x), last)


def test_what_did_not_run_says_so():
    model = make()
    with record(model, ["blocks.1", "blocks.2"]) as acts:
        with pytest.raises(KeyError, match="'blocks.1' did not run: call the model within"):
            acts["blocks.1"]
        assert list(acts) == []
        with pytest.raises(KeyError, match="'blocks.0' is not recorded; blocks.1, blocks.2 are"):
            acts["blocks.0"]
