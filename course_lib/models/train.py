"""Make a shipped model again: `python -m course_lib.models.train NAME [--scale full]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from course_lib import runtime
from course_lib.models import zoo
from course_lib.models.recipes import RECIPES, Recipe, recipe
from course_lib.models.training import Trainer, log_spaced, weights_of
from course_lib.models.zoo import Card


def make(name: str, how: Recipe, folder: Path, *, scale: str, device: torch.device) -> Card:
    """Train a model, measure it, write its files into `folder`, and return its card.

    What a training needs to go on after Ctrl-C is kept in `folder`, as NAME.training.pt and the
    weights along the way, until it ends.

    Raises runtime.TrainingStopped on Ctrl-C.
    """
    from safetensors.torch import load_file

    world = how.make_world()
    model = how.make_model(world).to(device)
    steps = how.training["steps"]
    snapshots = log_spaced(steps, how.n_snapshots) if how.n_snapshots else how.snapshots
    checkpoint = folder / f"{name}.training.pt"
    trainer = Trainer(
        model, world, **how.training, seed=how.seed, checkpoint=checkpoint, snapshots=snapshots
    )
    trainer.fit()
    model.cpu()
    drawn = steps * how.training["batch_size"]
    tokens = f" of {world.seq} tokens" if hasattr(world, "seq") else ""
    told = Card(
        name=name,
        scale=scale,
        model=type(model).__name__,
        config=asdict(model.config),
        world=how.world[0],
        arguments=dict(how.world[1]),
        training=dict(how.training),
        seed=how.seed,
        data=f"{drawn:,} draws{tokens}, each made anew",
        measures=_rounded(how.measure(model, world)),
        bands={key: list(band) for key, band in how.bands.items()},
        accuracy={key: _rounded(row) for key, row in how.accuracy(model, world).items()},
        snapshots=[],
        sha256={},
    )
    kept = {step: trainer.snapshot_path(step) for step in snapshots}
    along = {step: load_file(path) for step, path in kept.items()}
    told = zoo.store(told, weights_of(model), along, folder)
    for path in (checkpoint, *kept.values()):
        path.unlink(missing_ok=True)
    return told


def _rounded(numbers: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in numbers.items()}


def summary(told: Card) -> str:
    """The numbers of a card, and whether each is in its band."""
    lines = [f"{told.name} ({told.scale}): {told.data}"]
    for name, value in told.measures.items():
        line = f"  {name:<12}{value:>10.4g}"
        if name in told.bands:
            low, high = told.bands[name]
            verdict = "OUTSIDE" if name in told.outside() else "within"
            line += f"   {verdict} {low:g} to {high:g}"
        lines.append(line)
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all numbers are within their bands, 1 when one is not, 130 after Ctrl-C.

    2, and one sentence, when the arguments or the files in the folder do not allow the training.
    """
    parser = argparse.ArgumentParser(
        prog="python -m course_lib.models.train",
        description="Train a model that comes with the course again. Ctrl-C keeps what is done; "
        "the same command goes on from there.",
    )
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--scale", choices=("quick", "full"), default="quick")
    parser.add_argument("--out", type=Path, default=Path("trained_models"), metavar="FOLDER")
    parser.add_argument("--device", help="cpu, cuda or mps; by default the fastest there is")
    given = parser.parse_args(arguments)
    try:
        how = recipe(given.name, given.scale)
        device = runtime.device(given.device)
        told = make(given.name, how, given.out, scale=given.scale, device=device)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    except runtime.TrainingStopped as stopped:
        print(f"Training stopped at step {stopped.trainer.step} of {stopped.trainer.steps}. "
              "Run the same command to go on from there.")  # fmt: skip
        return 130
    print(summary(told))
    print(f"load it with course_lib.models.load({str(given.out / given.name)!r})")
    return 1 if told.outside() else 0


if __name__ == "__main__":
    sys.exit(main())
