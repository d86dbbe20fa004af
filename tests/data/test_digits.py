"""The digits are those of scikit-learn, each in one of two parts."""

import pytest
import torch
from sklearn.datasets import load_digits

from course_lib.data import digits


def rows(x, y):
    return sorted((*(16 * row).round().int().tolist(), label.item()) for row, label in zip(x, y))  # noqa: B905


def test_the_two_parts_together_are_all_digits():
    data = digits()
    x, y = torch.cat([data.x_train, data.x_test]), torch.cat([data.y_train, data.y_test])
    source = load_digits()
    assert rows(x, y) == rows(torch.tensor(source.data) / 16, torch.tensor(source.target))
    assert (x.min(), x.max()) == (0, 1) and x.dtype == torch.get_default_dtype()


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
def test_each_digit_is_set_aside_in_its_share(share):
    data = digits(test=share)
    all_of = torch.bincount(torch.cat([data.y_train, data.y_test]))
    aside = torch.bincount(data.y_test, minlength=10)
    assert (aside - share * all_of).abs().max() <= 0.5


def test_the_split_is_repeatable_and_differs_with_the_seed():
    assert torch.equal(digits(seed=1).x_test, digits(seed=1).x_test)
    assert not torch.equal(digits(seed=1).y_test, digits(seed=2).y_test)
    with pytest.raises(ValueError, match="test is 1.5"):
        digits(test=1.5)
