"""Makes a student's notebook from a solved one: same source, same bytes.

A cell tagged `answer` holds one region from `### BEGIN SOLUTION` to `### END SOLUTION`. In the
student's notebook it becomes a `NotImplementedError` or, where a commented region from
`### BEGIN STUB` to `### END STUB` stands beside it, the code of that region. A cell tagged
`written` keeps its marker alone. Cells tagged `solution-only` and all outputs are left out; cell
ids stay.
"""

from __future__ import annotations

import json
import re
from typing import Any

from course_lib.grading.submissions import WRITTEN


class BuildError(Exception):
    """The source of an exercise breaks a rule; the message says which and where."""


def student_notebook(solved: dict[str, Any], name: str, origin: str) -> str:
    """The text of the student's notebook; `name` is for messages, `origin` stands in its metadata.

    Raises BuildError when a cell breaks the rules.
    """
    cells = [
        _student_cell(cell, name) for cell in solved["cells"] if "solution-only" not in _tags(cell)
    ]
    ids = [cell["id"] for cell in solved["cells"]]
    if doubles := sorted({i for i in ids if ids.count(i) > 1}):
        raise BuildError(f"{name}: the cell id {doubles[0]!r} stands twice; give each its own.")
    notebook = {
        "cells": cells,
        "metadata": {"generated_from": origin, **solved["metadata"]},
        "nbformat": solved["nbformat"],
        "nbformat_minor": solved["nbformat_minor"],
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _tags(cell: dict[str, Any]) -> list[str]:
    return cell["metadata"].get("tags", [])


def _student_cell(cell: dict[str, Any], name: str) -> dict[str, Any]:
    source, where = "".join(cell["source"]), f"{name}, cell {cell['id']!r}"
    tags = _tags(cell)
    if "answer" in tags:
        source = student_source(source, where)
        tags = [tag for tag in tags if tag != "hide-input"]
    elif "### BEGIN" in source or "### END" in source:
        raise BuildError(f"{where} has a solution marker and no tag `answer`; add the tag.")
    if "written" in tags:
        marker = WRITTEN.search(source)
        if marker is None:
            raise BuildError(f"{where} is tagged `written` and has no `<!-- written: NAME -->`.")
        source = f"{marker[0]}\n*Your answer, in place of this line.*"
    if cell["cell_type"] == "markdown" and source.startswith("# Solutions: "):
        source = source.replace("# Solutions: ", "# Exercises: ", 1)
    metadata = {key: cell["metadata"][key] for key in ("mystnb",) if key in cell["metadata"]}
    made = {
        "cell_type": cell["cell_type"],
        "id": cell["id"],
        "metadata": metadata | ({"tags": tags} if tags else {}),
        "source": source.splitlines(keepends=True),
    }
    if cell["cell_type"] == "code":
        made |= {"execution_count": None, "outputs": []}
    return made


def student_source(source: str, where: str) -> str:
    """The answer cell `source` with its solution taken out."""
    lines = source.split("\n")
    solution = _region(lines, "SOLUTION", where)
    if solution is None:
        raise BuildError(
            f"{where} is tagged `answer` and has no `### BEGIN SOLUTION` … `### END SOLUTION`."
        )
    begin, end = solution
    indent = lines[begin][: len(lines[begin]) - len(lines[begin].lstrip())]
    stub = _region(lines, "STUB", where)
    if stub is None:
        given = [f"{indent}# YOUR CODE HERE", f"{indent}raise NotImplementedError"]
        return "\n".join(lines[:begin] + given + lines[end + 1 :])
    first, last = stub
    if last + 1 != begin:
        raise BuildError(f"{where}: the STUB region must end on the line before BEGIN SOLUTION.")
    given = [re.sub("# ?", "", line, count=1).rstrip() for line in lines[first + 1 : last]]
    return "\n".join(lines[:first] + given + lines[end + 1 :])


def _region(lines: list[str], kind: str, where: str) -> tuple[int, int] | None:
    begins = [k for k, line in enumerate(lines) if line.strip() == f"### BEGIN {kind}"]
    ends = [k for k, line in enumerate(lines) if line.strip() == f"### END {kind}"]
    if not begins and not ends:
        return None
    if len(begins) != 1 or len(ends) != 1 or ends[0] <= begins[0] + 1:
        raise BuildError(
            f"{where} has {len(begins)} `### BEGIN {kind}` and {len(ends)} `### END {kind}`; "
            "it must have one of each, in this order, with lines between them."
        )
    return begins[0], ends[0]
