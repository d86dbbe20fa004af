"""Writes grades down: a table for the learning system, a page per student, one for the class.

Everything that a student had a hand in is escaped, and stripped of what a terminal or a spreadsheet
would obey; the pages forbid scripts and foreign content besides.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from statistics import mean, median
from typing import Any

from course_lib.files import remove_torn, write_file

Grade = dict[str, Any]
Marks = Mapping[tuple[str, str], tuple[float, str]]  # (student, question): points, comment
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title><style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }}
table {{ border-collapse: collapse }} td, th {{ padding: .2rem .8rem .2rem 0; text-align: left }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; background: #f4f4f4; padding: .6rem }}
li {{ margin: .3rem 0 }} .bar {{ background: #3a6ea5; display: inline-block; height: .9rem }}
</style></head><body>
{body}
</body></html>
"""


def clean(text: str) -> str:
    """The text without what a terminal obeys; lines stay."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def cell_of(value: Any) -> Any:
    """A value for a spreadsheet: what would be a formula there gets a quote before it."""
    text = clean(str(value)).replace("\n", " ")
    return "'" + text if text[:1] in ("=", "+", "-", "@") and isinstance(value, str) else text


def number(points: float) -> str:
    return f"{points:g}"


def total(grade: Grade, marks: Marks) -> float:
    """The points of the questions that were run and of the written ones that are marked."""
    read = [marks.get((grade["student"], w["name"]), (0, ""))[0] for w in grade["written"]]
    return sum(q["points"] for q in grade["questions"]) + sum(read)


def worth(grade: Grade) -> int:
    return sum(part["worth"] for part in [*grade["questions"], *grade["written"]])


def status(grade: Grade, marks: Marks) -> str:
    open_ = [w["name"] for w in grade["written"] if (grade["student"], w["name"]) not in marks]
    parts = [grade["status"]] + (["UNSAFE"] if grade["isolation"] == "unsafe" else [])
    return "; ".join(parts + [f"{name} not marked yet" for name in open_])


def table(grades: Iterable[Grade], marks: Marks) -> str:
    """One row a student: points by question, total, maximum, and how the run ended."""
    out = io.StringIO()
    grades = sorted(grades, key=lambda g: g["student"])
    rows = csv.writer(out, lineterminator="\n")
    names = [p["name"] for p in [*grades[0]["questions"], *grades[0]["written"]]]
    rows.writerow(["student", *names, "score", "max", "status"])
    for grade in grades:
        points = [number(q["points"]) for q in grade["questions"]]
        for w in grade["written"]:
            mark = marks.get((grade["student"], w["name"]))
            points.append("" if mark is None else number(mark[0]))
        ends = [number(total(grade, marks)), worth(grade), cell_of(status(grade, marks))]
        rows.writerow([cell_of(grade["student"]), *points, *ends])
    return out.getvalue()


def read_marks(path: Path, grades: Iterable[Grade]) -> Marks:
    """The marks of `written.csv`: student, question, points, comment; no points, not marked yet.

    Raises ValueError for a mark that cannot be.
    """
    if not path.exists():
        return {}
    limits = {(g["student"], w["name"]): w["worth"] for g in grades for w in g["written"]}
    marks = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            key = (row["student"].removeprefix("'"), row["question"])
            if not row["points"].strip():
                continue
            try:
                points = float(row["points"])
                if not 0 <= points <= limits[key]:
                    raise ValueError
            except (ValueError, KeyError):
                raise ValueError(
                    f"{path}, line {line}: {key[0]}, {key[1]}, {row['points']}: there must be such "
                    f"an answer, and its points are 0 to {limits.get(key, '?')}."
                ) from None
            marks[key] = points, row.get("comment") or ""
    return marks


def marks_form(grades: Iterable[Grade]) -> str:
    """An empty `written.csv`, to be filled in."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["student", "question", "points", "comment"])
    for grade in sorted(grades, key=lambda g: g["student"]):
        rows.writerows([cell_of(grade["student"]), w["name"], "", ""] for w in grade["written"])
    return out.getvalue()


