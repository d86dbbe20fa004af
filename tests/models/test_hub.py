"""Models of transformers, made here, saved and loaded again: the same record, intervene, store."""

import sys
import urllib.error
from functools import cache

import pytest
import torch
from torch import nn

from course_lib.activations import Ablate, Add, Patch, find, harvest, intervene, read, record
from course_lib.models import hub
from course_lib.models.hub import load_hub
from course_lib.runtime import generator

transformers = pytest.importorskip("transformers")

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4,
         "num_hidden_layers": 3, "vocab_size": 40, "max_position_embeddings": 24}  # fmt: skip
LLAMA = SIZES | {"num_key_value_heads": 2, "head_dim": 8}
FAMILIES = {
    "GPT2": lambda: transformers.GPT2Config(
        n_embd=32, n_head=4, n_layer=3, n_positions=24, vocab_size=40
    ),
    "GPTNeoX": lambda: transformers.GPTNeoXConfig(**SIZES),
    "GPTNeoX sequential": lambda: transformers.GPTNeoXConfig(**SIZES, use_parallel_residual=False),
    "Llama": lambda: transformers.LlamaConfig(**LLAMA),
    "Gemma": lambda: transformers.GemmaConfig(**LLAMA),
    "Gemma2": lambda: transformers.Gemma2Config(**LLAMA, sliding_window=4),
    "BERT": lambda: transformers.BertConfig(**SIZES),
}
D = 32
TOKENS = torch.randint(3, 40, (3, 9), generator=generator(0))
SITES = ["resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "q", "k", "v", "z",
         "mlp_pre", "mlp_post"]  # fmt: skip


@cache
def folder(family, tmp_root):
    """A folder that holds a small model of the family, with weights large enough to matter."""
    config = FAMILIES[family]()
    config.bos_token_id = config.eos_token_id = config.pad_token_id = None
    torch.manual_seed(0)
    if family == "BERT":
        model = transformers.BertForMaskedLM(config)
    else:
        model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.normal_(std=0.2)
    path = tmp_root / family.replace(" ", "_")
    model.save_pretrained(path)
    return str(path)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(params=FAMILIES)
def model(request, root):
    return load_hub(folder(request.param, root))


@pytest.fixture(params=[name for name in FAMILIES if name != "BERT"])
def decoder(request, root):
    return load_hub(folder(request.param, root))


def logits(model, tokens=TOKENS, **named):
    with torch.no_grad():
        return model(tokens, **named).logits


def sites_of(model, block=1):
    """The standard names that this model has."""
    names = []
    for name in SITES:
        try:
            find(model, f"blocks.{block}.{name}")
        except ValueError:
            continue
        names.append(name)
    return names


def test_a_saved_model_comes_back_as_it_was(model, root):
    assert not model.training
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    again = load_hub(model.config.name_or_path)
    assert torch.equal(logits(again), logits(model))
    assert load_hub(model.config.name_or_path, dtype=torch.bfloat16).dtype == torch.bfloat16


def test_no_change_at_all_sites_leaves_the_logits_bit_for_bit(model):
    plain = logits(model)
    for name in sites_of(model):
        with record(model, f"blocks.1.{name}"):
            assert torch.equal(logits(model), plain), name
        if not find(model, f"blocks.1.{name}").why_fixed:
            with intervene(model, f"blocks.1.{name}", lambda x: x):
                assert torch.equal(logits(model), plain), name
            with intervene(model, f"blocks.1.{name}", lambda x: x.clone(), positions=[2, 5]):
                assert torch.equal(logits(model), plain), name
    assert torch.equal(logits(model), plain)


def test_the_stream_adds_up(model):
    names = sites_of(model)
    acts = {n: read(model, f"blocks.1.{n}", TOKENS) for n in names}
    close = torch.testing.assert_close
    if model.config.model_type == "bert":  # normalised after each addition
        layer = model.bert.encoder.layer[1]
        close(
            acts["resid_mid"],
            layer.attention.output.LayerNorm(acts["resid_pre"] + acts["attn_out"]),
        )
        close(acts["resid_post"], layer.output.LayerNorm(acts["resid_mid"] + acts["mlp_out"]))
        return
    close(acts["resid_post"], acts["resid_pre"] + acts["attn_out"] + acts["mlp_out"])
    if "resid_mid" in names:
        close(acts["resid_mid"], acts["resid_pre"] + acts["attn_out"])
    else:
        assert model.config.use_parallel_residual
    close(acts["resid_post"], read(model, "blocks.2.resid_pre", TOKENS))


