"""From a folder of submissions to grades: what is asked of the sandbox, and what it is worth."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from course_lib.files import only_writer, read_sealed, write_file, write_sealed
from course_lib.grading.limits import Limits
from course_lib.grading.submissions import Notebook, Submission, Unreadable, parse, read

if TYPE_CHECKING:
    from course_lib.grading.questions import Graded, ProblemSet
    from course_lib.grading.sandbox import Sandbox
    from course_lib.grading.talk import Outcome

Grade = dict[str, Any]
HERE = Path(__file__).parent
CHECKS = HERE.parent / "checks"
MAX_RETRIES = 3
JUDGING = [
    *(HERE / f"{n}.py" for n in ("questions", "wire", "worker", "grade", "talk", "sandbox")),
    *(HERE / f"{n}.py" for n in ("limits", "submissions", "warm")),
    *(CHECKS / "core.py", CHECKS / "judging.py"),
]


@dataclass(frozen=True)
class Journal:
    """One file a student, written whole or not at all, under the key of all that decides it."""

    folder: Path
    key_of_set: str

    def key(self, student: str, data: bytes) -> str:
        return _digest(self.key_of_set.encode(), student.encode(), data)

    def load(self, student: str, key: str) -> Grade | None:
        """The grade under this key, if it is there and is what was written."""
        with contextlib.suppress(OSError, ValueError):
            grade = read_sealed(self._path(student), "grade again")
            return grade if grade.get("key") == key else None
        return None

    def turn(self, student: str) -> AbstractContextManager[None]:
        """Hold the student's file. Raises InUse when another command does."""
        return only_writer(self._path(student))

    def save(self, grade: Grade) -> None:
        write_sealed(self._path(grade["student"]), grade)

    def _path(self, student: str) -> Path:
        return self.folder / f"{student}.json"


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def key_of_set(path: Path, secret: str, limits: Limits, unsafe: bool) -> str:
    """Of all that decides a grade beside the submission: the same key, the same grades."""
    files = [path, path.with_suffix(".ipynb"), *JUDGING]
    settings = [secret, repr(asdict(limits)), repr(unsafe), version("torch")]
    return _digest(*(f.read_bytes() for f in files), *(s.encode() for s in settings))


def secret_of(folder: Path) -> str:
    """The secret that the hidden inputs follow from; made once for a folder of grades.

    Shards that start together agree on one. Raises OSError when the file is empty.
    """
    path = folder / "secret.txt"
    if not path.exists():
        with only_writer(path, patience=5.0):
            if not path.exists():
                write_file(path, f"{secrets.token_hex(16)}\n", mode=0o600)
    if secret := path.read_text(encoding="utf-8").strip():
        return secret
    raise OSError(f"{path} is empty. It decides the hidden inputs: put it back, or remove it.")


