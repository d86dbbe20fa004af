"""The exercises of the chapter "Superposition elsewhere", in the order of the notebook."""

from course_lib.checks.superposition_elsewhere import (  # noqa: F401, I001  (the notebook's order)
    recall,
    fill,
    sharing,
    mixture,
    equal,
    tracking,
)
