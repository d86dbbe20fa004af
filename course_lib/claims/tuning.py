"""What a chapter's baselines were tuned over: every cell that was tried, stored with its hash."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from course_lib import validate
from course_lib.claims.core import stored_part


def path_of(chapter: str) -> Path:
    """Where the tuning of a chapter is stored."""
    return Path(str(files("course_lib.claims"))) / "tuning" / f"{chapter}.json"


def stored_tuning(chapter: str) -> dict[str, dict[str, Any]]:
    """By architecture: "cells", a dict of settings and score for each that was tried, and "best".

    Raises FileNotFoundError for a chapter without one, ValueError as `stored_part` does.
    """
    there = sorted(file.stem for file in path_of("").parent.glob("*.json"))
    if validate.text("chapter", chapter) not in there:
        raise FileNotFoundError(
            f"chapter is {chapter[:80]!r}; tuning is stored for {', '.join(there)} alone."
        )
    return stored_part(path_of(chapter), "tuning", f"python -m tools.tuning_{chapter[3:]}")
