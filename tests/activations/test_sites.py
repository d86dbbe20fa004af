"""A name means one place, or the error says which places there are."""

import pytest
import torch
from torch import nn

from course_lib.activations import Site, find, intervene, n_blocks
from course_lib.models.gpt import GPT, SITES, GPTConfig

MODEL = GPT(GPTConfig(d_vocab=5, n_ctx=4, d_model=8, n_heads=2, n_layers=2))


@pytest.mark.parametrize("name", SITES)
def test_standard_names_are_the_models_own_table(name):
    path, end = SITES[name]
    assert find(MODEL, f"blocks.1.{name}") == Site(path.format(1), end)


def test_paths_name_outputs_and_inputs_of_any_module():
    assert find(MODEL, "blocks.0.ln_2") == Site("blocks.0.ln_2", "output")
    assert find(MODEL, "blocks.0.ln_2:input") == Site("blocks.0.ln_2", "input")
    assert find(MODEL, "ln_final") == Site("ln_final")
    assert find(nn.Sequential(nn.ReLU()), "0") == Site("0")
    assert str(find(MODEL, "blocks.0.ln_2:input")) == "blocks.0.ln_2:input"


def test_blocks_are_counted_where_they_have_standard_names():
    assert n_blocks(MODEL) == 2
    with pytest.raises(ValueError, match="Linear has no blocks with standard names"):
        n_blocks(nn.Linear(1, 1))


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("blocks.2.resid_post", ValueError, "no such module .*it has blocks.0 to blocks.1, each"),
        ("blocks.1.residpost", ValueError, "near it are .*resid_mid"),
        ("blocks", ValueError, "a ModuleList, which is never called itself"),
        ("blocks.0:inside", ValueError, "end is 'inside'; it must be one of 'input', 'output'"),
        (":input", ValueError, "the input of the model itself"),
        (3, TypeError, "site is 3; it must be a name"),
    ],
)
def test_what_is_no_site_is_explained(name, error, message):
    with pytest.raises(error, match=message):
        find(MODEL, name)


def test_a_model_of_no_known_family_has_paths_alone():
    with pytest.raises(ValueError, match="the names for transformers do not apply to it"):
        find(nn.Sequential(nn.ReLU()), "blocks.0.resid_post")


def test_reading_and_writing_a_value_leaves_the_rest_as_it_is():
    x, y = torch.zeros(2), torch.ones(2)
    assert Site("").write((x, 3, y), y + 1)[0].tolist() == [2, 2]
    assert Site("", index=2).write((x, 3, y), y + 1)[1:] == (3, pytest.approx(y + 1))
    value = {"n": 3, "x": x}
    assert Site("").write(value, y)["x"] is y
    assert value["x"] is x
    for empty in ((), {}, (3, None), "text"):
        with pytest.raises(TypeError, match="no tensor"):
            Site("").read(empty)
    with pytest.raises(TypeError, match="holds no tensor to read"):
        Site("", index=5).read((x,))
    with pytest.raises(TypeError, match="entry 1 of .* is of type int"):
        Site("", index=1).read((x, 3))


def test_a_third_of_a_fused_layer_is_read_and_written_alone():
    groups, d_head = 3, 2
    whole = torch.arange(4.0 * groups * 3 * d_head).view(4, -1)
    q, k, v = (Site("", part=(groups, i)) for i in range(3))
    assert k.read(whole)[0].tolist() == [2, 3, 8, 9, 14, 15]
    new = k.write(whole, k.read(whole) + 100)
    assert torch.equal(q.read(new), q.read(whole))
    assert torch.equal(v.read(new), v.read(whole))
    assert torch.equal(k.read(new), k.read(whole) + 100)
    assert torch.equal(whole, torch.arange(72.0).view(4, -1))


def test_a_site_that_is_a_by_product_is_not_changed():
    site = Site("ln_final", why_fixed="nothing reads it")
    with (
        pytest.raises(ValueError, match="ln_final can be read but not changed: nothing reads it"),
        intervene(MODEL, site),
    ):
        pass
