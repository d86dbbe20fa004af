"""Superposition: training toy models and measuring how features share dimensions.

`Trainer` trains a `ToyModel`; the measures take the weights `W [..., n_features, d_hidden]`;
`effective_features`, `participation_ratio` and `von_neumann_entropy` take activations or codes;
`analytic_losses` is the theory of two features in one dimension; `optimal_l2_attack` is the price;
`orthogonal_matching_pursuit` reads sparse codes back.
"""

from course_lib.superposition.attack import attack_gain, optimal_l2_attack, vulnerability
from course_lib.superposition.effective import (
    effective_features,
    participation_ratio,
    von_neumann_entropy,
)
from course_lib.superposition.measures import (
    REPRESENTED_NORM,
    dimensions_per_feature,
    feature_dimensionality,
    interference,
    mean_squared_overlap,
    mutual_coherence,
    represented_fraction,
    welch_bound,
)
from course_lib.superposition.phases import PHASES, analytic_losses, classify_phase
from course_lib.superposition.readback import orthogonal_matching_pursuit
from course_lib.superposition.training import Trainer, reconstruction_loss

__all__ = [
    "PHASES",
    "REPRESENTED_NORM",
    "Trainer",
    "analytic_losses",
    "attack_gain",
    "classify_phase",
    "dimensions_per_feature",
    "effective_features",
    "feature_dimensionality",
    "interference",
    "mean_squared_overlap",
    "mutual_coherence",
    "optimal_l2_attack",
    "orthogonal_matching_pursuit",
    "participation_ratio",
    "reconstruction_loss",
    "represented_fraction",
    "von_neumann_entropy",
    "vulnerability",
    "welch_bound",
]
