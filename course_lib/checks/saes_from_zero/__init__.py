"""The exercises of the chapter "SAEs from zero", in the order of the notebook."""

from course_lib.checks.saes_from_zero import (  # noqa: F401, I001  (the order is the notebook's)
    loss,
    price,
    found,
    unexplained,
    step,
    reconstruction,
)
