"""How many tokens a second do the worlds of symbols make?  python benchmarks/worlds.py

One core, labels included. The best of the rounds, as other work on the machine only slows them;
CPU seconds, not wall time. `log_prob` is the exact one, of the tokens just made.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from course_lib import runtime
from course_lib.data import StoryWorld
from course_lib.data.sequences import TokenWorld

WORLDS = {"story": StoryWorld}


def fastest(step: Callable[[], object], rounds: int) -> float:
    """CPU seconds of the fastest call."""
    times = []
    for _ in range(rounds + 1):  # the first warms up
        start = time.process_time()
        step()
        times.append(time.process_time() - start)
    return min(times[1:])


def measure(world: TokenWorld, batch: int, rounds: int) -> tuple[float, float]:
    """Tokens a second of `sample` and of `log_prob`."""
    generator = runtime.generator(0)
    tokens = world.sample(min(batch, 512), generator).tokens
    made = fastest(lambda: world.sample(batch, generator), rounds)
    read = fastest(lambda: world.log_prob(tokens), 2)
    return batch * world.seq / made, tokens.numel() / read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 1024, 8192])
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'world':12}{'batch':>8}{'sample, tokens/s':>20}{'log_prob, tokens/s':>20}")
    for name, build in WORLDS.items():
        world = build()
        for batch in options.batches:
            sample, log_prob = measure(world, batch, options.rounds)
            print(f"{name:12}{batch:8}{sample:20,.0f}{log_prob:20,.0f}")


if __name__ == "__main__":
    main()
