"""Our steering against steering-vectors and repeng, on small models that were saved."""

import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from course_lib.causal import Head, from_site, patch_activations, patch_paths
from course_lib.models import load
from course_lib.runtime import generator
from course_lib.steering import (
    Action,
    Behaviour,
    SteeringVector,
    TokenRule,
    difference_of_means,
    evaluate,
    find_vectors,
    generate,
    logistic,
    reading_vector_of_pairs,
    steer,
    sweep,
)
from course_lib.steering.tokens import EVERYWHERE
from tests.differential.peers import peer

D, VOCAB = 16, 23
TOKENS = torch.randint(VOCAB, (4, 9), generator=generator(1))
VECTOR = torch.randn(D, generator=generator(2))
ZERO, ONE = torch.randn(2, 30, D, generator=generator(3))
LABELS = torch.tensor([0] * 30 + [1] * 30)


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def model(request, tmp_path_factory):
    """A model of random weights, saved and loaded again by its folder as by a name of the hub."""
    transformers = peer("transformers")
    if request.param == "gpt2":
        config = transformers.GPT2Config(
            vocab_size=VOCAB, n_positions=16, n_embd=D, n_head=4, n_layer=3
        )
        made = transformers.GPT2LMHeadModel(config)
    else:
        config = transformers.LlamaConfig(
            vocab_size=VOCAB, max_position_embeddings=16, hidden_size=D, intermediate_size=24,
            num_attention_heads=4, num_hidden_layers=3,
        )  # fmt: skip
        made = transformers.LlamaForCausalLM(config)
    draw = generator(0)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim == 2:
                parameter.normal_(std=0.3, generator=draw)
    folder = tmp_path_factory.mktemp(request.param)
    made.save_pretrained(folder)
    return load(str(folder))


def ours(rule=EVERYWHERE):
    return SteeringVector(VECTOR, "blocks.1.resid_post", tokens=rule)


@torch.no_grad()
def theirs(model, **arguments):
    package = peer("steering_vectors")
    with package.SteeringVector({1: VECTOR}).apply(model, **arguments):
        return model(TOKENS, use_cache=False).logits


