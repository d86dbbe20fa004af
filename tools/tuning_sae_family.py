"""Tune every architecture of the chapter "The SAE family" on worlds that the chapter never sees.

    python -m tools.tuning_sae_family              # about ten minutes on one quiet core
    python -m tools.tuning_sae_family TopK ReLU    # some of them, the others stay as stored

Every choice of an architecture's own is tried with learning rates from FIRST_RATE up, doubled until
PATIENCE doublings in a row have not helped. A cell trains seeds times
sparsities side by side, as the chapter does, and is scored by its fraction of variance unexplained
at the sparsities of SCORED, read off its front. Stored in
course_lib/claims/tuning/07_sae_family.json with its hash.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable

import torch
from tqdm import tqdm

from course_lib import runtime
from course_lib.claims import stored_tuning
from course_lib.data import PlantedActivations, SparseFeatures, random_dictionary
from course_lib.sae import (
    BatchTopKSAE,
    GatedSAE,
    JumpReLUSAE,
    MatryoshkaSAE,
    PAnnealSAE,
    ReLUSAE,
    TopKSAE,
)
from course_lib.sae.front import score_front, train_front
from tools.tuning import store

CHAPTER = "07_sae_family"
D_IN, N_FEATURES, D_SAE, PROBABILITY = 20, 32, 40, 1 / 16
SPARSITIES, SCORED = (1, 2, 3, 4), (1.5, 2.0, 3.0)
FIRST_RATE, PATIENCE = 0.01, 2
SEEDS, STEPS, BATCH = 2, 600, 256
WORLDS = (1000, 1001)  # seeds; the chapter's are below

ARCHITECTURES: dict[str, tuple[type, dict[str, tuple]]] = {
    "ReLU": (ReLUSAE, {"decoder_norm": ("free", "unit")}),
    "Gated": (GatedSAE, {"decoder_norm": ("free", "unit")}),
    "TopK": (TopKSAE, {"aux_k": (0, 10)}),
    "BatchTopK": (BatchTopKSAE, {"aux_k": (0, 10)}),
    "JumpReLU": (JumpReLUSAE, {"bandwidth": (0.1, 0.3, 1.0, 2.0)}),
    "p-anneal": (PAnnealSAE, {"p_end": (0.2, 0.5), "anneal_start": (0.2, 0.5)}),
    "Matryoshka": (MatryoshkaSAE, {"prefixes": ([5, 10, 20, 40], [10, 20, 40], [20, 40])}),
}


def score(architecture: type, settings: dict, seed: int) -> float:
    """Mean log FVU over SCORED and over initial weights, on one world."""
    dictionary = random_dictionary(N_FEATURES, D_IN, runtime.generator(seed))
    law = SparseFeatures(N_FEATURES, PROBABILITY, low=0.25, high=1.25)
    world = PlantedActivations(law, dictionary, noise=0.03)
    saes = train_front(
        architecture, D_IN, D_SAE, world, SPARSITIES, n_seeds=SEEDS, seed=seed, steps=STEPS,
        batch_size=BATCH, **settings,
    )  # fmt: skip
    x, features = world.sample_with_features(8192, runtime.generator(seed + 1))
    front = score_front(saes, x, features, dictionary)
    return torch.stack([front.at("fvu", sparsity).log() for sparsity in SCORED]).mean().item()


def tune(name: str, tick: Callable[[], object]) -> dict:
    """All cells of one architecture, and the best."""
    architecture, choices = ARCHITECTURES[name]
    cells = []
    for values in itertools.product(*choices.values()):
        settings, tried = dict(zip(choices, values, strict=True)), []
        while len(tried) <= PATIENCE or min(tried[:-PATIENCE]) > min(tried[-PATIENCE:]):
            settings["lr"] = FIRST_RATE * 2 ** len(tried)
            scores = torch.tensor([score(architecture, settings, seed) for seed in WORLDS])
            tried.append(round(scores.mean().exp().item(), 4))
            cells.append(settings | {"fvu": tried[-1]})
            tick()
    return {"cells": cells, "best": min(cells, key=lambda cell: cell["fvu"])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(ARCHITECTURES)}")
    names = parser.parse_args().names or list(ARCHITECTURES)
    if unknown := set(names) - set(ARCHITECTURES):
        parser.error(f"no architecture {', '.join(unknown)}; there are {', '.join(ARCHITECTURES)}")
    torch.set_num_threads(1)
    stored = stored_tuning(CHAPTER) if len(names) < len(ARCHITECTURES) else {}
    with tqdm(unit=" cells") as bar:
        for name in names:
            stored[name] = tune(name, bar.update)
            tuning = {name: stored[name] for name in ARCHITECTURES if name in stored}
            path = store(CHAPTER, tuning)
    print(path)


if __name__ == "__main__":
    main()
