"""The exercises of the chapter "Features as directions", in the order of the notebook."""

from course_lib.checks.features_as_directions import (  # noqa: F401, I001  (the notebook's order)
    coherence,
    guarantee,
    thresholding,
    score,
    worst_case,
    exclusive,
)
