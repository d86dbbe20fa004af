"""The GRU reads into one state and writes from it alone."""

import pytest
import torch

from course_lib.models.gru import GRU, GRUConfig
from course_lib.runtime import generator


def made():
    return GRU(GRUConfig(d_vocab=6, n_read=4, d_model=3, d_hidden=5)).double()


def some_tokens(batch=3, seq=8, seed=0):
    return torch.randint(6, (batch, seq), generator=generator(seed))


def step(gru, x, h):
    """One step of a GRU, by its equations (Cho et al. 2014, with torch's place of the reset)."""
    inputs = gru.weight_ih_l0 @ x + gru.bias_ih_l0
    state = gru.weight_hh_l0 @ h + gru.bias_hh_l0
    (reset_x, update_x, new_x), (reset_h, update_h, new_h) = inputs.chunk(3), state.chunk(3)
    reset, update = (reset_x + reset_h).sigmoid(), (update_x + update_h).sigmoid()
    new = (new_x + reset * new_h).tanh()
    return (1 - update) * new + update * h


def test_logits_are_those_of_the_equations_step_by_step():
    model, tokens = made(), some_tokens()
    logits = model(tokens)
    assert logits.shape == (3, 4, 6)
    for row in range(3):
        h = torch.zeros(5).double()
        for place, token in enumerate(tokens[row]):
            h = step(model.encoder if place < 4 else model.decoder, model.embed(token), h)
            if place >= 4:
                expected = model.unembed.weight @ h + model.unembed.bias
                torch.testing.assert_close(logits[row, place - 4], expected)


def test_all_that_the_decoder_knows_of_what_was_read_is_the_state():
    model, tokens, other = made(), some_tokens(), some_tokens(seed=1)
    swapped = torch.cat([other[:, :4], tokens[:, 4:]], dim=1)
    state = model.encode(other[:, :4])
    hook = model.state.register_forward_hook(lambda *args: state)
    assert torch.equal(model(tokens), model(swapped))
    hook.remove()
    assert not torch.equal(model(tokens), model(swapped))


def test_the_states_can_be_seen_on_their_way():
    model, tokens, seen = made(), some_tokens(), {}
    for name in ("encoder_states", "state", "decoder_states"):
        module = model.get_submodule(name)
        module.register_forward_hook(lambda m, i, out, name=name: seen.update({name: out}))
    logits = model(tokens)
    assert seen["encoder_states"].shape == (3, 4, 5)
    assert torch.equal(seen["state"], seen["encoder_states"][:, -1])
    assert torch.equal(logits, model.unembed(seen["decoder_states"]))


def test_the_loss_is_of_the_written_tokens_after_the_sign():
    model, tokens = made(), some_tokens()
    each = -model(tokens[:, :-1]).log_softmax(-1).gather(-1, tokens[:, 5:, None])
    assert each.shape[1] == tokens.shape[1] - model.n_given
    torch.testing.assert_close(model.loss(tokens).double(), each.mean(), rtol=1e-5, atol=1e-5)


def test_writing_from_the_state_is_generating_after_reading():
    model, tokens = made(), some_tokens(seq=5)
    tokens[:, 4] = 2
    generated = model.generate(tokens, 6)
    assert torch.equal(generated[:, :5], tokens)
    assert torch.equal(generated[:, 5:], model.write(model.encode(tokens[:, :4]), 2, 6))


def test_the_seed_gives_the_weights():
    one, same, other = (GRU(GRUConfig(6, 4), seed=seed) for seed in (0, 0, 1))
    for name, weight in one.named_parameters():
        assert torch.equal(weight, same.get_parameter(name))
        assert not torch.equal(weight, other.get_parameter(name))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GRUConfig(6, 0), "n_read is 0"),
        (lambda: GRUConfig(6, 4, d_hidden=-1), "d_hidden is -1"),
        (lambda: made()(some_tokens(seq=4)), r"shape \[3, 4\]; it must be .*more than n_read = 4"),
        (lambda: made()(some_tokens() + 1), "tokens go from 1 to 6; they must be from 0 to 5"),
        (lambda: made()(torch.rand(2, 6)), "dtype torch.float32"),
        (lambda: made().write(torch.zeros(2, 4), 0, 3), r"state has shape \[2, 4\]"),
        (lambda: made().generate(some_tokens(), 0), "n_new is 0"),
    ],
)
def test_bad_arguments_are_named_with_their_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
