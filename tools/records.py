"""What one passed run of a notebook leaves behind, and how to tell whether it still holds.

`_build/notebooks/<path>.ipynb` is the executed notebook, `<path>.json` beside it says what went in
and what it cost. The record is written last, so a notebook without a record never passed.
"""

import hashlib
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import nbformat

from course_lib.files import read_sealed, remove_torn, write_file, write_sealed

# What one notebook may cost in the quick size, on one core.
CPU_SECONDS_BUDGET = 90.0
CPU_SECONDS_REFUSED = 180.0  # a busy machine makes 90 of a run's 60 seconds; none makes 180
PEAK_MB_BUDGET = 1500.0
DATA_BYTES_LIMIT = 2 * 2**30  # of one process; as much as Binder gives


@dataclass(frozen=True)
class Record:
    """One passed run.

    `inputs` is the hash of all that decides the outputs, `peak_mb` is in MiB, `sha256` is that of
    the executed notebook.
    """

    inputs: str
    cpu_seconds: float
    peak_mb: float
    wall_seconds: float
    machine: str
    date: str
    sha256: str = ""


def inputs_digest(root: Path, *sources: Path) -> str:
    """SHA-256 of sources, library, lock file, versions and the COURSE_ settings.

    root: the repository; sources: files or folders below it that are used with the library.
    """
    digest = hashlib.sha256()
    for path in _files(*sources, root / "constraints.txt", root / "course_lib"):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    settings = sorted(
        item
        for item in os.environ.items()
        if item[0].startswith("COURSE_") and item[0] != "COURSE_PROGRESS"
    )
    digest.update(repr((platform.python_version(), _version("torch"), settings)).encode())
    return digest.hexdigest()


def record_path(root: Path, notebook: Path) -> Path:
    """Where the record of a notebook (a path below `root`) stands."""
    return (root / "_build" / "notebooks" / notebook.relative_to(root)).with_suffix(".json")


def load(root: Path, notebook: Path) -> Record | None:
    """The record of the last passed run, or None if there is none or it cannot be read."""
    try:
        return read_sealed(record_path(root, notebook), "run it again", lambda c: Record(**c))
    except (OSError, ValueError):
        return None


def is_current(root: Path, notebook: Path) -> bool:
    """Whether the notebook passed with exactly the inputs it has now, and its outputs are there."""
    record = load(root, notebook)
    executed = record_path(root, notebook).with_suffix(".ipynb")
    return (
        record is not None
        and executed.exists()
        and record.sha256 == hashlib.sha256(executed.read_bytes()).hexdigest()
        and record.inputs == inputs_digest(root, notebook)
    )


def save(root: Path, notebook: Path, executed: nbformat.NotebookNode, record: Record) -> None:
    """Write the executed notebook, then its record; each file is there whole or not at all.

    Raises OSError if the disk is full or `_build` cannot be written.
    """
    target, text = record_path(root, notebook), nbformat.writes(executed)
    write_file(target.with_suffix(".ipynb"), text)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    write_sealed(target, asdict(replace(record, sha256=sha256)))


def forget(root: Path, notebook: Path) -> None:
    """Remove what an earlier run of the notebook left."""
    target = record_path(root, notebook)
    for path in (target, target.with_suffix(".ipynb")):
        path.unlink(missing_ok=True)
        remove_torn(path.parent, path.name)


def machine() -> str:
    """The processor and its number of cores, in words."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        name = names[0] if names else name
    return f"{name}, {os.cpu_count()} cores"


def outputs(executed: Path, mime: str) -> list[Any]:
    """All outputs of one MIME type in an executed notebook, in the order of its cells."""
    notebook = nbformat.read(executed, as_version=4)
    return [
        output.data[mime]
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if mime in output.get("data", {})
    ]


def _files(*paths: Path) -> Iterator[Path]:
    for path in paths:
        if path.is_file():
            yield path
        else:
            inside = (one for one in path.rglob("*") if one.is_file())
            yield from sorted(one for one in inside if "__pycache__" not in one.parts)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
