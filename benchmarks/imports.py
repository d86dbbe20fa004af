"""What does `import course_lib` cost?  python benchmarks/imports.py

In fresh processes, by turns: seconds of importing torch and numpy, and then of a library after
them, which is to be under 0.3 s for `import course_lib`. All its rooms that need torch and numpy
alone are measured as well. Medians of the rounds.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path

from _rows import Row, parse, take_turns, write

LIMIT = 0.3  # seconds after torch and numpy
ROOMS = "activations causal data geometry models probes sae steering superposition"
TIMED = """
from time import perf_counter
start = perf_counter()
import torch, numpy
middle = perf_counter()
import {}
print(middle - start, perf_counter() - middle)
"""


def seconds(modules: str, base: list[float]) -> float:
    """Seconds that `modules` take after torch and numpy, whose own go to `base`."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", TIMED.format(modules)], check=True, capture_output=True, text=True,
        cwd=Path(__file__).parent.parent, env=environment,
    )  # fmt: skip
    before, own = map(float, done.stdout.split()[-2:])
    base.append(before)
    return own


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    options = parse(parser, "imports", tiny={"rounds": 1}, quick={"rounds": 3})
    modules = {
        "course_lib": "course_lib",
        "all rooms": ", ".join(f"course_lib.{room}" for room in ROOMS.split()),
    }
    if importlib.util.find_spec("sae_lens"):
        modules["sae-lens"] = "sae_lens"
    base: list[float] = []
    ways = {name: partial(seconds, imported, base) for name, imported in modules.items()}
    take_turns(1, **ways)  # writes the compiled files and fills the disk's cache
    base.clear()
    found = take_turns(options.rounds, **ways)

    own = {name: statistics.median(times) for name, times in found.items()}
    torch = statistics.median(base)
    print(f"{'':12}{'seconds':>10}\n{'torch, numpy':12}{torch:10.2f}\nafter them")
    for name, median in own.items():
        told = f"  over {LIMIT}" if name == "course_lib" and median > LIMIT else ""
        print(f"{name:12}{median:10.3f}{told}")
    peer = "sae-lens" if "sae-lens" in own else None
    missing = () if peer else ("sae-lens",)
    whole = torch + own["all rooms"]
    theirs = torch + own[peer] if peer else None
    rows = [
        Row(f"`import course_lib` after torch; at most {LIMIT} s", "s", own["course_lib"]),
        Row("all of `course_lib` with torch", "s", whole, peer, theirs, torch, missing),
    ]
    write(options, rows, seconds=found | {"torch, numpy": base})


if __name__ == "__main__":
    main()
