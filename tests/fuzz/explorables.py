"""Right arguments of moving pictures, where `valid.py` cannot make them from an annotation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import causal, sae, widgets

NAMES = ["Mon", "Tue", "Wed"]
PAIR = ["one", "two"]


def counts(*shape: int) -> Tensor:
    """Numbers from 0 to 1, all different."""
    n = torch.Size(shape).numel()
    return (torch.arange(1.0, n + 1) / (n + 1)).reshape(shape)


def angles(*shape: int) -> Tensor:
    """Unit vectors in the plane, in three coordinates."""
    angle = 3 * counts(*shape)
    return torch.stack([angle.cos(), angle.sin(), 0 * angle], dim=-1)


def front() -> sae.Front:
    return sae.Front(*[counts(2, 3)] * 8)


def rewritten() -> widgets.Rewritten:
    return widgets.Rewritten(PAIR, counts(2, 3, 2, 2), counts(2, 3, 2, 2), NAMES, counts(2, 3, 3))


def strip() -> widgets.Strip:
    return widgets.Strip("drink", counts(4, 8), counts(4, 8) > 0.5, [["word"] * 8] * 4)


class Run:
    """What can be watched: a trainer that is at its end."""

    step = steps = 1

    def fit(self, until: int | None = None) -> None:
        pass


ANY: dict[str, dict[str, Callable[[], Any]]] = {
    "Slider": {"shown": lambda: PAIR, "start": lambda: 1},
    "Setting": {"values": lambda: [1, 2], "start": lambda: 1},
    "Strip": {
        "values": lambda: counts(4, 8),
        "words": lambda: [["word"] * 8] * 4,
    },
    "board_explorable": {
        "boards": lambda: torch.tensor([[0, 1, 2, 2], [2, 2, 1, 0]]),
        "before": lambda: counts(2, 4),
        "legal": lambda: counts(2, 4) > 0.5,
        "legal_after": lambda: counts(2, 4, 2, 4) > 0.5,
        "laws": lambda: counts(2, 2, 2, 2, 4, 2, 4),
        "names": lambda: ["a1", "a2", "b1", "b2"],
        **{name: lambda: PAIR for name in ("positions", "depths", "vectors", "strengths")},
        "start": lambda: (1, 0, 1, 0, 3, 1),
    },
    "coordinates_explorable": {
        "vocabularies": lambda: {"model": rewritten(), "planted": rewritten()},
        "kappas": lambda: [1, 2.0, 4.0],
        "start": lambda: 1,
    },
    "day_circle_explorable": {
        "answers": lambda: counts(3, 2, 4, 3) / 3,
        "radii": lambda: torch.tensor([0.5, 1.0]),
        "names": lambda: NAMES,
        "start": lambda: (1, 1, 2),
    },
    "directions_explorable": {
        "arrangements": lambda: {name: angles(2, 2, 3) for name in PAIR},
        "start": lambda: (1, 0, 1, 1),
    },
    "explorable": {
        "script": lambda: "toy_model.js",
        "style": lambda: "board.css",
        "sliders": lambda: [widgets.Slider("Size", PAIR)],
        "data": lambda: {"numbers": [1, 2]},
        "start_table": lambda: [["size", "loss"], ["one", "0.5"]],
    },
    "latent_dashboard": {
        "tokens": lambda: torch.arange(12).reshape(2, 6) % 5,
        "vocabulary": lambda: ["a", "b", "c", "d", "e"],
        "z": lambda: counts(2, 6, 3),
        "logit_effect": lambda: counts(3, 5),
        "labels": lambda: ["", "verb", "noun"],
        "f1": lambda: counts(3),
        "start": lambda: 1,
    },
    "matching_pursuit_explorable": {
        "features": lambda: counts(3, 3),
        "planted": lambda: torch.eye(3, 4),
        "dictionaries": lambda: {name: (torch.eye(3, 4), torch.zeros(4)) for name in PAIR},
        "steps": lambda: 2,
        "start": lambda: (1, 1, 2),
    },
    "measures_explorable": {
        "stored": lambda: counts(2, 3, 2),
        "measured": lambda: {name: counts(2, 2, 3, 2) for name in PAIR},
        "fvu": lambda: counts(2, 2, 3, 2),
        "probabilities": lambda: [0.1, 0.2],
        "per_dimension": lambda: [2, 4],
        "start": lambda: (1, 1),
    },
    "pareto_explorable": {
        "fronts": lambda: {world: {name: front() for name in PAIR} for world in ("flat", "tree")},
        "true_l0": lambda: [1, 2.0],
        "absorption": lambda: {"tree": {name: counts(2, 3) for name in PAIR}},
        "start": lambda: (1, 1, 1),
    },
    "patch_direction_explorable": {
        "model": causal.ThreeNeurons,
        "landings": lambda: counts(4, 3),
        "start": lambda: (1, 1),
    },
    "probe_map_explorable": {
        "scores": lambda: {name: {kind: counts(2, 3) for kind in PAIR} for name in NAMES},
        "layers": lambda: PAIR,
        "tokens": lambda: NAMES,
        "break_at": lambda: 1,
        "start": lambda: (1, 1),
    },
    "quantile_strip_explorable": {
        "strips": lambda: {name: strip() for name in PAIR},
        "start": lambda: (1, 4),
    },
    "sae_encoder_explorable": {
        "planted": lambda: torch.tensor([0.0, 0.5, 1.0]),
        "pre": lambda: counts(2, 3),
        "line": lambda: counts(2, 2),
        "l1_coefficients": lambda: [0.1, 0.4],
        "bias_shifts": lambda: [-0.5, 0, 0.5],
        "start": lambda: (1, 2),
    },
    "scaling_law_explorable": {
        "laws": lambda: PAIR,
        "decays": lambda: [-1.0, 1],
        "sizes": lambda: [2, 3, 4],
        "loss": lambda: counts(2, 2, 3),
        "W": lambda: [counts(2, 2, 5, size) for size in (2, 3, 4)],
        "p": lambda: counts(2, 5),
        "start": lambda: (1, 1, 2),
    },
    "steering_map_explorable": {
        **{
            kind: lambda: {name: counts(2, 3) for name in PAIR}
            for kind in ("effect", "kl", "forbidden")
        },
        "texts": lambda: {name: [["it rains"] * 3] * 2 for name in PAIR},
        "layers": lambda: PAIR,
        "strengths": lambda: NAMES,
        "start": lambda: (1, 2, 1, 2),
    },
    "superdiff_explorable": {
        "paths": lambda: counts(2, 2, 3, 6, 2),
        "times": lambda: [1, 0.5, 0.0],
        "ways": lambda: PAIR,
        "means": lambda: counts(2, 3, 2),
        "stds": lambda: [(0.3, 0.3), (0.3, 0.6)],
        "start": lambda: (1, 1, 1),
    },
    "toy_model_explorable": {
        "W": lambda: counts(2, 3, 5, 2),
        "b_dec": lambda: counts(2, 3, 5),
        "probabilities": lambda: [0.1, 1],
        "importance_decays": lambda: [0.5, 0.7, 1],
        "loss": lambda: counts(2, 3),
        "start": lambda: (1, 2),
    },
    "watch": {
        "fresh": lambda: lambda **values: Run(),
        "draw": lambda: lambda trainer: Figure(),
        "settings": lambda: {"p": widgets.Setting("p", [1, 2])},
    },
}  # fmt: skip
EXPLORABLES: dict[str, Callable[[], Any]] = {
    f"widgets.{subject}.{parameter}": make
    for subject, makers in ANY.items()
    for parameter, make in makers.items()
}
