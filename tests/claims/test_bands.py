"""How bands are made of seeds, and how often one more seed would leave them."""

import random

import pytest

from tools.bands import band, false_alarms, stored_values

STORED = {"claims": {"a": {"values": [1.0, 2.0]}, "b": {"values": [3.0, 4.0]}}, "seeds": [0, 1]}


def first(**values):
    return {key: {"value": value, "model": ""} for key, value in values.items()}


def test_stored_seeds_count_while_the_first_gives_the_stored_values():
    assert stored_values(STORED, first(a=1.0, b=3.0)) == {
        0: {"a": 1.0, "b": 3.0},
        1: {"a": 2.0, "b": 4.0},
    }


@pytest.mark.parametrize(
    "now", [first(a=1.0, b=3.0000001), first(a=1.0), first(a=1.0, b=3.0, c=5.0), first()]
)
def test_stored_seeds_are_run_again_when_a_value_or_a_claim_is_another(now):
    assert stored_values(STORED, now) == {}


def test_nothing_is_known_of_a_chapter_without_stored_runs():
    assert stored_values({"claims": {}}, first(a=1.0)) == {}


def test_of_normal_values_one_more_is_outside_its_band_once_in_a_thousand():
    draw = random.Random(0)
    draws = [[draw.gauss(0, 1) for _ in range(21)] for _ in range(4000)]
    outside = 0
    for *seeds, one_more in draws:
        low, high = band(seeds)
        outside += not low <= one_more <= high
    # 4 are expected; the chance of 0, and that of more than 12, is below 2 %.
    assert 1 <= outside <= 12


def test_a_value_far_from_all_others_is_a_false_alarm_and_equal_ones_are_none():
    assert false_alarms([0.9, 1.0, 1.1] * 5 + [9.0]) == 1
    assert false_alarms([3.0] * 12) == 0
