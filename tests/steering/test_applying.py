"""What is steered is steered once, with a cache or without, alone or in a grid; and then gone."""

from dataclasses import replace

import pytest
import torch

from course_lib.activations import Add, intervene, read
from course_lib.models.cnn import CNN, CNNConfig
from course_lib.models.gpt import KVCache
from course_lib.sae import TopKSAE
from course_lib.steering import (
    Action,
    ClampLatent,
    SteeringVector,
    TokenRule,
    generate,
    steer,
    sweep,
)
from course_lib.steering.tokens import PARTS
from tests.steering.small import MODEL, TOKENS, D, normal

SITE = "blocks.1.resid_post"
VECTOR = SteeringVector(normal(D, seed=1), SITE)
LATER = SteeringVector(normal(D, seed=2), "blocks.2.mlp_out", tokens=TokenRule("answer"))
SAE = TopKSAE(D, 12, 3, seed=0)
ACTS = [
    VECTOR,
    Action(LATER, "ablate_then_add", renormalise=True),
    Action(replace(VECTOR, tokens=TokenRule("prompt", skip=1)), "ablate"),
    ClampLatent(SAE, 3, "blocks.0.resid_post", unit=2.0),
    LATER,
]


def test_steering_everywhere_is_adding_everywhere_and_leaves_no_trace():
    plain = MODEL(TOKENS)
    with intervene(MODEL, SITE, Add(VECTOR.vector, 2.0)):
        expected = MODEL(TOKENS)
    with steer(MODEL, VECTOR, 2.0):
        assert torch.equal(MODEL(TOKENS), expected)
    assert torch.equal(MODEL(TOKENS), plain)
    assert not MODEL._forward_pre_hooks


@pytest.mark.parametrize("part", PARTS)
def test_a_rule_changes_its_tokens_and_no_other(part):
    act = replace(VECTOR, tokens=TokenRule(part))
    plain = read(MODEL, SITE, TOKENS)
    with steer(MODEL, act, 2.0, n_prompt=5):
        change = read(MODEL, SITE, TOKENS) - plain
    meant = act.tokens.mask(TOKENS, torch.arange(8), 5)
    torch.testing.assert_close(change[meant], (2 * VECTOR.vector).expand(int(meant.sum()), -1))
    assert torch.equal(change[~meant], torch.zeros_like(change[~meant]))


@pytest.mark.parametrize("cuts", [[5], [3, 4, 5, 6, 7], [2, 6]])
@pytest.mark.parametrize("act", ACTS, ids=lambda act: type(act).__name__)
def test_with_a_cache_the_logits_are_those_of_one_pass(act, cuts):
    """The prompt is 5 tokens, wherever the passes are cut: each token is steered once."""
    with torch.no_grad(), steer(MODEL, act, 1.5, n_prompt=5):
        whole = MODEL(TOKENS)
    cache = KVCache()
    with torch.no_grad(), steer(MODEL, act, 1.5, n_prompt=5):
        sizes = torch.tensor([0, *cuts, 8]).diff().tolist()
        parts = [MODEL(part, cache) for part in TOKENS.split(sizes, dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-4, atol=1e-4)
    assert (whole - MODEL(TOKENS)).abs().max() > 1e-2


def test_a_mask_means_the_same_tokens_in_passes_with_a_cache():
    where = torch.rand(3, 7, generator=torch.Generator().manual_seed(1)) < 0.5
    cache = KVCache()
    with torch.no_grad(), steer(MODEL, VECTOR, 2.0, where=where):
        whole = MODEL(TOKENS)
        parts = [MODEL(part, cache) for part in TOKENS.split([3, 1, 4], dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_generation_is_the_same_with_a_cache_and_without(part, temperature):
    act = replace(VECTOR, tokens=TokenRule(part))

    def text(cache):
        draw = torch.Generator().manual_seed(0)
        return generate(
            MODEL, TOKENS[:, :4], 6, [act], [0.0, 3.0], temperature=temperature, generator=draw,
            cache=cache,
        )  # fmt: skip

    cached = text(True)
    assert torch.equal(cached, text(False))
    assert not torch.equal(cached[0, 0], cached[0, 1])
    draw = torch.Generator().manual_seed(0)
    plain = generate(MODEL, TOKENS[:, :4], 6, temperature=temperature, generator=draw)
    assert torch.equal(cached[0, 0], plain)  # all cells have the same chance


def test_greedy_generation_is_the_models_own():
    assert torch.equal(generate(MODEL, TOKENS[:, :4], 6), MODEL.generate(TOKENS[:, :4], 6))
    with steer(MODEL, LATER, 3.0, n_prompt=4):
        own = MODEL.generate(TOKENS[:, :4], 6)
    assert torch.equal(generate(MODEL, TOKENS[:, :4], 6, [LATER], [3.0])[0, 0], own)


@pytest.mark.parametrize("rows", [3, 7, 512])
def test_a_grid_of_acts_sites_and_strengths_is_the_loop(rows):
    strengths = [-1.0, 0.5, 4.0]
    grid = sweep(MODEL, TOKENS, ACTS, strengths, n_prompt=5, rows=rows)
    assert grid.shape == (len(ACTS), 3, *MODEL(TOKENS).shape)
    for act, row in zip(ACTS, grid, strict=True):
        for s, cell in zip(strengths, row, strict=True):
            with torch.no_grad(), steer(MODEL, act, s, n_prompt=5):
                torch.testing.assert_close(cell, MODEL(TOKENS), rtol=1e-4, atol=1e-4)


def test_a_measure_is_taken_of_every_cell():
    grid = sweep(MODEL, TOKENS, ACTS, [1.0, 2.0], n_prompt=5)
    last = sweep(MODEL, TOKENS, ACTS, [1.0, 2.0], lambda x: x[:, :, -1, 3], n_prompt=5, rows=6)
    torch.testing.assert_close(last, grid[:, :, :, -1, 3])


def test_a_grid_of_texts_is_the_loop():
    grid = generate(MODEL, TOKENS[:, :4], 5, ACTS, [1.0, 3.0], rows=9)
    assert grid.shape == (len(ACTS), 2, 3, 9)
    for act, row in zip(ACTS, grid, strict=True):
        for s, texts in zip([1.0, 3.0], row, strict=True):
            assert torch.equal(texts, generate(MODEL, TOKENS[:, :4], 5, [act], [s])[0, 0])


def test_each_row_may_have_its_strength_its_prompt_and_its_mask():
    strengths, n_prompt = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([3, 5, 7])
    act = replace(VECTOR, tokens=TokenRule("new"))
    where = torch.ones(3, 7, dtype=torch.bool)
    where[1, 5] = False
    with steer(MODEL, act, strengths, n_prompt=n_prompt, where=where):
        together = MODEL(TOKENS)
    for row in range(3):
        own = where[row : row + 1]
        if row == 2:  # only position 7 is new, and beyond the mask
            torch.testing.assert_close(together[2], MODEL(TOKENS)[2])
            continue
        with steer(MODEL, act, strengths[row].item(), n_prompt=int(n_prompt[row]), where=own):
            torch.testing.assert_close(together[row : row + 1], MODEL(TOKENS[row : row + 1]))


def test_steering_that_reaches_no_token_is_an_error():
    new = replace(VECTOR, tokens=TokenRule("new"))
    with (
        pytest.raises(ValueError, match="no token was steered at blocks.1.resid_post"),
        steer(MODEL, new, n_prompt=8),
    ):
        MODEL(TOKENS)
    with pytest.raises(ValueError, match="and in the mask where"):
        sweep(MODEL, TOKENS, [VECTOR], [1.0], where=torch.zeros(3, 8, dtype=torch.bool))
    with steer(MODEL, new, n_prompt=8):
        pass  # nothing ran
    named = replace(VECTOR, tokens=TokenRule(only=(int(TOKENS.max()) + 1,)))
    with steer(MODEL, named):
        assert torch.equal(MODEL(TOKENS), MODEL(TOKENS))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"strength": float("nan")}, ValueError, "strength is nan"),
        ({"strength": torch.ones(2)}, ValueError, "strength has 2 entries and the batch 3 rows"),
        ({"where": torch.ones(3, 8)}, TypeError, "where has dtype"),
        ({"where": torch.ones(2, 8, dtype=torch.bool)}, ValueError, "where has shape"),
    ],
)
def test_arguments_that_do_not_fit_are_errors(arguments, error, message):
    with pytest.raises(error, match=message), steer(MODEL, VECTOR, **arguments):
        MODEL(TOKENS)


