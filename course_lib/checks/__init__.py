"""Checks for the exercises: they know what a right answer does, not how it is written.

Needs torch alone. A check runs your function on inputs of its own and compares what comes back
with a definition worked out term by term, or with a property that every right answer has.

`check` judges one answer and lets the notebook go on; `progress` shows a chapter's results;
`cases` and `exercises` are what a grader builds on; `run` judges without printing.
"""

from course_lib.checks import (  # noqa: F401, I001  (registers exercises, in the order of the book)
    features_as_directions,
    toy_models,
    scaling_laws,
    measuring_superposition,
    superposition_elsewhere,
    saes_from_zero,
    sae_family,
    beyond_flat,
    inside_a_transformer,
    linear_representations,
    probing,
    world_models,
    not_linear,
    causal_tests,
    steering_vectors,
    steering_with_latents,
)
from course_lib.checks.core import Case, Exercise, Report, Result, cases, exercises, run
from course_lib.checks.feedback import Progress, check, progress

__all__ = [
    "Case",
    "Exercise",
    "Progress",
    "Report",
    "Result",
    "cases",
    "check",
    "exercises",
    "progress",
    "run",
]
