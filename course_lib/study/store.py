"""The file on this machine that remembers what was done: one line of JSON for each thing.

Lines are only ever added, so that two notebooks at a time lose nothing, and each is sealed: one
that cannot be read or was changed costs itself alone.
"""

from __future__ import annotations

import errno
import json
import os
import warnings
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from course_lib.files import seal, unseal

VARIABLE = "COURSE_PROGRESS"
_FIELDS = {
    "check": {"name": str, "done": bool, "passed": int, "cases": int},
    "prediction": {"chapter": str, "question": str, "guess": str, "outcome": str},
}


def path() -> Path | None:
    """The file: COURSE_PROGRESS, else `.course_lib/progress.jsonl` at home; None when it is `off`.

    In Colab the machine is thrown away with the session; a path on your Drive keeps the file.
    """
    named = os.environ.get(VARIABLE)
    if named == "off":
        return None
    return Path(named) if named else Path.home() / ".course_lib" / "progress.jsonl"


def add(kind: str, **fields: Any) -> None:
    """Remember one thing. A file that cannot be written gives a warning and stops nothing."""
    try:
        file = path()
        if file is None:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        at = datetime.now().astimezone().isoformat(timespec="seconds")
        line = json.dumps(seal({"kind": kind, **fields, "at": at}), ensure_ascii=False)
        with file.open("ab+", buffering=0) as opened:
            end = opened.tell()
            opened.seek(max(end - 1, 0))
            gap = b"\n" if opened.read() not in (b"", b"\n") else b""  # a line was cut off
            data = gap + line.encode() + b"\n"
            written = opened.write(data)
            if written < len(data):
                if opened.seek(0, os.SEEK_END) == end + written:  # nobody has added a line since
                    opened.truncate(end)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home
        warnings.warn(f"Your progress was not kept: {error}. {HOW}", stacklevel=3)


@dataclass(frozen=True)
class Kept:
    """What the file holds: its readable lines by kind, and a sentence about the rest."""

    checks: tuple[dict[str, Any], ...]
    predictions: tuple[dict[str, Any], ...]
    complaint: str = ""


def read() -> Kept:
    """Everything that was remembered. Never raises for what is in the file, or is not."""
    try:
        file = path()
        if file is None:
            return Kept((), (), f"{VARIABLE} is 'off', so nothing is kept.")
        if file.exists() and not file.is_file():
            raise OSError(f"{file} is no file")
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return Kept((), ())
    except (OSError, RuntimeError) as error:
        return Kept((), (), f"Your progress cannot be read: {error}. {HOW}")
    written = [line for line in lines if line.strip()]
    entries = [entry for entry in map(_entry, written) if entry]
    lost = len(written) - len(entries)
    complaint = ""
    if lost:
        noun = "line" if lost == 1 else "lines"
        complaint = (
            f"{lost} {noun} of {file} cannot be read and {'is' if lost == 1 else 'are'} left out; "
            "the rest is shown. Delete the file to begin anew."
        )
    checks, predictions = (
        tuple(entry for entry in entries if entry["kind"] == kind) for kind in _FIELDS
    )
    return Kept(checks, predictions, complaint)


HOW = f"{VARIABLE} in the environment names another file, or `off`."


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = unseal(json.loads(line))
        fields = _FIELDS[entry["kind"]] | {"at": str}
        right = all(type(entry[name]) is kind for name, kind in fields.items())
        datetime.fromisoformat(entry["at"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return entry if right else None
