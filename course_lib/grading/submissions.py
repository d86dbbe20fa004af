"""Finds what was handed in and reads it, trusting neither names nor contents.

Nothing is unpacked or executed: a notebook, alone, in a student's folder or in a student's zip, is
read into memory up to a size and turned into the sources of its cells. What cannot be read so is
`Unreadable`, with a reason for the student.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import re
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

MAX_BYTES, MAX_SOURCE, MAX_CELLS, MAX_MEMBERS = 10 * 2**20, 2**20, 1000, 200
SKIPPED = {"check", "demo"}
PARSING = Lock()  # up to Python 3.12, two threads that parse can fail each other
WRITTEN = re.compile(r"<!-- written: (\w+) -->")


# Names that learning systems give: Moodle's NAME_NUMBER_assignsubmission_file..., Canvas'
# NAME_[LATE_]NUMBER_NUMBER_FILE, and USER+SET+TIME+... of an nbgrader exchange's folder `inbound`.
MOODLE = re.compile(r"(.+?)_\d+_assignsubmission_.*")
CANVAS = re.compile(r"([^_]+)_(?:LATE_)?\d{3,}_\d{3,}_.*")
EXCHANGE = re.compile(r"([^+]+)\+([^+]+)\+\d{4}-\d\d-\d\d .*")


class Unreadable(Exception):
    """It is no notebook that can be graded; the message says why."""


@dataclass(frozen=True)
class Submission:
    """A student and the path of what they handed in."""

    student: str
    path: Path


@dataclass(frozen=True)
class Notebook:
    """The sources of the code cells to run, and the written answers by name."""

    cells: list[str]
    written: dict[str, str]


def find(folder: Path, of: str = "") -> list[Submission]:
    """What lies in the folder, one a student, by name: NAME.ipynb, NAME.zip or a folder NAME.

    NAME may be as a learning system writes it. A folder NAME that has a folder `of`, the name of a
    set, stands for that one; of an exchange, the latest hand-in of the set counts. Raises
    ValueError when two of them are one student's, or when there is none.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        is_folder = path.is_dir() and not path.is_symlink()
        suffix = path.suffix if path.suffix in (".ipynb", ".zip") or not is_folder else ""
        if path.name.startswith(".") or suffix not in ("", ".ipynb", ".zip"):
            continue
        name = path.name.removesuffix(suffix)
        exchanged = EXCHANGE.fullmatch(name)
        if exchanged and of and exchanged[2] != of:
            continue
        known = exchanged or MOODLE.fullmatch(name) or CANVAS.fullmatch(name)
        student = safe_name(known[1] if known else name)
        if student in found and not exchanged:
            raise ValueError(f"{path} and {found[student]} are both of {student}; remove one.")
        found[student] = path / of if is_folder and of and (path / of).is_dir() else path
    if not found:
        raise ValueError(f"{folder} holds no NAME.ipynb, NAME.zip or folder of a student.")
    return [Submission(*pair) for pair in found.items()]


def safe_name(name: str) -> str:
    """The name, if it can be that of a file and stand in a table; else a like one with a hash."""
    if re.fullmatch(r"\w[\w.@+ -]{0,79}", name):
        return name
    plain = re.sub(r"[^\w.@+-]+", "_", name.encode("utf-8", "replace").decode())[:60].strip("._-+@")
    return f"{plain or 'student'}_{hashlib.sha256(os.fsencode(name)).hexdigest()[:6]}"


def read(path: Path) -> bytes:
    """The bytes of the one notebook at `path`. Raises Unreadable."""
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            inside = [p for p in sorted(_walk(path)) if p.suffix in (".ipynb", ".zip")]
            path = _only(inside, "the folder")
        data = _read_file(path)
    except OSError as error:
        raise Unreadable(f"it cannot be read: {error.strerror}") from None
    return _from_zip(data) if path.suffix == ".zip" else data


def _walk(folder: Path, depth: int = 2) -> Iterator[Path]:
    """The files of a folder, no link followed."""
    for entry in list(os.scandir(folder))[:MAX_MEMBERS]:
        if entry.is_dir(follow_symlinks=False):
            if depth and entry.name not in (".ipynb_checkpoints", "__MACOSX"):
                yield from _walk(Path(entry.path), depth - 1)
        else:
            yield Path(entry.path)


def _only(candidates: list, where: str):
    if len(candidates) != 1:
        raise Unreadable(f"{where} holds {len(candidates)} notebooks; hand in one")
    return candidates[0]


def _read_file(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unreadable("it is no plain file")
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise Unreadable(f"it is larger than {MAX_BYTES // 2**20} MB")
    return data


def _from_zip(data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()[:MAX_MEMBERS]
            notebooks = [m for m in members if m.filename.endswith(".ipynb") and not m.is_dir()]
            hidden = re.compile(r"(^|/)(__MACOSX|\.ipynb_checkpoints)/")
            member = _only([m for m in notebooks if not hidden.search(m.filename)], "the zip")
            with archive.open(member) as file:
                data = file.read(MAX_BYTES + 1)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError, ValueError):
        raise Unreadable("it is no zip that can be read") from None
    except Exception as error:  # zlib and lzma have errors of their own
        raise Unreadable(f"it is no zip that can be read ({type(error).__name__})") from None
    if len(data) > MAX_BYTES:
        raise Unreadable(f"its notebook is larger than {MAX_BYTES // 2**20} MB")
    return data


def parse(data: bytes) -> Notebook:
    """The cells of a notebook. Raises Unreadable."""
    try:
        cells = json.loads(data.decode("utf-8-sig"))["cells"]
    except (ValueError, RecursionError, MemoryError, KeyError, TypeError):
        raise Unreadable("it is no notebook") from None
    if not isinstance(cells, list) or len(cells) > MAX_CELLS:
        raise Unreadable(f"it holds no list of at most {MAX_CELLS} cells")
    code, written, size = [], {}, 0
    for cell in cells:
        kind, source, tags = _cell(cell)
        size += len(source)
        if size > MAX_SOURCE:
            raise Unreadable(f"its cells hold more than {MAX_SOURCE // 2**20} MB of text")
        if kind == "code" and not SKIPPED & tags and not source.lstrip().startswith("check("):
            code.append(plain_python(source))
        elif kind == "markdown" and (marker := WRITTEN.search(source)):
            written.setdefault(marker[1], source.replace(marker[0], "", 1).strip())
    return Notebook(code, written)


def _cell(cell: object) -> tuple[str, str, set[str]]:
    """Kind, source and tags, whatever the cell is made of."""
    if not isinstance(cell, dict):
        return "", "", set()
    source, metadata = cell.get("source"), cell.get("metadata")
    parts = source if isinstance(source, list) else [source]
    text = "".join(part for part in parts if isinstance(part, str))
    text = text.encode("utf-8", "replace").decode()  # no lone surrogates
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    tags = {tag for tag in tags if isinstance(tag, str)} if isinstance(tags, list) else set()
    return str(cell.get("cell_type")), text, tags


def plain_python(source: str) -> str:
    """The source, the notebook's own commands (`%pip`, `!ls`, `x?`) doing nothing."""
    try:
        with PARSING:
            ast.parse(source)
        return source
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        lines = [
            line[: len(line) - len(line.lstrip())] + "pass"
            if line.lstrip().startswith(("%", "!")) or line.rstrip().endswith("?")
            else line
            for line in source.split("\n")
        ]
        return "\n".join(lines)
