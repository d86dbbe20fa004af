"""The checks accept every right answer, reject every wrong one, and each case can fail."""

import pytest
import torch

from course_lib import checks
from tests.exercises.notebook import CHAPTERS, check_calls, namespace
from tests.exercises.right_answers import RIGHT
from tools import caught
from tools.exercises import SEEDS, wrong_answers

CALLS = [(chapter, call) for chapter in CHAPTERS for call in check_calls(chapter)]
EXERCISES = [call.exercise for _, call in CALLS]
WRONG = [
    pytest.param(exercise, wrong, id=f"{exercise}-{wrong.name}")
    for exercise in EXERCISES
    for wrong in wrong_answers(exercise.split(".")[0]).WRONG[exercise]
]
by_call = pytest.mark.parametrize("chapter, call", CALLS, ids=EXERCISES)
by_exercise = pytest.mark.parametrize("exercise", EXERCISES)


def told(report):
    return "\n".join(f"{r.title}: {r.verdict} {r.message}" for r in report.results)


def test_every_exercise_has_a_check_cell_in_the_order_of_the_notebook():
    assert [exercise.name for exercise in checks.exercises()] == EXERCISES


@by_call
@pytest.mark.parametrize("seed", SEEDS)
def test_the_solution_passes_every_case(chapter, call, seed):
    report = checks.run(call.exercise, namespace("solutions", chapter)[call.attempt], seed)
    assert report.passed, told(report)


@by_call
def test_the_stub_fails_every_case_as_not_done_yet(chapter, call):
    report = checks.run(call.exercise, namespace("exercises", chapter)[call.attempt])
    assert {result.verdict for result in report.results} == {"not done yet"}, told(report)


@pytest.mark.parametrize("chapter, call", [pair for pair in CALLS if pair[1].stand_in])
@pytest.mark.parametrize("seed", SEEDS)
def test_what_stands_in_for_an_open_answer_passes_its_check(chapter, call, seed):
    report = checks.run(call.exercise, namespace("exercises", chapter)[call.stand_in], seed)
    assert report.passed, told(report)


@pytest.mark.parametrize(
    "exercise, answer",
    [pytest.param(e, a, id=f"{e}-{a.__name__}") for e, answers in RIGHT.items() for a in answers],
)
@pytest.mark.parametrize("seed", SEEDS)
def test_an_answer_that_is_right_in_another_way_passes(exercise, answer, seed):
    report = checks.run(exercise, answer, seed)
    assert report.passed, told(report)


@by_exercise
def test_every_exercise_has_right_answers_and_at_least_five_wrong_ones(exercise):
    assert len(RIGHT[exercise]) >= 2
    assert len(wrong_answers(exercise.split(".")[0]).WRONG[exercise]) >= 5


def runs(exercise, wrong):
    """What each failed case says of a wrong answer, seed by seed."""
    return caught.failures(exercise.split(".")[0])[exercise][wrong.name]


@pytest.mark.parametrize("exercise, wrong", WRONG)
def test_a_wrong_answer_is_rejected_with_a_message_that_helps(exercise, wrong):
    assert len(runs(exercise, wrong)) == len(SEEDS)
    for failed in runs(exercise, wrong):
        assert any(wrong.says in message for message in failed.values()), failed
    assert wrong.answer.__doc__, "name the misconception in the docstring"


@by_exercise
def test_each_case_rejects_a_wrong_answer_that_returns_the_right_shape(exercise):
    killed = set()
    for wrong in wrong_answers(exercise.split(".")[0]).WRONG[exercise]:
        for title, message in runs(exercise, wrong)[0].items():
            if "shape" not in message and "raised" not in message:
                killed.add(title)
    assert killed == {case.title for case in checks.cases(exercise)}


def changed(change):
    """An answer whose every number is what `change` makes of the right one."""

    def make(right):
        def answer(*arguments):
            output = right(*arguments)
            return tuple(map(change, output)) if isinstance(output, tuple) else change(output)

        return answer

    return make


def constant(value):
    return lambda right: lambda *arguments: value


GARBAGE = {
    "None": constant(None),
    "0": constant(0),
    "NaN": constant(float("nan")),
    "a NaN tensor": constant(torch.tensor(float("nan"))),
    "a string": constant("done"),
    "an empty list": constant([]),
    "an empty tensor": constant(torch.tensor([])),
    "a complex number": constant(1j),
    "its first argument": lambda right: lambda *arguments: arguments[0] if arguments else None,
    "zeros of the right shape": changed(lambda value: 0 * value),
    "NaN of the right shape": changed(lambda value: value * float("nan")),
    "infinity of the right shape": changed(lambda value: value * 0 + float("inf")),
    "one axis too many": changed(lambda value: torch.stack(2 * [torch.as_tensor(value)])),
    "complex numbers": changed(lambda value: value * 1j),
    "whole numbers": changed(lambda value: torch.as_tensor(value).long() * 0),
}


@by_call
@pytest.mark.parametrize("garbage", GARBAGE)
def test_each_case_rejects_garbage_and_says_so_in_a_sentence(chapter, call, garbage):
    answer = GARBAGE[garbage](namespace("solutions", chapter)[call.attempt])
    for result in checks.run(call.exercise, answer).results:
        assert result.verdict != "done", f"{result.title} accepts {garbage}"
        assert len(result.message) > 20 and "raised" not in result.message, result


@by_exercise
def test_the_cases_of_a_seed_are_always_the_same_and_those_of_another_differ(exercise):
    def inputs(seed):
        pairs = [pair for case in checks.cases(exercise, seed) for pair in case.inputs.items()]
        return [(name, torch.as_tensor(value).tolist()) for name, value in pairs]

    assert inputs(3) == inputs(3)
    assert inputs(3) != inputs(4) or inputs(3) == []
