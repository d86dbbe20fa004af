"""Tune the probes of the chapter "World models" on games that it never reads.

    python -m tools.tuning_world_models          # about ten minutes on one quiet core

For each training of the torus game and one untrained network, after each block and for both
questions, linear probes get three penalties and MLP probes two widths. The score is the share of
the held-out stones that a probe names, a mean over the cells.

Stored in course_lib/claims/tuning/14_world_models.json with its hash.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from course_lib import models, runtime
from course_lib.activations import read
from course_lib.probes import board_reading, group_split, probe
from tools.tuning import store

CHAPTER = "14_world_models"
SEED = 1_000_000  # the chapter's seeds are below this
NAMES = ("torus", "torus_1", "torus_2")
BLOCKS = (0, 1)
QUESTIONS = ("black or white", "mine or theirs")
CELLS = [0, 12]
GRID: dict[str, tuple[str, str, tuple[float, ...]]] = {
    "linear": ("logistic", "C", (1.0, 10.0, 100.0)),
    "MLP": ("mlp", "hidden", (16, 32)),
}


def cells_of(x: Tensor, y: Tensor, groups: Tensor, kind: str) -> dict[str, list[dict[str, Any]]]:
    """Of each question, every setting that was tried with its score."""
    method, name, values = GRID[kind]
    tried: dict[str, list[dict[str, Any]]] = {question: [] for question in QUESTIONS}
    for value in values:
        found = probe(
            x.double() if method == "logistic" else x,
            y,
            method,
            split=group_split(groups, seed=SEED),
            seed=SEED,
            **{name: value},
        )
        occupied = board_reading.board_accuracy(found).occupied.mean(-1)
        for k, question in enumerate(QUESTIONS):
            cell = {name: value, "occupied": round(occupied[k].item(), 4)}
            if method == "mlp":
                cell["steps"] = int(found.readout.steps[k].max())
            tried[question].append(cell)
    return tried


def tune(n_games: int = 1600) -> dict[str, dict[str, Any]]:
    """What was tried for each network, depth, question and kind of probe, and the best."""
    world = models.card(NAMES[0]).make_world()
    tokens = world.sample(n_games, runtime.generator(SEED)).tokens[:, :-1]
    play = world.replay(tokens)
    boards_of = (play.board, play.relative)
    y = torch.stack([board.long().flatten(0, 1).T[CELLS] for board in boards_of])
    groups = torch.arange(n_games).repeat_interleave(tokens.shape[1])
    nets = {name: models.load(name) for name in NAMES}
    nets["untrained"] = models.GPT(nets[NAMES[0]].config, seed=SEED)
    tuning: dict[str, dict[str, Any]] = {}
    jobs = [(name, block, kind) for name in nets for block in BLOCKS for kind in GRID]
    for name, block, kind in tqdm(jobs):
        x = read(nets[name], f"blocks.{block}.resid_post", tokens).flatten(0, 1)
        x = x / x.std()  # an untrained network's are small, and C depends on their size
        for question, cells in cells_of(x, y, groups, kind).items():
            best = max(cells, key=lambda cell: cell["occupied"])
            tuning[f"{name}, block {block}, {question}, {kind}"] = {"cells": cells, "best": best}
    return tuning


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(f"stored in {store(CHAPTER, tune())}")
