"""The parts of the page on scaling up: the plan's arithmetic, and a dry run that checks it."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from course_lib.sae.plan import FLOAT, HOUR, NODE, Job, scaled
from tools.markdown import table

BATCHES = (8_192, 16_384, 65_536)


def plan_table(root: Path, page: Path) -> str:
    """What the run of the page needs, each figure with its formula."""
    job = Job()
    harvest = job.harvest_seconds(NODE)
    shard = job.shard_rows * job.row_bytes
    train = job.train_seconds(NODE)
    model_flops = 2 * job.parameters * job.activations
    rows = [
        ("A row on disk", "2 d_in + 12 B", scaled(job.row_bytes, "B")),
        ("A shard", "shard_rows × row", scaled(shard, "B")),
        ("Shards", "n / shard_rows", f"{job.shards:,}"),
        ("All shards", "n × row", scaled(job.activations * job.row_bytes, "B")),
        ("Weights of the SAE", "2 d_in d_sae", scaled(job.weights, "").strip()),
        ("Weights, gradients, Adam", "4 × 4 B × weights", scaled(job.state_bytes, "B")),
        ("A checkpoint", "3 × 4 B × weights", scaled(3 * FLOAT * job.weights, "B")),
        ("Harvest, computed", "2 × parameters × n", scaled(model_flops, "FLOP")),
        (
            "Training, computed",
            "(2 d_in d_sae + 8 k d_in) × n",
            scaled(job.training_flops * job.activations, "FLOP"),
        ),
        ("Steps", "n / batch_size", f"{job.steps:,}"),
        ("Harvest, the model", "FLOP / (p × rate)", _hours(harvest["model"])),
        ("Harvest, writing", "bytes / (p × rate)", _hours(harvest["write"])),
        ("Training", "steps × step", _hours(train)),
        ("All", "the sum", _hours(sum(harvest.values()) + train)),
    ]
    return table(("What", "Formula", "Figure"), rows)


def rates_table(root: Path, page: Path) -> str:
    """The rates that the plan assumes of each GPU."""
    rows = [
        ("The encoder's product", scaled(NODE.training_flops, "FLOP/s")),
        ("The model's forward pass", scaled(NODE.model_flops, "FLOP/s")),
        ("Memory", scaled(NODE.memory, "B/s")),
        ("Reading shards, checked and shuffled", scaled(NODE.read, "B/s")),
        ("Writing shards, with checksums", scaled(NODE.write, "B/s")),
        ("Sent in an all-reduce", scaled(NODE.exchange, "B/s")),
    ]
    return table(("Of one process", "Assumed rate"), rows)


def steps_table(root: Path, page: Path) -> str:
    """Where a step's time goes, for several batch sizes."""
    jobs = [replace(Job(), batch_size=batch) for batch in BATCHES]
    steps = [job.step_seconds(NODE) for job in jobs]
    rows = [
        (f"{part.capitalize()}, ms", *(f"{1e3 * step[part]:.1f}" for step in steps))
        for part in steps[0]
    ]
    rows.append(("A step, ms", *(f"{1e3 * sum(step.values()):.1f}" for step in steps)))
    rows.append(("Steps", *(f"{job.steps:,}" for job in jobs)))
    rows.append(("Training", *(_hours(job.train_seconds(NODE)) for job in jobs)))
    return table(("batch_size", *(f"{batch:,}" for batch in BATCHES)), rows)


def dry_run_table(root: Path, page: Path) -> str:
    """What the plan predicts for the machine that builds the book, and what was measured there."""
    kept = root / "_build" / "dry_run.json"
    if not kept.exists():
        script = [sys.executable, str(root / "benchmarks" / "dry_run.py"), "--json", str(kept)]
        subprocess.run(script, cwd=root, check=True, capture_output=True)
    found = json.loads(kept.read_text(encoding="utf-8"))
    job, rates = found["job"], found["rates"]
    rows = []
    for name, what in (("step", "A training step"), ("harvest", f"{found['tokens']:,} tokens")):
        predicted, measured = sum(found[name]["predicted"].values()), found[name]["measured"]
        rows.append((what, f"{predicted:.3f}", f"{measured:.3f}", f"{measured / predicted:.2f}"))
    told = (
        f"{found['machine']['machine']}, {rates['processes']} process: d_in {job['d_in']}, d_sae "
        f"{job['d_sae']:,}, k {job['k']}, batch_size {job['batch_size']:,}. Measured rates: "
        f"{scaled(rates['training_flops'], 'FLOP/s')} in the encoder's product, "
        f"{scaled(rates['model_flops'], 'FLOP/s')} in the model, "
        f"{scaled(rates['memory'], 'B/s')} of memory, shards read at "
        f"{scaled(rates['read'], 'B/s')} and written at {scaled(rates['write'], 'B/s')}."
    )
    heads = ("What", "Predicted, s", "Measured, s", "Ratio")
    return f"{told}\n\n{table(heads, rows)}"


def _hours(seconds: float) -> str:
    return f"{seconds / HOUR:.2f} h"


GENERATORS = {
    "plan": plan_table,
    "rates": rates_table,
    "steps": steps_table,
    "dry_run": dry_run_table,
}
