"""Right arguments of figures, where `valid.py` cannot make them from an annotation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

FIGURES: dict[str, Callable[[], Any]] = {
    "plots.dimensionality_strip.probability": lambda: torch.tensor([0.1, 0.2, 0.5, 1.0]),
    "plots.phase_maps.probability": lambda: torch.tensor([0.1, 0.2]),
    "plots.phase_maps.importance": lambda: torch.tensor([0.1, 1.0, 2.0]),
    "plots.phase_maps.phases": lambda: [torch.tensor([[0, 1, 2], [-1, 0, 1]])],
    "plots.phase_maps.titles": lambda: ["trained"],
    "plots.probes.score_dots.chance": lambda: 0.5,
    "plots.probes.score_dots.limits": lambda: (0.4, 1.02),
    "plots.probes.curves.ylim": lambda: (0, 1.02),
    "plots.probes.site_maps.maps": lambda: {"one": torch.eye(2, 3)},
    "plots.probes.site_maps.sites": lambda: ["low", "high"],
    "plots.probes.site_maps.positions": lambda: ["a", "b", "c"],
    "plots.probes.curves.x": lambda: [1, 2.0, 4.0],
    "plots.probes.curves.panels": lambda: {"one": {"trained": torch.eye(3, 2)}},
    "plots.probes.curves.ticks": lambda: ["1", "2", "4"],
    "plots.probes.predicted_places.panels": lambda: {
        "one": (torch.eye(3, 2), torch.arange(6) < 3),
    },
    "plots.transformer.head_families.families": lambda: ["tense", "topic"],
    "plots.transformer.head_families.counts": lambda: torch.tensor([[0, 2], [3, 1], [1, 1]]),
    "plots.transformer.source_bars.by_head": lambda: torch.eye(2, 3),
    "plots.transformer.source_bars.tokens": lambda: ["a", "b", "c"],
}
