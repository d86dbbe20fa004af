"""A control task's labels belong to the word, at random, and to nothing else."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.probes import control_task
from course_lib.runtime import generator


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**20), st.integers(2, 4))
def test_a_type_has_one_label_wherever_it_stands(seed, n_classes):
    types = torch.randint(30, (4, 50), generator=generator(seed))
    y = control_task(types, n_classes, seed)
    assert y.shape == types.shape
    assert all(len(y[types == word].unique()) == 1 for word in types.unique())
    assert sorted(y.unique().tolist()) == list(range(n_classes))


def test_labels_do_not_depend_on_what_the_types_are():
    types = torch.arange(500).repeat(2)
    truth = (types >= 250).double()  # a property of the word itself
    labels = torch.stack([control_task(types, seed=s) for s in range(200)]).double()
    correlation = torch.corrcoef(torch.cat([truth[None], labels]))[0, 1:]
    assert correlation.mean().abs() < 3 / (200 * 500) ** 0.5
    assert correlation.std() == pytest.approx(500**-0.5, rel=0.2)


def test_labels_follow_the_weights_and_the_seed():
    types = torch.arange(5000).repeat(2)
    y = control_task(types, 3, 0, torch.tensor([0.7, 0.2, 0.1]))
    share = torch.bincount(y).double() / len(y)
    torch.testing.assert_close(share, torch.tensor([0.7, 0.2, 0.1]).double(), atol=0.03, rtol=0)
    assert torch.equal(y, control_task(types, 3, 0, torch.tensor([7, 2, 1])))
    assert not torch.equal(y, control_task(types, 3, 1, torch.tensor([7, 2, 1])))


def test_the_names_of_the_types_do_not_matter_and_rows_without_one_get_no_label():
    types = torch.tensor([3, 3, 7, 9, 9, -1, 12])
    y = control_task(types, seed=4)
    assert torch.equal(control_task(types.where(types == -1, types * 10), seed=4), y)
    assert y[5] == -1 and (y[:5] >= 0).all() and y[6] >= 0


@pytest.mark.parametrize(
    ("types", "options", "message"),
    [
        (torch.arange(5), {}, "5 types in 5 rows for 2 classes"),
        (torch.zeros(5, dtype=torch.long), {}, "1 types in 5 rows for 2"),
        (torch.tensor([-1, -1]), {}, "0 types in 0 rows"),
        (torch.rand(5), {}, "types must be a tensor of whole numbers"),
        (torch.tensor([1, 1, 2]), {"n_classes": 1}, "n_classes is 1"),
        (torch.tensor([1, 1, 2]), {"weights": torch.tensor([1.0, 0.0])}, "two classes"),
        (torch.tensor([1, 1, 2]), {"weights": torch.ones(3)}, r"weights has shape \[3\]"),
        (torch.tensor([1, 1, 2]), {"weights": torch.tensor([1.0, 1e-9])}, "In 1000 draws, 2 types"),
    ],
)
def test_a_bad_argument_is_named(types, options, message):
    with pytest.raises(ValueError, match=message):
        control_task(types, **options)
