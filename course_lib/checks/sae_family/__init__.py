"""The exercises of the chapter "The SAE family", in the order of the notebook."""

from course_lib.checks.sae_family import (  # noqa: F401, I001  (the order is the notebook's)
    selection,
    nesting,
    threshold,
    inference,
    fidelity,
    architecture,
)
