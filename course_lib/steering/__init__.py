"""Steering: directions found in activations, added while a model runs, and what that does.

A `SteeringVector` knows its model, its site, its tokens and where it came from; `find_vectors`
makes it from labelled tokens, `from_latent` and `from_neurons` from a dictionary. It is an act, as
`Action` (ablate, ablate and add, ...) and `ClampLatent` are: `steer` applies one while a model
runs, `sweep` and `generate` many at many strengths in one pass. `evaluate` measures it on a
`Behaviour` against its controls, `dose_response` in which cells of a grid it works.
"""

from course_lib.steering.actions import Act, Action, ClampLatent
from course_lib.steering.applying import generate, steer, sweep
from course_lib.steering.behaviours import (
    Behaviour,
    Scores,
    divergence,
    impossible,
    plain_score,
    score,
    story_behaviour,
)
from course_lib.steering.directions import (
    METHODS,
    causal,
    difference_of_means,
    k_means,
    lda,
    logistic,
    random_like,
    reading_vector,
    reading_vector_of_pairs,
)
from course_lib.steering.dose import DoseResponse, dose_response, share_interval
from course_lib.steering.evaluation import (
    SteeringReport,
    compare,
    estimate,
    evaluate,
    fit_exponent,
    interval,
)
from course_lib.steering.finding import find_vectors, from_latent, from_neurons, vector_at
from course_lib.steering.tokens import TokenRule
from course_lib.steering.vector import Shared, SteeringVector, shared_axis

__all__ = [
    "METHODS",
    "Act",
    "Action",
    "Behaviour",
    "ClampLatent",
    "DoseResponse",
    "Scores",
    "Shared",
    "SteeringReport",
    "SteeringVector",
    "TokenRule",
    "causal",
    "compare",
    "difference_of_means",
    "divergence",
    "dose_response",
    "estimate",
    "evaluate",
    "find_vectors",
    "fit_exponent",
    "from_latent",
    "from_neurons",
    "generate",
    "impossible",
    "interval",
    "k_means",
    "lda",
    "logistic",
    "plain_score",
    "random_like",
    "reading_vector",
    "reading_vector_of_pairs",
    "score",
    "share_interval",
    "shared_axis",
    "steer",
    "story_behaviour",
    "sweep",
    "vector_at",
]
