"""How fast are toy models trained side by side?  python benchmarks/toy_models.py

One step of training 32 toy models (100 features, 20 hidden dimensions, batch 1024; 1,024 models on
a GPU), four ways in turn, so that a busy machine slows all alike:

    floor     the step's five matrix products and nothing else, in buffers made once, in groups of
              the size that is fastest here
    batched   `Trainer.fit` on all instances
    loop      `Trainer.fit` on one instance, one after the other
    plain     the same loop as most people write it: two torch.rand, autograd, torch.optim.Adam

Prints the median of the rounds and writes all of them, with the machine, as JSON.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import torch
from _rows import Row, parse, write
from tqdm import trange

from course_lib import runtime
from course_lib.data import SparseFeatures
from course_lib.models import ToyModel
from course_lib.superposition import Trainer, reconstruction_loss

Step = Callable[[], None]


def fit(n_instances: int, n_models: int, size: argparse.Namespace, device: torch.device) -> Step:
    """`size.steps` steps of `Trainer` on `n_instances`, `n_models` times."""

    def train() -> None:
        for _ in range(n_models):
            model = ToyModel(size.n_features, size.d_hidden, n_instances).to(device)
            features = SparseFeatures(size.n_features, size.probability, n_instances)
            Trainer(model, features, steps=size.steps, batch_size=size.batch).fit()

    return train


def floor(size: argparse.Namespace, device: torch.device) -> Step:
    """x W, h Wᵀ, gᵀ h, g W and xᵀ (g W) for every instance."""
    candidates = []
    for group in {1, 2, 4, 8, 16, size.instances}:
        if size.instances % group == 0 and (device.type == "cpu" or group == size.instances):
            candidates.append(_products(group, size, device))
    for step in candidates:
        step()
    return min(candidates, key=lambda step: min(seconds(step, 1, device) for _ in range(5)))


def _products(group: int, size: argparse.Namespace, device: torch.device) -> Step:
    x, g = torch.rand(2, group, size.batch, size.n_features, device=device)
    h, s = torch.rand(2, group, size.batch, size.d_hidden, device=device)
    W, grad = torch.rand(2, size.instances, size.n_features, size.d_hidden, device=device)

    def step() -> None:
        for start in range(0, size.instances, group):
            w, d = W[start : start + group], grad[start : start + group]
            torch.bmm(x, w, out=h)
            torch.bmm(h, w.mT, out=g)
            torch.bmm(g.mT, h, out=d)
            torch.bmm(g, w, out=s)
            torch.bmm(x.mT, s, out=d)

    return step


def plain(size: argparse.Namespace, device: torch.device) -> Step:
    """One single model, written the usual way."""
    W = torch.nn.Parameter(0.1 * torch.randn(size.n_features, size.d_hidden, device=device))
    b = torch.nn.Parameter(torch.zeros(size.n_features, device=device))
    optimizer = torch.optim.Adam([W, b], lr=1e-3)
    shape = (size.batch, size.n_features)

    def step() -> None:
        active = torch.rand(shape, device=device) < size.probability
        x = torch.where(active, torch.rand(shape, device=device), 0.0)
        optimizer.zero_grad()
        reconstruction_loss(torch.relu(x @ W @ W.T + b), x).backward()
        optimizer.step()

    return step


def seconds(step: Step, repeats: int, device: torch.device) -> float:
    """Mean wall time of one call."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(repeats):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / repeats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    device = runtime.device()
    parser.add_argument("--instances", type=int, default=1024 if device.type == "cuda" else 32)
    parser.add_argument("--n-features", type=int, default=100)
    parser.add_argument("--d-hidden", type=int, default=20)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--probability", type=float, default=0.05)
    parser.add_argument("--steps", type=int, default=100, help="of a timed training, with set-up")
    parser.add_argument("--rounds", type=int, default=8)
    tiny = {"instances": 2, "batch": 16, "rounds": 1, "steps": 2}
    size = parse(parser, "toy_models", tiny=tiny, quick={"rounds": 3})
    torch.set_num_threads(os.cpu_count() or 1)

    n_models = min(size.instances, 32)  # of a loop, this many are timed and scaled up
    per_loop = size.instances / n_models
    ways: dict[str, tuple[Step, int, float]] = {  # what to call, how often, its share of a step
        "floor": (floor(size, device), 20, 1.0),
        "batched": (fit(size.instances, 1, size, device), 1, 1 / size.steps),
        "loop": (fit(1, n_models, size, device), 1, per_loop / size.steps),
        "plain": (plain(size, device), n_models, size.instances),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for step, _, _ in ways.values():
        step()
    for _ in trange(size.rounds, desc="rounds"):
        for name, (step, repeats, share) in ways.items():
            times[name].append(seconds(step, repeats, device) * share * 1e3)

    middle = {name: statistics.median(values) for name, values in times.items()}
    print(f"{size.instances} instances on {device}, {torch.get_num_threads()} threads")
    print(f"{'':10}{'ms a step':>12}{'x floor':>10}{'batched is faster by':>24}")
    for name, value in middle.items():
        print(
            f"{name:10}{value:12.2f}{value / middle['floor']:10.2f}"
            f"{value / middle['batched']:24.2f}"
        )
    what = f"step of {size.instances} toy models, {size.n_features} features, batch {size.batch}"
    row = Row(what, "ms", middle["batched"], "plain loop", middle["plain"], middle["floor"])
    write(size, [row], ms=times)


if __name__ == "__main__":
    main()
