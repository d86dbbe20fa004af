"""Tune every method of the chapter "Beyond flat dictionaries" on worlds that it never sees.

    python -m tools.tuning_beyond_flat          # about ten minutes on one quiet core

Every method gets the same learning rates times its own choices, over SEEDS worlds, and is given the
cell that flatters it most on what its part of the chapter measures:

* tree: the mean cosine of a planted direction with the latent matched to it;
* views: the share of concepts with one best latent for both views. Only cells with at most SPARSE
  active latents count, and of these such as rebuild nearly as well as any (lowest FVU times SLACK);
* functions: the FVU.

Stored in course_lib/claims/tuning/08_beyond_flat.json with its hash.
"""

from __future__ import annotations

import itertools
import json
import platform
import time
from datetime import date

import torch
from torch import Tensor
from tqdm import tqdm

from course_lib import runtime
from course_lib.claims.core import digest
from course_lib.claims.tuning import path_of
from course_lib.data import (
    HierarchicalFeatures,
    PairedViews,
    PlantedActivations,
    PlantedFunctions,
    SparseFeatures,
    tree_dictionary,
)
from course_lib.sae import (
    SAE,
    BatchTopKSAE,
    GroupSparseSAE,
    MatchingPursuitSAE,
    MatryoshkaSAE,
    ReLUSAE,
    SpectralSAE,
    TopKSAE,
    Trainer,
    absorption,
    dead_share,
    fvu,
    l0,
    match,
    retrieval_at_k,
    same_latent,
)

CHAPTER = "08_beyond_flat"
FIRST_WORLD = 1000  # the chapter's worlds have seeds below this
SEEDS, BATCH = 3, 256
SLACK = 1.25

TREE_STEPS, TREE_RATES, TREE_L0 = 600, (0.003, 0.01, 0.03, 0.06, 0.1), 1.36
SIBLINGS = (0.1, 0.4)
TREE = HierarchicalFeatures()
PREFIXES = ([11, 20], [4, 8, 12, 16, 20])
METHODS = {
    "ReLU + L1": (ReLUSAE, {"decoder_norm": ("free", "unit")}),
    "TopK": (TopKSAE, {"k": (1, 2, 3)}),
    "BatchTopK": (BatchTopKSAE, {"k": (1, TREE_L0, 2)}),
    "Matryoshka": (MatryoshkaSAE, {"k": (TREE_L0, 2), "prefixes": PREFIXES}),
    "matching pursuit": (MatchingPursuitSAE, {"steps": (2, 3, 4), "tol": (0.05,)}),
}

VIEW_STEPS, VIEW_RATES = 1000, (0.003, 0.01, 0.03)
N_CONCEPTS, ACTIVE = 32, 3
SPARSE = 2 * ACTIVE
CONCEPTS = SparseFeatures(N_CONCEPTS, ACTIVE / N_CONCEPTS, low=0.5, high=1.5)
WEIGHTS = (0.05, 0.15, 0.3, 0.6)
PENALTIES = {  # l1_coefficient, group_coefficient, mask_prob
    "L1": [(weight, 0.0, 0.0) for weight in WEIGHTS],
    "group": [(0.0, weight, 0.0) for weight in (*WEIGHTS, 1.2)],
    "mask": [(weight, 0.0, 0.5) for weight in WEIGHTS],
    "group + mask": [
        (weight, group, p) for weight in WEIGHTS for group in (0.15, 0.3, 0.6) for p in (0.2, 0.5)
    ],
}
SIZES = (32, 48, 64, 96, 128)

FUNCTION_STEPS, FUNCTION_RATES = 300, (0.003, 0.01, 0.03, 0.1)
LIFTS = (None, 4, 16)


class Worlds:
    """Several worlds, one for each group of `repeats` instances."""

    def __init__(self, worlds: list, repeats: int = 1) -> None:
        self.worlds, self.repeats = worlds, repeats

    def sample(self, batch_size: int, generator: torch.Generator) -> Tensor:
        drawn = torch.stack([world.sample(batch_size, generator) for world in self.worlds])
        return drawn.repeat_interleave(self.repeats, dim=0)


class Unpaired(Worlds):
    """The two views of a pair as two inputs."""

    def sample(self, batch_size: int, generator: torch.Generator) -> Tensor:
        return super().sample(batch_size // 2, generator).flatten(1, 2)


def grid(choices: dict[str, tuple]) -> list[dict]:
    return [dict(zip(choices, v, strict=True)) for v in itertools.product(*choices.values())]


def fit(sae: SAE, worlds: Worlds, lr: float, steps: int, **settings) -> dict[str, Tensor]:
    """Train with the chapter's recipe; history."""
    settings = {"batch_size": BATCH, "dead_after": 20 * BATCH, "seed": FIRST_WORLD} | settings
    return Trainer(sae, worlds, steps=steps, lr=lr, **settings).fit()[0]


def rounded(score: dict[str, float]) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in score.items()}


