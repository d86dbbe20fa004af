"""Right arguments of figures, where `valid.py` cannot make them from an annotation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

FIGURES: dict[str, Callable[[], Any]] = {
    "plots.dimensionality_strip.probability": lambda: torch.tensor([0.1, 0.2, 0.5, 1.0]),
}
