"""Directions in space: what their angles mean, and how far apart they can be pushed.

`CausalInnerProduct` is the geometry of unembeddings that survives every re-parametrisation.
`concept_direction` takes directions from pairs of tokens; `steering_leakage` says what else moves
with them. Categories are vectors and simplices (`concept_vectors`), combinations are sums of
concepts or not (`factorise`), scales of meaning are axes (`semantic_axis`).

`spread` packs directions by optimisation; `mutual_coherence` and `welch_bound`, which judge the
result, are among the measures of `course_lib.superposition`.
"""

from course_lib.geometry.categories import (
    HierarchyOrthogonality,
    Simplex,
    concept_vectors,
    hierarchy_orthogonality,
    shuffled_parents,
    shuffled_tokens,
    simplex_regularity,
)
from course_lib.geometry.causal import CausalInnerProduct, cosines, off_diagonal
from course_lib.geometry.compositionality import (
    Factorisation,
    additive_r2,
    combination_split,
    dimension_bound,
    factor_orthogonality,
    factorise,
    unseen_accuracy,
)
from course_lib.geometry.concepts import (
    ConceptDirection,
    concept_direction,
    difference_of_means,
    random_pairs,
)
from course_lib.geometry.covariance import Covariance, covariance
from course_lib.geometry.packing import spread, unit_rows
from course_lib.geometry.semantic import (
    Line,
    axis_scores,
    off_target_line,
    random_axes,
    semantic_axis,
    variance_by_component,
)
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
    "Factorisation",
    "HierarchyOrthogonality",
    "Leakage",
    "Line",
    "Simplex",
    "additive_r2",
    "axis_scores",
    "combination_split",
    "concept_direction",
    "concept_vectors",
    "cosines",
    "covariance",
    "difference_of_means",
    "dimension_bound",
    "factor_orthogonality",
    "factorise",
    "hierarchy_orthogonality",
    "log_odds",
    "measured_leakage",
    "off_diagonal",
    "off_target_line",
    "random_axes",
    "random_pairs",
    "reparametrise",
    "reparametrise_model",
    "semantic_axis",
    "shuffled_parents",
    "shuffled_tokens",
    "simplex_regularity",
    "spread",
    "steering_leakage",
    "unit_rows",
    "unseen_accuracy",
    "variance_by_component",
]
