"""What an exercise notebook holds: its check cells and its functions."""

import ast
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted(path.stem for path in (ROOT / "solutions").glob("*.ipynb"))


@dataclass(frozen=True)
class CheckCall:
    """`result = check("exercise", attempt, otherwise=stand_in)`; `stand_in` may be missing."""

    exercise: str
    attempt: str
    stand_in: str | None
    result: str


@cache
def code_cells(folder: str, chapter: str) -> list[dict[str, Any]]:
    """The code cells, each with `source` as one string of plain Python and its `tags`."""
    notebook = json.loads((ROOT / folder / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    return [
        {
            "id": cell["id"],
            "tags": cell["metadata"].get("tags", []),
            "source": "".join(_plain(line) for line in cell["source"]),
        }
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


def _plain(line: str) -> str:
    """A line for the notebook's kernel, `%pip …`, does nothing here."""
    text = line.lstrip()
    return line[: -len(text)] + "pass\n" if text.startswith(("%", "!")) else line


@cache
def namespace(folder: str, chapter: str) -> dict[str, Any]:
    """The names that the answers and the cells above the first answer define."""
    names, seen_answer = {"__name__": chapter}, False
    for cell in code_cells(folder, chapter):
        seen_answer |= "answer" in cell["tags"]
        if "answer" in cell["tags"] or not seen_answer:
            exec(compile(cell["source"], f"<cell {cell['id']}>", "exec"), names)
    return names


@cache
def check_calls(chapter: str) -> list[CheckCall]:
    """The check cells of the solved notebook, in order."""
    calls = []
    for cell in code_cells("solutions", chapter):
        if "check" not in cell["tags"]:
            continue
        (assignment,) = ast.parse(cell["source"]).body
        call = assignment.value
        stand_ins = [word.value.id for word in call.keywords if word.arg == "otherwise"]
        exercise, attempt = call.args[0].value, call.args[1].id
        stand_in = stand_ins[0] if stand_ins else None
        calls.append(CheckCall(exercise, attempt, stand_in, assignment.targets[0].id))
    return calls
