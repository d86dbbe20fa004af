"""Handwritten digits, the course's one real data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import runtime, validate

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@dataclass(frozen=True)
class Digits:
    """1,797 handwritten digits of 8 x 8 pixels, split into two parts.

    | what             | where                                                             |
    |------------------|-------------------------------------------------------------------|
    | pixels, 0 to 1   | `x_train`, `x_test`; `x.view(-1, 1, 8, 8)` are pictures, 1 is ink |
    | the digit, 0 to 9 | `y_train`, `y_test`                                              |

    Real data, so nothing is planted but the digit. They come with scikit-learn, which has them from
    the test set of Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits" (UCI
    repository), which 13 people wrote.

    Attributes:
        x_train: [n_train, 64]. y_train: [n_train]. x_test: [n_test, 64]. y_test: [n_test].
    """

    x_train: Float[Tensor, "n_train 64"]
    y_train: Int[Tensor, " n_train"]
    x_test: Float[Tensor, "n_test 64"]
    y_test: Int[Tensor, " n_test"]


def digits(test: float = 0.2, seed: int = 0) -> Digits:
    """The digits in the default dtype; of each digit the share `test` is set aside at random.

    Raises TypeError, ValueError: naming the argument, its value and what is allowed.
    """
    from sklearn.datasets import load_digits

    share = validate.number("test", test, 0.0, 1.0)
    data = load_digits()
    x = torch.as_tensor(data.data).to(torch.get_default_dtype()) / 16
    y = torch.as_tensor(data.target).long()
    order = torch.randperm(len(y), generator=runtime.generator(seed))
    x, y = x[order], y[order]
    rank = torch.nn.functional.one_hot(y).cumsum(0).gather(1, y[:, None])[:, 0]
    aside = rank <= (share * y.bincount()).round()[y]
    return Digits(x[~aside], y[~aside], x[aside], y[aside])
