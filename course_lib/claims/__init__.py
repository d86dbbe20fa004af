"""Claims: what a paper states, what this run measures, and the band that many seeds allow.

A notebook calls `claim(...)` where it reaches a result. The call shows a card, and raises
`ClaimFailed` when the value has left the band of the stored runs. The bands are made by
`tools/bands.py`, which runs the same notebook with many seeds; the ledger page of the book collects
the cards. `runs_table` is what a chapter says of its claims at the end, and `stored_tuning` what
its architectures were tuned over.
"""

from course_lib.claims.card import runs_table
from course_lib.claims.core import Claim, ClaimFailed, StoredRuns, claim, stored_runs
from course_lib.claims.tuning import stored_tuning

__all__ = [
    "Claim",
    "ClaimFailed",
    "StoredRuns",
    "claim",
    "runs_table",
    "stored_runs",
    "stored_tuning",
]