# --- tree ---------------------------------------------------------------------------------------


def tree_worlds() -> list[PlantedActivations]:
    seeds = range(FIRST_WORLD, FIRST_WORLD + SEEDS)
    return [
        PlantedActivations(TREE, tree_dictionary(TREE.parent, 20, c, runtime.generator(seed)))
        for c in SIBLINGS
        for seed in seeds
    ]


@torch.no_grad()
def tree_score(sae: SAE, worlds: list[PlantedActivations]) -> dict[str, float]:
    rows = []
    for index, world in enumerate(worlds):
        one = sae.instance(index).eval()
        x, features = world.sample_with_features(4096, runtime.generator(FIRST_WORLD))
        z = one.encode(x)
        found = absorption(z, features, one.W_dec, world.dictionary, TREE.parent)
        cosine = match(one.W_dec, world.dictionary).cosine.mean()
        edge, fires = found.cosine.mean(), found.parent_fires.mean()
        rows.append([cosine, edge, fires, l0(z), fvu(x, one.decode(z))])
    means = torch.tensor(rows).mean(dim=0).tolist()
    return dict(zip(("found", "parent_child", "parent_fires", "l0", "fvu"), means, strict=True))


def tune_tree(method: str, tick) -> dict:
    kind, choices = METHODS[method]
    worlds, cells = tree_worlds(), []
    for choice in grid(choices):
        for lr in TREE_RATES:
            sae = kind(20, 20, **choice, n_instances=len(worlds), seed=FIRST_WORLD)
            target = TREE_L0 if kind is ReLUSAE else None
            start = time.process_time()
            fit(sae, Worlds(worlds), lr, TREE_STEPS, target_l0=target)
            seconds = time.process_time() - start
            score = rounded(tree_score(sae, worlds) | {"cpu_seconds": seconds})
            cells.append({"lr": lr, **choice, **score})
            tick()
    return {"cells": cells, "best": max(cells, key=lambda cell: cell["found"])}


# --- views --------------------------------------------------------------------------------------


def view_worlds() -> list[PairedViews]:
    return [PairedViews(CONCEPTS, N_CONCEPTS, seed=FIRST_WORLD + s) for s in range(SEEDS)]


@torch.no_grad()
def view_score(saes: list[SAE], worlds: list[PairedViews]) -> dict[str, float]:
    rows = []
    for sae, world in zip(saes, worlds, strict=True):
        x, concepts = world.sample_with_features(2048, runtime.generator(FIRST_WORLD))
        z = sae.encode(x.flatten(0, 1))
        pairs = z.unflatten(0, (-1, 2)).unbind(dim=1)
        same = same_latent(*pairs, concepts).float().mean()
        found = retrieval_at_k(pairs[0][:512], pairs[1][:512])
        rows.append([same, found, fvu(x.flatten(0, 1), sae.decode(z)), dead_share(z), l0(z)])
    means = torch.tensor(rows).mean(dim=0).tolist()
    return dict(zip(("same", "r_at_1", "fvu", "unused", "l0"), means, strict=True))


def flattered(cells: list[dict]) -> dict:
    """Of the sparse cells that rebuild nearly best, the one with the most shared concepts."""
    sparse = [cell for cell in cells if cell["l0"] <= SPARSE] or cells
    limit = SLACK * min(cell["fvu"] for cell in sparse)
    return max((c for c in sparse if c["fvu"] <= limit), key=lambda cell: cell["same"])


