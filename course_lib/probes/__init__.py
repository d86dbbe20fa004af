"""Probes: what can be read from activations, and the controls that say what that is worth.

`probe(x, y, method)` is the entry: x are activations [..., n, d_model], y labels [..., n], and all
leading axes (sites, positions, labels, seeds) are one batched solve. It gives a `ProbeResult`,
which holds numbers of held-out rows only. A `Split` says which: `random_split`, `group_split`,
`block_split`; `stack_splits` makes seeds an axis. `fit` gives the read-outs alone, `score` judges
them, `log_prob` is what they say in nats.
"""

from course_lib.probes.probe import fit, probe, shuffled
from course_lib.probes.readouts import MLP, Linear, log_prob
from course_lib.probes.result import ProbeResult, score
from course_lib.probes.splits import Split, block_split, group_split, random_split, stack_splits

__all__ = [
    "MLP",
    "Linear",
    "ProbeResult",
    "Split",
    "block_split",
    "fit",
    "group_split",
    "log_prob",
    "probe",
    "random_split",
    "score",
    "shuffled",
    "stack_splits",
]
