"""Edit the solutions a little and see whether the checks notice.

    python -m tools.mutants 02_toy_models      run a chapter, store tests/mutants/<chapter>.json
    python -m tools.mutants ps1_cost_of_sharing    a problem set; its stored file is part of the key
    python -m tools.mutants --list             what survived, in all stored chapters and sets

Every edit of `tools.mutate` goes through the exercise's own check, or the cases of the problem
set's question. It is

- *stillborn* if every case raises an exception: it is not counted;
- *killed* if the check rejects it on both of two seeds;
- *equivalent* if its outputs are those of the solution on fresh inputs of five more seeds, as they
  are and with noise on every number: it is no error and not counted;
- a *survivor* otherwise. One that no allowed input can tell from the solution is named in
  tests/mutants/judged.json with the reason, and is not counted either.

Exercises that ask for an example, functions without arguments, are left out: whatever has the
properties is right. In a problem set a seed is also a student, whose world is made from the name;
the judgements of its edits stand in tests/mutants/ps_judged.json. A stored file holds the hash of
the answers, the checks or cases, and the edits.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from course_lib.checks import core
from course_lib.runtime import write_file
from tools.asked import Asked, asked, digest
from tools.exercises import ROOT
from tools.mutate import mutants
from tools.problem_sets import SETS
from tools.solved import CHAPTERS

STORED = ROOT / "tests" / "mutants"
JUDGED = STORED / "judged.json"
JUDGED_SETS = STORED / "ps_judged.json"
SEEDS = (0, 1)
FRESH = range(100, 105)
CPU_SECONDS = 10.0  # for one run of a check; an edit that does not end is killed


class TookTooLong(BaseException):
    """Not an Exception, so that a check does not take it for the answer's own."""


def measure(chapter: str) -> dict[str, Any]:
    """Run every mutant of a chapter or set; what `tests/mutants/<chapter>.json` holds."""
    rows = []
    for one in asked(chapter):
        fates, kept = Counter(), {"equivalent": [], "survivor": []}
        for mutant in mutants(one.source):
            fate = fate_of(one, lambda seed, m=mutant: one.answer(m.source, seed))  # noqa: B023
            fates[fate] += 1
            if fate in kept:
                kept[fate].append({"rule": mutant.rule, "change": mutant.change})
        counts = {fate: fates[fate] for fate in ("killed", "stillborn")}
        rows.append({"exercise": one.exercise.name, **counts, **kept})
        print(one.exercise.name, dict(fates), *kept["survivor"], sep="\n    ", flush=True)
    return {"sha256": digest(chapter), "torch": torch.__version__, "exercises": rows}


def results(chapter: str) -> list[dict[str, Any]]:
    """The stored rows of a chapter with its survivors judged: `open` are those without a reason."""
    if not (STORED / f"{chapter}.json").exists():
        return []
    judged = judgements(chapter)
    rows = json.loads((STORED / f"{chapter}.json").read_text(encoding="utf-8"))["exercises"]
    for row in rows:
        reasons = judged.get(row["exercise"], {})
        row["open"] = [one for one in row["survivor"] if one["change"] not in reasons]
        row["judged"] = len(row["survivor"]) - len(row["open"])
    return rows


def judgements(chapter: str) -> dict[str, dict[str, str]]:
    """Exercise, edit: why an edit that the checks accept is no error."""
    path = JUDGED_SETS if chapter in SETS else JUDGED
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    """How many mutants are killed, are alive though they are errors, are no error, do not run."""
    return {
        "killed": sum(row["killed"] for row in rows),
        "alive": sum(len(row["open"]) for row in rows),
        "equivalent": sum(len(row["equivalent"]) + row["judged"] for row in rows),
        "stillborn": sum(row["stillborn"] for row in rows),
    }


def rate(counted: dict[str, int]) -> float:
    """The share of the mutants that are errors which the checks reject."""
    return counted["killed"] / max(counted["killed"] + counted["alive"], 1)


