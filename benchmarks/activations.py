"""What does it cost to look inside a model?  python benchmarks/activations.py

Harvesting, against the model's bare forward pass over the same tokens in the same batches; and
recording one layer, against a model that has no layers after it. One core. Each pair runs by turns
and the fastest of the rounds counts, as other work on the machine only slows them.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from _rows import Row, parse, write
from torch import Tensor

from course_lib import runtime
from course_lib.activations import harvest, read
from course_lib.models.gpt import GPT, GPTConfig

HARVEST_LIMIT = 1.3  # times the bare forward pass
BATCH = 64
LAST = "blocks.5.resid_post"
SITES = {"one site": [LAST], "three sites": ["blocks.5.attn_out", "blocks.5.mlp_out", LAST]}


def fastest(rounds: int, *steps: Callable[[], object]) -> list[float]:
    """Seconds of the fastest call of each step; they take turns."""
    times = [[] for _ in steps]
    for _ in range(rounds + 1):  # the first warms up
        for step, taken in zip(steps, times, strict=True):
            start = time.perf_counter()
            step()
            taken.append(time.perf_counter() - start)
    return [min(taken[1:]) for taken in times]


@torch.inference_mode()
def forward(model: GPT, tokens: Tensor) -> None:
    for batch in tokens.split(BATCH):
        model(batch)


def to_files(model: GPT, tokens: Tensor, sites: list[str]) -> None:
    path = Path(tempfile.mkdtemp())
    try:
        harvest(model, tokens, sites, path, batch_size=BATCH)
    finally:
        shutil.rmtree(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--d-model", type=int, default=128)
    parser.add_argument("--seq", type=int, default=64)
    parser.add_argument("--sequences", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    options = parse(
        parser, "activations", quick={"sequences": 128, "rounds": 2},
        tiny={"d_model": 16, "seq": 8, "sequences": 4, "rounds": 1},
    )  # fmt: skip
    torch.set_num_threads(1)
    config = GPTConfig(
        d_vocab=512, n_ctx=options.seq, d_model=options.d_model, n_heads=8, n_layers=6
    )
    model = GPT(config).eval()
    shape = (options.sequences, options.seq)
    tokens = torch.randint(0, config.d_vocab, shape, generator=runtime.generator(0))

    print(f"{tokens.numel():,} tokens, 6 layers of d_model = {config.d_model}")
    print(f"{'':28}{'tokens/s':>12}{'bare passes':>14}")
    rows = []
    for name, sites in SITES.items():
        bare, memory, files = fastest(
            options.rounds,
            lambda: forward(model, tokens),
            lambda sites=sites: harvest(model, tokens, sites, batch_size=BATCH),
            lambda sites=sites: to_files(model, tokens, sites),
        )
        for where, seconds in (("memory", memory), ("files", files)):
            told = "" if seconds <= HARVEST_LIMIT * bare else f"  over {HARVEST_LIMIT}"
            label = f"harvest, {name}, {where}"
            print(f"{label:28}{tokens.numel() / seconds:12,.0f}{seconds / bare:14.2f}{told}")
            rates = tokens.numel() / seconds, tokens.numel() / bare
            rows.append(Row(label, "tokens/s", rates[0], floor=rates[1], rate=True))

    print(f"\n{'recording block':28}{'of all six':>12}{'of those up to it':>20}")
    batch = tokens[:BATCH]
    for layer in range(config.n_layers):
        upto = GPT(replace(config, n_layers=layer + 1)).eval()
        recorded, needed, whole = fastest(
            5 * options.rounds,
            lambda layer=layer: read(model, f"blocks.{layer}.resid_post", batch),
            lambda upto=upto: forward(upto, batch),
            lambda: forward(model, batch),
        )
        print(f"{layer:<28}{recorded / whole:12.2f}{recorded / needed:20.2f}")
        if layer in (0, config.n_layers - 1):
            what = f"recording block {layer} of {config.n_layers}, {batch.numel():,} tokens"
            rows.append(Row(what, "ms", recorded * 1e3, floor=needed * 1e3))
    write(options, rows)


if __name__ == "__main__":
    main()
