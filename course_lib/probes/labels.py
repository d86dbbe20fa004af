"""Labels as every probe takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from course_lib import validate
from course_lib.data.sequences import NONE

if TYPE_CHECKING:
    from jaxtyping import Int


def checked_classes(y: Tensor) -> tuple[Int[Tensor, "*lead n"], int]:
    """y as int64, and its number of classes: at least 2, and bool counts as 0 and 1.

    Raises TypeError for real values and ValueError for labels below -1, which is no label.
    """
    validate.plain("y", y)
    if y.is_floating_point() or y.is_complex():
        raise TypeError(
            f"y has dtype {y.dtype}; classes are whole numbers, and real targets need "
            "method='ridge'."
        )
    y = y.long()
    if y.numel() and int(y.min()) < NONE:
        raise ValueError(f"y has the label {int(y.min())}; classes are 0, 1, .., and -1 for none.")
    return y, max(int(y.max()) + 1 if y.numel() else 0, 2)
