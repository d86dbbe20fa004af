"""What a chapter's baselines were tuned over: every cell that was tried, stored with its hash."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from course_lib.claims.core import digest


def path_of(chapter: str) -> Path:
    """Where the tuning of a chapter is stored."""
    return Path(str(files("course_lib.claims"))) / "tuning" / f"{chapter}.json"


def stored_tuning(chapter: str) -> dict[str, dict[str, Any]]:
    """By architecture: "cells", a dict of settings and score for each that was tried, and "best".

    Raises FileNotFoundError for a chapter without one, ValueError when the file does not have the
    hash it was stored with.
    """
    content = json.loads(path_of(chapter).read_text(encoding="utf-8"))
    if content["sha256"] != digest(content["tuning"]):
        raise ValueError(
            f"course_lib/claims/tuning/{chapter}.json was changed after it was stored: its hash is "
            f"not the one it carries. Make it again: python -m tools.tuning_{chapter[3:]}"
        )
    return content["tuning"]