def test_every_name_has_its_size_and_its_meaning(model):
    names = sites_of(model)
    assert set(SITES) - set(names) <= {"resid_mid"}
    acts = {n: read(model, f"blocks.1.{n}", TOKENS) for n in names}
    kv = 16 if getattr(model.config, "num_key_value_heads", 4) == 2 else 32
    d_mlp = 128 if model.config.model_type == "gpt2" else 48
    widths = {"k": kv, "v": kv, "mlp_pre": d_mlp, "mlp_post": d_mlp}
    for name, x in acts.items():
        assert x.shape == (3, 9, widths.get(name, D)), name
    model.set_attn_implementation("eager")
    pattern = read(model, "blocks.1.pattern", TOKENS)
    assert pattern.shape == (3, 4, 9, 9)
    torch.testing.assert_close(pattern.sum(-1), torch.ones(3, 4, 9))
    v = acts["v"].unflatten(-1, (-1, 8)).transpose(1, 2).repeat_interleave(32 // kv, dim=1)
    torch.testing.assert_close((pattern @ v).transpose(1, 2).flatten(2), acts["z"])


def test_a_change_reaches_the_logits_and_is_gone_afterwards(model):
    plain = logits(model)
    for name in sites_of(model):
        site = f"blocks.1.{name}"
        if find(model, site).why_fixed:
            with pytest.raises(ValueError, match="can be read but not changed"):
                intervene(model, site, Ablate()).__enter__()
            continue
        with intervene(model, site, lambda x: x * torch.linspace(0, 2, x.shape[-1])):
            assert (logits(model) - plain).abs().max() > 1e-4, name
        assert torch.equal(logits(model), plain)


def test_patching_a_whole_stream_gives_the_other_runs_logits(model):
    other = TOKENS.flip(1)
    source = read(model, "blocks.1.resid_post", other)
    with intervene(model, "blocks.1.resid_post", Patch(source)):
        torch.testing.assert_close(logits(model), logits(model, other))


@pytest.mark.parametrize("name", ["v", "mlp_post"])
def test_one_can_differentiate_by_a_site_even_by_a_part_of_a_fused_layer(model, name):
    site = f"blocks.1.{name}"
    with record(model, site) as acts:
        loss = model(TOKENS).logits[..., 3].sum()
    (slope,) = torch.autograd.grad(loss, acts[site])
    step = torch.randn(slope.shape, generator=generator(2)) * 1e-2
    with intervene(model, site, Add(step)):
        up = logits(model)[..., 3].sum()
    with intervene(model, site, Add(-step)):
        down = logits(model)[..., 3].sum()
    assert float((slope * step).sum()) == pytest.approx(float(up - down) / 2, rel=0.05, abs=2e-4)


def test_stopping_runs_no_block_after_the_site(model):
    ran = []
    for number in range(3):
        block = model.get_submodule(find(model, f"blocks.{number}.resid_post").path)
        block.register_forward_hook(lambda *_, number=number: ran.append(number))
    read(model, "blocks.1.mlp_out", TOKENS)
    assert ran == [0]


def test_positions_are_counted_through_what_is_generated(decoder):
    site, vector = "blocks.1.resid_post", torch.randn(D, generator=generator(1)) * 3
    settings = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0}
    start = TOKENS[:, :4]
    with intervene(decoder, site, Add(vector), positions=[2, 5, 7]):
        with record(decoder, site) as acts:
            cached = decoder.generate(start, use_cache=True, **settings)
        assert acts[site].shape == (3, 9, D)
        steered = acts[site]
    plain = start
    while plain.shape[1] < 10:
        reached = [place for place in (2, 5, 7) if place < plain.shape[1]]
        with (
            intervene(decoder, site, Add(vector), positions=reached),
            record(decoder, site) as acts,
        ):
            new = logits(decoder, plain)[:, -1].argmax(-1, keepdim=True)
        plain = torch.cat([plain, new], dim=1)
    assert torch.equal(cached, plain)
    torch.testing.assert_close(steered, acts[site], rtol=1e-3, atol=1e-4)
    assert not torch.equal(cached, decoder.generate(start, **settings))


