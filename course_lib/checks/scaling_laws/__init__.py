"""The exercises of the chapter "Superposition and scaling laws", in the order of the notebook."""

from course_lib.checks.scaling_laws import (  # noqa: F401, I001  (the order is the notebook's)
    decay,
    fitting,
    directions,
    remainder,
    overlaps,
    imposter,
)
