"""How fast are many logistic probes?  python benchmarks/probes.py

Ten places (sites by positions) and 1, 10, 100, 1,000 labels: as many probes as their product, each
fitted on 2,000 rows of 64 dimensions and judged on 1,000. Three ways in turn, so that a busy
machine slows all alike, on all cores, or as many as OMP_NUM_THREADS says:

    batched        `probe` on all of them
    loop           scikit-learn's LogisticRegression, fit and score, one after the other; with one
                   thread, for more are slower on problems of this size
    processes      the same loop, shared out over as many processes

A loop is timed on some of the probes, evenly spread, and scaled up. Prints the best of the rounds,
held-out accuracies and how far they lie apart; writes all rounds, with the machine, as JSON.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import torch
from _rows import Row, parse, write
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from torch import Tensor
from tqdm import tqdm

from course_lib import runtime
from course_lib.probes import Split, probe

WAYS = ("batched", "loop", "processes")


def world(size: argparse.Namespace, n_labels: int) -> tuple[Tensor, Tensor, Split]:
    """x [places, n, d_model] and y [labels, places, n]: from chance to nearly separable."""
    generator = runtime.generator(0)
    n = size.train + size.test
    x = torch.randn(size.places, n, size.d_model, generator=generator)
    x *= torch.linspace(0.3, 3, size.d_model)  # as in a residual stream, not all axes are alike
    W = torch.randn(n_labels, size.d_model, generator=generator) / size.d_model**0.5
    noise = torch.logspace(-1, 1, n_labels)[torch.randperm(n_labels, generator=generator)]
    scores = torch.einsum("pnd,ld->lpn", x, W)
    scores += noise[:, None, None] * torch.randn(scores.shape, generator=generator)
    test = torch.arange(n) >= size.train
    return x, (scores > 0.5).long(), Split(~test, test, "own")


def one(x: np.ndarray, y: np.ndarray, n_train: int) -> float:
    """Held-out accuracy of scikit-learn's probe, as it comes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = LogisticRegression().fit(x[:n_train], y[:n_train])
    return float(fitted.score(x[n_train:], y[n_train:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    device = runtime.device()
    parser.add_argument("--places", type=int, default=10)
    parser.add_argument("--labels", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--train", type=int, default=2000)
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--d-model", type=int, default=64)
    parser.add_argument("--sample", type=int, default=16, help="probes of a loop that are timed")
    parser.add_argument("--rounds", type=int, default=3)
    size = parse(
        parser, "probes", quick={"labels": [1, 10, 100], "rounds": 2},
        tiny={"places": 2, "labels": [1, 2], "train": 200, "test": 50, "d_model": 4, "rounds": 1},
    )  # fmt: skip
    threads = torch.get_num_threads()
    shared_out = Parallel(n_jobs=threads)
    rows = {}

    for n_labels in tqdm(size.labels, desc="numbers of labels"):
        x, y, split = world(size, n_labels)
        on_device = x.to(device), y.to(device)
        n_probes = n_labels * size.places
        chosen = torch.linspace(0, n_probes - 1, min(size.sample, n_probes)).long().tolist()
        jobs = [
            (x[i % size.places].numpy(), y[i // size.places, i % size.places].numpy(), size.train)
            for i in chosen
        ]
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        accuracy: dict[str, Tensor] = {}

        def run(way: str) -> Tensor:
            if way == "batched":
                return probe(*on_device, split=split).accuracy.flatten()[chosen].cpu()  # noqa: B023
            if way == "loop":
                with threadpool_limits(1):
                    return torch.tensor([one(*job) for job in jobs])  # noqa: B023
            return torch.tensor(shared_out(delayed(one)(*job) for job in jobs))  # noqa: B023

        for _ in range(size.rounds):
            for way in WAYS:
                start = time.perf_counter()
                accuracy[way] = run(way)
                share = 1 if way == "batched" else n_probes / len(chosen)
                seconds[way].append((time.perf_counter() - start) * share)
        rows[n_probes] = {
            "seconds": seconds,
            "accuracy": {way: accuracy[way].mean().item() for way in WAYS},
            "apart": (accuracy["batched"] - accuracy["loop"]).abs().max().item(),
        }

    print(
        f"{size.places} places, {size.train} rows, {size.d_model} dimensions on {device}, "
        f"{threads} threads"
    )
    print(f"{'':8}{'ms a probe':>36}{'batched is faster than':>26}{'held-out accuracy':>28}")
    print(
        f"{'probes':>8}" + "".join(f"{way:>12}" for way in WAYS) + f"{'loop':>14}{'processes':>12}"
        f"{'batched':>12}{'loop':>8}{'apart':>8}"
    )  # fmt: skip
    told = []
    for n_probes, row in rows.items():
        best = {way: min(row["seconds"][way]) for way in WAYS}
        faster = [best[way] / best["batched"] for way in WAYS[1:]]
        print(
            f"{n_probes:8,}" + "".join(f"{best[way] / n_probes * 1e3:12.2f}" for way in WAYS)
            + f"{faster[0]:14.1f}{faster[1]:12.1f}{row['accuracy']['batched']:12.4f}"
            + f"{row['accuracy']['loop']:8.4f}{row['apart']:8.4f}"
        )  # fmt: skip
        way = min(WAYS[1:], key=best.__getitem__)
        ours, theirs = best["batched"] / n_probes * 1e3, best[way] / n_probes * 1e3
        what = f"one of {n_probes:,} logistic probes, {size.train} rows of {size.d_model}"
        told.append(Row(what, "ms", ours, f"scikit-learn, {way}", theirs))
    write(size, told, by_number_of_probes=rows)


if __name__ == "__main__":
    main()
