"""Worlds of tokens: their laws are laws, samples follow them, and labels say what is so."""

import calendar
import math
from itertools import permutations

import pytest
import torch
from scipy import stats

from course_lib.data import (
    CalendarArithmetic,
    InContextTasks,
    InstructedTasks,
    MovingWindowSum,
    Othello,
    RepeatCopy,
    SharedStarts,
    TorusGame,
    Towns,
    TwoViewScenes,
    direction_labels,
    permuted_labels,
    two_alphabets,
)
from course_lib.data.games import BoardGame
from course_lib.data.sequences import NONE
from course_lib.runtime import generator

TASKS = {"table": torch.tensor([[0, 1, 1], [1, 0, 1]]), "n_shots": 1}
OWN_ITEMS = torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
TINY = {
    "calendar": CalendarArithmetic(0.3),
    "sum": MovingWindowSum(3, 4, 3),
    "repeat": RepeatCopy(3, 3),
    "tasks": InContextTasks(
        **TASKS, task_probability=torch.tensor([0.7, 0.3]), item_probability=OWN_ITEMS, noise=0.2
    ),
    "told tasks": InstructedTasks(InContextTasks(**TASKS, noise=0.1), ["swap", "keep"], 0.3),
    "towns": Towns(5, 2, size=4.0, reach=2.0),
    "scenes": TwoViewScenes(1),
    "clauses": SharedStarts(0.8, 0.3, seq=3),
    "torus": TorusGame(3, 3),
}
WORLDS = TINY | {
    "permuted": permuted_labels(
        6, 3, 2, class_probability=torch.tensor([0.5, 0.3, 0.2]), noise=0.15
    ),
    "alphabets": two_alphabets(generator(0), 4, 3, 2),
    "two scenes": TwoViewScenes(3, noise=0.1),
    "journeys": Towns(40, 3),
    "shared starts": SharedStarts(seq=13),
    "Othello": Othello(4),
}
WORLDS["told"] = InstructedTasks(
    two_alphabets(generator(0), 4, 3, 2), [f"do-{t}" for t in range(3) for _ in "ab"], 0.6
)
N = 20_000
each_world = pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)


def words(world, row):
    return [world.vocabulary[token] for token in row.tolist() if token != NONE]


def value(world, batch, name, row, place):
    index = batch.labels[name][row, place].item()
    return None if index == NONE else world.attributes[name][index]


@each_world
def test_probabilities_of_the_next_token_sum_to_one(world):
    tokens = world.sample(4, generator(0)).tokens
    for place in range(world.seq):
        whole = tokens[tokens[:, place] != NONE]
        trial = whole.repeat_interleave(len(world.vocabulary), dim=0)
        trial[:, place] = torch.arange(len(world.vocabulary)).repeat(len(whole))
        p = world.log_prob(trial)[:, place].exp().view(len(whole), -1)
        assert torch.allclose(p.sum(1), torch.ones(len(whole)), atol=1e-5)


@each_world
def test_the_probability_of_a_token_depends_on_those_before_it_alone(world):
    tokens = world.sample(4, generator(0)).tokens
    log_prob = world.log_prob(tokens)
    for place in range(1, world.seq):
        other = tokens.clone()
        later = other[:, place:]
        later[later != NONE] = torch.randint(
            len(world.vocabulary), (int((later != NONE).sum()),), generator=generator(place)
        )
        assert torch.equal(world.log_prob(other)[:, :place], log_prob[:, :place])


@pytest.mark.parametrize("world", TINY.values(), ids=TINY)
def test_samples_follow_the_law(world):
    seen, counts = world.sample(N, generator(1)).tokens.unique(dim=0, return_counts=True)
    expected = world.log_prob(seen).double().sum(1).exp() * N
    assert expected.sum().item() == pytest.approx(N, rel=1e-3)  # next to nothing is missing
    often = expected >= 5
    observed, wanted = counts[often].tolist(), expected[often].tolist()
    wanted = [w * sum(observed) / sum(wanted) for w in wanted]
    assert stats.chisquare(observed, wanted).pvalue > 1e-4


@each_world
def test_from_a_token_that_cannot_be_nothing_can(world):
    tokens = world.sample(3, generator(0)).tokens
    tokens[0, 2] = tokens[0, 1] if isinstance(world, BoardGame) else len(world.vocabulary) + 5
    log_prob = world.log_prob(tokens)
    assert log_prob[0, :2].isfinite().all() and log_prob[1:].isfinite().all()
    assert (log_prob[0, 2:] == -math.inf).all()


