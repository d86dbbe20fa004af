"""The exercises of the chapter "SAEs inside a transformer", in the order of the notebook."""

from course_lib.checks.inside_a_transformer import (  # noqa: F401, I001  (the order is the notebook's)
    thresholds,
    heads,
    free,
    ablation,
    factors,
    effects,
)
