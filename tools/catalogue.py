"""What the solved notebooks say of their exercises, for `course_lib.study`."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

STORED = Path("course_lib") / "study" / "catalogue.json"
TITLE = re.compile(r"^# Solutions: (.+)$", re.MULTILINE)
TASK = re.compile(
    r"^## Exercise (?P<place>\d+): (?P<title>.+)$.*"
    r"\((?P<difficulty>\d) of 5\).*\((?P<importance>\d) of 5\).*\*\*Time\*\* (?P<minutes>\d+) min",
    re.MULTILINE | re.DOTALL,
)
HINT = re.compile(
    r"<details><summary>Hint \d: the (idea|formula|code)</summary>\n(.*?)</details>", re.DOTALL
)


class CatalogueError(Exception):
    """A notebook lacks what the catalogue needs; the message says which cell and what."""


def text(root: Path) -> str:
    """The file `course_lib/study/catalogue.json` as the notebooks in `solutions/` want it."""
    entries = [
        entry
        for path in sorted((root / "solutions").glob("*.ipynb"))
        for entry in entries_of(json.loads(path.read_text(encoding="utf-8")), path.stem)
    ]
    return json.dumps(entries, indent=1, ensure_ascii=False) + "\n"


def entries_of(notebook: dict[str, Any], chapter: str) -> list[dict[str, Any]]:
    """One entry for each exercise, as `course_lib.study.Exercise` takes it."""
    cells = [(cell, "".join(cell["source"])) for cell in notebook["cells"]]
    titles = [found[1] for _, source in cells if (found := TITLE.search(source))]
    tasks = [(cell, found) for cell, source in cells if (found := TASK.search(source))]
    names = [_checked(source) for cell, source in cells if "check" in _tags(cell)]
    hints = [HINT.findall(source) for cell, source in cells if "hint" in _tags(cell)]
    if (tasks and len(titles) != 1) or not len(tasks) == len(names) == len(hints):
        raise CatalogueError(
            f"{chapter}: {len(titles)} titles '# Solutions: ...', {len(tasks)} exercises with "
            f"difficulty, importance and minutes, {len(names)} checks, {len(hints)} cells of "
            "hints; there must be one title and as many of each of the others."
        )
    entries = []
    for (cell, task), name, steps in zip(tasks, names, hints, strict=True):
        if [kind for kind, _ in steps] != ["idea", "formula", "code"]:
            raise CatalogueError(f"{chapter}, {name}: the hints must be idea, formula and code.")
        entries.append(
            {
                "number": f"{int(chapter[:2])}.{task['place']}",
                "name": name,
                "title": task["title"].strip(),
                "chapter": chapter,
                "chapter_title": titles[0].strip(),
                **{key: int(task[key]) for key in ("difficulty", "importance", "minutes")},
                "objective": cell["metadata"].get("course", {}).get("objective", ""),
                "hints": [text.strip() for _, text in steps],
            }
        )
    return entries


def _checked(source: str) -> str:
    (assignment,) = ast.parse(source).body
    return assignment.value.args[0].value


def _tags(cell: dict[str, Any]) -> list[str]:
    return cell["metadata"].get("tags", [])