def grade_all(
    submissions: list[Submission], journal: Journal, jobs: int, prepare: Callable[[], Grader]
) -> Iterator[tuple[Grade, bool]]:
    """The grade of each, and whether it is new; those that are known come first.

    `prepare` is called when there is something to do. Raises NoSandbox when the machine fails, and
    InUse when another command grades one of them; what was graded until then is in the journal.
    """
    todo = []
    for submission in submissions:
        try:
            data = read(submission.path)
        except Unreadable as reason:
            data = reason
        told = data if isinstance(data, bytes) else str(data).encode()
        key = journal.key(submission.student, told)
        if grade := journal.load(submission.student, key):
            yield grade, False
        else:
            todo.append((submission, data, key))
    if not todo:
        return

    def graded(submission: Submission, data: bytes | Unreadable, key: str) -> Grade:
        with journal.turn(submission.student):
            grade = grader.grade(submission.student, data, key)
            journal.save(grade)
        return grade

    with prepare() as grader, ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(graded, *one) for one in todo]
        try:
            for done in as_completed(waiting):
                yield done.result(), True
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class Grader:
    """Grades one submission after another with a set, a sandbox and a secret."""

    def __init__(self, problems: ProblemSet, sandbox: Sandbox, secret: str) -> None:
        self.problems, self.sandbox, self.secret = problems, sandbox, secret
        self.lock = Lock()  # judges may use torch's global generator

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *error: object) -> None:
        self.sandbox.close()

    def grade(self, student: str, data: bytes | Unreadable, key: str = "") -> Grade:
        """The grade of a notebook. Never raises for what a student did."""
        try:
            if isinstance(data, Unreadable):
                raise data
            notebook = parse(data)
        except Unreadable as reason:
            return self._nothing(student, key, f"unreadable: {reason}")
        phases = self._cases(student)
        outcome = self._run(notebook, phases)
        marks = [
            self._mark(number, question, phases, outcome)
            for number, question in enumerate(self.problems.questions)
        ]
        return self._grade(student, key, outcome.ended, marks, outcome, notebook.written)

    def _cases(self, student: str) -> list[list[list[Graded]]]:
        """The cases by phase and question: the open ones, whose words are shown, and all."""
        from course_lib.grading.questions import OPEN_SEED, seed_for

        problems, phases = self.problems, []
        with self.lock:
            solved = problems.solve(student)
            for secret in (OPEN_SEED, self.secret):
                who = student if secret != OPEN_SEED else ""
                phases.append(
                    [
                        problems.cases(q, seed_for(secret, problems.name, q.name, who), solved)
                        for q in problems.questions
                    ]
                )
        return [[[c for c in cases if c.visible] for cases in phases[0]], phases[1]]

    def _run(self, notebook: Notebook, phases: list) -> Outcome:
        """Run it; once more without the cell that ended the worker, a few times."""
        from course_lib.grading.questions import source_of
        from course_lib.grading.talk import Job

        questions = [
            {
                "name": question.name,
                "value": question.value,
                "seconds": question.seconds,
                "inputs": [[list(case.inputs) for case in phase[k]] for phase in phases],
                "calls": [[source_of(case.call) for case in phase[k]] for phase in phases],
            }
            for k, question in enumerate(self.problems.questions)
        ]
        inputs = tuple(
            [[list(c.inputs.values()) for c in cases] for cases in phase] for phase in phases
        )
        job, seconds, ends = Job(notebook.cells, questions, inputs), 0.0, {}
        for _ in range(1 + MAX_RETRIES):
            outcome = self.sandbox.run(job)
            seconds += outcome.seconds
            if outcome.last_cell is None:
                break
            ends[outcome.last_cell] = outcome.ended
            job.skip.append(outcome.last_cell)
        outcome.seconds = seconds
        outcome.troubles |= {cell: f"{how}: left out" for cell, how in ends.items()}
        return outcome

    def _mark(self, number: int, question: Any, phases: list, outcome: Outcome) -> Grade:
        marks = []
        for phase, cases in enumerate(phases):
            for k, case in enumerate(cases[number]):
                verdict, message = self._judge((phase, number, k), case, outcome)
                passed = verdict == "done"
                marks.append(
                    {
                        "title": case.title,
                        "open": phase == 0,
                        "passed": passed,
                        "verdict": verdict,
                        "points": case.points if passed and phase else 0,
                        "worth": case.points if phase else 0,
                        "message": message if phase == 0 else "",
                        "hint": "" if passed else case.hint,
                    }
                )
        return {
            "name": question.name,
            "title": question.title,
            "worth": question.points,
            "points": sum(mark["points"] for mark in marks),
            "cases": marks,
        }

    def _judge(self, key: tuple, case: Graded, outcome: Outcome) -> tuple[str, str]:
        from course_lib.checks.core import NOT_DONE, WRONG, judge_output

        if key in outcome.failures:
            is_stub, words = outcome.failures[key]
            return (NOT_DONE, "the stub still stands") if is_stub else (WRONG, words)
        if key not in outcome.outputs:
            return WRONG, "nothing came back: it took too long, or ended the process"
        try:
            with self.lock:
                result = judge_output(case, outcome.outputs[key])
        except Exception:  # a judge that such an output was not thought of for
            return WRONG, "what came back has not the form that is asked for"
        return result.verdict, result.message

    def _nothing(self, student: str, key: str, status: str) -> Grade:
        from course_lib.grading.talk import Outcome

        marks = [
            {"name": q.name, "title": q.title, "worth": q.points, "points": 0, "cases": []}
            for q in self.problems.questions
        ]
        return self._grade(student, key, status, marks, Outcome(), {})

    def _grade(
        self, student: str, key: str, status: str, marks: list, outcome: Outcome, written: dict
    ) -> Grade:
        return {
            "student": student,
            "key": key,
            "set": self.problems.name,
            "title": self.problems.title,
            "status": status,
            "questions": marks,
            "troubles": {str(k + 1): words for k, words in sorted(outcome.troubles.items())},
            "written": [
                {
                    "name": w.name,
                    "title": w.title,
                    "worth": w.points,
                    "rubric": dict(w.rubric),
                    "text": written.get(w.name, ""),
                }
                for w in self.problems.written
            ],
            "isolation": self.sandbox.kind,
            "seconds": round(outcome.seconds, 2),
        }
