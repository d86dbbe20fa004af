"""Causal tests: what a model does when part of one run is put into another.

`patch_activations`, `patch_paths` and `interchange` exchange activations; `das` finds a subspace
whose exchange changes the output as it should, from many starts at once; `illusion_report` asks
whether such a subspace is used, and `ThreeNeurons` and `PlantedIllusion` are models where that is
known; `TextInverter` and `search_text` read an edited activation back as words.
"""

from course_lib.causal.das import DAS, cross_entropy, das, mean_squared_error, swap
from course_lib.causal.illusion import PlantedIllusion, ThreeNeurons
from course_lib.causal.lens import (
    Found,
    TextInverter,
    Transport,
    changed_words,
    edit_table,
    gaussian_transport,
    mean_transport,
    neighbours,
    search_text,
)
from course_lib.causal.patching import (
    FromSite,
    PatchingMap,
    from_site,
    interchange,
    interchange_accuracy,
    patch_activations,
    recovered,
)
from course_lib.causal.paths import Head, patch_paths
from course_lib.causal.subspaces import (
    IllusionReport,
    disconnected_dormant_split,
    dormancy,
    illusion_report,
    row_null_split,
)

__all__ = [
    "DAS",
    "Found",
    "FromSite",
    "Head",
    "IllusionReport",
    "PatchingMap",
    "PlantedIllusion",
    "TextInverter",
    "ThreeNeurons",
    "Transport",
    "changed_words",
    "cross_entropy",
    "das",
    "disconnected_dormant_split",
    "dormancy",
    "edit_table",
    "from_site",
    "gaussian_transport",
    "illusion_report",
    "interchange",
    "interchange_accuracy",
    "mean_squared_error",
    "mean_transport",
    "neighbours",
    "patch_activations",
    "patch_paths",
    "recovered",
    "row_null_split",
    "search_text",
    "swap",
]
