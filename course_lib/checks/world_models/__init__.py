"""The exercises of the chapter "World models", in the order of the notebook."""

from course_lib.checks.world_models import (  # noqa: F401, I001  (the order is the notebook's)
    stones,
    corners,
    codes,
    moves,
    strengths,
    leftover,
)
