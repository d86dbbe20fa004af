"""MLP probes are trained to the end: they find what is not linear, and lose little where it is."""

import pytest
import torch

from course_lib import runtime
from course_lib.probes import fit, group_split, probe
from course_lib.probes import mlp as trainer


def corners(n=1500, d=6, seed=0):
    """Classes by the product of two signs: nothing for a linear probe."""
    x = torch.randn(n, d, generator=runtime.generator(seed))
    return x, (x[:, 0] * x[:, 1] > 0).long()


def test_an_mlp_reads_an_exclusive_or_that_a_linear_probe_cannot():
    x, y = corners()
    assert float(probe(x, y, "mlp").accuracy) > 0.95
    assert float(probe(x, y).accuracy) < 0.6


def test_on_a_linear_law_it_is_hardly_worse_than_a_linear_probe():
    generator = runtime.generator(1)
    x = torch.randn(1500, 20, generator=generator)
    y = (x[:, :5].sum(1) + torch.randn(1500, generator=generator) > 0).long()
    assert float(probe(x, y, "mlp").accuracy) > float(probe(x, y).accuracy) - 0.03


def test_many_mlps_are_trained_side_by_side_with_more_classes_and_missing_labels():
    x, y = corners(n=900)
    y = torch.stack([y + (x[:, 2] > 0), y + (x[:, 3] > 0), 2 - y - (x[:, 0] > 1).long()])
    y[0, :200] = -1
    x = torch.stack([x, x.flip(1)])[:, None]
    found, linear = probe(x, y, "mlp", hidden=32), probe(x, y)
    assert found.accuracy.shape == (2, 3)
    assert (found.accuracy > 0.75).all() and (linear.accuracy < 0.65).all()
    assert found.direction is None and found.bias is None


def test_units_of_x_do_not_matter():
    x, y = corners()
    unit = torch.logspace(-3, 3, 6)
    assert float(probe(x * unit + 5, y, "mlp").accuracy) > 0.95


def test_training_goes_on_past_three_hundred_steps_where_that_helps():
    """The rows held back say when to stop; a slow law is not cut short."""
    x, y = corners(n=4000, d=20)
    readout = fit(x, y, "mlp")
    assert int(readout.steps) > 300
    assert float(probe(x, y, "mlp").accuracy) > 0.93


def test_whole_groups_are_held_back_to_see_when_training_must_end():
    groups = torch.arange(300) // 10
    held_back = trainer._held_back(300, groups, runtime.generator(0))
    sides = held_back.reshape(30, 10)
    assert torch.equal(sides, sides[:, :1].expand_as(sides))
    assert 0 < int(sides[:, 0].sum()) < 10


def test_the_same_seed_gives_the_same_probe_and_groups_are_heeded():
    x, y = corners(n=300)
    split = group_split(torch.arange(300) // 5)
    first, again = (probe(x, y, "mlp", split=split, seed=3).scores for _ in range(2))
    assert torch.equal(first, again)


def test_one_training_group_is_refused():
    x, y = corners(n=30)
    with pytest.raises(ValueError, match="two training rows or groups"):
        fit(x, y, "mlp", groups=torch.zeros(30).long())
