"""Dictionaries: the planted directions of features, one unit row each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate
from course_lib.geometry import spread, unit_rows

if TYPE_CHECKING:
    from jaxtyping import Float


def random_dictionary(
    n_features: int, d_in: int, generator: Generator
) -> Float[Tensor, "n_features d_in"]:
    """Unit rows drawn uniformly on the sphere, on the generator's device.

    Two of them have cosine 0 ± 1/√d_in; the mutual coherence is the largest of n²/2 of those.
    """
    validate.instance("generator", generator, Generator)
    validate.positive_int("n_features", n_features)
    validate.positive_int("d_in", d_in)
    return unit_rows(torch.randn(n_features, d_in, generator=generator, device=generator.device))


def low_coherence_dictionary(
    n_features: int, d_in: int, generator: Generator, steps: int = 1000
) -> Float[Tensor, "n_features d_in"]:
    """Random unit rows, `spread` until the largest |cosine| is close to the least possible.

    No dictionary is below the Welch bound (`welch_bound`), and for most sizes none reaches it: 48
    rows in 32 dimensions end at 0.111, the bound is 0.103 and a random dictionary has about 0.6.
    On the generator's device; a second or two for these sizes.
    """
    validate.instance("generator", generator, Generator)
    return spread(random_dictionary(n_features, d_in, generator), steps)


def paired_dictionary(
    n_features: int, d_in: int, cosine: float, generator: Generator
) -> Float[Tensor, "2 n_features d_in"]:
    """Two unit directions per feature at an exact `cosine`, otherwise random.

    The second is cos · first + sin · (a random unit direction orthogonal to the first).
    """
    validate.instance("generator", generator, Generator)
    validate.number("cosine", cosine, -1.0, 1.0)
    if validate.positive_int("d_in", d_in) < 2:
        raise ValueError(f"d_in is {d_in}; a pair of directions needs at least 2.")
    first = random_dictionary(n_features, d_in, generator)
    other = random_dictionary(n_features, d_in, generator)
    other = unit_rows(other - (other * first).sum(dim=-1, keepdim=True) * first)
    return torch.stack([first, unit_rows(cosine * first + (1 - cosine**2) ** 0.5 * other)])
