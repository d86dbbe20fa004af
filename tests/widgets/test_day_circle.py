"""A day can be dragged around its circle, and the answers are those that were computed."""

import json
import re
from functools import partial

import pytest
import torch

from course_lib.runtime import generator
from course_lib.widgets import day_circle_explorable

NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
RADII = torch.tensor([0.0, 0.5, 1.0, 1.5])


def given(**changes) -> dict:
    logits = 3 * torch.randn(7, 4, 28, 7, generator=generator(0))
    return {"answers": 0.8 * logits.softmax(-1), "radii": RADII, "names": NAMES} | changes


def settings(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1])


def test_the_page_holds_every_answer_and_the_days_in_their_places():
    page = settings(day_circle_explorable(**given(frequency=2)).html)
    shown = torch.tensor(page["data"]["p"]) / 1000
    torch.testing.assert_close(shown, given()["answers"], atol=6e-4, rtol=0)
    angle = 2 * torch.pi * 2 * torch.arange(7) / 7
    places = torch.stack([angle.cos(), angle.sin()], 1)
    torch.testing.assert_close(torch.tensor(page["data"]["places"]), places, atol=1e-3, rtol=0)
    assert page["sliders"][0]["shown"][:2] == ["1 day", "2 days"]


def test_the_chapters_size_weighs_less_than_120_kilobytes():
    answers = torch.rand(7, 7, 56, 7, generator=generator(0)).softmax(-1)
    picture = day_circle_explorable(answers, torch.linspace(0, 1.5, 7), NAMES)
    assert len(picture.html.encode()) < 120_000


def test_the_start_is_said_in_words_and_in_a_table():
    answers = given()["answers"]
    picture = day_circle_explorable(**given(start=(1, 2, 4)))
    most = int(answers[1, 2, 4].argmax())
    assert f"the model says {NAMES[most]} with probability" in str(picture)
    assert picture.html.count("<tr>") == 9 and "no day" in picture.html


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": NAMES[:6]}, "answers has shape"),
        ({"names": ("a", "b")}, "names has 2 entries; give at least 3"),
        ({"answers": 2 * torch.ones(7, 4, 28, 7)}, "answers has 5488 of 5488"),
        ({"radii": RADII.flip(0)}, "they must rise"),
        ({"radii": RADII[:3]}, "radii has shape"),
        ({"start": (0, 4, 0)}, r"start is \(0, 4, 0\)"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        day_circle_explorable(**given(**change))


@pytest.fixture
def page(open_picture):
    return partial(open_picture, day_circle_explorable(**given(start=(0, 2, 0))))


def bars(shown) -> torch.Tensor:
    return torch.tensor([float(t) for t in shown.locator("[data-p]").all_text_contents()])


def test_the_bars_are_the_answers_at_the_point_and_follow_the_slider(page):
    shown, answers = page(), given()["answers"]
    torch.testing.assert_close(bars(shown)[:7], answers[0, 2, 0], atol=6e-3, rtol=0)
    shown.get_by_role("slider", name="Added").press("ArrowRight")
    torch.testing.assert_close(bars(shown)[:7], answers[1, 2, 0], atol=6e-3, rtol=0)


def test_what_goes_to_no_day_is_shown_and_said(page):
    shown = page()
    assert "no day 0.20" in shown.locator("svg").nth(1).get_attribute("aria-label")


def test_a_dragged_point_shows_the_nearest_answer_that_was_computed(page):
    shown, answers = page(), given()["answers"]
    svg = shown.locator("svg").first.bounding_box()
    middle = svg["x"] + svg["width"] / 2, svg["y"] + svg["height"] / 2
    unit = 92 * svg["width"] / 320
    grip = shown.locator("[data-handle='0']").bounding_box()
    shown.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
    shown.mouse.down()
    shown.mouse.move(middle[0], middle[1] - 1.03 * unit, steps=4)  # a quarter turn
    shown.mouse.up()
    torch.testing.assert_close(bars(shown)[:7], answers[0, 2, 7], atol=6e-3, rtol=0)
    text = shown.locator("[data-handle='0']").get_attribute("aria-valuetext")
    assert text.startswith("at 90 degrees") and text.endswith("nearest to Wednesday")


def test_arrow_keys_move_the_point_and_it_stays_within_the_largest_radius(page):
    shown, answers = page(), given()["answers"]
    shown.evaluate("addEventListener('keydown', () => { window.escaped = true })")
    shown.get_by_role("slider", name="the start").focus()
    for _ in range(20):
        shown.keyboard.press("ArrowRight")
    torch.testing.assert_close(bars(shown)[:7], answers[0, 3, 0], atol=6e-3, rtol=0)
    assert "1.50 of the radius" in shown.locator(".summary").inner_text()
    assert shown.evaluate("window.escaped") is None


def test_a_phone_shows_everything_in_one_column(page):
    shown = page(width=360)
    assert shown.evaluate("document.documentElement.scrollWidth") == 360
