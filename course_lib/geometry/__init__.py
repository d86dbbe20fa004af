"""Directions in space: sets of unit rows, and how far apart they can be pushed.

`spread` packs directions by optimisation; `mutual_coherence` and `welch_bound`, which judge the
result, are among the measures of `course_lib.superposition`.
"""

from course_lib.geometry.packing import spread, unit_rows

__all__ = ["spread", "unit_rows"]