def tune_penalties(method: str, tick, d_sae: int = 64, rates=VIEW_RATES, cells=None) -> dict:
    worlds, found = view_worlds(), []
    penalties = PENALTIES[method] if cells is None else cells
    for lr in rates:
        n = len(penalties)
        columns = [list(column) * SEEDS for column in zip(*penalties, strict=True)]
        sae = GroupSparseSAE(N_CONCEPTS, d_sae, *columns, n_instances=n * SEEDS, seed=FIRST_WORLD)
        fit(sae, Worlds(worlds, n), lr, VIEW_STEPS, batch_size=BATCH // 2, scale_activations=False)
        for k, (l1, group, p) in enumerate(penalties):
            score = view_score([sae.instance(s * n + k) for s in range(SEEDS)], worlds)
            choice = {"l1_coefficient": l1, "group_coefficient": group, "mask_prob": p}
            found.append({"lr": lr, **choice, **rounded(score)})
        tick()
    return {"cells": found, "best": flattered(found)}


def tune_topk(tick, d_sae: int = 64, ks=(3, 4, 6), rates=VIEW_RATES) -> dict:
    worlds, cells = view_worlds(), []
    for k, lr in itertools.product(ks, rates):
        sae = TopKSAE(N_CONCEPTS, d_sae, k, n_instances=SEEDS, seed=FIRST_WORLD)
        fit(sae, Unpaired(worlds), lr, VIEW_STEPS)
        score = view_score([sae.instance(s) for s in range(SEEDS)], worlds)
        cells.append({"lr": lr, "k": k, **rounded(score)})
        tick()
    return {"cells": cells, "best": flattered(cells)}


def size_cells(best: dict[str, dict], tick) -> dict:
    """The best settings of two methods at other dictionary sizes."""
    cells = []
    for d_sae in SIZES:
        topk, both = best["TopK"], best["group + mask 0.5"]
        penalty = tuple(both[name] for name in ("l1_coefficient", "group_coefficient", "mask_prob"))
        split = tune_topk(tick, d_sae, (topk["k"],), (topk["lr"],))["best"]
        shared = tune_penalties("group + mask", tick, d_sae, (both["lr"],), [penalty])["best"]
        for method, cell in (("TopK", split), ("group + mask 0.5", shared)):
            cells.append({"d_sae": d_sae, "method": method, **cell})
    return {"cells": cells, "best": max(cells, key=lambda cell: cell["same"])}


# --- functions ----------------------------------------------------------------------------------


def function_worlds() -> list[PlantedFunctions]:
    law = SparseFeatures(8, 2 / 8, low=0.5, high=1.5)
    return [PlantedFunctions(law, 64, seed=FIRST_WORLD + s) for s in range(SEEDS)]


def function_score(sae: SAE, worlds: list[PlantedFunctions]) -> dict[str, float]:
    x = Worlds(worlds).sample(1024, runtime.generator(FIRST_WORLD))
    with torch.no_grad():
        return {"fvu": fvu(x, sae(x), per_instance=True).mean().item()}


def tune_spectral(lift: int | None, tick) -> dict:
    worlds, cells = function_worlds(), []
    for lr in FUNCTION_RATES:
        sae = SpectralSAE(9, 8, 3, lift=lift, n_instances=SEEDS, seed=FIRST_WORLD)
        fit(sae, Worlds(worlds), lr, FUNCTION_STEPS, batch_size=64, scale_activations=False)
        cells.append({"lr": lr, **rounded(function_score(sae, worlds))})
        tick()
    return {"cells": cells, "best": min(cells, key=lambda cell: cell["fvu"])}


def tune_plain(tick) -> dict:
    worlds, cells = function_worlds(), []
    for lr, d_sae in itertools.product(FUNCTION_RATES, (64, 128, 256)):
        sae = TopKSAE(64, d_sae, 3, n_instances=SEEDS, seed=FIRST_WORLD)
        fit(sae, Worlds(worlds), lr, 3 * FUNCTION_STEPS, scale_activations=False)
        cells.append({"lr": lr, "d_sae": d_sae, **rounded(function_score(sae, worlds))})
        tick()
    return {"cells": cells, "best": min(cells, key=lambda cell: cell["fvu"])}


def main() -> None:
    torch.set_num_threads(1)
    n_tree = sum(len(grid(choices)) * len(TREE_RATES) for _, choices in METHODS.values())
    n_views = len(VIEW_RATES) * (len(PENALTIES) + 3) + 2 * len(SIZES)
    with tqdm(total=n_tree + n_views + len(FUNCTION_RATES) * (len(LIFTS) + 3)) as bar:
        found = {f"tree: {name}": tune_tree(name, bar.update) for name in METHODS}
        views = {name: tune_penalties(name, bar.update) for name in PENALTIES}
        views["TopK"] = tune_topk(bar.update)
        for method in ("mask", "group + mask"):  # how often the mask swaps is compared, not tuned
            cells = views.pop(method)["cells"]
            for p in sorted({cell["mask_prob"] for cell in cells}):
                chosen = [cell for cell in cells if cell["mask_prob"] == p]
                views[f"{method} {p}"] = {"cells": chosen, "best": flattered(chosen)}
        found |= {f"views: {name}": tuned for name, tuned in views.items()}
        best = {name: tuned["best"] for name, tuned in views.items()}
        found["views: sizes"] = size_cells(best, bar.update)
        for lift in LIFTS:
            found[f"functions: lift {lift}"] = tune_spectral(lift, bar.update)
        found["functions: plain TopK"] = tune_plain(bar.update)
    content = {"torch": torch.__version__, "machine": platform.machine(), "date": str(date.today())}
    content |= {"tuning": found, "sha256": digest(found)}
    runtime.write_file(path_of(CHAPTER), json.dumps(content, indent=1, sort_keys=True) + "\n")
    for name, tuned in found.items():
        print(name, tuned.get("best", ""))


if __name__ == "__main__":
    main()
