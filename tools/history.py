"""What each edition measured: `python -m tools.history v0.2.0` stores the claims of this one.

It reads the notebooks that `make book` executed, and writes `book/back/editions/v0.2.0.json`: one
entry for each claim, with its value and status. The claim ledger compares this edition with those.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from course_lib.runtime import write_file
from tools import editions
from tools.markdown import table

FOLDER = Path("book") / "back" / "editions"


def of(claims: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What an edition keeps of its claims, by name."""
    return {claim["name"]: {"value": claim["value"], "status": claim["status"]} for claim in claims}


def stored(root: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """The claims of the stored editions, newest edition first."""
    files = sorted((root / FOLDER).glob("*.json"), key=lambda f: editions.newest_first(f.stem))
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


def page_of(root: Path, now: dict[str, dict[str, Any]]) -> str:
    """The counts of every edition, and each claim whose status differs from the one before."""
    before = stored(root)
    if not before:
        return "No earlier edition is stored: what moves from this one on will be told here."
    everything = {"this edition": now, **before}
    statuses = sorted({one["status"] for claims in everything.values() for one in claims.values()})
    rows = [
        (name, str(len(claims)), *(str(_counts(claims)[status]) for status in statuses))
        for name, claims in everything.items()
    ]
    counted = table(("Edition", "Claims", *statuses), rows)
    return f"{counted}\n\n{_moved(now, *next(iter(before.items())))}"


def _counts(claims: dict[str, dict[str, Any]]) -> Counter[str]:
    return Counter(claim["status"] for claim in claims.values())


def _moved(now: dict[str, Any], edition: str, before: dict[str, Any]) -> str:
    shared = [name for name in now if name in before]
    rows = [
        (
            f"`{name}`",
            f"{was['status']}, {was['value']:.4g}",
            f"{is_['status']}, {is_['value']:.4g}",
        )
        for name in shared
        if (was := before[name])["status"] != (is_ := now[name])["status"]
    ]
    new, gone = len(now) - len(shared), len(before) - len(shared)
    told = f"Since {edition}: {new} new, {gone} no longer made, "
    told += f"and another status for {len(rows)} of the other {len(shared)}."
    return f"{told}\n\n{table(('Claim', edition, 'This edition'), rows)}" if rows else told


def _told(claim: dict[str, Any]) -> str:
    return f"{claim['status']}, {claim['value']:.4g}"


def main(arguments: list[str]) -> int:
    from tools import tables

    root = Path(__file__).resolve().parent.parent
    if len(arguments) != 1:
        print(__doc__)
        return 2
    (name,) = arguments
    if not editions.is_name(name):
        print(f"{name!r} is no edition; write a tag such as v0.2.0.", file=sys.stderr)
        return 2
    text = json.dumps(of(tables.claims(root)), indent=1, sort_keys=True) + "\n"
    print(write_file(root / FOLDER / f"{name}.json", text))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
