"""A problem set as a Gradescope autograder: the zip to upload, and what runs in its container.

Gradescope unpacks the zip to ROOT/source, runs `setup.sh` once and `run_autograder` for each
submission, each in a container of its own, and reads ROOT/results/results.json; ROOT is
/autograder. The secret of the hidden inputs is drawn when the container is set up. A submission
runs in a sandbox where bubblewrap works, else as another user (`apart`), else not at all: then no
results are written, and Gradescope says that the autograder failed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from course_lib.files import write_file
from course_lib.grading.limits import Limits
from course_lib.grading.questions import ProblemSet, load
from course_lib.grading.refusal import NoSandbox
from course_lib.grading.report import clean
from course_lib.grading.submissions import Unreadable, read, safe_name

LIBRARY = Path(__file__).resolve().parents[1]
SETUP = """#!/usr/bin/env bash
set -euo pipefail
apt-get update
apt-get install -y --no-install-recommends bubblewrap python3 python3-venv util-linux
python3 -m venv /autograder/python
/autograder/python/bin/pip install --no-cache-dir torch numpy \\
    --extra-index-url https://download.pytorch.org/whl/cpu
chmod -R go= /autograder/source
cd /autograder/source
/autograder/python/bin/python -c "from pathlib import Path
from course_lib.grading.grade import secret_of
secret_of(Path('/autograder/source'))"
"""
RUN = """#!/usr/bin/env bash
# Without arguments as Gradescope runs it; a test gives another root and another Python.
set -euo pipefail
root="${1:-/autograder}"
python="${2:-$root/python/bin/python}"
cd "$root/source"
exec env PYTHONPATH="$root/source" OMP_NUM_THREADS=1 \\
    "$python" -m course_lib.grading.gradescope "$root"
"""


def files(problems: ProblemSet) -> dict[str, str | bytes]:
    """Name and content of each file of the zip."""
    made: dict[str, str | bytes] = {"setup.sh": SETUP, "run_autograder": RUN}
    for path in (problems.path, problems.notebook):
        made[f"key/{path.name}"] = path.read_bytes()
    for path in sorted(LIBRARY.rglob("*")):
        inside = path.relative_to(LIBRARY)
        needed = path.suffix == ".py" or inside.parts[0] in problems.rooms
        if needed and path.is_file() and "__pycache__" not in inside.parts:
            made[f"course_lib/{inside}"] = path.read_bytes()
    return made


def student_of(metadata: dict[str, Any]) -> str:
    """The name under which a submission is handed in: the e-mail address of its first user."""
    return safe_name(str(metadata["users"][0]["email"]))


def results(grade: dict[str, Any]) -> dict[str, Any]:
    """Gradescope's results.json: the first open case is shown at once, the rest when published."""
    tests = []
    for question in grade["questions"]:
        title = clean(question["title"])
        tests += [
            {
                "name": f"{title}: {clean(case['title'])} (open inputs, no points)",
                "status": "passed" if case["passed"] else "failed",
                "output": _words(case),
                "visibility": "visible" if k == 0 else "after_published",
            }
            for k, case in enumerate(c for c in question["cases"] if c["open"])
        ]
        tests.append(
            {
                "name": title,
                "score": question["points"],
                "max_score": question["worth"],
                "output": "\n".join(_words(c) for c in question["cases"] if not c["open"]),
                "visibility": "after_published",
            }
        )
    lines = [f"Run: {grade['status']}."]
    lines += [f"Cell {n}: {words}" for n, words in grade["troubles"].items()]
    lines += [f"{w['title']} is marked by a person." for w in grade["written"]]
    return {
        "output": clean("\n".join(lines)),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "stdout_visibility": "hidden",
        "extra_data": {"isolation": grade["isolation"], "seconds": grade["seconds"]},
        "tests": tests,
    }


def _words(case: dict[str, Any]) -> str:
    sign = "✓" if case["passed"] else "✗"
    said = "".join(f"\n  {case[part]}" for part in ("message", "hint") if case[part])
    return clean(f"{sign} {case['title']}{said}")


def isolation(problems: ProblemSet, secrets: tuple[Path, ...]):
    """A sandbox, or another user where there is none. Raises NoSandbox where there is neither."""
    from course_lib.grading.apart import OtherUser
    from course_lib.grading.sandbox import Sandbox

    limits = Limits()
    try:
        return Sandbox(problems.rooms, limits=limits, secrets=secrets)
    except NoSandbox as reason:
        print(f"{reason}\nSo the submission runs as another user.", file=sys.stderr)
        return OtherUser(problems.rooms, limits, secrets)


def main(root: Path) -> int:
    """Grade the submission in the container; 3 and no results where nothing isolates it."""
    from course_lib.grading.grade import Grader, secret_of

    source = root / "source"
    (path,) = (source / "key").glob("*.py")
    problems, secret = load(path), secret_of(source)
    (root / "results").chmod(0o700)
    metadata = json.loads((root / "submission_metadata.json").read_text(encoding="utf-8"))
    try:
        data: bytes | Unreadable = read(root / "submission")
    except Unreadable as reason:
        data = reason
    try:
        with Grader(problems, isolation(problems, (source, path)), secret) as grader:
            grade = grader.grade(student_of(metadata), data)
    except NoSandbox as reason:
        print(f"{reason}\nNo isolation, no grade. Tell your lecturer.", file=sys.stderr)
        return 3
    text = json.dumps(results(grade), indent=1, ensure_ascii=False)
    write_file(root / "results" / "results.json", text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
