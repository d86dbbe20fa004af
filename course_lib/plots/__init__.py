"""Figures of what the other rooms return: matplotlib in, colour-blind-safe figures out.

Figures of sparse autoencoders are in `plots.sae`, of architectures side by side in `plots.family`,
of trees, views and functions in `plots.structure`, of directions, before anything is trained, in
`plots.directions`, of losses against size in `plots.scaling`, of counts of features in
`plots.measures`, of memories and particles in `plots.elsewhere`, of concepts' cosines in
`plots.geometry`, of probes in `plots.probes`, of steering in `plots.steering`, of causal tests in
`plots.causal`.
"""

from course_lib.plots import (
    causal,
    directions,
    elsewhere,
    family,
    geometry,
    measures,
    sae,
    scaling,
    steering,
    structure,
)
from course_lib.plots.style import COLORS, style
from course_lib.plots.toy import (
    dimensionality_strip,
    feature_arrows,
    gram_map,
    kept_features,
    neuron_stacks,
    phase_maps,
)

__all__ = [
    "COLORS",
    "causal",
    "dimensionality_strip",
    "directions",
    "elsewhere",
    "family",
    "feature_arrows",
    "geometry",
    "gram_map",
    "kept_features",
    "measures",
    "neuron_stacks",
    "phase_maps",
    "sae",
    "scaling",
    "steering",
    "structure",
    "style",
]
