"""Throw damaged files at a reader: `python -m tools.fuzz sae --inputs 1000000`, or at all of them.

With atheris (the extra `fuzz`, Linux) what is tried next follows the code that was reached; without
it, damage is drawn at random. It stops at a finding, which is kept in _build/fuzz, and
`python -m tools.fuzz sae --again FILE` tries that once more.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from tqdm import tqdm

FINDINGS = Path(__file__).resolve().parent.parent / "_build" / "fuzz"
LONGEST = 2**16  # bytes of an input that atheris makes
MUTATED_BY_ATHERIS = 0.3  # the share of inputs; the others are damaged by what files are made of
NO_END = 2**31 - 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("reader", nargs="?", help="one of them; all of them if none")
    until = parser.add_mutually_exclusive_group()
    until.add_argument("--seconds", type=int, default=60, help="for each reader (60)")
    until.add_argument("--inputs", type=int, help="for each reader, however long they take")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", type=Path, help="a finding")
    given = parser.parse_args()
    by_atheris = importlib.util.find_spec("atheris") is not None and not given.again
    with _watched() if by_atheris and given.reader else contextlib.nullcontext():
        from tests.fuzz.readers import READERS
    FINDINGS.mkdir(parents=True, exist_ok=True)
    if given.reader is None:
        return _all_of(list(READERS), sys.argv[1:])
    if given.reader not in READERS:
        parser.error(f"{given.reader!r} is no reader; they are {', '.join(READERS)}.")
    if given.again:
        found = READERS[given.reader].judge(given.again.read_bytes())
    else:
        search = _guided if by_atheris else _at_random
        found = search(given.reader, given.inputs, given.seconds, given.seed)
    print(found or "nothing found")
    return 1 if found else 0


def _all_of(names: list[str], arguments: list[str]) -> int:
    """Each in a process, as many at once as there are cores; 1 if one of them found something."""

    def search(name: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "tools.fuzz", name, *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        told = tqdm(pool.map(search, names), total=len(names), desc="readers")
        codes = [_report(name, *one) for name, one in zip(names, told, strict=True)]
    return max(codes)


def _report(name: str, code: int, told: str) -> int:
    if code:
        tqdm.write(f"{told}\n{name}: FOUND something, which stands above")
        return 1
    inputs = re.search(r"Done (\d+) runs", told)
    tqdm.write(f"{name}: nothing found in {int(inputs[1]):,} damaged files" if inputs else told)
    return 0 if inputs else 1


def _at_random(name: str, inputs: int | None, seconds: int, seed: int) -> str | None:
    """The first finding among so many inputs, None if there is none."""
    from tests.fuzz.judge import little_memory
    from tests.fuzz.mutation import mutated, pack
    from tests.fuzz.readers import READERS

    reader, random = READERS[name], Random(seed)
    seeds, done = reader.seeds(), 0
    end = time.monotonic() + seconds
    with little_memory():
        while done < inputs if inputs else time.monotonic() < end:
            data = pack(mutated(random.choice(seeds), random))
            done += 1
            if found := reader.judge(data):
                (FINDINGS / name).write_bytes(data)
                return f"{found}\n  in {FINDINGS / name}"
    print(f"Done {done} runs")
    return None


def _watched() -> contextlib.AbstractContextManager:
    """What is imported in this block tells atheris which of its code was reached."""
    import atheris

    return atheris.instrument_imports(include=["course_lib"])


def _guided(name: str, inputs: int | None, seconds: int, seed: int) -> None:
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
            f"-runs={inputs or NO_END}", f"-seed={seed + 1}", f"-max_len={LONGEST}", "-timeout=60",
            "-rss_limit_mb=4096", f"-artifact_prefix={FINDINGS / name}-",
        ]  # fmt: skip
        options += [] if inputs else [f"-max_total_time={seconds}"]
        atheris.Setup([sys.argv[0], *options, corpus], judge, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
