"""Worlds with planted ground truth.

So far: sparse features, drawn independently or in correlated and anti-correlated pairs, and the
laws that say how important and how frequent each one is.
"""

from course_lib.data.sparse import (
    AntiCorrelatedPairs,
    CorrelatedPairs,
    SparseFeatures,
    importance_decay,
    power_law_probability,
)

__all__ = [
    "AntiCorrelatedPairs",
    "CorrelatedPairs",
    "SparseFeatures",
    "importance_decay",
    "power_law_probability",
]
