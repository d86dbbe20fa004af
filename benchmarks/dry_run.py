"""Does the arithmetic of a large run hold on this machine?  python benchmarks/dry_run.py

Measures the rates that `course_lib.sae.plan` asks for: FLOP/s of the encoder's product and of a
transformer, bytes a second of memory, of shards written and read with their checksums, and of an
all-reduce. Then harvests from that transformer, and trains a TopK SAE on synthetic shards, and
compares the seconds with those that the plan computes from the rates. Under torchrun
(`torchrun --nproc-per-node 8 benchmarks/dry_run.py`) it does so for all processes together. On a
GPU the sizes are those of the plan: d_in 4096, d_sae 65536; on a CPU they are reduced.

Prints one table; writes its figures, with the machine, as JSON. A ratio of 1 means that the plan is
right; above it, the run takes that many times as long. What a step costs beside its arithmetic
(calls, waiting for each other) is not in the plan, and shows where a step takes few milliseconds.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
import torch.distributed as dist
from _rows import Row, parse, write

from course_lib import parallel, runtime
from course_lib.activations import harvest
from course_lib.activations.shards import read_shard, write_shard
from course_lib.models.gpt import GPT, GPTConfig
from course_lib.sae import TopKSAE, Trainer
from course_lib.sae.plan import Job, Machine

ROUNDS = 5


def seconds(work: Callable[[], object], device: torch.device, rounds: int = ROUNDS) -> float:
    """The median of some rounds, after one that is not counted."""
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def measure(job: Job, model: GPT, folder: Path, device: torch.device, autocast: bool) -> Machine:
    """The rates of this machine, as its slowest process has them."""
    rows = job.batch_size // parallel.size()
    dtype = torch.bfloat16 if autocast else torch.float32
    x = torch.randn(rows, job.d_in, device=device, dtype=dtype)
    W = torch.randn(job.d_in, job.d_sae, device=device, dtype=dtype)
    flops = 2 * x.numel() * job.d_sae / seconds(lambda: x @ W, device)
    tokens = torch.zeros(16, model.config.n_ctx, dtype=torch.long, device=device)
    with torch.inference_mode():
        spent = seconds(lambda: model(tokens), device)
    model_flops = 2 * parameters(model) * tokens.numel() / spent
    a, b = (torch.randn(2**26 if device.type == "cuda" else 2**24, device=device) for _ in range(2))
    memory = 12 * a.numel() / seconds(lambda: a.add_(b), device)
    shard = torch.randn(job.shard_rows, job.d_in).bfloat16()
    labels = {name: torch.zeros(job.shard_rows, dtype=torch.int32) for name in ("a", "b", "c")}
    path = folder / f"measured{parallel.rank()}.safetensors"
    spent = seconds(lambda: write_shard(path, {"activations": shard, **labels}), device)
    write = job.shard_rows * job.row_bytes / spent
    read = job.shard_rows * job.row_bytes / seconds(lambda: shuffled(path), device)
    path.unlink()
    exchange = float("inf")
    if (p := parallel.size()) > 1:
        spent = seconds(lambda: dist.all_reduce(a), device)
        exchange = 2 * (p - 1) / p * 4 * a.numel() / spent
    rates = torch.tensor([flops, model_flops, memory, read, write, exchange], dtype=torch.float64)
    return Machine(parallel.size(), *parallel.minimum(rates).tolist())


def shuffled(path: Path) -> torch.Tensor:
    """A shard as the trainer takes it in."""
    rows = read_shard(path)
    torch.stack(rows.aminmax())
    return rows[torch.randperm(len(rows))]


def parameters(model: GPT) -> int:
    """Those that multiply: all but the tables of tokens and positions."""
    return sum(p.numel() for name, p in model.named_parameters() if "blocks" in name)


def trained(job: Job, folder: Path, device: torch.device, steps: int, autocast: bool) -> float:
    """Seconds of a step of `Trainer` in a run over every shard once, but for its first quarter."""
    ends = []

    class Timed(TopKSAE):
        def constrain(self) -> None:
            super().constrain()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            ends.append(time.perf_counter())

    sae = Timed(job.d_in, job.d_sae, job.k).to(device)
    Trainer(
        sae, folder, steps=steps, batch_size=job.batch_size, log_every=steps, autocast=autocast
    ).fit()
    first = len(ends) // 4
    return (ends[-1] - ends[first]) / (len(ends) - 1 - first)


def compare(job: Job, folder: Path, device: torch.device, autocast: bool) -> dict[str, object]:
    """Rates, and predicted and measured seconds."""
    large = device.type == "cuda"
    config = GPTConfig(d_vocab=512, n_ctx=256, d_model=job.d_in, n_heads=8, n_layers=4)
    model = GPT(config).to(device, torch.bfloat16 if large else torch.float32).eval()
    machine = measure(job, model, folder, device, autocast)
    n_shards = 4 * machine.processes
    for number in range(parallel.rank(), n_shards, machine.processes):
        rows = torch.randn(job.shard_rows, job.d_in, generator=runtime.generator(number))
        labels = {name: torch.zeros(job.shard_rows, dtype=torch.int32) for name in ("a", "b", "c")}
        write_shard(folder / f"x/{number}.safetensors", {"activations": rows.bfloat16(), **labels})
    parallel.wait()
    steps = n_shards * job.shard_rows // job.batch_size
    step = trained(job, folder / "x", device, steps, autocast)

    n_tokens = n_shards * job.shard_rows // 4
    tokens = torch.zeros(n_tokens // config.n_ctx, config.n_ctx, dtype=torch.long)
    start = time.perf_counter()
    harvest(
        model, tokens, f"blocks.{config.n_layers - 1}.resid_post", folder / "store",
        batch_size=16, shard_rows=job.shard_rows, dtype=torch.bfloat16,
    )  # fmt: skip
    spent = time.perf_counter() - start
    harvested = Job(n_tokens, parameters(model), job.d_in)
    return {
        "job": asdict(job), "machine": runtime.report(), "rates": asdict(machine),
        "step": {"predicted": job.step_seconds(machine), "measured": step},
        "harvest": {"predicted": harvested.harvest_seconds(machine), "measured": spent},
        "tokens": n_tokens, "steps": steps,
    }  # fmt: skip


def table(found: dict[str, object]) -> str:
    lines = [f"{'rate':24}{'a second':>14}"]
    lines += [f"{name:24}{value:14.3g}" for name, value in found["rates"].items()]
    lines.append(f"\n{'':24}{'predicted s':>14}{'measured s':>14}{'ratio':>8}")
    for name in ("step", "harvest"):
        parts, measured = found[name]["predicted"], found[name]["measured"]
        total = sum(parts.values())
        lines.append(f"{name:24}{total:14.4f}{measured:14.4f}{measured / total:8.2f}")
        lines += [f"  {part:22}{value:14.4f}" for part, value in parts.items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    large = runtime.device().type == "cuda"
    parser.add_argument("--d-in", type=int, default=4096 if large else 256)
    parser.add_argument("--d-sae", type=int, default=65_536 if large else 4096)
    parser.add_argument("--k", type=int, default=64 if large else 32)
    parser.add_argument("--batch-size", type=int, default=16_384 if large else 2048)
    parser.add_argument("--shard-rows", type=int, default=65_536 if large else 16_384)
    parser.add_argument("--folder", type=Path, help="where shards go; a temporary one if not given")
    small = {"d_in": 32, "d_sae": 128, "k": 4, "batch_size": 128, "shard_rows": 512}
    chosen = parse(parser, "dry_run", tiny=small)
    job = Job(
        d_in=chosen.d_in, d_sae=chosen.d_sae, k=chosen.k, batch_size=chosen.batch_size,
        shard_rows=chosen.shard_rows,
    )  # fmt: skip
    with parallel.processes():
        folder = parallel.from_first(lambda: tempfile.mkdtemp(dir=chosen.folder))
        try:
            found = compare(job, Path(folder), runtime.device(), autocast=large)
        finally:
            if parallel.rank() == 0:
                shutil.rmtree(folder, ignore_errors=True)
        if parallel.rank() == 0:
            print(table(found))
            rows = [
                Row(
                    f"{what} of an SAE, of what the plan says", "s", found[name]["measured"],
                    floor=sum(found[name]["predicted"].values()),
                )
                for name, what in (("step", "a training step"), ("harvest", "the harvest"))
            ]  # fmt: skip
            write(chosen, rows, **found)


if __name__ == "__main__":
    main()
