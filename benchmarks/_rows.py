"""What all scripts here have in common: two sizes below the full one, and rows of one form.

A script prints its own table and writes `{"rows": [...]}`, with whatever else it measured, as
JSON. `python -m tools.bench` runs all of them and makes one table of the rows.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from course_lib import runtime


@dataclass(frozen=True)
class Row:
    """One figure of ours, beside the best peer and what no program on this machine can beat.

    what: the thing measured, with its sizes; unit: of `ours`, `theirs` and `floor`.
    ours: None where it cannot be measured here.
    peer, theirs: the best of the peers that were measured; None if there was none.
    floor: for a rate, the highest that is possible; else the lowest cost.
    missing: peers that are known and not installed here.
    rate: whether more is better.
    """

    what: str
    unit: str
    ours: float | None
    peer: str | None = None
    theirs: float | None = None
    floor: float | None = None
    missing: tuple[str, ...] = ()
    rate: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times as good as the best peer."""
        return self._against(self.theirs)

    @property
    def share(self) -> float | None:
        """The share of the floor that is reached, 1 at best."""
        return self._against(self.floor)

    def _against(self, other: float | None) -> float | None:
        if self.ours is None or other is None:
            return None
        return self.ours / other if self.rate else other / self.ours

    def fields(self) -> dict[str, Any]:
        return asdict(self) | {"ratio": self.ratio, "share of floor": self.share}


def parse(
    parser: argparse.ArgumentParser,
    script: str,
    *,
    tiny: dict[str, Any],
    quick: dict[str, Any] | None = None,
    arguments: Sequence[str] | None = None,
) -> argparse.Namespace:
    """The options; `--tiny` and `--quick` change defaults, and what is given beside them holds."""
    parser.add_argument("--json", type=Path, default=Path(f"_build/benchmarks/{script}.json"))
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="a few minutes on two cores")
    sizes.add_argument("--tiny", action="store_true", help="shows that it runs; measures nothing")
    given = sys.argv[1:] if arguments is None else arguments
    chosen, _ = parser.parse_known_args(given)
    parser.set_defaults(**(tiny if chosen.tiny else (quick or {}) if chosen.quick else {}))
    return parser.parse_args(given)


def write(options: argparse.Namespace, rows: Iterable[Row], **more: Any) -> None:
    """Write the rows, the options, what else was measured, and the machine, as JSON."""
    size = {name: str(v) if isinstance(v, Path) else v for name, v in vars(options).items()}
    content = {"rows": [row.fields() for row in rows], "size": size, **more}
    runtime.write_file(options.json, json.dumps(content | {"report": runtime.report()}, indent=1))
    print(f"all figures: {options.json}")


def take_turns(rounds: int, **ways: Callable[[], float]) -> dict[str, list[float]]:
    """What each way returns, round by round: a machine that gets busy slows all of them alike."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(way())
    return found
