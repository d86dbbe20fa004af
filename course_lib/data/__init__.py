"""Worlds with planted ground truth.

Laws of sparse features: independent, in correlated and anti-correlated pairs, or on a tree
(`sample(batch_size, generator)` gives [n_instances, batch, n_features]), and the laws that say how
important and how frequent each one is. Dictionaries of directions to write them along. Worlds of
activations made of both, or of smooth functions: `sample` gives x, `sample_with_features` gives x
and the truth of the same draw. Worlds of symbols (`StoryWorld`): `sample` gives tokens with the
truth at each, `log_prob` what no model can beat.
"""

from course_lib.data.dictionaries import (
    low_coherence_dictionary,
    paired_dictionary,
    random_dictionary,
)
from course_lib.data.functions import PlantedFunctions
from course_lib.data.hierarchy import HierarchicalFeatures, tree_dictionary, tree_names
from course_lib.data.paired import PairedViews
from course_lib.data.planted import PlantedActivations
from course_lib.data.sparse import (
    AntiCorrelatedPairs,
    CorrelatedPairs,
    SparseFeatures,
    importance_decay,
    power_law_probability,
)
from course_lib.data.story import StoryWorld

__all__ = [
    "AntiCorrelatedPairs",
    "CorrelatedPairs",
    "HierarchicalFeatures",
    "PairedViews",
    "PlantedActivations",
    "PlantedFunctions",
    "SparseFeatures",
    "StoryWorld",
    "importance_decay",
    "low_coherence_dictionary",
    "paired_dictionary",
    "power_law_probability",
    "random_dictionary",
    "tree_dictionary",
    "tree_names",
]
