"""Figures of what the other rooms return: matplotlib in, colour-blind-safe figures out.

Figures of sparse autoencoders are in `plots.sae`, of trees, views and functions in
`plots.structure`.
"""

from course_lib.plots import sae, structure
from course_lib.plots.style import COLORS, style
from course_lib.plots.toy import (
    dimensionality_strip,
    feature_arrows,
    gram_map,
    neuron_stacks,
    phase_maps,
)

__all__ = [
    "COLORS",
    "dimensionality_strip",
    "feature_arrows",
    "gram_map",
    "neuron_stacks",
    "phase_maps",
    "sae",
    "structure",
    "style",
]