def feedback(grade: Grade, marks: Marks) -> str:
    """A student's page."""
    parts = [
        f"<h1>{_text(grade['title'])}</h1><p>{_text(grade['student'])}: "
        f"<strong>{number(total(grade, marks))} of {worth(grade)} points</strong>"
        f" ({_text(status(grade, marks))})</p>"
    ]
    for question in grade["questions"]:
        parts.append(f"<h2>{_text(question['title'])}: {question['points']} of {question['worth']}")
        parts.append(f"</h2><ul>{''.join(map(_case, question['cases']))}</ul>")
    for w in grade["written"]:
        points, comment = marks.get((grade["student"], w["name"]), (None, ""))
        got = "not marked yet" if points is None else f"{number(points)} of {w['worth']}"
        parts.append(f"<h2>{_text(w['title'])}: {got}</h2><pre>{_text(w['text'] or '(empty)')}")
        parts.append(f"</pre><p>{_text(comment)}</p>{_rubric(w)}")
    if grade["troubles"]:
        lines = (
            f"<li>Cell {_text(n)}: {_text(words)}</li>" for n, words in grade["troubles"].items()
        )
        parts.append(f"<h2>Cells that failed</h2><ul>{''.join(lines)}</ul>")
    return PAGE.format(title=_text(grade["title"]), body="\n".join(parts))


def _text(text: Any) -> str:
    return escape(clean(str(text)))


def _case(mark: Grade) -> str:
    sign = "✓" if mark["passed"] else "✗"
    where = "open inputs" if mark["open"] else f"{mark['points']} of {mark['worth']} points"
    said = "".join(f"<br>{_text(mark[part])}" for part in ("message", "hint") if mark[part])
    return f"<li>{sign} {_text(mark['title'])} ({where}){said}</li>"


def _rubric(w: Grade) -> str:
    lines = "".join(f"<li>{_text(what)} ({points})</li>" for what, points in w["rubric"].items())
    return f"<p>What is looked for:</p><ul>{lines}</ul>"


def class_page(grades: list[Grade], marks: Marks) -> str:
    """A histogram of the totals, and for each question its mean and how many got all of it."""
    full, totals = worth(grades[0]), [total(grade, marks) for grade in grades]
    counts = [0] * 10
    for points in totals:
        counts[min(9, int(10 * points / full))] += 1
    most = max(counts)
    bars = "".join(
        f'<tr><th scope="row">{full * k / 10:g} to {full * (k + 1) / 10:g}</th><td><span '
        f'class="bar" style="width:{20 * n / most:.1f}rem"></span> {n}</td></tr>'
        for k, n in enumerate(counts)
    )
    rows = ""
    for k, question in enumerate(grades[0]["questions"]):
        got = [grade["questions"][k]["points"] for grade in grades]
        share = sum(points == question["worth"] for points in got) / len(got)
        rows += f'<tr><th scope="row">{_text(question["title"])}</th><td>{mean(got):.1f} of '
        rows += f"{question['worth']}</td><td>{share:.0%}</td></tr>"
    body = (
        f"<h1>{_text(grades[0]['title'])}: the class</h1><p>{len(grades)} students, mean "
        f"{mean(totals):.1f}, median {median(totals):g} of {full} points.</p><table><caption>"
        f"Students by points</caption>{bars}</table><h2>By question</h2><table><thead><tr><th>"
        f"Question</th><th>Mean</th><th>All points</th></tr></thead>{rows}</table>"
    )
    return PAGE.format(title=_text(grades[0]["title"]), body=body)


def write_if_new(path: Path, text: str) -> None:
    """Write the file unless it holds this text."""
    if not path.is_file() or path.read_bytes() != text.encode():
        write_file(path, text)


def write_all(table_path: Path, folder: Path, grades: list[Grade]) -> Marks:
    """Write `grades.csv`, and into the folder the pages and, if it is not there, `written.csv`."""
    for place in (folder, folder / "feedback"):
        remove_torn(place)
    marks = read_marks(folder / "written.csv", grades)
    if any(grade["written"] for grade in grades) and not (folder / "written.csv").exists():
        write_file(folder / "written.csv", marks_form(grades))
    for grade in grades:
        write_if_new(folder / "feedback" / f"{grade['student']}.html", feedback(grade, marks))
    write_if_new(folder / "class.html", class_page(grades, marks))
    write_if_new(table_path, table(grades, marks))
    return marks
