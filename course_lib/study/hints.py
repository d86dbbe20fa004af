"""Three hints for each exercise, one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

from course_lib.study.catalogue import Exercise, find

KINDS = ("the idea", "the formula", "the code")
_shown: dict[str, int] = {}


@dataclass(frozen=True)
class Hint:
    """Hint `step` (1 to 3) of an exercise; Jupyter shows it with its formulas."""

    exercise: Exercise
    step: int

    @property
    def text(self) -> str:
        return self.exercise.hints[self.step - 1]

    @property
    def _head(self) -> str:
        number, title = self.exercise.number, self.exercise.title
        return f"Hint {self.step} of 3 for exercise {number}, {title}: {KINDS[self.step - 1]}"

    @property
    def _more(self) -> str:
        if self.step < len(KINDS):
            return f'`hint("{self.exercise.number}")` once more gives {KINDS[self.step]}.'
        return "That was the last hint; the solutions explain the answer."

    def _repr_markdown_(self) -> str:
        return f"**{self._head}**\n\n{self.text}\n\n*{self._more}*"

    def __repr__(self) -> str:
        return f"{self._head}\n\n{self.text}\n\n{self._more}"


def hint(which: str, step: int | None = None) -> Hint:
    """The next hint for exercise `which`, "2.3": first the idea, then the formula, then the code.

    `step` asks for one of them by its number. After the third, the third comes again.

    Raises ValueError when there is no such exercise or step.
    """
    exercise = find(which)
    if step is None:
        step = min(_shown.get(exercise.number, 0) + 1, len(KINDS))
    if not isinstance(step, Integral) or step not in (1, 2, 3):
        raise ValueError(f"step is {step!r}; it must be 1 ({KINDS[0]}), 2 or 3 ({KINDS[2]}).")
    _shown[exercise.number] = step
    return Hint(exercise, step)