def fate_of(one: Asked, answer: Callable[[int], Any]) -> str:
    """What becomes of the answer that an edited cell gives to the student of each seed."""
    for seed in SEEDS:
        try:
            with _time_limit():
                attempt = answer(seed)
                if attempt is None:
                    return "stillborn"
                results = [core.run_case(c, attempt, one.exercise) for c in one.cases(seed)]
        except TookTooLong:
            return "killed"
        if all("it raised" in result.message for result in results):
            return "stillborn"
        if all(result.verdict == core.PASSED for result in results):
            return "equivalent" if _equivalent(one, answer) else "survivor"
    return "killed"


def _equivalent(one: Asked, answer: Callable[[int], Any]) -> bool:
    compared = 0
    for seed in FRESH:
        attempts = [one.answer(None, seed), answer(seed)]
        for noise in (0.0, 0.3):
            made = (_outputs(one, attempt, seed, noise) for attempt in attempts)
            for wanted, found in zip(*made, strict=True):
                if isinstance(wanted, Exception):  # no input for this exercise
                    continue
                compared += 1
                if not _same(wanted, found):
                    return False
    return compared > 0


def _outputs(one: Asked, attempt: Any, seed: int, noise: float) -> Iterator[Any]:
    for case in one.cases(seed):
        generator = torch.Generator().manual_seed(seed)
        inputs = {name: _noisy(value, noise, generator) for name, value in case.inputs.items()}
        try:
            with _time_limit(), torch.random.fork_rng(devices=[]), torch.enable_grad():
                torch.manual_seed(seed)
                yield case.call(attempt, **inputs)
        except (Exception, TookTooLong) as error:
            yield error if isinstance(error, Exception) else TimeoutError()


def _noisy(value: Any, noise: float, generator: torch.Generator) -> Any:
    if isinstance(value, Tensor) and value.is_floating_point():
        more = torch.randn(value.shape, generator=generator).to(value.dtype)
        scale = value.std().nan_to_num() if value.numel() > 1 else value.abs().mean()
        return value.detach().clone() + noise * scale * more
    if isinstance(value, float):
        return value * (1 + noise * torch.rand((), generator=generator).item())
    return value.clone() if isinstance(value, Tensor) else value


def _same(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, Tensor) and isinstance(found, Tensor):
        if wanted.shape != found.shape or wanted.requires_grad != found.requires_grad:
            return False
        close = dict(rtol=1e-4, atol=1e-6, equal_nan=True)
        return torch.allclose(wanted.detach().double(), found.detach().double(), **close)
    if isinstance(wanted, (list, tuple)) and isinstance(found, (list, tuple)):
        return len(wanted) == len(found) and all(map(_same, wanted, found))
    if isinstance(wanted, dict) and isinstance(found, dict):
        return wanted.keys() == found.keys() and all(_same(wanted[k], found[k]) for k in wanted)
    if isinstance(wanted, float) and isinstance(found, (int, float)):
        return _same(torch.tensor(wanted), torch.tensor(float(found)))
    return type(wanted) is type(found) and wanted == found


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TookTooLong

    before: Callable = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.mutants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "chapters", nargs="*", metavar="chapter", help="02_toy_models, for one, or a problem set"
    )
    parser.add_argument("--list", action="store_true", help="what survived, without a run")
    options = parser.parse_args(arguments)
    known = [*CHAPTERS, *SETS]
    if unknown := set(options.chapters) - set(known):
        parser.error(f"no chapter {min(unknown)!r}; there are {', '.join(known)}")
    for chapter in options.chapters:
        stored = json.dumps(measure(chapter), indent=1, ensure_ascii=False) + "\n"
        write_file(STORED / f"{chapter}.json", stored)
    shown = options.chapters or [c for c in known if (STORED / f"{c}.json").exists()]
    for chapter in shown:
        rows = results(chapter)
        print(f"{chapter}: {rate(counts(rows)):.1%} killed")
        print(*(f"  {one}\n" for row in rows for one in row["open"]), sep="", end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
