"""Figures of what the other rooms return: matplotlib in, colour-blind-safe figures out.

Figures of sparse autoencoders are in `plots.sae`, of architectures side by side in `plots.family`,
of trees, views and functions in `plots.structure`, of memories and particles in `plots.elsewhere`.
"""

from course_lib.plots import elsewhere, family, sae, structure
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
    "elsewhere",
    "family",
    "feature_arrows",
    "gram_map",
    "neuron_stacks",
    "phase_maps",
    "sae",
    "structure",
    "style",
]
