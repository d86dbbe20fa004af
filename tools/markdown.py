"""Pieces of Markdown for generated pages."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    )


def plain(text: str) -> str:
    """Text without Markdown's meanings; `table` takes care of the bar."""
    return re.sub(r"([\\`*_$<\[\]])", r"\\\1", text)


def relative(target: Path, page: Path) -> str:
    """The path from a page to a file, both below the same root."""
    return Path(os.path.relpath(target, page.parent)).as_posix()
