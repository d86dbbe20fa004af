"""Make the students' notebooks from the solved ones, and count what the checks catch.

    python -m tools.exercises build             write exercises/ from solutions/
    python -m tools.exercises build --check     write nothing; fail when exercises/ differs
    python -m tools.exercises rates             print the catch rate of every exercise

A cell tagged `answer` holds one region from `### BEGIN SOLUTION` to `### END SOLUTION`. In the
student's notebook it becomes a `NotImplementedError` or, where a commented region from
`### BEGIN STUB` to `### END STUB` stands beside it, the code of that region. Cells tagged
`solution-only` and all outputs are left out; cell ids stay; the title changes from "Solutions:" to
"Exercises:". Same source, same bytes.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from course_lib.runtime import write_file

ROOT = Path(__file__).parents[1]
SEEDS = range(5)


class BuildError(Exception):
    """The source of an exercise breaks a rule; the message says which and where."""


def student_notebook(solved: dict[str, Any], name: str) -> str:
    """The text of the student's notebook. Raises BuildError when a cell breaks the rules."""
    cells = [
        _student_cell(cell, name) for cell in solved["cells"] if "solution-only" not in _tags(cell)
    ]
    ids = [cell["id"] for cell in solved["cells"]]
    if doubles := sorted({i for i in ids if ids.count(i) > 1}):
        raise BuildError(f"{name}: the cell id {doubles[0]!r} stands twice; give each its own.")
    origin = f"solutions/{name}, by `make exercises`; change that file, not this one"
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


def build(root: Path = ROOT, *, check: bool = False) -> list[str]:
    """Write the notebooks of `exercises/`, or with `check` only compare. Returns what is wrong."""
    problems = []
    sources = sorted((root / "solutions").glob("*.ipynb"))
    for source in sources:
        text = student_notebook(json.loads(source.read_text(encoding="utf-8")), source.name)
        target = root / "exercises" / source.name
        if target.exists() and target.read_bytes() == text.encode():
            continue
        if check:
            problems.append(
                f"exercises/{source.name} is not what solutions/ gives: `make exercises`."
            )
        else:
            write_file(target, text)
    names = {source.name for source in sources}
    for target in sorted((root / "exercises").glob("*.ipynb")):
        if target.name not in names:
            problems.append(f"exercises/{target.name} has no source in solutions/; delete it.")
    return problems


def wrong_answers(chapter: str) -> ModuleType:
    """The module `tests/wrong_answers/<chapter>.py`; its `WRONG` lists the answers by exercise."""
    path = ROOT / "tests" / "wrong_answers" / f"{chapter}.py"
    spec = importlib.util.spec_from_file_location(f"wrong_answers_{chapter}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def catch_rates() -> list[dict[str, Any]]:
    """For every exercise: its name and title, how many wrong answers there are, how many fail.

    An answer counts as caught when the check rejects it on every one of five seeds.
    """
    from course_lib import checks

    rates = []
    for exercise in checks.exercises():
        wrong = wrong_answers(exercise.name.split(".")[0]).WRONG[exercise.name]
        caught = sum(
            not any(checks.run(exercise.name, w.answer, seed).passed for seed in SEEDS)
            for w in wrong
        )
        rates.append(
            {
                "exercise": exercise.name,
                "title": exercise.title,
                "wrong": len(wrong),
                "caught": caught,
            }
        )
    return rates


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.exercises",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="?", choices=["build", "rates"], default="build")
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    options = parser.parse_args(arguments)
    if options.command == "rates":
        rates = catch_rates()
        for rate in rates:
            print(f"{rate['caught']:>3} of {rate['wrong']:<3} {rate['exercise']}")
        return int(any(rate["caught"] < rate["wrong"] for rate in rates))
    try:
        problems = build(check=options.check)
    except BuildError as error:
        problems = [str(error)]
    print("\n".join(problems) or "exercises/ is what solutions/ gives.")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
