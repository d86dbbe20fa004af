"""Right arguments of moving pictures, where `valid.py` cannot make them from an annotation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

EXPLORABLES: dict[str, Callable[[], Any]] = {
    "widgets.day_circle_explorable.names": lambda: ["Mon", "Tue", "Wed"],
}
