"""The GPT computes what a transformer is defined to compute, with a cache and without."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_lib.data.sequences import NONE
from course_lib.models.gpt import GPT, SITES, GPTConfig, KVCache, rotate
from course_lib.runtime import generator
from tests.models.by_definition import logits_of

KINDS = [(positions, tied) for positions in ("learned", "rotary") for tied in (False, True)]


def made(positions="learned", tied=False, **shape):
    """A GPT in 64 bits whose weights are large enough for every part to matter."""
    shape = {"d_vocab": 11, "n_ctx": 9, "d_model": 8, "n_heads": 2, "n_layers": 2} | shape
    model = GPT(GPTConfig(**shape, positions=positions, tied=tied)).double()
    random = generator(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5, generator=random)
    return model


def some_tokens(batch=3, seq=7, d_vocab=11, seed=2):
    return torch.randint(d_vocab, (batch, seq), generator=generator(seed))


@pytest.mark.parametrize(("positions", "tied"), KINDS)
def test_logits_are_those_of_the_definition(positions, tied):
    model, tokens = made(positions, tied), some_tokens()
    logits = model(tokens)
    for row in range(len(tokens)):
        # Angles of rotary positions are computed in 32 bits.
        tolerance = {"learned": 1e-11, "rotary": 1e-5}[positions]
        expected = logits_of(model, tokens[row].tolist())
        torch.testing.assert_close(logits[row], expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_a_cache_changes_nothing_at_any_step(positions):
    model, tokens = made(positions), some_tokens()
    whole = model(tokens)
    cache = KVCache()
    for step in range(tokens.shape[1]):
        assert len(cache) == step
        logits = model(tokens[:, step : step + 1], cache)
        torch.testing.assert_close(logits[:, 0], whole[:, step], rtol=0, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.sampled_from(["learned", "rotary"]))
def test_a_cache_may_be_fed_in_pieces_of_any_length(pieces, positions):
    model = made(positions, n_ctx=16)
    tokens = some_tokens(seq=sum(pieces))
    cache = KVCache()
    logits = [model(part, cache) for part in tokens.split(pieces, dim=1)]
    torch.testing.assert_close(torch.cat(logits, 1), model(tokens), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("positions", "tied"), KINDS)
def test_no_logit_depends_on_a_later_token(positions, tied):
    model, tokens = made(positions, tied), some_tokens(batch=1)
    for place in range(tokens.shape[1]):
        stream = []
        hook = model.embed.register_forward_hook(
            lambda module, inputs, out, kept=stream: kept.append(out.requires_grad_()) or out
        )
        logits = model(tokens)
        hook.remove()
        (gradient,) = torch.autograd.grad(logits[0, place].sum(), stream)
        depends = gradient[0].abs().sum(dim=-1) > 0
        assert depends[: place + 1].all()
        assert not depends[place + 1 :].any()


def test_rotary_scores_depend_on_the_distance_alone():
    q, k = torch.randn(2, 1, 1, 1, 16, generator=generator(0), dtype=torch.float64)
    places = torch.arange(40)

    def score(i, j):
        return (rotate(q, places[i : i + 1]) * rotate(k, places[j : j + 1])).sum()

    for distance in (0, 1, 7):
        scores = torch.stack([score(i + distance, i) for i in range(20)])
        assert scores.std() < 1e-6
    assert (score(9, 2) - score(2, 9)).abs() > 1e-2
    torch.testing.assert_close(rotate(q, places[5:6]).norm(), q.norm())


def test_a_rotary_model_does_not_see_where_a_sequence_begins():
    """Equal tokens, far along or at the start: attention sees the same."""
    model = made("rotary", n_ctx=40)
    x = torch.randn(1, 6, 8, generator=generator(3), dtype=torch.float64)
    block = model.blocks[0]
    here, there = (block(x, torch.arange(6) + start) for start in (0, 30))
    torch.testing.assert_close(here, there, rtol=0, atol=1e-5)


def test_tied_weights_are_one_tensor():
    model = made(tied=True)
    assert model.unembed.weight is model.embed.weight
    assert "unembed.weight" not in dict(model.named_parameters())
    model(some_tokens()).sum().backward()
    assert model.embed.weight.grad.abs().sum(1).gt(0).all()
    untied = made(tied=False)
    assert untied.unembed.weight.data_ptr() != untied.embed.weight.data_ptr()


def watched(model, name, layer, tokens, change=None):
    """What stands at a site, and the logits, with the site changed if `change` is given."""
    path, side = SITES[name]
    module, kept = model.get_submodule(path.format(layer)), []

    def on_input(module, inputs):
        kept.append(inputs[0])
        return None if change is None else (change(inputs[0]), *inputs[1:])

    def on_output(module, inputs, output):
        kept.append(output)
        return None if change is None else change(output)

    register = {"input": "register_forward_pre_hook", "output": "register_forward_hook"}[side]
    hook = getattr(module, register)({"input": on_input, "output": on_output}[side])
    logits = model(tokens)
    hook.remove()
    (value,) = kept
    return value, logits


@pytest.mark.parametrize("name", SITES)
def test_every_site_is_there_and_to_change_it_changes_the_logits(name):
    model, tokens = made(), some_tokens()
    plain = model(tokens)
    value, logits = watched(model, name, 1, tokens)
    shapes = {"pattern": (3, 2, 7, 7), "mlp_pre": (3, 7, 32), "mlp_post": (3, 7, 32)}
    assert value.shape == shapes.get(name, (3, 7, 8))
    torch.testing.assert_close(logits, plain, rtol=0, atol=1e-12)
    _, changed = watched(model, name, 1, tokens, lambda value: value.roll(1, -1))
    assert (changed - plain).abs().max() > 1e-3


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_the_sites_obey_the_equations_of_a_block(positions):
    model, tokens = made(positions), some_tokens()
    at = {name: watched(model, name, 0, tokens)[0] for name in SITES}
    block = model.blocks[0]
    torch.testing.assert_close(at["resid_mid"], at["resid_pre"] + at["attn_out"])
    torch.testing.assert_close(at["resid_post"], at["resid_mid"] + at["mlp_out"])
    torch.testing.assert_close(at["mlp_out"], block.mlp.down(at["mlp_post"]))
    torch.testing.assert_close(at["attn_out"], block.attn.out(at["z"]))
    torch.testing.assert_close(watched(model, "resid_pre", 1, tokens)[0], at["resid_post"])
    pattern, v = at["pattern"], at["v"].unflatten(-1, (2, 4)).transpose(1, 2)
    torch.testing.assert_close(at["z"], (pattern @ v).transpose(1, 2).flatten(2))
    torch.testing.assert_close(pattern.sum(-1), torch.ones(3, 2, 7).double())
    assert (pattern.triu(1) == 0).all() and (pattern.tril() > 0).sum() == 3 * 2 * 28


def test_resid_mid_changes_what_the_block_passes_on_and_not_only_its_mlp():
    model, tokens = made(), some_tokens()
    _, logits = watched(model, "resid_mid", 1, tokens, torch.zeros_like)
    assert torch.allclose(logits, logits[:1, :1])  # nothing of the tokens is left


def test_the_pattern_has_a_row_for_the_new_token_and_a_column_for_each_it_sees():
    model, tokens = made(), some_tokens()
    whole, _ = watched(model, "pattern", 1, tokens)
    cache, kept = KVCache(), []
    model(tokens[:, :6], cache)
    model.blocks[1].attn.pattern.register_forward_hook(lambda *args: kept.append(args[2]))
    model(tokens[:, 6:], cache)
    torch.testing.assert_close(kept[0], whole[:, :, 6:])


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_greedy_generation_takes_the_likeliest_token_each_time(positions):
    model, tokens = made(positions), some_tokens(seq=3)
    by_hand = tokens
    for _ in range(7):
        by_hand = torch.cat([by_hand, model(by_hand)[:, -1:].argmax(-1)], dim=1)
    assert torch.equal(model.generate(tokens, 7), by_hand)


def test_generation_draws_from_the_softmax_at_its_temperature():
    model = made(d_vocab=4, n_ctx=4)
    tokens = torch.tensor([[1, 3]]).expand(20_000, -1)
    for temperature in (0.5, 2.0):
        new = model.generate(tokens, 1, temperature=temperature, generator=generator(5))[:, -1]
        law = (model(tokens[:1])[0, -1] / temperature).softmax(-1)
        frequency = new.bincount(minlength=4) / len(new)
        # Standard errors are at most 0.5 / √20,000 = 0.0035.
        torch.testing.assert_close(frequency.double(), law, rtol=0, atol=0.015)
    same = [model.generate(tokens[:9], 2, temperature=1.0, generator=generator(6)) for _ in "ab"]
    assert torch.equal(*same)


def test_what_follows_the_end_of_a_sequence_changes_nothing_before_it_and_does_not_count():
    model, tokens = made(), some_tokens()
    ended = tokens.clone()
    ended[0, 4:] = NONE
    assert torch.equal(model(ended)[0, :4], model(tokens)[0, :4])
    each = -model(tokens[:, :-1]).log_softmax(-1).gather(-1, tokens[:, 1:, None])[..., 0]
    real = ended[:, 1:] != NONE
    torch.testing.assert_close(model.loss(ended), each[real].mean(), rtol=1e-5, atol=1e-5)


def test_initial_weights_are_those_of_gpt_2_and_of_the_seed_alone():
    config = GPTConfig(500, 64, d_model=128, n_layers=8)
    model, again, other = GPT(config), GPT(config), GPT(config, seed=1)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, again.get_parameter(name))
        writes = name.endswith(("attn.out.weight", "mlp.down.weight"))
        if parameter.ndim == 2:
            assert parameter.std().item() == pytest.approx(0.005 if writes else 0.02, rel=0.05)
            assert not torch.equal(parameter, other.get_parameter(name))
        else:
            assert (parameter == (1.0 if "weight" in name else 0.0)).all()
    loss = model.loss(torch.randint(500, (16, 64), generator=generator(0))).item()
    assert loss == pytest.approx(math.log(500), abs=0.1)


def test_half_precision_runs_and_is_near():
    model, tokens = made(), some_tokens()
    exact = model(tokens)
    for dtype in (torch.float32, torch.bfloat16):
        error = (model.to(dtype)(tokens).double() - exact).norm() / exact.norm()
        assert error < {torch.float32: 1e-5, torch.bfloat16: 0.05}[dtype]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GPTConfig(0, 4), "d_vocab is 0"),
        (lambda: GPTConfig(4, 4, d_model=10, n_heads=4), "n_heads is 4; it must divide d_model"),
        (lambda: GPTConfig(4, 4, positions="sinus"), "positions is 'sinus'"),
        (lambda: GPTConfig(4, 4, 6, 2, positions="rotary"), "d_model / n_heads is 3"),
        (lambda: made()(some_tokens(seq=10)), "10 tokens do not fit into n_ctx = 9"),
        (lambda: made()(torch.tensor([[1, 11]])), "tokens go from 1 to 11; .* from 0 to 10"),
        (lambda: made()(torch.tensor([[-2, 1]])), "tokens go from -2 to 1"),
        (lambda: made()(torch.tensor([1, 2])), r"tokens has shape \[2\]; .* \[batch, seq\]"),
        (lambda: made()(torch.rand(2, 3)), "dtype torch.float32; it must hold one whole number"),
        (lambda: made()(torch.zeros(1, 0, dtype=torch.long)), r"shape \[1, 0\]"),
        (lambda: made().generate(some_tokens(), 4), "10 tokens do not fit"),
        (lambda: made().generate(some_tokens(), 0), "n_new is 0"),
        (lambda: made().generate(some_tokens(), 1, temperature=1.0), "generator is None"),
        (lambda: made().generate(some_tokens(), 1, temperature=-1.0), "temperature is -1"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named_with_their_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_cache_that_is_full_is_refused_by_the_number_of_tokens():
    model, cache = made(), KVCache()
    model(some_tokens(seq=9), cache)
    with pytest.raises(ValueError, match="10 tokens do not fit into n_ctx = 9"):
        model(some_tokens(seq=1), cache)
