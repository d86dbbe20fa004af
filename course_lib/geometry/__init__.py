"""Directions in space: what their angles mean, and how far apart they can be pushed.

`CausalInnerProduct` is the geometry of unembeddings that survives every re-parametrisation.
`concept_direction` takes directions from pairs of tokens; `steering_leakage` says what else moves
with them. Categories are vectors and simplices (`concept_vectors`), combinations are sums of
concepts or not (`factorise`), scales of meaning are axes (`semantic_axis`).

`spread` packs directions by optimisation; `mutual_coherence` and `welch_bound`, which judge the
result, are among the measures of `course_lib.superposition`.

What is not a direction: `separability_index` and `mixture_index` ask whether two dimensions are
one feature, `cluster_decoder` looks for such features among the latents of an SAE, `fit_circle`
and its `Circle` find and move places on a circle. `OnionCode`, `PlaceSubspaces` and `FreeCodes` are
three accounts of a memory, `Rotation` and `LookUp` two alignment maps, one strict, one for all.
"""

from course_lib.geometry.alignment import LookUp, Rotation, agreement, fit_rotation, swap_loss
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
from course_lib.geometry.circles import (
    Circle,
    circle_through,
    fit_circle,
    frequency_power,
    laid_into,
    patch_plane,
    place_means,
    random_plane,
)
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
from course_lib.geometry.irreducible import (
    cluster_decoder,
    cluster_points,
    mixture_index,
    separability_index,
)
from course_lib.geometry.onion import (
    FreeCodes,
    OnionCode,
    PlaceSubspaces,
    additive_codes,
    draw_replacements,
    edits_right,
    fit_edit,
    subspace_overlap,
)
from course_lib.geometry.packing import spread, unit_rows
from course_lib.geometry.patching import every_move, logits_after
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
    "Circle",
    "ConceptDirection",
    "Covariance",
    "Factorisation",
    "FreeCodes",
    "HierarchyOrthogonality",
    "Leakage",
    "Line",
    "LookUp",
    "OnionCode",
    "PlaceSubspaces",
    "Rotation",
    "Simplex",
    "additive_codes",
    "additive_r2",
    "agreement",
    "axis_scores",
    "circle_through",
    "cluster_decoder",
    "cluster_points",
    "combination_split",
    "concept_direction",
    "concept_vectors",
    "cosines",
    "covariance",
    "difference_of_means",
    "dimension_bound",
    "draw_replacements",
    "edits_right",
    "every_move",
    "factor_orthogonality",
    "factorise",
    "fit_circle",
    "fit_edit",
    "fit_rotation",
    "frequency_power",
    "hierarchy_orthogonality",
    "laid_into",
    "log_odds",
    "logits_after",
    "measured_leakage",
    "mixture_index",
    "off_diagonal",
    "off_target_line",
    "patch_plane",
    "place_means",
    "random_axes",
    "random_pairs",
    "random_plane",
    "reparametrise",
    "reparametrise_model",
    "semantic_axis",
    "separability_index",
    "shuffled_parents",
    "shuffled_tokens",
    "simplex_regularity",
    "spread",
    "steering_leakage",
    "subspace_overlap",
    "swap_loss",
    "unit_rows",
    "unseen_accuracy",
    "variance_by_component",
]
