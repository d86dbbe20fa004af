"""Puts grades into the table that a learning system exports, so that it can import it again.

Moodle's grading worksheet (of an assignment, *Download grading worksheet*) has a column `Grade`;
Canvas' gradebook has a column for each assignment, and makes one for a header it does not know.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

from course_lib.grading.report import Grade, Marks, number, total, worth

WHO = (
    "Full name", "Email address", "Username", "ID number", "Student", "SIS Login ID",
    "SIS User ID", "ID",
)  # fmt: skip


def fill(sheet: str, grades: Iterable[Grade], marks: Marks) -> tuple[str, list[str]]:
    """The sheet with every finished grade, and the students that are not in it.

    A grade with a written answer that nobody has marked is left out. Raises ValueError for a sheet
    without a column of names, and when two rows or students go by one name.
    """
    known = list(grades)
    by_name = {_plain(grade["student"]): grade for grade in known}
    if len(by_name) < len(known):
        raise ValueError("Two students go by one name but for signs; rename one submission.")
    reader = csv.DictReader(io.StringIO(sheet))
    header, rows, found = list(reader.fieldnames or []), list(reader), set()
    if not set(WHO) & set(header):
        raise ValueError(f"The sheet has none of the columns {', '.join(WHO)}.")
    title = known[0]["title"]
    fitting = [name for name in header if name == "Grade" or name.startswith(title)]
    column = (fitting or [title])[0]
    for row in rows:
        if "Points Possible" in (row.get("Student") or ""):
            row[column] = str(worth(known[0]))
        mine = {_plain(row.get(field) or "") for field in WHO} & by_name.keys()
        if len(mine) > 1 or mine & found:
            raise ValueError(f"The sheet has {sorted(mine)} twice, or in one row; correct it.")
        found |= mine
        for name in mine:
            grade = by_name[name]
            if all((grade["student"], w["name"]) in marks for w in grade["written"]):
                row[column] = number(total(grade, marks))
    out = io.StringIO()
    writer = csv.DictWriter(out, header if fitting else [*header, column], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue(), [by_name[name]["student"] for name in sorted(by_name.keys() - found)]


def _plain(name: str) -> str:
    """A name without what systems change in it: "Lovelace, Ada" is Canvas' "lovelaceada"."""
    return re.sub(r"[\W_]", "", name).casefold()