@each_world
def test_samples_are_repeatable_and_labels_are_in_range(world):
    first, again, other = (world.sample(50, generator(seed)) for seed in (3, 3, 4))
    assert torch.equal(first.tokens, again.tokens) and not torch.equal(first.tokens, other.tokens)
    assert first.tokens.shape == (50, world.seq)
    assert first.tokens.max() < len(world.vocabulary) == len(set(world.vocabulary))
    assert set(first.labels) == set(world.attributes)
    for name, label in first.labels.items():
        assert torch.equal(label, again.labels[name])
        assert label.shape == first.tokens.shape and label.dtype == torch.int64
        assert label.min() >= NONE and label.max() < len(world.attributes[name])


def test_every_sentence_of_the_calendar_is_right():
    days, months = list(calendar.day_name), list(calendar.month_name)[1:]
    numbers = list(CalendarArithmetic.vocabulary[:12])
    assert numbers[::11] == ["one", "twelve"]
    world = CalendarArithmetic()
    sentences = world.every_sentence()
    seen = set()
    for row in range(len(sentences)):
        offset, unit, middle, start, verb, answer = words(world, sentences.tokens[row])
        names = {"days": days, "months": months}[unit]
        there = names.index(start)
        for _ in range(numbers.index(offset) + 1):
            there = (there + 1) % len(names)
        assert (middle, verb, answer) == ("from", "is", names[there])
        cycle = {"days": "weekday", "months": "month"}[unit]
        told = {"offset": (offset, 0), "cycle": (cycle, 1), "start": (start, 3)}
        for name, (right, since) in (told | {"answer": (answer, 3)}).items():
            for place in range(6):
                expected = right if place >= since else None
                assert value(world, sentences, name, row, place) == expected
        seen.add((offset, start))
    assert len(seen) == 193 == 7 * 7 + 12 * 12
    months = world.sample(N, generator(0)).labels["cycle"][:, 1].sum()
    assert abs(months - N / 2) < 4.5 * 0.5 * N**0.5


def test_moving_sums_are_sums():
    world = MovingWindowSum(10, 6, 3)
    batch = world.sample(50, generator(0))
    for row in range(50):
        numbers = words(world, batch.tokens[row])
        x, y = [int(number) for number in numbers[:6]], [int(number) for number in numbers[7:]]
        assert numbers[6] == "="
        assert y == [sum(x[max(0, i - 2) : i + 1]) % 10 for i in range(6)]
        sums = [value(world, batch, "sum", row, place) for place in range(13)]
        assert sums == [str(total) for total in y] + [None] * 7
        values = [value(world, batch, "value", row, place) for place in range(13)]
        assert values == [None if number == "=" else number for number in numbers]


def test_a_copy_is_a_copy():
    world = RepeatCopy(5, 4)
    batch = world.sample(50, generator(0))
    for row in range(50):
        text = "".join(words(world, batch.tokens[row]))
        assert text[:4] == text[5:] and text[4] == "|" and set(text[:4]) <= set("abcde")
        labels = {
            name: [value(world, batch, name, row, place) for place in range(9)]
            for name in world.attributes
        }
        assert labels["symbol"] == [*text[:4], None, *text[5:]]
        assert labels["place"] == [*"1234", None, *"1234"]
        assert labels["phase"] == ["read"] * 4 + ["write"] * 5


def slow_posterior(world, row):
    """Bayes' rule, one task and one token at a time."""
    belief = world.task_probability.tolist()
    for place, token in enumerate(row):
        for task in range(len(belief)):
            if place % 2 == 0:
                belief[task] *= world.item_probability[task, token].item()
            else:
                right = world.table[task, row[place - 1]] == token - world.n_items
                belief[task] *= (1 - world.noise) * right.item() + world.noise / world.n_labels
        yield [b / sum(belief) for b in belief]


@pytest.mark.parametrize("name", ["tasks", "permuted", "alphabets"])
def test_the_posterior_is_bayes_rule_and_labels_are_the_tasks(name):
    world = WORLDS[name]
    batch = world.sample(40, generator(0))
    posterior = world.posterior(batch.tokens)
    right = 0
    for row, tokens in enumerate(batch.tokens.tolist()):
        for place, belief in enumerate(slow_posterior(world, tokens)):
            assert posterior[row, place].tolist() == pytest.approx(belief, abs=1e-5)
        task = batch.labels["task"][row, 0].item()
        assert (batch.labels["task"][row] == task).all()
        for place in range(world.seq):
            item = tokens[place - place % 2]
            assert batch.labels["label"][row, place] == world.table[task, item]
            assert batch.labels["shot"][row, place] == place // 2
            if place % 2:
                right += tokens[place] - world.n_items == world.table[task, item]
    wanted = 1 - world.noise * (1 - 1 / world.n_labels)
    spread = (wanted * (1 - wanted) / (20 * world.seq)) ** 0.5
    assert abs(right / (20 * world.seq) - wanted) <= 4.5 * spread


