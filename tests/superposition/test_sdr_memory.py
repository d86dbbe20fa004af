"""A memory of binary traces stores in one look, never forgets, and fills as the formula says."""

import pytest
import torch

from course_lib.data import sparse_patterns, varied_patterns
from course_lib.runtime import generator
from course_lib.superposition import SDRMemory, code_overlap


def stored(n_items: int = 10, expansion: float = 10.0):
    draw = generator(0)
    x = sparse_patterns(n_items, 60, 8, draw, n_instances=2)
    memory = SDRMemory(60, 12, 10, 2, expansion=expansion)
    return memory, x, memory.store(x, draw), draw


def test_a_stored_input_is_fully_familiar_and_recalled_and_read_back():
    memory, x, codes, _ = stored()
    torch.testing.assert_close(memory.familiarity(x), torch.ones(2, 10))
    assert torch.equal(memory.recall(x), codes)
    assert torch.equal(memory.read(codes), x)


def test_weights_are_the_or_of_all_traces():
    memory, x, codes, _ = stored()
    wanted = torch.zeros_like(memory.weights)
    for n, item in torch.cartesian_prod(torch.arange(2), torch.arange(10)).tolist():
        for module, cell in enumerate(codes[n, item].tolist()):
            wanted[n, x[n, item] > 0, module, cell] = 1
    assert torch.equal(memory.weights, wanted)


def test_support_and_familiarity_are_what_the_definition_says():
    memory, x, _, draw = stored()
    probe = varied_patterns(x[:, :1], 3, draw)
    support = torch.stack([memory.weights[n, probe[n, 0] > 0].mean(0) for n in range(2)])
    torch.testing.assert_close(memory.support(probe)[:, 0], support)
    torch.testing.assert_close(memory.familiarity(probe)[:, 0], support.amax(-1).mean(-1))


def test_a_new_input_is_drawn_evenly_and_a_stored_one_nearly_surely():
    memory, x, codes, _ = stored(1)
    empty = SDRMemory(60, 12, 10, 2)
    torch.testing.assert_close(empty.win_probability(x), torch.full((2, 1, 12, 10), 0.1))
    chance = memory.win_probability(x).gather(-1, codes[..., None])
    assert chance.min() > 0.8
    control = SDRMemory(60, 12, 10, 2, expansion=0.0)
    control.weights = memory.weights
    torch.testing.assert_close(control.win_probability(x), torch.full((2, 1, 12, 10), 0.1))


def test_the_more_bits_are_shared_the_more_winners_are():
    draw = generator(1)
    x = sparse_patterns(1, 60, 12, draw, n_instances=200)
    overlaps = []
    for changed in (2, 4, 8):
        memory = SDRMemory(60, 12, 10, 200)
        code = memory.store(x, draw)
        other = memory.store(varied_patterns(x, changed, draw), draw)
        overlaps.append(code_overlap(code, other).mean())
    assert overlaps[0] > overlaps[1] + 0.1 and overlaps[1] > overlaps[2] + 0.1


def test_random_codes_fill_the_memory_as_the_formula_says():
    draw = generator(2)
    memory = SDRMemory(60, 12, 10, 4, expansion=0.0)
    for n_items in (20, 80):
        memory.store(sparse_patterns(n_items, 60, 8, draw, 4), draw)
    wanted = 1 - (1 - 8 / 600) ** 100
    assert abs(memory.fill().mean() - wanted) < 0.02


def test_patterns_have_the_active_inputs_they_should():
    draw = generator(3)
    x = sparse_patterns(5, 30, 7, draw, n_instances=2)
    assert x.shape == (2, 5, 30) and (x.sum(-1) == 7).all()
    for changed in (0, 3, 7):
        other = varied_patterns(x, changed, draw)
        assert (other.sum(-1) == 7).all() and ((x * other).sum(-1) == 7 - changed).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: SDRMemory(0, 2, 2), "n_inputs is 0"),
        (lambda m: SDRMemory(3, 2, 1), "n_cells is 1"),
        (lambda m: SDRMemory(3, 2, 2, 2, expansion=torch.ones(3)), r"expansion has shape \[3\]"),
        (lambda m: m.store(0.5 * torch.ones(2, 1, 60), generator(0)), "other than 0 and 1"),
        (lambda m: m.recall(torch.ones(2, 60)), r"x has shape \[2, 60\]"),
        (lambda m: m.read(torch.zeros(2, 1, 3, dtype=torch.long)), "codes has shape"),
    ],
)
def test_a_bad_argument_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(SDRMemory(60, 12, 10, 2))
