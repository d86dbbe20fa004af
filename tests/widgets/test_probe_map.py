"""The map of probes holds every score, subtracts the controls and leaves gaps empty."""

import json
import re

import pytest
import torch

from course_lib.widgets import probe_map_explorable

LAYERS, TOKENS = ["embedding", "block 0"], ["day", "noun", "SPEAKER", "is"]
TRAINED = torch.tensor([[0.5, 0.6, 0.9, 0.7], [0.5, 0.7, 1.0, 0.8]])
BARE = torch.tensor([[0.5, 0.5, 0.9, 0.5], [0.6, 0.5, 0.95, 0.5]])
WORDS = torch.tensor([[0.5, 0.5, 0.8, torch.nan], [0.5, 0.5, 0.7, torch.nan]])


def given(**changes) -> dict:
    entries = {"trained network": TRAINED, "untrained network": BARE, "control task": WORDS}
    arguments = {
        "scores": {"known": entries, "honest": {kind: 1 - map for kind, map in entries.items()}},
        "layers": LAYERS,
        "tokens": TOKENS,
        "break_at": 2,
    }
    return arguments | changes


def settings(html: str) -> dict:
    text = re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1]
    return json.loads(text)


def test_the_page_holds_every_score_and_a_view_for_each_control_and_each_difference():
    held = settings(probe_map_explorable(**given()).html)
    assert held["data"]["maps"][0][0][1] == [0.5, 0.7, 1.0, 0.8]
    assert held["data"]["maps"][0][2][0] == [0.5, 0.5, 0.8, None]
    concept, view = held["sliders"]
    assert concept["shown"] == ["known", "honest"]
    assert view["shown"] == [
        "trained network", "untrained network", "control task",
        "trained network minus untrained network", "trained network minus control task",
    ]  # fmt: skip
    assert held["data"]["views"] == [[0, -1], [1, -1], [2, -1], [0, 1], [0, 2]]


def test_a_map_of_six_concepts_twenty_tokens_and_four_kinds_weighs_under_50_kilobytes():
    scores = {f"c{i}": {k: torch.rand(5, 20) for k in "abcd"} for i in range(6)}
    layers, tokens = [f"block {i}" for i in range(5)], [f"t{i}" for i in range(20)]
    page = probe_map_explorable(scores, layers, tokens, break_at=9)
    assert len(page.html.encode()) < 50_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": (2, 0)}, r"start is \(2, 0\).*to \(1, 4\)"),
        ({"start": (0,)}, r"start is \(0,\)"),
        ({"break_at": 4}, "break_at is 4; it must be below 4"),
        ({"layers": ["one"]}, r"known, trained network has shape \[2, 4\]"),
        ({"scores": {}}, "scores has 0 entries; give at least 1"),
        ({"scores": {"a": {"t": TRAINED}, "b": {"u": TRAINED}}}, "the same entries"),
        ({"scores": {"a": {"t": 2 * TRAINED}}}, "a, t has 6 of 8 entries"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        probe_map_explorable(**given(**change))


@pytest.fixture
def page(open_picture):
    return lambda **options: open_picture(probe_map_explorable(**given()), **options)


def test_the_keyboard_walks_from_the_network_to_its_controls_and_to_the_difference(page):
    shown = page()
    cell = shown.locator("[data-cell='1,2']")
    assert cell.text_content() == "100"
    view = shown.get_by_role("slider", name="What is shown")
    view.press("ArrowRight")
    assert cell.text_content() == "95"
    for _ in range(3):
        view.press("ArrowRight")
    assert cell.text_content() == "30"
    summary = shown.locator(".summary").inner_text()
    assert "known, trained network minus control task: highest 30 (SPEAKER, block 0)" in summary
    shown.get_by_role("slider", name="What is asked").press("ArrowRight")
    assert cell.text_content() == "\u221230"


def test_where_there_is_no_control_task_the_cell_is_empty(page):
    shown = page()
    view = shown.get_by_role("slider", name="What is shown")
    assert shown.locator("[data-cell]").count() == 8
    view.press("ArrowRight")
    view.press("ArrowRight")
    assert shown.locator("[data-cell]").count() == 6
    assert shown.locator("svg rect").count() == 8


def test_every_number_stays_inside_its_picture_on_a_phone_of_360_pixels(page):
    shown = page(width=360)
    assert shown.evaluate("document.documentElement.scrollWidth") == 360
    assert shown.evaluate("""() => [...document.querySelectorAll('svg text')].every((text) => {
        const outer = text.ownerSVGElement.getBoundingClientRect();
        const inner = text.getBoundingClientRect();
        return inner.left >= outer.left - 1 && inner.right <= outer.right + 1
          && inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1;
    })""")


def test_without_javascript_the_start_stands_in_a_table(page):
    text = page(java_script_enabled=False).locator(".stage").inner_text()
    assert "known, trained network" in text and "SPEAKER" in text and "1.00" in text
