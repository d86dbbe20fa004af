"""The explorable encoder shows the points, the line and the counts that belong to its sliders."""

import json
import re

import pytest
import torch

from course_lib.widgets import sae_encoder_explorable

PLANTED = [0.0, 0.0, 0.5, 1.0]
PRE = [[0.1, -0.2, 0.3, 0.8], [-0.1, -0.2, -0.1, 0.6]]
LINE = [[1.0, -0.1], [1.2, -0.5]]


def given(**changes) -> dict:
    arguments = {
        "planted": torch.tensor(PLANTED),
        "pre": torch.tensor(PRE),
        "line": torch.tensor(LINE),
        "l1_coefficients": [0.1, 0.4],
        "bias_shifts": [-0.2, 0.0, 0.2],
        "start": (0, 1),
    }
    return arguments | changes


def settings(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1])


def test_the_page_holds_what_it_was_given_rounded_to_three_decimals():
    data = settings(sae_encoder_explorable(**given()).html)["data"]
    assert data == {
        "planted": PLANTED, "pre": PRE, "line": LINE, "coefficients": [0.1, 0.4],
        "shifts": [-0.2, 0.0, 0.2],
    }  # fmt: skip


def test_a_feature_that_is_faintly_on_stays_on_when_it_is_rounded():
    page = sae_encoder_explorable(**given(planted=torch.tensor([0.0, 0.0, 1e-5, 1.0])))
    assert settings(page.html)["data"]["planted"] == [0.0, 0.0, 0.001, 1.0]


def test_sliders_name_the_coefficients_and_the_shifts():
    sliders = settings(sae_encoder_explorable(**given()).html)["sliders"]
    assert sliders[0]["shown"] == ["0.1", "0.4"]
    assert sliders[1]["shown"] == ["-0.20", "as trained", "+0.20"]
    assert [slider["start"] for slider in sliders] == [0, 1]


def test_nine_coefficients_and_720_inputs_weigh_less_than_100_kilobytes():
    planted = torch.cat([torch.rand(180) + 0.01, torch.zeros(540)])
    page = sae_encoder_explorable(
        planted, torch.randn(9, 720), torch.randn(9, 2), [0.1] * 9, [0.0] * 9
    )
    assert len(page.html.encode()) < 100_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"planted": torch.zeros(4)}, "planted has 0 of 4 inputs"),
        ({"planted": torch.ones(4)}, "planted has 4 of 4 inputs"),
        ({"planted": -torch.ones(4)}, "planted has 4 of 4 entries"),
        ({"pre": torch.zeros(2, 3)}, r"pre has shape \[2, 3\]; it must be \[2, 4\]"),
        ({"pre": torch.full((2, 4), torch.nan)}, "pre has 8 of 8 entries"),
        ({"line": torch.zeros(2, 3)}, r"line has shape \[2, 3\]"),
        ({"l1_coefficients": [-0.1, 0.4]}, "l1_coefficients has 1 of 2 entries"),
        ({"start": (0, 3)}, r"start is \(0, 3\).*\(1, 2\)"),
    ],
)
def test_a_bad_argument_is_named_with_its_value_and_what_is_allowed(change, message):
    with pytest.raises(ValueError, match=message):
        sae_encoder_explorable(**given(**change))


@pytest.fixture
def page(open_picture):
    return lambda **options: open_picture(sae_encoder_explorable(**given()), **options)


def test_the_counts_follow_both_sliders(page):
    shown = page()
    summary = shown.locator(".summary")
    assert "Of 2 inputs with the feature the latent misses 0; of 2 without, it fires on 1" in (
        summary.inner_text()
    )
    shown.get_by_role("slider", name="L1 coefficient").press("ArrowRight")
    assert "misses 1; of 2 without, it fires on 0" in summary.inner_text()
    shown.get_by_role("slider", name="Added to the bias").press("ArrowRight")
    assert "misses 0; of 2 without, it fires on 1" in summary.inner_text()


def test_every_input_is_a_point_of_its_kind(page):
    shown = page()
    points = shown.locator("svg").first.locator("circle")
    kinds = [points.nth(k).get_attribute("class") for k in range(points.count())]
    assert sorted(kinds) == ["hit", "hit", "quiet", "wrong"]


def test_the_summary_says_the_line_of_the_latent_and_the_ideal(page):
    summary = page().locator(".summary").inner_text()
    assert "z = 1.00 a \u2212 0.10, silent below a = 0.10" in summary
    assert "alone would be read as a \u2212 0.050" in summary


def test_a_phone_shows_everything_in_one_column(page):
    shown = page(width=360)
    assert shown.evaluate("document.documentElement.scrollWidth") == 360


def test_without_javascript_the_start_stands_in_a_table(page):
    text = page(java_script_enabled=False).locator(".stage").inner_text()
    assert "At λ = 0.1 the latent's line is 1.00 a -0.10" in text and "false alarms" in text