def test_grids_of_nothing_and_draws_without_a_generator_are_errors():
    for acts, strengths in (([], [1.0]), ([VECTOR], [])):
        with pytest.raises(ValueError, match="name one at least"):
            sweep(MODEL, TOKENS, acts, strengths)
    with pytest.raises(ValueError, match="generator is None"):
        generate(MODEL, TOKENS, 2, temperature=1.0)
    with pytest.raises(ValueError, match="n_prompt is None"):
        sweep(MODEL, TOKENS, [LATER], [1.0])
    pattern = replace(LATER, site="blocks.1.pattern")
    with pytest.raises(ValueError, match="needs a site \\[batch, seq, d\\]"):
        sweep(MODEL, TOKENS, [pattern], [1.0], n_prompt=5)


def test_an_error_inside_is_not_hidden_and_leaves_no_trace():
    with pytest.raises(RuntimeError, match="inside"), steer(MODEL, LATER, n_prompt=8):
        raise RuntimeError("inside")
    assert not MODEL._forward_pre_hooks


def test_steering_carries_a_gradient_and_nested_vectors_add_up():
    strength = torch.full((3,), 0.5, requires_grad=True)
    with steer(MODEL, VECTOR, strength):
        MODEL(TOKENS).square().sum().backward()
    assert strength.grad.abs().min() > 0
    MODEL.zero_grad()
    with steer(MODEL, VECTOR, 1.0), steer(MODEL, 2 * VECTOR, 1.5):
        both = MODEL(TOKENS)
    with steer(MODEL, VECTOR, 4.0):
        torch.testing.assert_close(both, MODEL(TOKENS), rtol=1e-4, atol=1e-4)


def test_channels_of_a_convolution_are_steered_at_every_place():
    model = CNN(CNNConfig(2, 9, classes=(), dimensions=1, channels=(5,), ring=True)).eval()
    with torch.no_grad():
        model.readout.weight.normal_(generator=torch.Generator().manual_seed(0))
    fields = normal(4, 2, 9)
    act = SteeringVector(normal(5, seed=3), "layers.0.act", axis=1)
    grid = sweep(model, fields, [act], [0.0, 2.0])
    step = (model.readout.weight[0, :, 0] @ act.vector).detach()
    torch.testing.assert_close(grid[0, 0], model(fields).detach())
    torch.testing.assert_close(grid[0, 1], model(fields).detach() + 2 * step)
