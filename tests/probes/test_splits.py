"""Splits hold out what they say, and nothing leaks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib import runtime
from course_lib.probes import Split, block_split, group_split, random_split, stack_splits


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 200), st.floats(0.01, 0.99), st.integers(0, 99))
def test_a_random_split_parts_all_rows_in_the_share_asked_for(n, test, seed):
    split = random_split(n, test, seed)
    assert (split.train ^ split.test).all()
    assert abs(int(split.test.sum()) - test * n) <= 1
    assert split.train.any() and split.test.any()
    assert torch.equal(split.test, random_split(n, test, seed).test)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-3, 8), min_size=2, max_size=60), st.integers(0, 99))
def test_no_group_stands_on_both_sides(numbers, seed):
    groups = torch.tensor(numbers)
    if len(set(numbers)) < 2:
        with pytest.raises(ValueError, match="at least two"):
            group_split(groups)
        return
    split = group_split(groups, 0.4, seed)
    assert (split.train ^ split.test).all()
    assert not set(groups[split.train].tolist()) & set(groups[split.test].tolist())


def test_a_block_split_leaves_the_margin_between_what_is_seen_and_what_is_asked():
    places = 20 * torch.rand(500, 2, generator=runtime.generator(0))
    plain, wide = block_split(places, seed=1), block_split(places, margin=1.5, seed=1)
    assert torch.equal(plain.test, wide.test)
    assert (plain.train ^ plain.test).all()
    assert torch.cdist(places[wide.train], places[wide.test]).min() >= 1.5
    near = torch.cdist(places, places[wide.test]).amin(1) < 1.5
    assert torch.equal(wide.train, plain.train & ~near)


def test_the_blocks_of_a_map_are_squares_and_wholly_on_one_side():
    line = (torch.arange(16) + 0.5) / 16
    places = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).flatten(0, 1)
    split = block_split(places, n_blocks=4, test=0.25)
    sides = split.test.reshape(4, 4, 4, 4)  # block row, row in it, block column, column in it
    assert torch.equal(sides, sides[:, :1, :, :1].expand_as(sides))
    assert int(sides[:, 0, :, 0].sum()) == 4


def test_a_random_split_of_a_map_has_neighbours_on_both_sides_and_a_block_split_few():
    places = torch.rand(1000, 2, generator=runtime.generator(0))

    def to_the_nearest_seen(split):
        return torch.cdist(places[split.test], places[split.train]).amin(1).median()

    leaky, honest = random_split(1000), block_split(places)
    assert to_the_nearest_seen(honest) > 3 * to_the_nearest_seen(leaky)


def test_places_on_one_line_or_all_alike_along_an_axis_are_still_split():
    places = torch.stack([torch.linspace(0, 1, 40), torch.zeros(40)], 1)
    split = block_split(places, n_blocks=4, test=0.25)
    assert int(split.test.sum()) == 10


def test_stacked_splits_keep_every_split():
    splits = [random_split(20, seed=seed) for seed in range(3)]
    stacked = stack_splits(splits)
    assert stacked.train.shape == (3, 20)
    assert all(torch.equal(stacked.test[i], split.test) for i, split in enumerate(splits))


half = torch.arange(10) < 5


@pytest.mark.parametrize(
    ("train", "test", "groups", "message"),
    [
        (half, torch.zeros(10, dtype=torch.bool), None, "test side is empty"),
        (half, half, None, "5 rows are on both sides"),
        (half, ~half, torch.arange(10) % 5, "5 groups are on both sides, 0 among them"),
        (half, ~half[:9], None, "must be equal"),
        (half, ~half, torch.arange(9), "groups has shape"),
    ],
)
def test_a_split_that_leaks_or_tests_nothing_is_refused(train, test, groups, message):
    with pytest.raises(ValueError, match=message):
        Split(train, test, "own", groups)


def test_arguments_that_make_no_split_are_named():
    with pytest.raises(TypeError, match="True and False"):
        Split(torch.arange(3), torch.arange(3), "own")
    with pytest.raises(ValueError, match="n is 1"):
        random_split(1)
    with pytest.raises(ValueError, match="test is 1"):
        random_split(10, 1.0)
    with pytest.raises(TypeError, match="whole numbers"):
        group_split(torch.rand(4))
    with pytest.raises(ValueError, match="positions has 1 of 8"):
        block_split(torch.tensor([[0.0, float("nan")]] + [[1.0, 2.0]] * 3))
    with pytest.raises(ValueError, match="no training row is left"):
        block_split(torch.rand(50, 2), margin=5.0)
    with pytest.raises(ValueError, match="holds one group"):
        block_split(torch.zeros(5, 2))
    with pytest.raises(ValueError, match="of \\[10, 11\\] rows"):
        stack_splits([random_split(10), random_split(11)])
    with pytest.raises(ValueError, match="different groups"):
        stack_splits([random_split(10), group_split(torch.arange(10))])
    with pytest.raises(ValueError, match="at least one"):
        stack_splits([])
