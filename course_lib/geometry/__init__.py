"""Directions in space: sets of unit rows, and how far apart they can be pushed.

`spread` packs directions by optimisation; `mutual_coherence` and `welch_bound`, which judge the
result, are among the measures of `course_lib.superposition`.

What is not a direction: `separability_index` and `mixture_index` ask whether two dimensions are
one feature, `cluster_decoder` looks for such features among the latents of an SAE, `fit_circle`
and its `Circle` find and move places on a circle. `OnionCode`, `PlaceSubspaces` and `FreeCodes` are
three accounts of a memory, `Rotation` and `LookUp` two alignment maps, one strict, one for all.
"""

from course_lib.geometry.alignment import LookUp, Rotation, agreement, fit_rotation, swap_loss
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

__all__ = [
    "Circle", "FreeCodes", "LookUp", "OnionCode", "PlaceSubspaces", "Rotation",
    "additive_codes", "agreement", "circle_through", "cluster_decoder", "cluster_points",
    "draw_replacements", "edits_right", "every_move", "fit_circle", "fit_edit", "fit_rotation",
    "frequency_power", "laid_into", "logits_after", "mixture_index", "patch_plane",
    "place_means", "random_plane", "separability_index", "spread", "subspace_overlap",
    "swap_loss", "unit_rows",
]  # fmt: skip
