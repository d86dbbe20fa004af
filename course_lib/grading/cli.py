"""The program `course`: what a lecturer does with the course's problem sets.

course grade SUBMISSIONS -o grades.csv     grade a folder; again, only what has changed
course similarity SUBMISSIONS -o FOLDER    whose answers are alike, side by side
course assignment build SET -o FOLDER      what students, Gradescope and nbgrader get, and the key
course doctor                              what this machine can do
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from course_lib.files import InUse, only_writer
from course_lib.grading.limits import Limits
from course_lib.study import __main__ as study

KEY = "assignments"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except (ValueError, OSError, InUse) as error:
        print(f"course: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped; the same command goes on from here.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="course", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    grade = commands.add_parser("grade", help="grade a folder of submissions")
    grade.add_argument("submissions", type=Path, help="NAME.ipynb, NAME.zip or folders NAME")
    grade.add_argument("-o", "--output", type=Path, default=Path("grades.csv"))
    grade.add_argument("--set", help="which problem set; needed where there are several")
    grade.add_argument("--key", type=Path, help=f"the folder of the sets (default: {KEY})")
    grade.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at a time")
    grade.add_argument("--sheet", type=Path, help="a table of Moodle or Canvas to be filled in")
    grade.add_argument("--shard", help="K/N: grade the K-th of N parts, and write no table yet")
    grade.add_argument(
        "--unsafe", action="store_true",
        help="run submissions without isolation: each can then do all that you can",
    )  # fmt: skip
    grade.set_defaults(command=_grade)

    similarity = commands.add_parser("similarity", help="say whose answers are alike")
    similarity.add_argument("submissions", type=Path, help="as for `course grade`")
    similarity.add_argument("-o", "--output", type=Path, default=Path("similarity"))
    similarity.add_argument("--set", help="which problem set; needed where there are several")
    similarity.add_argument("--key", type=Path, help=f"the folder of the sets (default: {KEY})")
    similarity.set_defaults(command=_similarity)

    assignment = commands.add_parser("assignment", help="make what students and lecturers get")
    build = assignment.add_subparsers(required=True, metavar="build").add_parser("build")
    build.add_argument("set", nargs="?", help="which problem set; all when not given")
    build.add_argument("-o", "--output", type=Path, default=Path("handouts"))
    build.add_argument("--key", type=Path, help=f"the folder of the sets (default: {KEY})")
    build.set_defaults(command=_build)

    doctor = commands.add_parser("doctor", help="say what this machine can do")
    doctor.set_defaults(command=_doctor)

    progress = commands.add_parser("progress", help="make the page of what you have done")
    study.add_arguments(progress)
    progress.set_defaults(command=study.run)
    return parser


def sets(key: Path | None) -> dict[str, Path]:
    """The problem sets of a folder by name. Raises ValueError when there is none."""
    folder = key or Path(os.environ.get("COURSE_KEY", KEY))
    found = {p.stem: p for p in sorted(folder.glob("*.py")) if p.with_suffix(".ipynb").exists()}
    if not found:
        raise ValueError(
            f"{folder} holds no problem set. Say where they are with --key FOLDER, or run this in "
            "the folder of the course."
        )
    return found


def chosen(name: str | None, key: Path | None) -> Path:
    """The Python file of the set of this name, of which a beginning is enough."""
    known = sets(key)
    fitting = [n for n in known if name is None or n == name or n.startswith(f"{name}_")]
    if len(fitting) != 1:
        raise ValueError(f"--set is {name!r}; it must be one of {', '.join(known)}.")
    return known[fitting[0]]


def _grade(options: argparse.Namespace) -> int:
    from course_lib.grading import grade, report
    from course_lib.grading.submissions import find

    path, folder = chosen(options.set, options.key), options.output.with_suffix("")
    if folder == options.output:
        raise ValueError(f"--output is {options.output}; it must end in .csv.")
    part = _part(options.shard)
    secret, limits = grade.secret_of(folder), Limits()
    key = grade.key_of_set(path, secret, limits, options.unsafe)
    journal = grade.Journal(folder / "journal", key)
    submissions = [s for s in find(options.submissions, path.stem) if part(s.student)]
    if options.unsafe:
        print("UNSAFE: submissions run as you, on your files, on your network.", file=sys.stderr)

    def prepare() -> grade.Grader:
        from course_lib.grading.questions import load
        from course_lib.grading.sandbox import Sandbox

        problems = load(path)
        hidden = (path.parent, options.submissions, folder, options.output)
        kind = "unsafe" if options.unsafe else "auto"
        sandbox = Sandbox(problems.rooms, kind=kind, limits=limits, secrets=hidden)
        return grade.Grader(problems, sandbox, secret)

    from course_lib.grading.refusal import NoSandbox

    grades, n_new = [], 0
    try:
        for one, is_new in grade.grade_all(submissions, journal, options.jobs, prepare):
            grades.append(one)
            n_new += is_new
            if is_new:
                _progress(len(grades), len(submissions), one)
    except NoSandbox as reason:
        print(
            f"course: {reason}\nNo sandbox, no grades: {len(grades)} of {len(submissions)} are "
            "kept, no table was written. --unsafe would run submissions without isolation.",
            file=sys.stderr,
        )
        return 3
    print(f"{len(grades)} graded, {n_new} of them now.", file=sys.stderr)
    if options.shard is None:
        with only_writer(options.output):
            marks = report.write_all(options.output, folder, grades)
        print(f"{options.output}, {folder}/class.html, {folder}/feedback/", file=sys.stderr)
        if options.sheet:
            _fill(options.sheet, folder / options.sheet.name, grades, marks)
    return 0


def _fill(sheet: Path, filled: Path, grades: list[dict], marks: Mapping) -> None:
    from course_lib.files import write_file
    from course_lib.grading.sheet import fill

    text, absent = fill(sheet.read_text(encoding="utf-8-sig"), grades, marks)
    print(write_file(filled, text), file=sys.stderr)
    if absent:
        print(f"Not in {sheet}: {', '.join(absent)}", file=sys.stderr)


def _part(shard: str | None):
    if shard is None:
        return lambda student: True
    k, _, n = shard.partition("/")
    if not (k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n)):
        raise ValueError(f"--shard is {shard!r}; it must be K/N, such as 2/8.")
    hashed = lambda s: int.from_bytes(hashlib.sha256(s.encode()).digest()[:8], "big")  # noqa: E731
    return lambda student: hashed(student) % int(n) == int(k) - 1


def _progress(done: int, of: int, grade: dict) -> None:
    points = sum(q["points"] for q in grade["questions"])
    worth = sum(q["worth"] for q in grade["questions"])
    print(
        f"[{done:>3}/{of}] {grade['student']:<24} {points:>3} of {worth}  {grade['seconds']:>6.1f} "
        f"s  {grade['status']}",
        file=sys.stderr,
        flush=True,
    )


def _similarity(options: argparse.Namespace) -> int:
    from course_lib.files import write_file
    from course_lib.grading.questions import load
    from course_lib.grading.similarity import SHOWN, compare, table
    from course_lib.grading.similarity_page import page
    from course_lib.grading.submissions import find

    problems = load(chosen(options.set, options.key))
    found = compare(problems, find(options.submissions, problems.name))
    pairs = write_file(options.output / "pairs.csv", table(found))
    side_by_side = write_file(options.output / "pairs.html", page(problems.title, found))
    shown = sum(pair.score >= SHOWN for pair in found.pairs)
    print(f"{len(found.works)} submissions, {shown} pairs to read, {len(found.groups)} groups.")
    print(f"Likeness is not guilt.\n{pairs}, {side_by_side}")
    return 0


def _build(options: argparse.Namespace) -> int:
    from course_lib.grading.build import build

    known = sets(options.key)
    for path in [chosen(options.set, options.key)] if options.set else known.values():
        for written in build(path, options.output):
            print(written)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from course_lib.grading.doctor import examine

    lines, fit = examine()
    print("\n".join(lines))
    return 0 if fit else 1


if __name__ == "__main__":
    sys.exit(main())
