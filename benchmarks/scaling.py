"""How does the cost grow with size?  python benchmarks/scaling.py

Seconds of a training step of a TopK SAE against d_sae (d_in 256, k 32), of a training step of toy
models against the number of instances (100 features, 20 hidden dimensions), and of fitting logistic
probes against their number (10 places). Each size runs by turns with the others and its fastest
round counts, as other work on the machine only slows it.

Prints the seconds and the exponent fitted to them by least squares on logarithms: over all sizes,
with its 95 % margin, and over the three largest, where what is paid once per step no longer counts.
`--quick` has the same sizes with smaller batches.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import probes
import torch
from _rows import Row, parse, take_turns, write
from torch import Tensor

from course_lib import runtime
from course_lib.data import SparseFeatures
from course_lib.models import ToyModel
from course_lib.probes import probe
from course_lib.sae import TopKSAE
from course_lib.sae import Trainer as SAETrainer
from course_lib.superposition import Trainer, fit_power_law

LARGE = 3  # the sizes of the second fit


def clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def sae_step(size: argparse.Namespace, device: torch.device, d_sae: int) -> float:
    """Seconds of one of `size.steps` steps, after one that is not counted."""
    x = torch.randn(size.sae_batch, 256, generator=runtime.generator(0)).to(device)
    started = 0.0

    def batches() -> Iterator[Tensor]:
        nonlocal started
        for step in range(size.steps + 1):
            if step == 1:
                started = clock(device)
            yield x

    sae = TopKSAE(256, d_sae, 32).to(device)
    SAETrainer(
        sae, batches(), steps=size.steps + 1, batch_size=size.sae_batch, log_every=size.steps + 1,
        scale_activations=False,
    ).fit()  # fmt: skip
    return (clock(device) - started) / size.steps


def toy_step(size: argparse.Namespace, device: torch.device, n_instances: int) -> float:
    """Seconds of one of `size.steps` steps, set-up included."""
    model = ToyModel(100, 20, n_instances).to(device)
    features = SparseFeatures(100, 0.05, n_instances)
    started = clock(device)
    Trainer(model, features, steps=size.steps, batch_size=size.toy_batch).fit()
    return (clock(device) - started) / size.steps


def probes_fit(size: argparse.Namespace, device: torch.device, n_probes: int) -> float:
    """Seconds of fitting all of them and judging them on as many rows again."""
    places = 10
    told = argparse.Namespace(places=places, train=size.rows, test=size.rows, d_model=64)
    x, y, split = probes.world(told, n_probes // places)
    x, y = x.to(device), y.to(device)
    started = clock(device)
    probe(x, y, split=split)
    return clock(device) - started


def curve(what: str, axis: str, sizes: list[int], seconds: list[float]) -> dict[str, Any]:
    """A measured curve with its exponents; it needs three sizes or more."""
    x, y = torch.tensor(sizes), torch.tensor(seconds)
    fit, large = fit_power_law(x, y), fit_power_law(x[-LARGE:], y[-LARGE:])
    return {
        "what": what, "axis": axis, "sizes": sizes, "seconds": seconds,
        "exponent": -fit.exponent.item(), "margin": fit.margin.item(), "scale": fit.scale.item(),
        "exponent of the largest": -large.exponent.item(),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = {"type": int, "nargs": "+"}
    parser.add_argument("--d-sae", default=[1024 * 2**i for i in range(7)], **sizes)
    parser.add_argument("--instances", default=[4**i for i in range(6)], **sizes)
    parser.add_argument("--probes", default=[10, 40, 160, 630, 2500, 10_000], **sizes)
    parser.add_argument("--sae-batch", type=int, default=1024)
    parser.add_argument("--toy-batch", type=int, default=512)
    parser.add_argument("--rows", type=int, default=2000, help="training rows of a probe")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parse(
        parser, "scaling",
        quick={"sae_batch": 256, "toy_batch": 128, "rows": 200, "steps": 3, "rounds": 2},
        tiny={
            "d_sae": [64, 128, 256], "instances": [1, 2, 4], "probes": [10, 20, 40],
            "sae_batch": 16, "toy_batch": 16, "rows": 100, "steps": 1, "rounds": 1,
        },
    )  # fmt: skip
    torch.set_num_threads(os.cpu_count() or 1)
    device = runtime.device()
    jobs: list[tuple[str, str, list[int], Callable[..., float]]] = [
        (f"training step of a TopK SAE, batch {options.sae_batch}", "d_sae", options.d_sae,
         sae_step),
        (f"training step of toy models, batch {options.toy_batch}", "instances",
         options.instances, toy_step),
        (f"fit of logistic probes, {options.rows} rows", "probes", options.probes, probes_fit),
    ]  # fmt: skip
    curves = []
    for what, axis, along, measure in jobs:
        measure(options, device, along[0])  # warms up
        ways = {str(n): partial(measure, options, device, n) for n in along}
        found = take_turns(options.rounds, **ways)
        curves.append(curve(what, axis, along, [min(times) for times in found.values()]))

    for one in curves:
        print(f"\n{one['what']}, on {device}\n{one['axis']:>12}{'seconds':>12}")
        for n, seconds in zip(one["sizes"], one["seconds"], strict=True):
            print(f"{n:12,}{seconds:12.4f}")
        print(f"exponent {one['exponent']:.2f} ± {one['margin']:.2f} over all sizes,", end=" ")
        print(f"{one['exponent of the largest']:.2f} over the {LARGE} largest")
    rows = [
        Row(
            f"{one['what']}: growth from {min(one['sizes']):,} to {max(one['sizes']):,} "
            f"{one['axis']}", "exponent", one["exponent"],
        )
        for one in curves
    ]  # fmt: skip
    write(options, rows, curves=curves)


if __name__ == "__main__":
    main()
