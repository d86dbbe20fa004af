"""The exercises of the chapter "Causal tests and illusions", in the order of the notebook."""

from course_lib.checks.causal_tests import (  # noqa: F401, I001  (the order is the notebook's)
    along,
    recovering,
    splitting,
    dormant,
    sparing,
    edits,
)
