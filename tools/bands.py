"""Run a chapter with many seeds and store the band of each of its claims.

    python -m tools.bands 02_toy_models             # 20 seeds
    python -m tools.bands 02_toy_models --full      # seed 0, full size

The notebook is what is measured: each run executes it in a fresh kernel under COURSE_SEED and
takes the values from the claims it shows, so a band and a chapter cannot mean different things.
Stored in course_lib/claims/bands/<chapter>.json with its hash; finished seeds are kept in _build/,
so that an interrupted run goes on where it stopped. Stored seeds are not run again when the first
of them still gives every value that is stored, bit for bit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from pathlib import Path

import nbformat
import numpy as np
import torch
from nbclient import NotebookClient
from scipy import stats
from tqdm import tqdm

from course_lib.claims.core import MIME_TYPE, digest
from course_lib.files import read_sealed, write_file, write_sealed

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path("course_lib") / "claims" / "bands"


def run(notebook: Path, seed: int, scale: str) -> dict[str, dict]:
    """Execute the notebook and return value and model of each claim it shows, by its key."""
    nb = nbformat.read(notebook, as_version=4)
    code = "\0".join(cell.source for cell in nb.cells if cell.cell_type == "code")
    key = hashlib.sha256(code.encode()).hexdigest()[:12]
    cache = ROOT / "_build" / "bands" / f"{notebook.stem}-{key}-{scale}-{seed}.claims.json"
    with suppress(OSError, ValueError):
        return read_sealed(cache, "run it again")
    environment = os.environ | {
        "COURSE_SEED": str(seed), "COURSE_SCALE": scale, "COURSE_CLAIMS": "record",
        "COURSE_PROGRESS": "off", "TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    client = NotebookClient(nb, timeout=None, resources={"metadata": {"path": notebook.parent}})
    with client.setup_kernel(env=environment):
        for index, cell in enumerate(nb.cells):
            client.execute_cell(cell, index)
    records = [
        output["data"][MIME_TYPE]
        for cell in nb.cells
        for output in cell.get("outputs", [])
        if MIME_TYPE in output.get("data", {})
    ]
    claims = {
        record["name"].partition(".")[2]: {key: record[key] for key in ("value", "model")}
        for record in records
    }
    write_sealed(cache, claims)
    return claims


def stored_values(stored: dict, first: dict[str, dict]) -> dict[int, dict[str, float]]:
    """The stored values by seed and claim, or none if seed 0 now gives others or other claims."""
    before = {key: entry["values"] for key, entry in stored["claims"].items()}
    now = {key: claim["value"] for key, claim in first.items()}
    if now != {key: values[0] for key, values in before.items()}:
        return {}
    return {
        seed: {key: values[at] for key, values in before.items()}
        for at, seed in enumerate(stored["seeds"])
    }


def band(values: list[float]) -> list[float]:
    """99.9 % prediction interval for one more seed; see `course_lib.claims.StoredRuns`.

    Another machine rounds otherwise, at worst so much that it runs what amounts to another seed;
    the ledger says how often such a run is stopped by chance.
    """
    array = np.asarray(values)
    half = stats.t.ppf(0.9995, len(array) - 1) * array.std(ddof=1) * (1 + 1 / len(array)) ** 0.5
    half = max(half, 0.02 * abs(array.mean()))
    return [min(array.mean() - half, array.min()), max(array.mean() + half, array.max())]


def false_alarms(values: list[float]) -> int:
    """How many of the values lie outside the band that the other ones would have given."""
    bands = [band(values[:k] + values[k + 1 :]) for k in range(len(values))]
    return sum(not low <= v <= high for v, (low, high) in zip(values, bands, strict=True))


def reliability(root: Path) -> str:
    """What the stored seeds say of the bands made from them, in three sentences."""
    stored = [json.loads(path.read_text()) for path in sorted((root / FOLDER).glob("*.json"))]
    claims = [entry["values"] for chapter in stored for entry in chapter["claims"].values()]
    seeds = sorted(len(chapter["seeds"]) for chapter in stored)
    n, wrong = sum(map(len, claims)), sum(map(false_alarms, claims))
    a_chapter = len(claims) / len(stored)
    alike = sum(len(set(values)) == 1 for values in claims)
    made_from = f"{seeds[0]}" if seeds[0] == seeds[-1] else f"{seeds[0]} to {seeds[-1]}"
    return (
        f"The {len(claims)} bands are made from {made_from} seeds each. Of the {n:,} values "
        f"stored, {wrong} lie outside the band that the other seeds of their claim give: "
        f"{wrong / n:.2%}, where the formula promises 0.10% of values that are normally "
        f"distributed. A chapter has {a_chapter:.0f} claims, so where another machine rounds so "
        f"differently that its run is one more seed, about {wrong / n * a_chapter:.1%} of first "
        "runs of a chapter whose claims all hold are stopped by chance; where it rounds alike, "
        f"none. {alike} claims have one value on all seeds: they count something, or ask a "
        "model that ships, and their band is 2% of it to either side, which for 0 is 0 alone."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapter", help="the notebook's name without .ipynb: 02_toy_models")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--full", action="store_true", help="one run at full size instead")
    arguments = parser.parse_args()
    notebooks = {notebook.stem: notebook for notebook in ROOT.glob("book/*/*.ipynb")}
    if arguments.chapter not in notebooks:
        parser.error(f"no chapter {arguments.chapter!r}; there are {', '.join(sorted(notebooks))}")
    notebook = notebooks[arguments.chapter]
    path = ROOT / FOLDER / f"{arguments.chapter}.json"
    stored = json.loads(path.read_text()) if path.is_file() else {"claims": {}}
    made = {"torch": torch.__version__, "machine": platform.machine(), "date": str(date.today())}
    if arguments.full:
        claims = run(notebook, 0, "full")
        for key in stored["claims"]:
            stored["claims"][key]["full"] = claims[key]["value"]
        stored["full"] = made | {"device": "cuda" if torch.cuda.is_available() else "cpu"}
    else:
        seeds, first = range(arguments.seeds), run(notebook, 0, "quick")
        known = stored_values(stored, first)
        print(f"{arguments.chapter}: the values of {len(known)} seeds are as stored")
        todo = [seed for seed in seeds if seed not in known]
        with ThreadPoolExecutor(arguments.jobs) as pool:
            jobs = pool.map(lambda seed: run(notebook, seed, "quick"), todo)
            runs = zip(todo, tqdm(jobs, total=len(todo), desc=arguments.chapter), strict=True)
            known |= {seed: {k: c["value"] for k, c in claims.items()} for seed, claims in runs}
        full = {key: entry.get("full") for key, entry in stored["claims"].items()}
        stored["claims"] = {}
        for key, claim in first.items():
            values = [known[seed][key] for seed in seeds]
            entry = {"values": values, "band": band(values), "full": full.get(key)}
            model = {"model": claim["model"]} if claim["model"] else {}
            stored["claims"][key] = entry | model
        stored |= made | {"seeds": list(seeds)}
    stored |= {"sha256": digest(stored["claims"]), "version": 1}
    write_file(path, json.dumps(stored, indent=1) + "\n")
    print(f"{path.relative_to(ROOT)}: {len(stored['claims'])} claims")


if __name__ == "__main__":
    main()
