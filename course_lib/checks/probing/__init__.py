"""The exercises of the chapter "Probing without fooling yourself", in the order of the notebook."""

from course_lib.checks.probing import (  # noqa: F401, I001  (the order is the notebook's)
    means,
    words,
    layers,
    code,
    erasure,
    rounds,
)
