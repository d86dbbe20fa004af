"""Where the wrong answers to a problem set are kept, with the points that each still gets."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class WrongAnswer:
    """`keeps` is what it is worth: the points of the cases in which it makes no difference."""

    answer: Callable
    keeps: int

    @property
    def name(self) -> str:
        return self.answer.__name__


def registry() -> tuple[dict[str, list[WrongAnswer]], Callable]:
    """A new store, question to wrong answers, and the decorator that puts one in."""
    answers: dict[str, list[WrongAnswer]] = {}

    def wrong(question: str, keeps: int = 0) -> Callable:
        def register(answer: Callable) -> Callable:
            answers.setdefault(question, []).append(WrongAnswer(answer, keeps))
            return answer

        return register

    return answers, wrong
