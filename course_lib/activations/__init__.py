"""Activations of any model: read them, change them, and keep many of them.

`record` and `intervene` act on any `nn.Module` while it runs, by the path of a module or, for
transformers, by a standard name such as "blocks.3.resid_post"; `read` is the short form.
`harvest` fills a `Store` with what a model computes for many tokens, in memory or in files.
"""

from course_lib.activations.harvest import harvest
from course_lib.activations.hooks import Recording, intervene, read, record
from course_lib.activations.interventions import (
    Ablate,
    Add,
    Clamp,
    Patch,
    ProjectOut,
    ReplaceSubspace,
    Splice,
)
from course_lib.activations.sites import Site, find, n_blocks
from course_lib.activations.store import Store

__all__ = [
    "Ablate",
    "Add",
    "Clamp",
    "Patch",
    "ProjectOut",
    "Recording",
    "ReplaceSubspace",
    "Site",
    "Splice",
    "Store",
    "find",
    "harvest",
    "intervene",
    "n_blocks",
    "read",
    "record",
]