def test_directions_are_those_of_their_aggregators():
    package = peer("steering_vectors")
    pairs = torch.cat([ZERO, ONE])
    found = difference_of_means(pairs, LABELS)
    torch.testing.assert_close(found, package.mean_aggregator()(ONE, ZERO))
    found = reading_vector_of_pairs(ZERO, ONE)
    expected = package.pca_aggregator()(ONE, ZERO)
    torch.testing.assert_close(found / found.norm(), expected, rtol=0, atol=1e-5)
    # Theirs has no intercept, and subtracts each pair's mean, which makes the intercept 0.
    middle = (ZERO + ONE) / 2
    found = logistic(torch.cat([ZERO - middle, ONE - middle]), LABELS)
    expected = package.aggregators.logistic_aggregator({"tol": 1e-8})(ONE, ZERO)
    # Theirs fits in single precision.
    torch.testing.assert_close(found / found.norm(), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("how", ["add", "ablate", "ablate_then_add"])
def test_logits_under_each_operator_are_theirs(model, how):
    operators = peer("steering_vectors.steering_operators")
    name = {"add": "addition", "ablate": "ablation", "ablate_then_add": "ablation_then_addition"}
    operator = getattr(operators, f"{name[how]}_operator")()
    expected = theirs(model, operator=operator, multiplier=1.0)
    torch.testing.assert_close(
        sweep(model, TOKENS, [Action(ours(), how)], [1.0])[0, 0], expected, rtol=1e-4, atol=1e-4
    )
    assert (expected - model(TOKENS).logits).abs().max() > 0.1


def test_logits_at_some_tokens_are_theirs(model):
    expected = theirs(model, multiplier=-2.0, min_token_index=4)
    for act in (ours(TokenRule(skip=4)), ours(TokenRule("new"))):
        found = sweep(model, TOKENS, [act], [-2.0], n_prompt=4)[0, 0]
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    mask = torch.rand(4, 9, generator=generator(4)) < 0.5
    expected = theirs(model, token_indices=mask.long(), min_token_index=None)
    found = sweep(model, TOKENS, [ours()], [1.0], where=mask)[0, 0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_generation_steers_new_tokens_with_a_cache_where_theirs_does_not(model):
    """Theirs counts from the start of each pass, which under a cache is one token long."""
    prompts, rule = TOKENS[:, :4], TokenRule("new")
    found = generate(model, prompts, 6, [ours(rule)], [3.0])[0, 0]
    assert torch.equal(found, generate(model, prompts, 6, [ours(rule)], [3.0], cache=False)[0, 0])
    package = peer("steering_vectors")
    plain = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0, "eos_token_id": None,
             "attention_mask": torch.ones_like(prompts)}  # fmt: skip
    with package.SteeringVector({1: VECTOR}).apply(model, multiplier=3.0, min_token_index=4):
        without = model.generate(prompts, use_cache=False, **plain)
        cached = model.generate(prompts, **plain)
    assert torch.equal(found, without)
    unsteered = model.generate(prompts, **plain)
    assert torch.equal(cached, unsteered) and not torch.equal(found, unsteered)
    with steer(model, ours(rule), 3.0, n_prompt=4):
        assert torch.equal(model.generate(prompts, **plain), found)


@torch.no_grad()
def test_evaluation_and_causal_tests_run_on_a_saved_model_as_on_ours(model):
    words = torch.tensor([1, 2]), torch.tensor([3])
    behaviour = Behaviour("b", TOKENS, *words, prompted=TOKENS.flip(0))
    labels = (TOKENS < 12).long()
    acts = find_vectors(model, ["blocks.0.resid_post", "blocks.1.mlp_out"], TOKENS, labels)
    report = evaluate(
        model, acts[0], behaviour, [1.0, 2.0], n_random=2, n_new=3, off_target=[behaviour],
        rules=lambda tokens: (tokens[:, 9:] == 0).float().mean(dim=1),
    )  # fmt: skip
    assert report.row(1)["effect"][0] == pytest.approx(report.off_target["b"][1].mean().item())

    def measure(logits):
        return logits[:, -1, 1] - logits[:, -1, 3]

    other = (TOKENS + 1) % VOCAB
    sites = ["blocks.0.resid_post", "blocks.2.resid_post"]
    found = patch_activations(model, TOKENS, other, sites, measure, positions=[range(9), 8])
    torch.testing.assert_close(found.recovered[:, 0], torch.ones(2), rtol=1e-3, atol=1e-3)
    last = {"GPT2LMHeadModel": "transformer.ln_f", "LlamaForCausalLM": "model.norm"}
    end = f"{last[type(model).__name__]}:input"
    senders = [Head(0, 1), "blocks.1.attn_out", "blocks.0.mlp_out"]
    paths = patch_paths(model, TOKENS, other, senders, [end, "blocks.1.q"], measure)
    assert paths.patched.shape == (3, 2, 4)
    # What attention of block 1 writes reaches the end, and never its own queries.
    assert paths.recovered[1, 0].abs() > 1e-3 and paths.recovered[1, 1].abs() < 1e-4
    rest = from_site(model, TOKENS, "blocks.1.resid_post", 8)
    torch.testing.assert_close(rest(rest.h), model(TOKENS).logits, rtol=1e-4, atol=1e-4)


# --- repeng --------------------------------------------------------------------------------------

STEP = torch.randn(D, generator=generator(5))


@pytest.fixture
def repeng(monkeypatch):
    """The package, with an empty stand-in for what it writes files with, and numpy 1's names."""
    monkeypatch.setattr(np, "float_", np.float64, raising=False)
    monkeypatch.setitem(sys.modules, "gguf", ModuleType("gguf"))
    return peer("repeng")


@pytest.mark.parametrize("normalize", [False, True])
@torch.no_grad()
def test_logits_under_a_control_vector_are_theirs(repeng, model, normalize):
    act = Action(SteeringVector(VECTOR, "blocks.1.resid_post"), renormalise=normalize)
    found = sweep(model, TOKENS, [act], [1.5])[0, 0]
    wrapped = repeng.ControlModel(model, [1])
    wrapped.set_raw_control({1: 1.5 * VECTOR}, normalize=normalize)
    try:  # its mask of padding takes one row at a time from transformers 5
        rows = [model(row[None], use_cache=False).logits for row in TOKENS]
    finally:
        wrapped.unwrap()
    torch.testing.assert_close(found, torch.cat(rows), rtol=1e-4, atol=1e-4)


def directions(repeng, monkeypatch, zero, one, method):
    """What repeng finds when these are the activations."""

    def hiddens(*arguments):
        return {1: torch.stack([one, zero], dim=1).flatten(0, 1).numpy().copy()}

    monkeypatch.setattr(repeng.extract, "batched_get_hiddens", hiddens)
    monkeypatch.setattr(repeng.extract, "model_layer_list", lambda _: [None] * 3)
    entries = [repeng.DatasetEntry("", "")] * len(zero)
    found = repeng.extract.read_representations(None, None, entries, [1], method=method)
    return torch.from_numpy(np.asarray(found[1]))


def test_reading_vectors_are_those_of_pairs_centred_each_by_its_mean(repeng, monkeypatch):
    zero = 3 * torch.randn(40, D, generator=generator(6))
    one = zero + STEP + torch.randn(40, D, generator=generator(7))
    expected = directions(repeng, monkeypatch, zero, one, "pca_center")
    found = reading_vector_of_pairs(zero, one)
    torch.testing.assert_close(found / found.norm(), expected, rtol=0, atol=1e-4)


def test_components_of_centred_differences_lose_the_contrast_that_ours_finds(repeng, monkeypatch):
    zero = 3 * torch.randn(40, D, generator=generator(6))
    one = zero + STEP + 0.3 * torch.randn(40, D, generator=generator(7))
    lost = directions(repeng, monkeypatch, zero, one, "pca_diff")
    found = reading_vector_of_pairs(zero, one)
    assert torch.cosine_similarity(found, STEP, dim=0) > 0.99
    assert torch.cosine_similarity(lost, STEP, dim=0).abs() < 0.5
