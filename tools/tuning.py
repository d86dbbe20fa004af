"""Store what a chapter's architectures were tuned over, with its hash.

`tools.tuning_<chapter>` tries the cells; `course_lib.claims.stored_tuning` gives them to the book.
"""

from __future__ import annotations

import json
import platform
from datetime import date
from pathlib import Path
from typing import Any

import torch

from course_lib import runtime
from course_lib.claims.core import digest
from course_lib.claims.tuning import path_of


def store(chapter: str, tuning: dict[str, dict[str, Any]]) -> Path:
    """Write `tuning`, by architecture "cells" and "best", and say where."""
    made = {"torch": torch.__version__, "machine": platform.machine(), "date": str(date.today())}
    content = made | {"tuning": tuning, "sha256": digest(tuning), "version": 1}
    path = path_of(chapter)
    runtime.write_file(path, json.dumps(content, indent=1, sort_keys=True) + "\n")
    return path
