"""How fast are SAEs trained, compared with other libraries?  python benchmarks/sae.py

TopK, BatchTopK and ReLU-L1 on the same planted activations: 1,024 unit directions in d_in 256,
each active with probability 0.01; d_sae 2048, for TopK 16384 too, k 32, batch 2048, float32 (on a
GPU: TopK with d_in 2048, d_sae 65536, k 64, bfloat16 autocast). All see the same batches from the
same initial weights, so that final FVUs can be compared. Every library and architecture is a
process of its own (benchmarks/_sae_contestants.py), and rounds are interleaved, so that a busy
machine slows all alike. Libraries that are not installed are left out; `--peers-python PATH` names
a Python that has them (`make peers` makes one).

Prints medians over the rounds: milliseconds a step, steps and inputs a second, peak memory until
training ended; and from the first round, which is longer, on inputs that were held out: FVU at
inference and (in brackets) by the selection of training, the share of dead latents, and how well
the planted directions were found. Then, for the first architecture at its largest, where the time
of our own step goes. Writes all figures, with the machine, as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import torch
from _rows import Row, parse, write
from tqdm import tqdm

from course_lib import runtime

HERE = Path(__file__).parent
OURS, FLOOR = "course_lib", "floor"
CANNOT = "NotImplementedError"  # how a contestant says that its library lacks the architecture
EVERY = ("topk", "batchtopk", "relu")
LIBRARIES = (
    FLOOR, OURS, "plain PyTorch", "eai-sparsify", "overcomplete", "dictionary-learning", "sae-lens",
)  # fmt: skip
# By d_sae: steps that are not timed, and steps that are, in the first round and in the others.
STEPS = {2048: (10, 90, 30), 16384: (1, 8, 3), 65536: (20, 480, 100)}
LARGE = 16384  # from this size on TopK alone is run, unless others are asked for
PROFILED = (1, 6)  # steps that are not timed, and all
SHOWN = 8  # operations


def run(
    python: str, library: str, architecture: str, d_sae: int, first: bool, size: dict
) -> dict | str:
    """The figures of one contestant; or why there are none, where it is missing or cannot do it."""
    warmup, long, short = STEPS.get(d_sae, (20, 480, 100))
    steps = warmup + (size["timed"] or (long if first else short))
    told = size | {
        "library": library, "architecture": architecture, "d_sae": d_sae,
        "warmup": warmup, "steps": steps,
    }  # fmt: skip
    environment = os.environ | {
        "TQDM_DISABLE": "1", "OMP_NUM_THREADS": str(size["threads"]),
        "PYTHONPATH": str(HERE.parent) if library == OURS else "",
        "SPARSIFY_DISABLE_TRITON": "" if torch.cuda.is_available() else "1",
    }  # fmt: skip
    done = subprocess.run(
        [python, str(HERE / "_sae_contestants.py"), json.dumps(told)],
        capture_output=True, text=True, env=environment, cwd=HERE,
    )  # fmt: skip
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
    if reason != CANNOT:
        tqdm.write(f"{library} {architecture}: left out ({reason[:150]})")
    return reason


def medians(results: dict[str, list[dict]]) -> dict[str, dict[str, float]]:
    return {
        library: {
            key: statistics.median(row[key] for row in rows)
            for key in ("steps_per_second", "peak_mib")
        }
        for library, rows in results.items()
    }


def row(results: dict[str, list[dict]], missing: list[str], name: str, size: dict) -> Row:
    """Ours beside the fastest peer that was measured."""
    rates = {
        library: figures["steps_per_second"] * size["batch"]
        for library, figures in medians(results).items()
    }
    peers = [library for library in rates if library not in (OURS, FLOOR)]
    best = max(peers, key=rates.__getitem__, default=None)
    return Row(
        f"training a {name}, d_in {size['d_in']}, batch {size['batch']}", "inputs/s",
        rates.get(OURS), best, rates.get(best), rates.get(FLOOR), tuple(missing), rate=True,
    )  # fmt: skip


def table(results: dict[str, list[dict]], architecture: str, d_sae: int, size: dict) -> str:
    middle = medians(results)
    peers = [name for name in middle if name not in (OURS, FLOOR)]
    fastest = max((middle[name]["steps_per_second"] for name in peers), default=float("nan"))
    floor = middle[FLOOR]["steps_per_second"] if FLOOR in middle else float("nan")
    lines = [
        f"\n{architecture}, d_in {size['d_in']}, d_sae {d_sae}, k {size['k']}, batch "
        f"{size['batch']}, {size['threads']} threads, {size['device']}",
        f"{'':22}{'ms/step':>9}{'steps/s':>9}{'inputs/s':>10}{'MiB':>7}{'FVU':>7}{'':8}{'dead':>6}"
        f"{'MMCS':>7}{'x fastest peer':>16}{'x floor':>9}",
    ]
    for library, row in sorted(middle.items(), key=lambda item: -item[1]["steps_per_second"]):
        rate, first, quality = row["steps_per_second"], results[library][0], f"{'':28}"
        if library != FLOOR:
            quality = (
                f"{first['fvu']:7.4f} ({first['fvu_training']:.4f}){first['dead']:6.3f}"
                f"{first['mmcs']:7.3f}"
            )
        lines.append(
            f"{library:22}{1e3 / rate:9.1f}{rate:9.2f}{rate * size['batch']:10.0f}"
            f"{row['peak_mib']:7.0f}{quality}{rate / fastest:16.2f}{rate / floor:9.2f}"
        )
    return "\n".join(lines)


def profile(architecture: str, d_sae: int, size: dict) -> dict:
    """The operations that take most of a training of ours, with their share of its time."""
    import _sae_contestants as contestants

    warmup, steps = PROFILED
    told = argparse.Namespace(
        **size, architecture=architecture, d_sae=d_sae, warmup=warmup, steps=steps
    )
    torch.set_num_threads(size["threads"])
    with torch.profiler.profile() as profiler:
        contestants.ours(told, contestants.Batches(told))
    where = "self_device_time_total" if size["device"] == "cuda" else "self_cpu_time_total"
    times = {one.key: getattr(one, where) for one in profiler.key_averages()}
    total = sum(times.values())
    most = sorted(times, key=times.__getitem__, reverse=True)[:SHOWN]
    what = f"{steps} steps of a {architecture} SAE, d_sae {d_sae:,}, {size['device']}"
    print(f"\n{what}, set-up included")
    for name in most:
        print(f"{times[name] / total:8.1%}  {name}")
    return {"what": what, "shares": [(name, times[name] / total) for name in most]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    gpu = runtime.device().type == "cuda"
    parser.add_argument("--architectures", nargs="+", help="at every size")
    parser.add_argument("--libraries", nargs="+", default=list(LIBRARIES))
    parser.add_argument("--d-sae", nargs="+", type=int, default=[65536] if gpu else [2048, 16384])
    parser.add_argument("--batch", type=int, default=8192 if gpu else 2048)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, help="timed steps, in every round")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--peers-python", default=sys.executable)
    chosen = parse(
        parser, "sae", quick={"d_sae": [65536 if gpu else 2048], "rounds": 1, "steps": 40},
        tiny={
            "d_sae": [64], "batch": 16, "rounds": 1, "steps": 2, "threads": 1,
            "architectures": ["topk"], "libraries": [*LIBRARIES[:3], "sae-lens"],
        },
    )  # fmt: skip
    size = {
        "d_in": 2048 if gpu else 256, "k": 64 if gpu else 32, "batch": chosen.batch,
        "lr": 3e-4, "l1": 0.5, "seed": 0, "threads": chosen.threads, "timed": chosen.steps,
        "device": "cuda" if gpu else "cpu",
    }  # fmt: skip

    record, rows = [], []
    for d_sae in chosen.d_sae:
        for architecture in chosen.architectures or (EVERY if d_sae < LARGE else EVERY[:1]):
            results: dict[str, list[dict]] = {}
            missing = []
            libraries = list(chosen.libraries)
            for rounds_done in range(chosen.rounds):
                for library in tqdm(list(libraries), desc=f"{architecture} {d_sae}", leave=False):
                    own = library in (OURS, FLOOR, "plain PyTorch")
                    python = sys.executable if own else chosen.peers_python
                    figures = run(python, library, architecture, d_sae, rounds_done == 0, size)
                    if not isinstance(figures, str):
                        results.setdefault(library, []).append(figures)
                        continue
                    libraries.remove(library)
                    if figures != CANNOT:
                        missing.append(library)
            print(table(results, architecture, d_sae, size), flush=True)
            rows.append(row(results, missing, f"{architecture} SAE, d_sae {d_sae:,}", size))
            record.append({"architecture": architecture, "d_sae": d_sae, "results": results})
    profiles = [profile((chosen.architectures or EVERY)[0], max(chosen.d_sae), size)]
    write(chosen, rows, tables=record, profiles=profiles)


if __name__ == "__main__":
    main()