def test_padding_is_not_looked_at_nor_stored(model):
    padded = nn.functional.pad(TOKENS, (0, 4), value=-1)
    padded[1, 5:] = -1
    site = "blocks.1.resid_post"
    store = harvest(model, padded, site, batch_size=2)
    assert len(store) == 9 + 5 + 9
    for number, length in enumerate((9, 5, 9)):
        alone = read(model, site, TOKENS[number : number + 1, :length])[0]
        torch.testing.assert_close(store[site][store.sequence == number], alone)


def test_a_pattern_that_is_never_made_says_what_to_do(root):
    model = load_hub(folder("GPT2", root))
    with pytest.raises(ValueError, match="call model.set_attn_implementation"):
        read(model, "blocks.1.pattern", TOKENS)
    model.set_attn_implementation("eager")
    with pytest.raises(ValueError, match="a by-product here"):
        intervene(model, "blocks.1.pattern", Ablate()).__enter__()


def test_the_stream_cannot_be_changed_where_a_branch_alone_would_see_it(root):
    with pytest.raises(ValueError, match="change attn_out or resid_post instead"):
        intervene(load_hub(folder("Llama", root)), "blocks.0.resid_mid", Ablate()).__enter__()


def test_weights_that_are_missing_are_not_made_up(root, tmp_path):
    model = load_hub(folder("GPT2", root))
    state = model.state_dict()
    del state["transformer.h.1.mlp.c_fc.weight"]
    model.save_pretrained(tmp_path, state_dict=state)
    with pytest.raises(ValueError, match="came without .*h.1.mlp.c_fc.weight, which would be rand"):
        load_hub(str(tmp_path))


@pytest.fixture
def offline(monkeypatch):
    def unreachable(*_, **__):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(hub, "urlopen", unreachable)


@pytest.mark.parametrize(
    ("name", "shipped"), [("gpt2", "story"), ("someone/othello-gpt", "othello")]
)
def test_offline_one_sentence_says_what_is_missing_and_what_does_instead(
    name, shipped, offline, tmp_path, monkeypatch
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConnectionError) as error:
        load_hub(name)
    assert str(error.value) == (
        f"'{name}' is not on this machine and the Hugging Face hub cannot be reached; "
        f"load('{shipped}') comes with the course and does the same chapters."
    )


@pytest.mark.parametrize(
    "name", ["/nowhere/model", "./model", "a/b/c", "no such", "a\0b", "é/é", "long" * 50_000]
)
def test_a_folder_that_is_not_there_is_no_reason_to_ask_the_network(name, monkeypatch):
    monkeypatch.setattr(hub, "urlopen", lambda *_, **__: pytest.fail("asked the network"))
    with pytest.raises(ValueError, match="' is no folder, and no name of a model") as error:
        load_hub(name)
    assert len(str(error.value)) < 2000


def test_a_folder_without_a_model_says_so(tmp_path, offline):
    with pytest.raises(ValueError, match="is no folder of a model"):
        load_hub(str(tmp_path))


def test_code_that_comes_with_a_model_is_not_run(root, tmp_path):
    model = load_hub(folder("GPT2", root))
    model.save_pretrained(tmp_path)
    config = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(config.replace("GPT2LMHeadModel", "SurpriseModel"))
    (tmp_path / "modeling_surprise.py").write_text("raise SystemExit")
    with pytest.raises(ValueError, match="is a SurpriseModel, which transformers does not have"):
        load_hub(str(tmp_path))


def test_without_transformers_one_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        ModuleNotFoundError, match="not installed .`pip install transformers`.; load"
    ):
        load_hub("gpt2")
