"""Which submissions are alike, beyond what a class has in common anyway.

A fingerprint (`fingerprints`) weighs log2(N / n) bits, where n others of N have it, too; what was
handed out and what the answer key says weighs nothing. Answers are as alike as

    bits in both / (the smaller one's bits + DOUBT),

so that an obvious line proves nothing, however equal, and unusual ones count for much. A pair's
score is that of the whole notebook, or of those of its answers that are most alike together.
Likeness is not guilt: a person has to read both.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_matrix

from course_lib.grading.fingerprints import (
    MAX_CHARACTERS,
    Names,
    Passage,
    cells_of,
    known_names,
    of_code,
    of_prose,
)
from course_lib.grading.questions import ProblemSet
from course_lib.grading.report import cell_of
from course_lib.grading.submissions import Notebook, Submission, Unreadable, parse, read

DOUBT = 150.0  # bits
SHOWN, LISTED = 0.6, 0.3
ALL = "notebook"


@dataclass
class Work:
    """What a student handed in: texts by unit (question or written answer), and their passages."""

    student: str
    notebook: Notebook
    passages: dict[str, list[Passage]] = field(default_factory=dict)
    remark: str = ""


@dataclass
class Alike:
    """A pair, its score in [0, 1], and that of each unit by itself."""

    first: Work
    second: Work
    score: float
    scores: dict[str, float]


@dataclass
class Comparison:
    """What was found.

    Attributes:
        pairs: those with a score of LISTED or more, the highest first.
        groups: three or more, each joined to the others by pairs of SHOWN or more.
        weights: bits by unit and fingerprint.
        usual: the score that half of all pairs stay below, and that 99 in 100 do.
    """

    works: list[Work]
    pairs: list[Alike]
    groups: list[list[str]]
    weights: dict[str, dict[str, float]]
    usual: tuple[float, float]
    units: list[str]


def compare(problems: ProblemSet, submissions: Iterable[Submission]) -> Comparison:
    """Compare all submissions with each other. What cannot be read gets a remark."""
    from course_lib.grading.notebooks import student_notebook

    solved = json.loads(problems.notebook.read_text(encoding="utf-8"))
    key = parse(json.dumps(solved).encode())
    sheet = parse(student_notebook(solved, problems.name, "").encode())
    names = known_names(sheet.cells)
    works = [_work(s, problems, names) for s in submissions]
    common = [p for cells in (sheet.cells, key.cells) for p in of_code(cells, names)]
    common += [p for text in sheet.written.values() for p in of_prose(text)]
    handed_out = frozenset().union(*(p.prints for p in common))
    parts = [part.name for part in [*problems.questions, *problems.written]]
    both, least, weights = {}, {}, {}
    for unit in [ALL, *parts]:
        both[unit], least[unit], weights[unit] = _bits(works, unit, handed_out)
    best = both[ALL] / (least[ALL] + DOUBT)
    for n in range(1, len(parts) + 1):
        for some in itertools.combinations(parts, n):
            alike = sum(both[u] for u in some) / (sum(least[u] for u in some) + DOUBT)
            best = np.maximum(best, alike)
    above = best[np.triu_indices(len(works), 1)]
    usual = tuple(map(float, np.quantile(above, (0.5, 0.99)))) if len(above) else (0.0, 0.0)
    pairs = []
    for i, j in zip(*np.nonzero(np.triu(best >= LISTED, 1)), strict=True):
        scores = {u: float(both[u][i, j] / (least[u][i, j] + DOUBT)) for u in both}
        pairs.append(Alike(works[i], works[j], float(best[i, j]), scores))
    pairs.sort(key=lambda p: (-p.score, p.first.student, p.second.student))
    return Comparison(works, pairs, _groups(pairs), weights, usual, list(both))


def _work(submission: Submission, problems: ProblemSet, names: Names) -> Work:
    try:
        work = Work(submission.student, parse(read(submission.path)))
    except Unreadable as reason:
        return Work(submission.student, Notebook([], {}), remark=f"unreadable: {reason}")
    cells = work.notebook.cells
    code = of_code(cells, names)
    work.passages[ALL] = code
    for question in problems.questions:
        inside = set(cells_of(question.name, cells))
        work.passages[question.name] = [p for p in code if p.text in inside]
    for written in problems.written:
        work.passages[written.name] = of_prose(work.notebook.written.get(written.name, ""))
    if sum(map(len, cells)) > MAX_CHARACTERS:
        work.remark = f"only the first {MAX_CHARACTERS:,} characters of code were compared"
    return work


def _bits(
    works: list[Work], unit: str, handed_out: frozenset[str]
) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Bits in both and bits of the smaller one, [n_works, n_works], and those of a fingerprint."""
    kept = [
        frozenset().union(*(p.prints for p in work.passages.get(unit, []))) - handed_out
        for work in works
    ]
    number = {text: k for k, text in enumerate(sorted(frozenset().union(*kept)))}
    columns = [number[text] for prints in kept for text in prints]
    starts = np.cumsum([0, *map(len, kept)])
    has = csr_matrix(
        (np.ones(len(columns)), columns, starts), shape=(len(works), max(1, len(number)))
    )
    others = np.maximum(1, np.asarray(has.sum(axis=0))[0] - 1)
    bits = np.log2(len(works) / others)
    both = (has.multiply(bits) @ has.T).toarray()
    alone = both.diagonal()
    return both, np.minimum(alone[:, None], alone), dict(zip(number, bits.tolist(), strict=False))


def _groups(pairs: list[Alike]) -> list[list[str]]:
    group = {}
    for pair in pairs:
        if pair.score >= SHOWN:
            one, other = (group.get(w.student, {w.student}) for w in (pair.first, pair.second))
            joined = one | other
            group |= dict.fromkeys(joined, joined)
    return sorted({tuple(sorted(g)) for g in group.values() if len(g) > 2})


def table(found: Comparison) -> str:
    """The pairs as CSV: both students, the highest score, and that of each unit."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["student", "other", "score", *found.units])
    for pair in found.pairs:
        names = [cell_of(pair.first.student), cell_of(pair.second.student)]
        rows.writerow([*names, *(f"{s:.2f}" for s in (pair.score, *pair.scores.values()))])
    return out.getvalue()
