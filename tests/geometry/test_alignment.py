"""Swapped subspaces are what they say, and a table can align any network with any algorithm."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.geometry.alignment import LookUp, Rotation, agreement, fit_rotation, swap_loss
from course_lib.runtime import generator


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 8), st.integers(0, 1000))
def test_a_rotation_stays_one_however_far_it_is_turned(d, seed):
    rotation = Rotation(d, [1], seed=seed)
    torch.nn.init.normal_(rotation.turn, std=2.0, generator=generator(seed))
    torch.testing.assert_close(rotation.Q.T @ rotation.Q, torch.eye(d), atol=1e-4, rtol=0)


def test_a_swap_changes_its_subspace_alone():
    rotation = Rotation(7, [2, 3], seed=1)
    base, source = torch.randn(2, 20, 7, generator=generator(0))
    swapped = rotation.swap(base, source, 1)
    own = rotation.subspace(1)
    torch.testing.assert_close(swapped @ own, source @ own, atol=1e-5, rtol=0)
    rest = torch.cat([rotation.subspace(0), rotation.Q[:, 5:]], 1)
    torch.testing.assert_close(swapped @ rest, base @ rest, atol=1e-5, rtol=0)


def test_swapping_with_oneself_changes_nothing_and_all_variables_together_change_all():
    rotation = Rotation(6, [2, 4])
    base, source = torch.randn(2, 5, 6, generator=generator(0))
    torch.testing.assert_close(rotation.swap(base, base, 0), base)
    both = rotation.swap(rotation.swap(base, source, 0), source, 1)
    torch.testing.assert_close(both, source, atol=1e-5, rtol=0)


def test_each_row_may_swap_a_variable_of_its_own():
    rotation = Rotation(6, [2, 4])
    base, source = torch.randn(2, 4, 6, generator=generator(0))
    which = torch.tensor([0, 1, 1, 0])
    together = rotation.swap(base, source, which)
    for row, variable in enumerate(which):
        alone = rotation.swap(base[row : row + 1], source[row : row + 1], int(variable))
        torch.testing.assert_close(together[row : row + 1], alone)


def test_the_gradient_of_a_swap_is_that_of_finite_differences():
    rotation = Rotation(4, [2], seed=1).double()
    base, source = torch.randn(2, 3, 4, generator=generator(0), dtype=torch.float64)

    def swapped(turn):
        rotated = torch.func.functional_call(rotation, {"turn": turn}, (base, source, 0))
        return rotated

    rotation.forward = rotation.swap
    turn = 0.3 * torch.randn(4, 4, generator=generator(2), dtype=torch.float64)
    assert torch.autograd.gradcheck(swapped, turn.requires_grad_())


def test_search_finds_the_subspace_that_a_network_reads():
    """A network whose answer is the sign of one direction: swap it, and the answer follows."""
    d = 8
    read = torch.linalg.qr(torch.randn(d, d, generator=generator(0)))[0][0]

    def network(h):
        return torch.stack([-(h @ read), h @ read], 1)

    def loss(rotation, g):
        base, source = torch.randn(2, 128, d, generator=g)
        return swap_loss(4 * network(rotation.swap(base, source, 0)), (source @ read > 0).long())

    rotation = Rotation(d, [1], seed=3)
    losses = fit_rotation(rotation, loss, steps=200, lr=0.05)
    assert (rotation.subspace(0)[:, 0] @ read).abs() > 0.99
    assert losses[-1] < losses[0]
    base, source = torch.randn(2, 500, d, generator=generator(9))
    wanted = (source @ read > 0).long()
    assert agreement(network(rotation.swap(base, source, 0)), wanted) > 0.98
    assert agreement(network(Rotation(d, [1]).swap(base, source, 0)), wanted) < 0.8


@pytest.mark.parametrize("sizes", [[], [0], [4, 5]])
def test_variables_that_do_not_fit_are_refused(sizes):
    with pytest.raises(ValueError, match="sizes"):
        Rotation(8, sizes)


def random_network(seed: int, n: int = 16, d: int = 6, n_answers: int = 3):
    """States of n inputs, and a read-out whose answers all occur."""
    g = generator(seed)
    states, W = torch.randn(n, d, generator=g), torch.randn(d, n_answers, generator=g)
    logits = states @ W
    W_b = logits.median(0).values
    return states, lambda h: h @ W - W_b


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_a_table_fits_any_algorithm_to_any_network_that_gives_all_answers(seed):
    states, read_out = random_network(seed)
    present = read_out(states).argmax(1).unique()
    wanted = present[torch.randint(len(present), (16, 16), generator=generator(seed))]
    table = LookUp(states, wanted, read_out(states))
    base, source = torch.cartesian_prod(torch.arange(16), torch.arange(16)).T
    apart = base != source
    logits = read_out(table.swap(base, source))
    assert agreement(logits[apart], wanted[base, source][apart]) == 1.0


def test_the_table_is_a_bijection_that_leaves_every_state_where_it_was():
    states, read_out = random_network(0)
    answers = read_out(states).argmax(1)
    wanted = answers[torch.randint(16, (16, 16), generator=generator(1))]
    table = LookUp(states, wanted, read_out(states))
    every = torch.arange(16)
    torch.testing.assert_close(table.swap(every, every), states)
    assert torch.pdist(table.table.flatten(0, 1).double()).min() > 0
    assert table.n_entries == 16 * 15


def test_what_no_map_can_do_is_refused():
    states, read_out = random_network(0)
    logits, wanted = read_out(states), torch.zeros(16, 16).long()
    with pytest.raises(ValueError, match="never gives, such as 7"):
        LookUp(states, wanted + 7, logits)
    with pytest.raises(ValueError, match="two rows that are equal"):
        LookUp(torch.ones(16, 2), wanted, logits)
    with pytest.raises(ValueError, match="finite"):
        LookUp(states * float("nan"), wanted, logits)
