"""Superposition: training toy models and measuring how features share dimensions.

`Trainer` trains a `ToyModel`; the measures take the weights `W [..., n_features, d_hidden]`;
`effective_features`, `participation_ratio` and `von_neumann_entropy` take activations or codes;
`analytic_losses` is the theory of two features in one dimension; `optimal_l2_attack` is the price;
`orthogonal_matching_pursuit` and `ista` read sparse codes back, `monotonicity_violations` says
whether a network can lower an output by raising an input; `signed_decay_` sets how much is shared
and `fit_power_law` says how the loss falls with size.

What goes by the same name elsewhere: `SDRMemory`, `UnifiedEmbedding`, and `superdiff_sample` on
exact scores (`GaussianMixtureScore`).
"""

from course_lib.superposition.attack import attack_gain, optimal_l2_attack, vulnerability
from course_lib.superposition.decay import signed_decay_
from course_lib.superposition.diffusion import GaussianMixtureScore, noise_rate, signal
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
    unrepresented_mass,
    welch_bound,
)
from course_lib.superposition.monotone import monotonicity_violations
from course_lib.superposition.phases import PHASES, analytic_losses, classify_phase
from course_lib.superposition.readback import (
    ista,
    l1_transition,
    orthogonal_matching_pursuit,
)
from course_lib.superposition.scaling import PowerLaw, fit_power_law
from course_lib.superposition.sdr_memory import SDRMemory, code_overlap
from course_lib.superposition.superdiff import (
    SuperDiffSample,
    and_weights,
    ito_increment,
    superdiff_sample,
)
from course_lib.superposition.training import Trainer, reconstruction_loss
from course_lib.superposition.unified_embedding import (
    ClickModel,
    Collisions,
    UnifiedEmbedding,
)

__all__ = [
    "PHASES",
    "REPRESENTED_NORM",
    "ClickModel",
    "Collisions",
    "GaussianMixtureScore",
    "PowerLaw",
    "SDRMemory",
    "SuperDiffSample",
    "Trainer",
    "UnifiedEmbedding",
    "analytic_losses",
    "and_weights",
    "attack_gain",
    "classify_phase",
    "code_overlap",
    "dimensions_per_feature",
    "effective_features",
    "feature_dimensionality",
    "fit_power_law",
    "interference",
    "ista",
    "ito_increment",
    "l1_transition",
    "mean_squared_overlap",
    "monotonicity_violations",
    "mutual_coherence",
    "noise_rate",
    "optimal_l2_attack",
    "orthogonal_matching_pursuit",
    "participation_ratio",
    "reconstruction_loss",
    "represented_fraction",
    "signal",
    "signed_decay_",
    "superdiff_sample",
    "unrepresented_mass",
    "von_neumann_entropy",
    "vulnerability",
    "welch_bound",
]
