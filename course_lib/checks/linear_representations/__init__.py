"""The exercises of the chapter "What is a linear representation?", in the order of the notebook."""

from course_lib.checks.linear_representations import (  # noqa: F401, I001  (the notebook's order)
    held_out,
    two_concepts,
    steering,
    table,
    unrelated,
    grid,
)
