"""The exercises of the chapter "Beyond flat dictionaries", in the order of the notebook."""

from course_lib.checks.beyond_flat import (  # noqa: F401, I001  (the order is the notebook's)
    pursuit,
    merging,
    repair,
    leftover,
    sharing,
    spectral,
)