def test_told_tasks_have_the_instruction_or_a_question_mark_first():
    world = WORLDS["told"]
    batch = world.sample(2_000, generator(0))
    posterior, rest = world.posterior(batch.tokens), world.world.posterior(batch.tokens[:, 1:])
    told = batch.labels["told"][:, 0] == 1
    assert abs(told.sum() - 1_200) < 4.5 * 480**0.5
    assert torch.allclose(posterior[~told, 1:], rest[~told]) and not posterior.isnan().any()
    for row in range(60):
        task, first = batch.labels["task"][row, 0].item(), words(world, batch.tokens[row])[0]
        how = ("told", f"do-{task // 2}") if told[row] else ("shown", "?")
        assert (value(world, batch, "told", row, 0), first) == how
        if told[row]:  # the two alphabets remain, until the first item
            assert posterior[row, 0, task - task % 2 :][:2].tolist() == pytest.approx([0.5, 0.5])
            assert posterior[row, 1, task].item() == pytest.approx(1.0)
        assert batch.labels["label"][row, 0] == batch.labels["shot"][row, 0] == NONE
        assert (batch.labels["task"][row] == task).all()
        for place in range(1, world.seq):
            item = batch.tokens[row, place - (place - 1) % 2]
            assert batch.labels["label"][row, place] == world.world.table[task, item]
            assert batch.labels["shot"][row, place] == (place - 1) // 2


def test_permuted_contexts_call_classes_by_each_others_names():
    world = permuted_labels(7, 3, 2, permuted=0.4)
    assert world.attributes["task"][0] == "ABC"
    assert set(world.attributes["task"]) == {"".join(p) for p in permutations("ABC")}
    for names, row in zip(world.attributes["task"], world.table, strict=True):
        assert [world.attributes["label"][label] for label in row] == [
            names[item % 3] for item in range(7)
        ]
    assert world.task_probability.tolist() == pytest.approx([0.6] + [0.08] * 5)
    assert world.item_probability.sum(1).tolist() == pytest.approx([1.0] * 6)
    of_class = [world.item_probability[0, c::3].sum().item() for c in range(3)]
    assert of_class == pytest.approx([1 / 3] * 3)


def test_labels_of_directions_split_the_items_at_the_median():
    h, axes = torch.randn(20, 5, generator=generator(0)), torch.eye(5)
    world = direction_labels(h, axes, 4)
    assert world.table.sum(1).tolist() == [10] * 5
    for axis in range(5):
        high = h[world.table[axis] == 1, axis]
        assert high.min() > h[world.table[axis] == 0, axis].max()
    assert torch.equal(direction_labels(h, 3 * axes).table, world.table)


def test_two_alphabets_share_tasks_but_no_token():
    world = two_alphabets(generator(0), 5, 3, 2)
    batch = world.sample(60, generator(0))
    for row in range(60):
        seen = words(world, batch.tokens[row])
        alphabet = value(world, batch, "task", row, 0)[-1]
        assert {word[0] for word in seen} == {alphabet, alphabet.upper()}
    for task in range(3):
        a, b = world.table[2 * task, :5], world.table[2 * task + 1, 5:]
        assert torch.equal(a + 5, b) and sorted(a.tolist()) == list(range(5))


def test_journeys_lead_where_they_say():
    world = Towns(60, 3, size=10.0, reach=1.0)
    at = dict(zip(world.vocabulary, world.coordinates.tolist(), strict=False))
    batch = world.sample(100, generator(0))
    compass = {"east": 0, "north": 90, "west": 180, "south": 270}
    compass |= {"north-east": 45, "north-west": 135, "south-west": 225, "south-east": 315}
    for row in range(100):
        said = words(world, batch.tokens[row])
        for place, word in enumerate(said):
            here = said[place - place % 2]
            assert value(world, batch, "town", row, place) == here
            assert value(world, batch, "column", row, place) == str(int(at[here][0] / 2.5))
            assert value(world, batch, "row", row, place) == str(int(at[here][1] / 2.5))
            assert value(world, batch, "heading", row, place) == (word if place % 2 else None)
            if place % 2:
                there = said[place + 1]
                east, north = (b - a for a, b in zip(at[here], at[there], strict=True))
                turn = math.degrees(math.atan2(north, east)) - compass[word]
                assert abs((turn + 180) % 360 - 180) <= 22.5 + 1e-3
    nearness = {
        name: math.exp(-(math.dist(spot, at[world.vocabulary[7]]) ** 2) / 2)
        for name, spot in at.items()
        if name != world.vocabulary[7]
    }
    total = sum(nearness.values())
    for other, weight in nearness.items():
        step = world.step[7, world.vocabulary.index(other)].item()
        assert step == pytest.approx(weight / total, rel=1e-4, abs=1e-9)
