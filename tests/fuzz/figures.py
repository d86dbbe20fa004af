"""Right arguments of figures, where `valid.py` cannot make them from an annotation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from course_lib.sae.front import Front

FIGURES: dict[str, Callable[[], Any]] = {
    "plots.dimensionality_strip.probability": lambda: torch.tensor([0.1, 0.2, 0.5, 1.0]),
    "plots.causal.recovered_map.rows": lambda: list("abcdef"),
    "plots.causal.recovered_map.columns": lambda: list("abcd"),
    "plots.causal.landings.effect": lambda: lambda direction: direction[..., 0],
    "plots.directions.cosine_histograms.cosines": lambda: {2: torch.tensor([0.5, -0.3, 1.0])},
    "plots.directions.packing_curves.sizes": lambda: [4, 6, 8],
    "plots.directions.packing_curves.coherence": lambda: {"packed": torch.full((3, 2), 0.6)},
    "plots.directions.packing_curves.bound": lambda: [0.3, 0.4, 0.5],
    "plots.directions.readout_curves.ks": lambda: [1, 2, 3, 4],
    "plots.directions.transition_map.dimensions_per_feature": lambda: [0.1, 0.2, 0.3, 0.4, 0.5, 1],
    "plots.directions.transition_map.active_per_dimension": lambda: [0.1, 0.2, 0.3, 0.4],
    "plots.directions.transition_map.lines": lambda: {"theory": [0.1, 0.2, 0.2, 0.2, 0.3, 0.3]},
    "plots.elsewhere.particles.stds": lambda: [0.2, 0.3, 0.4, 0.5],
    "plots.family.fronts.architectures": lambda: {"A": Front(*torch.ones(8, 2, 3))},
    "plots.family.fronts.measures": lambda: {"fvu": "FVU", "found": "share found"},
    "plots.family.activity.counts": lambda: [0, 1, 2, 3],
    "plots.family.thresholds.values": lambda: {"A": torch.tensor([0.1, 0.5, 0.2])},
    "plots.family.thresholds.start": lambda: 0.1,
    "plots.family.dolls.prefixes": lambda: {"A": [1, 2]},
    "plots.family.dolls.fvu": lambda: {"A": torch.tensor([[0.5, 0.6], [0.2, 0.3]])},
    "plots.family.absorption.labels": lambda: list("abcd"),
    "plots.family.ranking.fvu": lambda: {"A": torch.full((2, 3), 0.5), "B": torch.ones(2, 3)},
    "plots.family.ranking.worlds": lambda: ["one", "other"],
    "plots.geometry.cosine_tables.names": lambda: list("abcdef"),
    "plots.geometry.spreads.x": lambda: [1.0, 2.0, 3.0, 4.0],
    "plots.boards.board_row.laws": lambda: torch.full((6, 4), 0.25),
    "plots.boards.board_row.titles": lambda: list("abcdef"),
}
