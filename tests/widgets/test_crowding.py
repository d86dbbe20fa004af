"""The landing page's picture counts what can be told apart as brute force does."""

import math
import re
from itertools import combinations

import pytest

from course_lib.widgets.crowding import SIZES, crowding_explorable
from tests.browser import launched


def read_rightly(n: int, k: int) -> int:
    """How many choices of k of n features at equal angles read above all others."""
    angles = [2 * math.pi * i / n for i in range(n)]

    def told(on):
        reads = [max(0.0, sum(math.cos(a - angles[j]) for j in on)) for a in angles]
        return min(reads[i] for i in on) > 1e-6 + max(reads[i] for i in range(n) if i not in on)

    return sum(told(on) for on in combinations(range(n), k))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    file = tmp_path_factory.mktemp("crowding") / "page.html"
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Test</title>'
    file.write_text(head + crowding_explorable().html, encoding="utf-8")
    with launched() as chromium:
        page = chromium.new_page(viewport={"width": 360, "height": 900})
        problems = []
        page.on("console", lambda said: said.type == "error" and problems.append(said.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(file.as_uri())
        yield page
        assert problems == []


def move(page, name, position):
    slider = page.get_by_role("slider", name=name)
    slider.evaluate("(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }", position)


def test_the_start_is_said_in_words_and_weighs_little():
    picture = crowding_explorable()
    assert "loudest of the others 0.31" in picture.text  # cos 72 degrees
    assert len(picture.html.encode()) < 25_000


@pytest.mark.parametrize("k", [2, 3])
def test_the_counts_are_those_of_brute_force(page, k):
    move(page, "Active at once", k - 1)
    for position, n in enumerate(SIZES):
        move(page, "Features", position)
        said = page.locator(".summary").inner_text()
        all_choices, right = map(int, re.search(r"of (\d+) such choices, (\d+) are", said).groups())
        assert (all_choices, right) == (math.comb(n, k), read_rightly(n, k))


def test_one_active_feature_reads_1_and_its_neighbour_the_cosine(page):
    move(page, "Active at once", 0)
    for position, n in enumerate(SIZES):
        move(page, "Features", position)
        said = page.locator(".summary").inner_text()
        assert f"the next loudest {abs(math.cos(2 * math.pi / n)):.2f}" in said


def test_the_point_that_the_network_holds_stays_in_the_picture(page):
    for k in range(3):
        move(page, "Active at once", k)
        for position in range(len(SIZES)):
            move(page, "Features", position)
            held = page.locator("[data-held]")
            assert all(7 < float(held.get_attribute(axis)) < 293 for axis in ("cx", "cy"))
    assert page.evaluate("document.documentElement.scrollWidth") == 360
