"""The exercises of the chapter "Measuring superposition", in the order of the notebook."""

from course_lib.checks.measuring_superposition import (  # noqa: F401, I001  (the notebook's order)
    effective,
    participation,
    rank,
    splitting,
    pooled,
    misled,
)
