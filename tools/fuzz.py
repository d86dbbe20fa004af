"""Throw damaged files at a reader: `python -m tools.fuzz sae --inputs 1000000`, or at all of them.

With atheris (`pip install atheris`, Linux) what is tried next follows the code that was reached;
without it, damage is drawn at random. It stops at a finding, which is kept in _build/fuzz, and
`python -m tools.fuzz sae --again FILE` tries that once more.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

FINDINGS = Path(__file__).resolve().parent.parent / "_build" / "fuzz"
LONGEST = 2**16  # bytes of an input that atheris makes
MUTATED_BY_ATHERIS = 0.3  # the share of inputs; the others are damaged by what files are made of


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("reader", nargs="?", help="one of them; all, one after the other, if none")
    parser.add_argument("--inputs", type=int, default=20_000, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", type=Path, help="a finding")
    given = parser.parse_args()
    by_atheris = importlib.util.find_spec("atheris") is not None and not given.again
    with _watched() if by_atheris and given.reader else contextlib.nullcontext():
        from tests.fuzz.readers import READERS
    if given.reader is None:
        more = ["--inputs", str(given.inputs), "--seed", str(given.seed)]
        return max([_in_a_process(name, more) for name in READERS])
    if given.reader not in READERS:
        parser.error(f"{given.reader!r} is no reader; they are {', '.join(READERS)}.")
    if given.again:
        found = READERS[given.reader].judge(given.again.read_bytes())
    else:
        FINDINGS.mkdir(parents=True, exist_ok=True)
        search = _guided if by_atheris else _at_random
        found = search(given.reader, given.inputs, given.seed)
    print(found or "nothing found")
    return 1 if found else 0


def _in_a_process(name: str, arguments: list[str]) -> int:
    start = time.monotonic()
    code = subprocess.run([sys.executable, "-m", "tools.fuzz", name, *arguments]).returncode
    told = "nothing found" if code == 0 else "FOUND something"
    print(f"{name}: {told} in {time.monotonic() - start:.0f} s", flush=True)
    return code


def _at_random(name: str, inputs: int, seed: int) -> str | None:
    """The first finding among so many inputs, None if there is none."""
    from tests.fuzz.judge import little_memory
    from tests.fuzz.mutation import mutated, pack
    from tests.fuzz.readers import READERS

    reader, random = READERS[name], Random(seed)
    seeds = reader.seeds()
    with little_memory():
        for _ in range(inputs):
            data = pack(mutated(random.choice(seeds), random))
            if found := reader.judge(data):
                (FINDINGS / name).write_bytes(data)
                return f"{found}\n  in {FINDINGS / name}"
    return None


def _watched() -> contextlib.AbstractContextManager:
    """What is imported in this block tells atheris which of its code was reached."""
    import atheris

    return atheris.instrument_imports(include=["course_lib"])


def _guided(name: str, inputs: int, seed: int) -> None:
    """The same by atheris, which ends this process, with an error after a finding."""
    import atheris

    from tests.fuzz.judge import little_memory
    from tests.fuzz.mutation import mutated, pack, unpack
    from tests.fuzz.readers import READERS

    reader = READERS[name]

    def judge(data: bytes) -> None:
        if found := reader.judge(data):
            raise AssertionError(found)

    def mutate(data: bytes, most: int, number: int) -> bytes:
        random = Random(number)
        if random.random() < MUTATED_BY_ATHERIS:
            return atheris.Mutate(data, most)
        return pack(mutated(unpack(data, len(reader.files)), random))[:most]

    with tempfile.TemporaryDirectory() as corpus, little_memory():
        for number, parts in enumerate(reader.seeds()):
            (Path(corpus) / str(number)).write_bytes(pack(parts))
        options = [
            f"-runs={inputs}", f"-seed={seed + 1}", f"-max_len={LONGEST}", "-timeout=60",
            "-rss_limit_mb=4096", f"-artifact_prefix={FINDINGS / name}-",
        ]  # fmt: skip
        atheris.Setup([sys.argv[0], *options, corpus], judge, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
