"""Dictionaries: the planted directions of features, one unit row each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Float

SHARPNESS = (10.0, 1000.0)  # of the soft maximum, at the first and at the last step
LR = 0.02  # Adam's first rate for unit rows


def random_dictionary(
    n_features: int, d_in: int, generator: Generator
) -> Float[Tensor, "n_features d_in"]:
    """Unit rows drawn uniformly on the sphere, on the generator's device.

    Two of them have cosine 0 ± 1/√d_in; the mutual coherence is the largest of n²/2 of those.
    """
    validate.positive_int("n_features", n_features)
    validate.positive_int("d_in", d_in)
    return unit_rows(torch.randn(n_features, d_in, generator=generator, device=generator.device))


@torch.enable_grad()
def low_coherence_dictionary(
    n_features: int, d_in: int, generator: Generator, steps: int = 1000
) -> Float[Tensor, "n_features d_in"]:
    """Unit rows pushed apart until the largest |cosine| is close to the least possible.

    Adam lowers a soft maximum of |cos| over all pairs, log Σ exp(s |cos|) / s, whose sharpness s
    grows by a factor 100 on the way. No dictionary is below the Welch bound (`welch_bound`), and
    for most sizes none reaches it: 48 rows in 32 dimensions end at 0.111, the bound is 0.103 and a
    random dictionary has about 0.6. On the generator's device; a second or two for these sizes.
    """
    validate.positive_int("steps", steps)
    D = random_dictionary(n_features, d_in, generator).requires_grad_()
    if n_features == 1:
        return D.detach()
    first, second = torch.triu_indices(n_features, n_features, 1, device=D.device)
    optimizer = torch.optim.Adam([D], lr=LR)
    low, high = SHARPNESS
    for step in range(steps):
        progress = step / steps
        optimizer.param_groups[0]["lr"] = LR * (1 - progress)
        sharpness = low * (high / low) ** progress
        unit = unit_rows(D)
        cosine = (unit @ unit.T)[first, second].abs()
        optimizer.zero_grad()
        (torch.logsumexp(sharpness * cosine, dim=0) / sharpness).backward()
        optimizer.step()
    return unit_rows(D.detach())


def paired_dictionary(
    n_features: int, d_in: int, cosine: float, generator: Generator
) -> Float[Tensor, "2 n_features d_in"]:
    """Two unit directions per feature at an exact `cosine`, otherwise random.

    The second is cos · first + sin · (a random unit direction orthogonal to the first).
    """
    validate.number("cosine", cosine, -1.0, 1.0)
    if validate.positive_int("d_in", d_in) < 2:
        raise ValueError(f"d_in is {d_in}; a pair of directions needs at least 2.")
    first = random_dictionary(n_features, d_in, generator)
    other = random_dictionary(n_features, d_in, generator)
    other = unit_rows(other - (other * first).sum(dim=-1, keepdim=True) * first)
    return torch.stack([first, unit_rows(cosine * first + (1 - cosine**2) ** 0.5 * other)])


def unit_rows(
    D: Float[Tensor, "*batch n_features d_in"],
) -> Float[Tensor, "*batch n_features d_in"]:
    """D with every row at norm 1."""
    return D / D.norm(dim=-1, keepdim=True)
