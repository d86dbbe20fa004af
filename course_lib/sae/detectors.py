"""Which unit tells best whether a concept is present: one latent, neuron or direction for each.

A unit says "present" above a threshold. Unit and threshold are chosen on some tokens and scored on
others, so that the best of thousands of units is not merely the luckiest. The same search for SAE
latents, raw neurons, principal components and random directions is what makes them comparable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib import validate

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Detectors:
    """For each concept, the unit that detects it best on the tokens of the search.

    Attributes:
        unit: [n_concepts].
        threshold: [n_concepts], the unit says "present" above it.
        f1: [n_concepts], in the search: an optimistic number.
    """

    unit: Int[Tensor, " n_concepts"]
    threshold: Float[Tensor, " n_concepts"]
    f1: Float[Tensor, " n_concepts"]

    def score(
        self, units: Float[Tensor, "n n_units"], concepts: Bool[Tensor, "n n_concepts"]
    ) -> Float[Tensor, " n_concepts"]:
        """F1 of each concept's detector on these tokens; NaN where neither it nor the concept is
        ever present."""
        _same_tokens(units, concepts)
        says = units[:, self.unit] > self.threshold
        hits = (says & concepts).sum(dim=0)
        return 2 * hits / (says.sum(dim=0) + concepts.sum(dim=0))


@torch.no_grad()
def best_detectors(
    units: Float[Tensor, "n n_units"], concepts: Bool[Tensor, "n n_concepts"]
) -> Detectors:
    """Search all units, each at every threshold that leaves some tokens out.

    So the lowest threshold of a latent is "active at all". For units whose sign has no meaning
    (neurons, components, random directions) pass `torch.cat([x, -x], dim=-1)`.

    Raises ValueError when the tokens of the two differ in number, or a unit is not finite.
    """
    _same_tokens(units, concepts)
    validate.tensors("any", units=(units, "n n_units"), concepts=(concepts, "n n_concepts"))
    validate.finite("units", units)
    present = concepts.float().T.contiguous()
    best = [_best_threshold(unit, present) for unit in units.T.contiguous()]
    f1, threshold = (torch.stack(part) for part in zip(*best, strict=True))  # [unit, concept]
    f1, unit = f1.max(dim=0)
    return Detectors(unit, threshold.gather(0, unit[None])[0], f1)


def _best_threshold(
    unit: Float[Tensor, " n"], present: Float[Tensor, "n_concepts n"]
) -> tuple[Float[Tensor, " n_concepts"], Float[Tensor, " n_concepts"]]:
    """The unit's best F1 for each concept, and the threshold that gives it."""
    values, order = unit.sort(descending=True)
    above = int((values > values[-1]).sum())
    if above == 0:
        return torch.zeros_like(present[:, 0]), values[-1].expand(len(present))
    hits = present.index_select(1, order[:above]).cumsum_(dim=1)
    says = torch.arange(1, above + 1, device=unit.device)
    f1 = hits.div_(says + present.sum(dim=1, keepdim=True)).mul_(2)
    f1 *= values[:above] > values[1 : above + 1]  # no threshold lies between equal values
    f1, last = f1.max(dim=1)
    return f1, values[last + 1]


def _same_tokens(units: Tensor, concepts: Tensor) -> None:
    validate.shape("units", units, ("n", "n_units"))
    validate.shape("concepts", concepts, (len(units), "n_concepts"))
    if concepts.dtype != torch.bool:
        raise TypeError(f"concepts has dtype {concepts.dtype}; it must be bool.")
