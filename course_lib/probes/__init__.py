"""Probes: what can be read from activations, and the controls that say what that is worth.

`probe(x, y, method)` is the entry: x are activations [..., n, d_model], y labels [..., n], and all
leading axes (sites, positions, labels, seeds) are one batched solve. It gives a `ProbeResult`,
which holds numbers of held-out rows only. A `Split` says which: `random_split`, `group_split`,
`block_split`; `stack_splits` makes seeds an axis. `fit` gives the read-outs alone, `score` judges
them, `log_prob` is what they say in nats.

Beside accuracy: `control_task` (labels for selectivity), `code_length` (online coding),
`v_information` and `feature_complexity`; `inlp` and `leace` take a concept out, `Moments` is leace
batch by batch; `ccs` and `contrast_pca` need no labels; `subspace_angles` compares read-outs;
`kernel_analysis` counts the directions that a task needs. `boards` edits the board that a model
keeps and scores the moves it then plays, `edits` holds the vectors and gradients to do it with.
"""

from course_lib.probes.angles import subspace_angles
from course_lib.probes.ccs import ContrastProbe, ccs, contrast_pca
from course_lib.probes.coding import CodeLength, code_length
from course_lib.probes.control import control_task
from course_lib.probes.information import VInformation, feature_complexity, v_information
from course_lib.probes.inlp import INLP, inlp
from course_lib.probes.kernel import kernel_analysis
from course_lib.probes.leace import Leace, Moments, leace
from course_lib.probes.probe import fit, probe, shuffled
from course_lib.probes.readouts import MLP, Linear, log_prob
from course_lib.probes.result import ProbeResult, score
from course_lib.probes.splits import Split, block_split, group_split, random_split, stack_splits

__all__ = [
    "INLP",
    "MLP",
    "CodeLength",
    "ContrastProbe",
    "Leace",
    "Linear",
    "Moments",
    "ProbeResult",
    "Split",
    "VInformation",
    "block_split",
    "ccs",
    "code_length",
    "contrast_pca",
    "control_task",
    "feature_complexity",
    "fit",
    "group_split",
    "inlp",
    "kernel_analysis",
    "leace",
    "log_prob",
    "probe",
    "random_split",
    "score",
    "shuffled",
    "stack_splits",
    "subspace_angles",
    "v_information",
]
