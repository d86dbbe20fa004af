"""The exercises of the chapter "When it is not linear", in the order of the notebook."""

from course_lib.checks.not_linear import (  # noqa: F401, I001  (the order is the notebook's)
    frequencies,
    circle,
    strip,
    peeling,
    patching,
    table,
)
