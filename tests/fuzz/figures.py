"""Right arguments of figures, where `valid.py` cannot make them from an annotation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from matplotlib.figure import Figure

from course_lib import sae
from course_lib.sae.front import Front

FIGURES: dict[str, Callable[[], Any]] = {
    "plots.dimensionality_strip.probability": lambda: torch.tensor([0.1, 0.2, 0.5, 1.0]),
    "plots.sae.seed_lines.ax": lambda: Figure().subplots(),
    "plots.sae.sweep.titles": lambda: ["title"],
    "plots.sae.sweep.ticks": lambda: [1.0, 2.0],
    "plots.sae.found_features.trainer": lambda: sae.Trainer(
        sae.TopKSAE(4, 5, 2), torch.ones(60, 4), steps=2, batch_size=6
    ),
    "plots.sae.firing_maps.rates": lambda: [torch.eye(3)] * 2,
    "plots.sae.histograms.n_bins": lambda: 5,
    "plots.scaling.losses_by_size.sizes": lambda: torch.tensor([2.0, 4.0, 8.0]),
    "plots.scaling.losses_by_size.loss": lambda: [{"a": 1 / torch.arange(1.0, 7).reshape(2, 3)}],
    "plots.scaling.losses_by_size.titles": lambda: ["title"],
    "plots.scaling.against_size.sizes": lambda: torch.arange(1.0, 7),
    "plots.measures.changes.titles": lambda: ["title"],
    "plots.steering.methods.rows": lambda: [
        {"source": "a", "strength": 1.0, "effect": (0.5, 0.2, 0.9), "random": 0.1}
    ],
    "plots.structure.cosine_maps.names": lambda: ["a", "b", "c"],
    "plots.structure.method_dots.groups": lambda: ["a", "b", "c", "d"],
    "plots.structure.tuning.cells": lambda: {"a": [{"lr": 0.1, "fvu": 0.5, "k": 2}]},
    "plots.structure.tuning.score": lambda: "fvu",
    "plots.structure.tuning.settings": lambda: {"a": ["k"]},
    "plots.steering.strength_by_layer.values": lambda: torch.tensor([[0.5, -2.0], [1.0, 3.0]]),
    "plots.latents.dose_maps.share": lambda: torch.ones(2, 3, 2),
    "plots.latents.dose_maps.acts": lambda: ["a", "b"],
    "plots.latents.dose_maps.groups": lambda: ["a", "b", "c"],
    "plots.latents.effects.rows": lambda: {
        "a": {"each": [1.0, 2.0], "mean": (1.5, 1.0, 2.0)},
        "random": {"each": [0.0], "mean": (0.0, -0.1, 0.1)},
    },
    "plots.latents.effects.random": lambda: "random",
    "plots.nonlinear.circles.names": lambda: [["Mon", "Tue", "Wed", "Thu"]] * 2,
    "plots.nonlinear.success_dots.panels": lambda: {"a": {"one": 0.5, "many": [0.1, 0.2]}},
    "plots.nonlinear.success_dots.chance": lambda: {"a": 0.1},
    "plots.nonlinear.by_place.ylabels": lambda: ["share"],
    "plots.nonlinear.agreement_lines.maps": lambda: ["a", "b", "c", "d"],
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
