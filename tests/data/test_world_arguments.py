"""Worlds of tokens say what is wrong with what they are given, whatever it is."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data import (
    CalendarArithmetic,
    InContextTasks,
    InstructedTasks,
    MovingWindowSum,
    Othello,
    RepeatCopy,
    SharedStarts,
    StoryWorld,
    TorusGame,
    Towns,
    TwoViewScenes,
    direction_labels,
    permuted_labels,
)
from course_lib.data.draws import in_64_bits
from course_lib.runtime import generator

TABLE = torch.tensor([[0, 1, 1], [1, 0, 1]])
STORY = StoryWorld()
UNFAIR = torch.tensor([0.5, 0.4])
TASKS = InContextTasks(TABLE, 2)
WORLDS = [
    CalendarArithmetic(), MovingWindowSum(5, 4), RepeatCopy(4, 3), TASKS, Towns(20, 2),
    InstructedTasks(TASKS, ["do", "undo"]), TwoViewScenes(2), TorusGame(4, 6), Othello(4),
    StoryWorld(1), SharedStarts(),
]  # fmt: skip
COUNTS = {  # whole numbers, and the least and the most that they may be
    "n_turns": (lambda n: StoryWorld(n), 1, math.inf),
    "size of the torus": (lambda n: TorusGame(n, 9), 3, 7),
    "n_moves": (lambda n: TorusGame(4, n), 1, 16),
    "modulus": (lambda n: MovingWindowSum(n), 2, math.inf),
    "window": (lambda n: MovingWindowSum(5, 6, n), 1, 6),
    "n_symbols": (lambda n: RepeatCopy(n), 2, 26),
    "n_towns": (lambda n: Towns(n), 2, 500),
    "n_objects": (lambda n: TwoViewScenes(n), 1, 4),
    "n_classes": (lambda n: permuted_labels(8, n), 2, 5),
    "seq": (lambda n: SharedStarts(seq=n), 2, math.inf),
    "batch_size": (lambda n: RepeatCopy().sample(n, generator(0)), 1, math.inf),
}
SHARES = {
    "noise of the story": (lambda p: StoryWorld(noise=p), 0.5),
    "weekdays": (lambda p: CalendarArithmetic(p), 1.0),
    "noise of labels": (lambda p: InContextTasks(TABLE, 1, noise=p), 1.0),
    "permuted": (lambda p: permuted_labels(permuted=p), 1.0),
    "hint": (lambda p: SharedStarts(p), 1.0),
    "scene": (lambda p: SharedStarts(scene=p), 1.0),
    "told": (lambda p: InstructedTasks(TASKS, ["do", "undo"], p), 1.0),
}


@pytest.mark.parametrize("name", COUNTS)
@settings(max_examples=50)
@given(n=st.one_of(st.integers(-3, 600), st.floats(), st.booleans(), st.none(), st.text()))
def test_a_count_out_of_range_is_named_with_its_value(name, n):
    build, least, most = COUNTS[name]
    whole = isinstance(n, int) and not isinstance(n, bool)
    if whole and least <= n <= most:
        build(n) if n < 50 else None
        return
    with pytest.raises(ValueError if whole else TypeError) as raised:
        build(n)
    assert f"{name.split()[0]} is {n!r}" in str(raised.value)


@pytest.mark.parametrize("name", SHARES)
@settings(max_examples=50)
@given(p=st.one_of(st.floats(-0.5, 1.5), st.sampled_from([math.nan, math.inf, "half", None])))
def test_a_share_out_of_range_is_named_with_its_value(name, p):
    build, most = SHARES[name]
    if isinstance(p, float) and 0 <= p <= most:
        build(p)
        return
    with pytest.raises(ValueError if isinstance(p, float) else TypeError) as raised:
        build(p)
    assert f"{name.split()[0]} is {p!r}" in str(raised.value)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: type(world).__name__)
@settings(max_examples=50)
@given(st.data())
def test_any_tokens_have_a_probability_or_a_clear_error(world, data):
    """What is in range has one, 0 at worst; no message comes from inside of torch."""
    n = len(world.vocabulary)
    row = st.lists(st.integers(-2, n + 2), min_size=1, max_size=world.seq + 2)
    tokens = torch.tensor([data.draw(row)])
    try:
        log_prob = world.log_prob(tokens)
    except ValueError as error:
        assert str(error).startswith("tokens "), error
        in_range = (tokens >= 0).all() and (tokens < n).all()
        assert tokens.shape[1] != world.seq or not in_range
    else:
        assert log_prob.shape == tokens.shape
        assert not log_prob.isnan().any() and (log_prob <= 1e-6).all()


def test_tokens_without_64_bit_numbers_are_read_on_the_cpu():
    class OnMPS:
        device = torch.device("mps")

        def cpu(self):
            return "on the CPU"

    here = torch.zeros(2)
    assert in_64_bits(OnMPS()) == "on the CPU" and in_64_bits(here) is here


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: CalendarArithmetic(1.5), ValueError, "weekdays is 1.5"),
        (lambda: MovingWindowSum(5, 3, 4), ValueError, "window is 4; it must be at most length"),
        (lambda: RepeatCopy(27), ValueError, "n_symbols is 27; it must be at most 26"),
        (lambda: RepeatCopy().log_prob(torch.zeros(2, 4)), ValueError, r"shape \[2, 4\]"),
        (lambda: permuted_labels(8, 6), ValueError, "n_classes is 6; it must be from 2 to 5"),
        (lambda: permuted_labels(2, 3), ValueError, "n_items is 2"),
        (lambda: InContextTasks(TABLE.float(), 2), ValueError, "table must hold whole numbers"),
        (lambda: InContextTasks(TABLE, 2, labels=["a"]), ValueError, "label 1, but labels names 1"),
        (lambda: InContextTasks(TABLE, 2, items=["a"]), ValueError, "1 names were given for 3"),
        (lambda: InContextTasks(TABLE, 2, task_probability=UNFAIR), ValueError, "sums to 0.9"),
        (lambda: direction_labels(TABLE, TABLE[:, 1:]), ValueError, r"axes has shape \[2, 2\]"),
        (
            lambda: InstructedTasks(TASKS, ["do"]),
            ValueError,
            "instructions has 1 words for 2 tasks",
        ),
        (lambda: InstructedTasks(TASKS, ["x0", "do"]), ValueError, "instructions has 'x0'"),
        (lambda: Towns(501), ValueError, "n_towns is 501; there are names for 500"),
        (lambda: Towns(reach=0.0), ValueError, "reach is 0.0; it must be above 0"),
        (lambda: SharedStarts().encode("hot coffee"), ValueError, "'coffee' is no token"),
        (lambda: TwoViewScenes(5), ValueError, "n_objects is 5; it must be at most 4"),
        (lambda: TwoViewScenes().sample(2.5, generator(0)), TypeError, "batch_size is 2.5"),
    ],
)
def test_bad_arguments_are_named_with_their_value(build, error, message):
    with pytest.raises(error, match=message):
        build()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: StoryWorld(0), "n_turns is 0"),
        (lambda: StoryWorld(noise=0.6), "noise is 0.6"),
        (lambda: StoryWorld(prior={"colour": (0.5, 0.5)}), "prior is 'colour'"),
        (lambda: StoryWorld(prior={"topic": (0.5, 0.5)}), r"prior\['topic'\] has shape \[2\]"),
        (lambda: StoryWorld(prior={"tense": (0.5, 0.6)}), r"prior\['tense'\] sums to 1.1"),
        (lambda: StoryWorld(correlate=("topic", "number", 0.5)), "correlate is 'number'"),
        (lambda: StoryWorld(correlate=("topic", "topic", 0.5)), "names 'topic' twice"),
        (lambda: StoryWorld(correlate=("topic", "tense", 1.5)), "strength of correlate is 1.5"),
        (lambda: STORY.pairs("colour", 3, generator(0)), "state is 'colour'"),
        (lambda: STORY.log_prob(torch.zeros(57).long()), r"tokens has shape \[57\]"),
        (lambda: STORY.posterior("colour", torch.zeros(1, 57).long()), "state is 'colour'"),
        (lambda: StoryWorld(lies_about="age"), "lies_about is 'age'"),
        (lambda: STORY.word_pairs("known"), "attribute is 'known'"),
        (lambda: STORY.word_pairs("topic", 1, 4), "b is 4"),
        (lambda: STORY.log_prob(torch.full((2, 57), 584)), "tokens must be from 0 to 583"),
        (lambda: STORY.log_prob(torch.zeros(2, 58).long()), "tokens has 58 columns"),
        (lambda: STORY.encode("once upon"), "'once' is no word"),
        (lambda: STORY.sample(0, generator(0)), "batch_size is 0"),
    ],
)
def test_wrong_arguments_of_the_story_world_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()
