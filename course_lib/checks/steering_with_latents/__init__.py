"""The exercises of the chapter "Steering with latents", in the order of the notebook."""

from course_lib.checks.steering_with_latents import (  # noqa: F401, I001  (the notebook's order)
    tops,
    strongest,
    doses,
    clamps,
    cells,
    strengths,
)
