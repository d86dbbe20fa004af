"""The exercises of the chapter "Steering vectors", in the order of the notebook."""

from course_lib.checks.steering_vectors import (  # noqa: F401, I001  (the order is the notebook's)
    reading,
    passes,
    odds,
    curvature,
    optimism,
    readers,
)
