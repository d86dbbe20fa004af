"""The page of notation names what the code has."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    [cell.strip() for cell in line.split("|")[1:-1]]
    for line in (ROOT / "book/back/notation.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and "In the code" not in line
]
NAMES = sorted({name for row in ROWS for name in re.findall(r"`([A-Za-z_]\w*)`", row[1])})


def identifiers(folder: Path) -> set[str]:
    """All names of variables, arguments, attributes, functions and classes below a folder."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found |= {getattr(node, field, None) for field in ("id", "arg", "attr", "name")}
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= set(re.findall(r"resid_\w+", node.value))
    return found


def test_the_page_has_its_tables():
    assert len(ROWS) >= 30 and all(len(row) == 4 for row in ROWS)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_the_page_is_a_name_of_the_package(name):
    assert name in NAMED


NAMED = identifiers(ROOT / "course_lib")
