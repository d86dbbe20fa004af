"""More networks and the learning rates of the chapter "When it is not linear".

    python -m tools.tuning_not_linear                # about eight minutes on one quiet core
    python -m tools.tuning_not_linear --keep FOLDER  # keep the trained networks there, or use them

Two things are stored in course_lib/claims/tuning/15_not_linear.json with its hash:

* `edits: ...`: each account of the memory, over the same learning rates, trained as long as in the
  chapter, on the shipped network, with seeds that the chapter never uses. The subspaces are also
  given four times as many steps; `best` is that of the chapter's number of steps.
* `models: ...`: what the chapter measures on the shipped networks, on networks that are made by the
  same recipes with other seeds.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn
from tqdm import tqdm

from course_lib import data, geometry, models, runtime
from course_lib.activations import read
from course_lib.models.recipes import recipe
from course_lib.probes import probe
from tools.tuning import store

CHAPTER = "15_not_linear"
SEED = 1000  # the chapter's seeds are below this
STEPS, BATCH, N_SYMBOLS, LENGTH = 300, 128, 10, 6
RATES = (0.003, 0.01, 0.03, 0.1)
OTHER_SEEDS = (1, 2)  # of the networks; those that ship have seed 0
ACCOUNTS = {
    "subspace per place": (geometry.PlaceSubspaces, {}),
    "onion": (geometry.OnionCode, {}),
    "onion, any scales": (geometry.OnionCode, {"free_scales": True}),
    "free codes": (geometry.FreeCodes, {}),
}
CYCLES = {"days": (slice(0, 49), 0, 7), "months": (slice(49, 193), 7, 12)}
SITE, START = "blocks.0.resid_pre", 3


def made(name: str, seed: int, folder: Path) -> nn.Module:
    """A network by the recipe of a shipped one, with another seed."""
    other = replace(recipe(name), seed=seed)
    world = other.make_world()
    model, path = other.make_model(world), folder / f"{name}-{seed}.pt"
    if path.exists():
        model.load_state_dict(torch.load(path, weights_only=True))
    else:
        models.Trainer(model, world, **other.training, seed=seed).fit()
        torch.save(model.state_dict(), path)
    return model.eval()


def edit_score(account: str, memory: nn.Module, lr: float, steps: int, seed: int) -> float:
    kind, settings = ACCOUNTS[account]
    edit = kind(memory.config.d_hidden, N_SYMBOLS, LENGTH, seed=seed, **settings)
    geometry.fit_edit(
        edit, memory, N_SYMBOLS, LENGTH, steps=steps, lr=lr, batch_size=BATCH, seed=seed
    )
    drawn = geometry.draw_replacements(
        memory, N_SYMBOLS, LENGTH, 2000, runtime.generator(40_000 + seed)
    )
    return geometry.edits_right(edit, memory, drawn, N_SYMBOLS).float().mean().item()


def tune_edits(account: str, memory: nn.Module) -> dict:
    lengths = (STEPS, 4 * STEPS) if account == "subspace per place" else (STEPS,)
    cells = [
        {"lr": lr, "steps": steps, "right": round(edit_score(account, memory, lr, steps, SEED), 4)}
        for lr in RATES
        for steps in lengths
    ]
    usual = [cell for cell in cells if cell["steps"] == STEPS]
    return {"cells": cells, "best": max(usual, key=lambda cell: cell["right"])}


@torch.no_grad()
def memory_numbers(memory: nn.Module, rates: dict[str, float], seed: int) -> dict[str, float]:
    """What Experiment 4 measures."""
    letters = torch.randint(N_SYMBOLS, (4000, LENGTH), generator=runtime.generator(30_000))
    z = memory.encode(letters)
    codes = geometry.additive_codes(z, letters, N_SYMBOLS)
    overlap = [
        geometry.subspace_overlap(codes.codes[j], codes.codes[j + 1]) for j in range(LENGTH - 1)
    ]
    written = memory.write(z, N_SYMBOLS, LENGTH)
    found = {
        "task": (written == letters).all(1).float().mean().item(),
        "r2": codes.r2,
        "overlap": min(overlap),
        "read_out": probe(z, letters.T, seed=0).accuracy[1:-1].min().item(),
    }
    found |= {name: edit_score(name, memory, lr, STEPS, 0) for name, lr in rates.items()}
    return {"seed": seed} | {name: round(value, 4) for name, value in found.items()}


@torch.no_grad()
def calendar_numbers(model: nn.Module, seed: int) -> dict[str, float]:
    """What Experiment 2 measures at the position of the start."""
    world = data.CalendarArithmetic()
    every = world.every_sentence()
    answers = model(every.tokens[:, :-1])[:, -1].argmax(1)
    found: dict[str, float] = {"right": (answers == every.tokens[:, -1]).float().mean().item()}
    for cycle, (rows, first, n) in CYCLES.items():
        tokens, start = every.tokens[rows, :-1], every.labels["start"][rows, START] - first
        offset = every.labels["offset"][rows, START] + 1
        means = geometry.place_means(read(model, SITE, tokens)[:, START], start, n)
        circle = geometry.fit_circle(means, torch.arange(n), n)
        row, old, new = geometry.every_move(start, n)
        zero = world.vocabulary.index(world.attributes["start"][first])
        wanted = zero + (new + offset[row]) % n

        def share(
            points: Tensor,
            tokens: Tensor = tokens[row],
            wanted: Tensor = wanted,
            old: Tensor = old,
            new: Tensor = new,
        ) -> float:
            logits = geometry.logits_after(model, SITE, START, tokens, points[new] - points[old])
            return geometry.agreement(logits, wanted)

        draw = runtime.generator(20_000)
        planes = [geometry.random_plane(means.shape[1], draw) for _ in range(5)]
        found |= {
            f"k_{cycle}": circle.frequency,
            f"r2_{cycle}": circle.r2,
            cycle: share(means @ circle.plane.T @ circle.plane),
            f"{cycle}_alone": share(circle.at(torch.arange(n))),
            f"{cycle}_random": max(
                share(geometry.laid_into(means, circle.plane, plane)) for plane in planes
            ),
        }
    return {"seed": seed} | {name: round(value, 4) for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="a folder for the trained networks")
    keep = parser.parse_args().keep
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        folder = keep or Path(folder)
        shipped = models.load("repeat")
        found = {f"edits: {name}": tune_edits(name, shipped) for name in tqdm(ACCOUNTS)}
        rates = {name: found[f"edits: {name}"]["best"]["lr"] for name in ACCOUNTS}
        calendars = [
            calendar_numbers(made("arithmetic", seed, folder), seed) for seed in OTHER_SEEDS
        ]
        memories = [
            memory_numbers(made("repeat", seed, folder), rates, seed) for seed in OTHER_SEEDS
        ]
    found["models: arithmetic"] = {"cells": calendars, "best": calendars[0]}
    found["models: repeat"] = {"cells": memories, "best": memories[0]}
    print(f"stored in {store(CHAPTER, found)}")


if __name__ == "__main__":
    main()
