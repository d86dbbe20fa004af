"""The exercises of the chapter "Toy models of superposition", in the order of the notebook."""

from course_lib.checks.toy_models import (  # noqa: F401, I001  (the order is the notebook's)
    sampling,
    forward,
    dimensionality,
    pair_losses,
    attack,
    sharing,
)
