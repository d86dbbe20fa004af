"""The explorable front holds what was measured, and says of each point whether it is beaten."""

import json
import re

import pytest
import torch

from course_lib.sae.front import Front
from course_lib.widgets import pareto_explorable

SEEDS = torch.tensor([0.9, 1.0, 1.1])
NAMES = ["A", "B"]


def front(l0, fvu, rest) -> Front:
    l0, fvu = torch.tensor(l0)[:, None] * SEEDS, torch.tensor(fvu)[:, None] * SEEDS
    return Front(l0, fvu, *[rest * torch.ones_like(l0)] * 6)


ONE = front([1.0, 2.0], [0.5, 0.2], 0.3)


def given(**changes) -> dict:
    flat = {"A": front([1.0, 2.0], [0.5, 0.2], 0.3), "B": front([0.8, 2.5], [0.4, 0.1], 0.6)}
    tree = {"A": front([1.0, 3.0], [0.3, 0.02], 0.4), "B": front([1.5, 2.5], [0.4, 0.05], 0.7)}
    arguments = {
        "fronts": {"independent": flat, "tree": tree},
        "true_l0": [2.0, 2.4],
        "absorption": {"tree": {name: 0.25 * torch.ones(2, 3) for name in NAMES}},
        "start": (1, 0, 1),
    }
    return arguments | changes


def data_of(html: str) -> dict:
    text = re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1]
    return json.loads(text)["data"]


def test_the_page_holds_every_seed_of_every_measure_and_null_where_there_is_no_tree():
    data = data_of(pareto_explorable(**given()).html)
    fronts = given()["fronts"]
    for measure in ("l0", "fvu", "gamma", "found", "mmcs", "dead"):
        shown = torch.tensor(data[measure])
        wanted = torch.stack(
            [torch.stack([getattr(f, measure) for f in w.values()]) for w in fronts.values()]
        )
        torch.testing.assert_close(shown, wanted, atol=5.1e-5, rtol=0)
    assert data["absorption"][0] == [None, None]
    assert torch.tensor(data["absorption"][1]).eq(0.25).all()


def test_seven_architectures_at_four_sparsities_in_two_worlds_weigh_less_than_30_kilobytes():
    one = front([1.0, 2.0, 3.0, 4.0], [0.5, 0.2, 0.1, 0.05], 1 / 3)
    world = {name: one for name in "ABCDEFG"}
    rates = {name: torch.rand(4, 3) for name in "ABCDEFG"}
    page = pareto_explorable({"a": world, "b": world}, [1.0, 2.0], {"b": rates})
    assert len(page.html.encode()) < 30_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": (2, 0, 0)}, r"from \(0, 0, 0\) to \(1, 1, 1\)"),
        ({"absorption": {"tree": {"B": torch.ones(2, 3)}}}, "absorption of tree has no 'A'"),
        (
            {"fronts": {"flat": {"B": ONE}, "tree": {"A": ONE, "B": ONE}}},
            "the same architectures in every world",
        ),
        ({"true_l0": [1.0]}, "one number for each of the 2 worlds"),
        ({"absorption": {"tree": dict.fromkeys(NAMES, torch.ones(1, 3))}}, "absorption of A"),
        (
            {"absorption": {"tree": dict.fromkeys(NAMES, torch.full((2, 3), torch.nan))}},
            "absorption of A has 6 of 6 entries",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        pareto_explorable(**given(**change))


@pytest.fixture
def page(open_picture):
    return lambda **options: open_picture(pareto_explorable(**given()), **options)


def test_walking_shows_the_numbers_of_the_point_one_stands_on(page):
    shown = page()
    cells = {
        name: shown.locator(f"[data-cell={name}]").text_content()
        for name in ("gamma", "found", "mmcs", "dead", "absorption")
    }
    assert cells == {name: "0.40" for name in cells} | {"absorption": "0.25"}
    assert shown.locator("[data-here]").get_attribute("data-here").startswith("3 ")
    shown.get_by_role("slider", name="Architecture").press("ArrowRight")
    assert shown.locator("[data-cell=found]").text_content() == "0.70"


def test_a_point_that_is_beaten_says_by_whom_and_one_on_the_front_says_so(page):
    shown = page()
    summary = shown.locator(".summary")
    assert "it is on the front" in summary.inner_text()
    world = shown.get_by_role("slider", name="World")
    world.press("ArrowLeft")
    shown.get_by_role("slider", name="Sparsity").press("ArrowLeft")
    assert "A at L0 1.00, FVU 0.500. B has fewer active latents (L0 0.80)" in summary.inner_text()
    assert shown.locator("[data-cell=absorption]").count() == 0
    assert "no tree in this world" in shown.locator("svg").nth(1).text_content()


def test_a_phone_shows_everything_in_one_column(page):
    shown = page(width=360)
    assert shown.evaluate("document.documentElement.scrollWidth") == 360


def test_without_javascript_the_start_stands_in_a_table(page):
    shown = page(java_script_enabled=False)
    text = shown.locator(".stage").inner_text()
    assert "A in the world 'tree', sparsity 2 of 2" in text and "parents absorbed" in text
