"""Our GPT against transformers' models with the same weights."""

import pytest
import torch

from course_lib.models.gpt import GPT, GPTConfig, KVCache
from course_lib.runtime import generator
from tests.differential.peers import peer

PARTS = {  # ours and GPT-2's names in a block; GPT-2 stores its weights transposed
    "ln_1": "ln_1", "ln_2": "ln_2", "attn.out": "attn.c_proj", "mlp.up": "mlp.c_fc",
    "mlp.down": "mlp.c_proj",
}  # fmt: skip


def random_weights(model, std=0.3):
    random = generator(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=std, generator=random)
    return model.double().eval()


@torch.no_grad()
def copy_gpt2(theirs, ours):
    body = theirs.transformer
    ours.embed.weight.copy_(body.wte.weight)
    ours.pos_embed.weight.copy_(body.wpe.weight)
    ours.ln_final.load_state_dict(body.ln_f.state_dict())
    if not ours.config.tied:
        ours.unembed.weight.copy_(theirs.lm_head.weight)
    for mine, other in zip(ours.blocks, body.h, strict=True):
        for name, their_name in PARTS.items():
            module, source = mine.get_submodule(name), other.get_submodule(their_name)
            transposed = type(source).__name__ == "Conv1D"
            module.weight.copy_(source.weight.T if transposed else source.weight)
            module.bias.copy_(source.bias)
        weights, biases = other.attn.c_attn.weight.T.chunk(3), other.attn.c_attn.bias.chunk(3)
        for module, weight, bias in zip(
            (mine.attn.q, mine.attn.k, mine.attn.v), weights, biases, strict=True
        ):
            module.weight.copy_(weight)
            module.bias.copy_(bias)


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def pair(request):
    """transformers' GPT-2 and ours, with the same weights."""
    transformers = peer("transformers")
    theirs = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=23, n_positions=12, n_embd=16, n_head=4, n_layer=3,
            tie_word_embeddings=request.param, attn_implementation="eager",
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        )
    )  # fmt: skip
    theirs = random_weights(theirs)
    ours = GPT(GPTConfig(23, 12, d_model=16, n_heads=4, n_layers=3, tied=request.param)).double()
    copy_gpt2(theirs, ours)
    return theirs, ours


TOKENS = torch.randint(23, (5, 10), generator=generator(1))


def test_logits_and_streams_are_those_of_gpt2(pair):
    theirs, ours = pair
    streams = []
    for block in ours.blocks:
        block.register_forward_hook(lambda *args: streams.append(args[2]))
    logits = ours(TOKENS)
    expected = theirs(TOKENS, output_hidden_states=True)
    torch.testing.assert_close(logits, expected.logits, rtol=1e-10, atol=1e-10)
    # The last of theirs is normalised already.
    for stream, other in zip(streams[:-1], expected.hidden_states[1:-1], strict=True):
        torch.testing.assert_close(stream, other, rtol=1e-10, atol=1e-10)


def test_patterns_are_those_of_gpt2(pair):
    theirs, ours = pair
    patterns = []
    hooks = [
        block.attn.pattern.register_forward_hook(lambda *args: patterns.append(args[2]))
        for block in ours.blocks
    ]
    ours(TOKENS)
    for hook in hooks:
        hook.remove()
    expected = theirs(TOKENS, output_attentions=True).attentions
    for pattern, other in zip(patterns, expected, strict=True):
        torch.testing.assert_close(pattern, other.double(), rtol=1e-6, atol=1e-7)


def test_generation_is_that_of_gpt2(pair):
    theirs, ours = pair
    expected = theirs.generate(TOKENS[:, :3], max_new_tokens=9, do_sample=False, pad_token_id=0)
    assert torch.equal(ours.generate(TOKENS[:, :3], 9), expected)


def test_cached_logits_are_those_of_gpt2_uncached(pair):
    theirs, ours = pair
    cache = KVCache()
    logits = torch.cat([ours(part, cache) for part in TOKENS.split([4, 1, 5], dim=1)], dim=1)
    torch.testing.assert_close(logits, theirs(TOKENS).logits, rtol=1e-10, atol=1e-10)


NEOX = {  # ours and GPT-NeoX's names in a block
    "ln_1": "input_layernorm", "ln_2": "post_attention_layernorm", "attn.out": "attention.dense",
    "mlp.up": "mlp.dense_h_to_4h", "mlp.down": "mlp.dense_4h_to_h",
}  # fmt: skip


@torch.no_grad()
def copy_neox(theirs, ours):
    body, heads = theirs.gpt_neox, ours.config.n_heads
    ours.embed.weight.copy_(body.embed_in.weight)
    ours.ln_final.load_state_dict(body.final_layer_norm.state_dict())
    ours.unembed.weight.copy_(theirs.get_output_embeddings().weight)
    for mine, other in zip(ours.blocks, body.layers, strict=True):
        for name, their_name in NEOX.items():
            state = other.get_submodule(their_name).state_dict()
            mine.get_submodule(name).load_state_dict(state)
        packed = other.attention.query_key_value  # head by head: its queries, keys, values
        weights = packed.weight.unflatten(0, (heads, 3, -1)).unbind(1)
        biases = packed.bias.unflatten(0, (heads, 3, -1)).unbind(1)
        for name, weight, bias in zip("qkv", weights, biases, strict=True):
            module = mine.attn.get_submodule(name)
            module.weight.copy_(weight.flatten(0, 1))
            module.bias.copy_(bias.flatten())


def test_with_rotary_positions_logits_are_those_of_gpt_neox_and_so_are_cached_ones():
    transformers = peer("transformers")
    theirs = random_weights(
        transformers.GPTNeoXForCausalLM(
            transformers.GPTNeoXConfig(
                vocab_size=23, max_position_embeddings=12, hidden_size=16, intermediate_size=64,
                num_attention_heads=2, num_hidden_layers=3, rotary_pct=1.0, hidden_act="gelu_new",
                use_parallel_residual=False, tie_word_embeddings=False, attention_dropout=0.0,
                hidden_dropout=0.0, attn_implementation="eager",
            )
        ),
        std=0.8,  # so that attention depends on the places
    )  # fmt: skip
    config = GPTConfig(23, 12, d_model=16, n_heads=2, n_layers=3, positions="rotary")
    ours = GPT(config).double()
    copy_neox(theirs, ours)
    expected = theirs(TOKENS).logits
    # Both compute the angles in 32 bits, each in its own order.
    torch.testing.assert_close(ours(TOKENS), expected, rtol=0, atol=1e-4)
    cache = KVCache()
    logits = torch.cat([ours(part, cache) for part in TOKENS.split([4, 1, 5], dim=1)], dim=1)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4)
    without = GPT(config).double()
    without.load_state_dict(ours.state_dict())
    for block in without.blocks:
        block.attn.rotary = False
    assert (without(TOKENS) - expected).abs().max() > 0.1
