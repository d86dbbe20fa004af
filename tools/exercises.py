"""Make the students' notebooks and their catalogue from the solved ones.

    python -m tools.exercises build             write exercises/ and the catalogue from solutions/
    python -m tools.exercises build --check     write nothing; fail when exercises/ differs

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
import sys
from pathlib import Path
from types import ModuleType

from course_lib.grading.notebooks import BuildError, student_notebook, student_source  # noqa: F401
from course_lib.runtime import write_file
from tools import catalogue

ROOT = Path(__file__).parents[1]
SEEDS = range(5)


def build(root: Path = ROOT, *, check: bool = False) -> list[str]:
    """Write the notebooks of `exercises/`, or with `check` only compare. Returns what is wrong."""
    problems = []
    sources = sorted((root / "solutions").glob("*.ipynb"))
    for source in sources:
        origin = f"solutions/{source.name}, by `make exercises`; change that file, not this one"
        solved = json.loads(source.read_text(encoding="utf-8"))
        text = student_notebook(solved, source.name, origin)
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
    listed, wanted = root / catalogue.STORED, catalogue.text(root)
    if not listed.exists() or listed.read_text(encoding="utf-8") != wanted:
        if check:
            problems.append(f"{catalogue.STORED} is not what solutions/ gives: `make exercises`.")
        else:
            write_file(listed, wanted)
    return problems


def wrong_answers(chapter: str) -> ModuleType:
    """The module `tests/wrong_answers/<chapter>.py`; its `WRONG` lists the answers by exercise."""
    path = ROOT / "tests" / "wrong_answers" / f"{chapter}.py"
    spec = importlib.util.spec_from_file_location(f"wrong_answers_{chapter}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.exercises",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="?", choices=["build"], default="build")
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    options = parser.parse_args(arguments)
    try:
        problems = build(check=options.check)
    except (BuildError, catalogue.CatalogueError) as error:
        problems = [str(error)]
    print("\n".join(problems) or "exercises/ is what solutions/ gives.")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
