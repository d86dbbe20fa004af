"""A class of sixty whose grades are known: perfect, partial, wrong and hostile submissions.

python -m tests.grading.sample_class FOLDER     write the notebooks, and intended.csv beside it
"""

import csv
import random
import sys
from pathlib import Path

from tests.grading.hostile import corpus
from tests.grading.problem_sets import SETS, notebook_of, problem_set, wrong

HOSTILE = (
    "allocates_50_gb", "endless_cell", "forges_frames", "fork_bomb", "leaves_a_daemon",
    "leaves_at_once", "patches_torch", "reads_hidden_tests", "returns_a_pickle", "speaks_html",
)  # fmt: skip


def make(
    folder: Path, name: str, size: int = 60, hostile: tuple[str, ...] = HOSTILE
) -> dict[str, dict[str, int]]:
    """Write the class's notebooks; returns the points that each student should get by question."""
    problems, dice = problem_set(name), random.Random(0)
    folder.mkdir(parents=True, exist_ok=True)
    intended, full = {}, {q.name: q.points for q in problems.questions}
    for k in range(size - len(hostile)):
        student, answers, points = f"student{k:03}", {}, dict(full)
        for question in problems.questions:
            kind = ("perfect", "partial", "wrong")[min(2, k % 5 // 2)]
            if kind == "partial" and dice.random() < 0.5:
                answers[question.name], points[question.name] = "stub", 0
            if kind == "wrong":
                answer = dice.choice(wrong(name)[question.name])
                answers[question.name], points[question.name] = answer.answer, answer.keeps
        for question in problems.questions:  # a value is made with the functions above it
            if question.value and answers and question.name not in answers:
                answers[question.name], points[question.name] = "stub", 0
        text = notebook_of(name, student, answers)
        (folder / f"{student}.ipynb").write_text(text, encoding="utf-8")
        intended[student] = points
    words = {"KEY": str(problems.path.parent), "HOME": "/root", "OUT": str(folder), "PORT": "9"}
    words |= {"CANARY": "canary", "PREFIX": "/nowhere"}
    for student in hostile:
        corpus.write(folder, student, words)
        intended[student] = dict.fromkeys(full, 0)
    return intended


def main(folder: Path) -> None:
    intended = make(folder, SETS[0])
    with (folder.parent / "intended.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["student", *next(iter(intended.values()))])
        rows.writerows([student, *points.values()] for student, points in intended.items())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
