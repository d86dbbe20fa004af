"""Directions in space: what their angles mean, and how far apart they can be pushed.

`spread` packs directions by optimisation; `mutual_coherence` and `welch_bound`, which judge the
result, are among the measures of `course_lib.superposition`.

`CausalInnerProduct` is the geometry of unembeddings that survives every re-parametrisation;
`concept_direction` takes directions from pairs of tokens, `steering_leakage` says what else moves
with them.
"""

from course_lib.geometry.causal import CausalInnerProduct, cosines, off_diagonal
from course_lib.geometry.concepts import (
    ConceptDirection,
    concept_direction,
    difference_of_means,
    random_pairs,
)
from course_lib.geometry.covariance import Covariance, covariance
from course_lib.geometry.packing import spread, unit_rows
from course_lib.geometry.steering import (
    Leakage,
    log_odds,
    measured_leakage,
    reparametrise,
    reparametrise_model,
    steering_leakage,
)

__all__ = [
    "CausalInnerProduct",
    "ConceptDirection",
    "Covariance",
    "Leakage",
    "concept_direction",
    "cosines",
    "covariance",
    "difference_of_means",
    "log_odds",
    "measured_leakage",
    "off_diagonal",
    "random_pairs",
    "reparametrise",
    "reparametrise_model",
    "spread",
    "steering_leakage",
    "unit_rows",
]
