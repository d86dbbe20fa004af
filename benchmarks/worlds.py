"""How fast are the worlds of tokens, scenes and fields?  python benchmarks/worlds.py

Millions of tokens a second (of a scene: captions with their pictures; of fields: points) that
`sample` with all labels, the exact `log_prob` and, for games, `replay` give: of processor time on
one thread, which does not count what else runs on the machine, or of wall time on a GPU. Best of
the rounds; writes all of them, with the machine, as JSON.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from _rows import Row, parse, write
from tqdm import trange

from course_lib import runtime
from course_lib.data import (
    CalendarArithmetic,
    InstructedTasks,
    MovingWindowSum,
    Othello,
    PhysicsFields,
    RepeatCopy,
    StoryWorld,
    TorusGame,
    Towns,
    TwoViewScenes,
    direction_labels,
    permuted_labels,
    two_alphabets,
)
from course_lib.data.games import BoardGame

HIDDEN = torch.randn(64, 32, generator=runtime.generator(0))
ALPHABETS = two_alphabets(runtime.generator(0))
WORLDS = {
    "story": StoryWorld(),
    "torus game": TorusGame(),
    "Othello 6 x 6": Othello(6),
    "Othello 8 x 8": Othello(8),
    "calendar": CalendarArithmetic(),
    "moving sum": MovingWindowSum(),
    "repeat": RepeatCopy(),
    "permuted labels": permuted_labels(),
    "direction labels": direction_labels(HIDDEN, torch.eye(32)),
    "two alphabets": ALPHABETS,
    "told tasks": InstructedTasks(ALPHABETS, [f"do-{t}" for t in range(8) for _ in "ab"]),
    "towns": Towns(),
    "scenes": TwoViewScenes(),
}


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Time of one call: the processor's on the CPU, wall time on a GPU."""
    if device.type == "cpu":
        start = time.process_time()
        work()
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    device = runtime.device()
    parser.add_argument("--batch", type=int, default=65536 if device.type == "cuda" else 2048)
    parser.add_argument("--rounds", type=int, default=5)
    size = parse(parser, "worlds", tiny={"batch": 16, "rounds": 1}, quick={"rounds": 2})
    torch.set_num_threads(1)

    generator = torch.Generator(device).manual_seed(0)
    fields = PhysicsFields()
    work: dict[tuple[str, str], tuple[Callable[[], object], int]] = {}
    for name, world in WORLDS.items():
        tokens = world.sample(size.batch, generator).tokens
        n = int((tokens >= 0).sum())
        work[name, "sample"] = (lambda world=world: world.sample(size.batch, generator), n)
        work[name, "log_prob"] = (lambda world=world, tokens=tokens: world.log_prob(tokens), n)
        if isinstance(world, BoardGame):
            work[name, "replay"] = (lambda world=world, tokens=tokens: world.replay(tokens), n)
    batch = size.batch // 16
    work["fields", "sample"] = (
        lambda: fields.sample(batch, generator),
        batch * fields.n_times * fields.n_space,
    )

    rates: dict[tuple[str, str], list[float]] = {job: [] for job in work}
    for _ in trange(size.rounds, desc="rounds"):
        for job, (call, n) in work.items():
            rates[job].append(n / seconds(call, device) / 1e6)

    print(f"batches of {size.batch} on {device}, millions of tokens a second")
    print(f"{'':18}{'sample':>10}{'log_prob':>10}{'replay':>10}")
    for name in (*WORLDS, "fields"):
        row = (rates.get((name, what)) for what in ("sample", "log_prob", "replay"))
        print(f"{name:18}" + "".join(f"{max(r):10.2f}" if r else f"{'':10}" for r in row))
    rows = []
    for what in ("sample", "log_prob", "replay"):
        best = {name: max(rates[name, of]) for name, of in rates if of == what}
        slow = min(best, key=best.__getitem__)
        told = f"`{what}` of the slowest of {len(best)} worlds ({slow}), batch {size.batch}"
        rows.append(Row(told, "million tokens/s", best[slow], rate=True))
    write(size, rows, millions_a_second={" ".join(job): found for job, found in rates.items()})


if __name__ == "__main__":
    main()
