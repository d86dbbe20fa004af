"""Many SAEs on many machines: python -m course_lib.sae.sweep CONFIG --task I --of N

CONFIG is a JSON file; `grid` gives settings a list of values, and every combination is a run:

    {"data": "activations/blocks.6.resid_post",
     "folder": "runs",
     "sae": {"class": "TopKSAE", "d_in": 768, "d_sae": 16384},
     "train": {"steps": 20000, "batch_size": 4096},
     "grid": {"sae.k": [16, 32, 64], "train.lr": [0.0001, 0.0003], "sae.seed": [0, 1, 2]}}

Task I of N does every N-th run, from the I-th; on a cluster a Slurm job array starts the tasks:

    sbatch --array=0-7 --gpus=1 --wrap \\
        'python -m course_lib.sae.sweep sweep.json --task $SLURM_ARRAY_TASK_ID --of 8'

Slurm, not Ray: an array needs no package and no server, each task is a command that also works by
hand, and runs that share nothing have nothing to schedule. A run is done when its JSON is there; a
task that was killed is started again, goes on from its checkpoint, and skips what is done. Without
--task all that is done is printed as one table.
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_lib import files, runtime, validate

MEASURES = ("loss", "fvu", "l0", "dead")
LAST = 10  # rows of the history, of about a hundred, whose mean is reported


@dataclass(frozen=True)
class Run:
    """One combination of a sweep: its name, which tells it from the others, and its settings."""

    name: str
    chosen: dict[str, Any]
    sae: dict[str, Any]
    train: dict[str, Any]


def runs(config: dict[str, Any]) -> list[Run]:
    """All combinations of the grid, the last setting changing fastest.

    Raises ValueError for what a config must have or cannot have.
    """
    if missing := {"data", "folder", "sae", "train", "grid"} - config.keys():
        raise ValueError(f"the config lacks {', '.join(sorted(missing))}.")
    if "class" not in config["sae"]:
        raise ValueError("sae lacks class, the name of an SAE such as TopKSAE.")
    for key, values in config["grid"].items():
        if not isinstance(values, (list, tuple)):
            raise ValueError(f"grid has {key} {values!r}; it must be a list of values.")
    if "n_instances" in config["sae"]:
        raise ValueError("a sweep trains SAEs one by one; leave n_instances out.")
    made = []
    for values in itertools.product(*config["grid"].values()):
        chosen = dict(zip(config["grid"], values, strict=True))
        settings = {"sae": dict(config["sae"]), "train": dict(config["train"])}
        for key, value in chosen.items():
            part, _, name = key.partition(".")
            if part not in settings or not name:
                raise ValueError(f"grid has {key!r}; its settings are sae.NAME and train.NAME.")
            settings[part][name] = value
        name = ",".join(f"{key}={value}" for key, value in chosen.items())
        made.append(Run(name.replace("/", "-"), chosen, **settings))
    return made


def work(config: dict[str, Any], task: int, of: int) -> None:
    """Do the runs of one task that are not done; each writes a folder, and last its JSON.

    Raises ValueError for a task that is none, a config that cannot be run, and a run that was done
    with other settings.
    """
    validate.positive_int("of", of)
    if not 0 <= task < of:
        raise ValueError(f"task is {task}; it must be from 0 to {of - 1}.")
    for run in runs(config)[task::of]:
        if _measured(config, run) is None:
            _train(config, run)


def _train(config: dict[str, Any], run: Run) -> None:
    from course_lib import sae as room

    settings = dict(run.sae)
    name = validate.choice("class", settings.pop("class"), room.__all__)
    sae = getattr(room, name)(**settings).to(runtime.device())
    result = _result(config, run)
    checkpoint = result.with_suffix(".pt")
    (history,) = room.Trainer(sae, config["data"], **run.train, checkpoint=checkpoint).fit()
    room.save(sae, result.with_suffix(""))
    measured = {name: history[name][-LAST:].mean(dim=0).tolist() for name in MEASURES}
    told = {"chosen": run.chosen, **_settings(config, run), "measured": measured}
    files.write_together({result: files.sealed_text(told)})
    checkpoint.unlink(missing_ok=True)


def table(config: dict[str, Any]) -> str:
    """What was measured at the end of every run, on training batches; open runs say so."""
    settings = list(config["grid"])
    lines = ["  ".join([*(f"{key:>12}" for key in settings), *(f"{m:>9}" for m in MEASURES)])]
    for run in runs(config):
        cells = [f"{run.chosen[key]!s:>12}" for key in settings]
        if (measured := _measured(config, run)) is not None:
            cells += [f"{measured[name]:9.4g}" for name in MEASURES]
        else:
            cells.append(f"{'open':>9}")
        lines.append("  ".join(cells))
    return "\n".join(lines)


def _measured(config: dict[str, Any], run: Run) -> dict[str, float] | None:
    """What was measured in a run; None before it is done.

    Raises ValueError when it was done with other settings.
    """
    if not (result := _result(config, run)).exists():
        return None
    remedy = "delete it and start its task again"
    now = json.loads(json.dumps(_settings(config, run)))
    then, measured = files.read_sealed(
        result, remedy, lambda told: ({key: told.get(key) for key in now}, told["measured"])
    )
    if changed := [key for key in now if then[key] not in (now[key], None)]:
        raise ValueError(
            f"{result} was made with other settings of {', '.join(changed)}; name another folder, "
            f"or {remedy}."
        )
    return measured


def _settings(config: dict[str, Any], run: Run) -> dict[str, Any]:
    return {"data": config["data"], "sae": run.sae, "train": run.train}


def _result(config: dict[str, Any], run: Run) -> Path:
    return Path(config["folder"]) / f"{run.name}.json"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--task", type=int, help="which part of the runs to do, from 0")
    parser.add_argument("--of", type=int, default=1, help="into how many parts they are cut")
    chosen = parser.parse_args(arguments)
    try:
        config = json.loads(chosen.config.read_text(encoding="utf-8"))
        if chosen.task is not None:
            work(config, chosen.task, chosen.of)
        else:
            print(table(config))
    except (OSError, ValueError, TypeError, files.InUse) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
