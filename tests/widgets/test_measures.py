"""The explorable of counts holds what was measured and says how far each count is off."""

import json
import re

import pytest
import torch

from course_lib.widgets import measures_explorable

TRUTH = torch.tensor([[[6.0, 6.0], [24.0, 24.0]], [[6.0, 6.0], [12.0, 12.0]]])
SCALES = torch.tensor([1.0, 2.0, 3.0])[:, None, None, None]


def given(**changes) -> dict:
    arguments = {
        "stored": TRUTH,
        "measured": {
            "effective features": SCALES * TRUTH,
            "participation ratio": TRUTH.clamp(max=12).expand(3, -1, -1, -1),
        },
        "fvu": 0.1 * SCALES.expand(3, 2, 2, 2),
        "probabilities": [0.03, 0.2],
        "per_dimension": [2, 4, 8],
        "d_hidden": 12,
        "start": (0, 1),
    }
    return arguments | changes


def settings(html: str) -> dict:
    text = re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1]
    return json.loads(text)


def test_the_page_holds_every_count_and_the_sliders_say_what_they_move():
    held = settings(measures_explorable(**given()).html)
    assert held["data"]["names"] == ["effective features", "participation ratio"]
    assert held["data"]["stored"] == TRUTH.tolist()
    assert held["data"]["measured"][0] == (SCALES * TRUTH).tolist()
    assert held["data"]["fvu"][2][0][0] == [0.3, 0.3]
    density, dictionary = held["sliders"]
    assert density["shown"] == ["0.03", "0.2"]
    assert dictionary["shown"] == ["2 (24 latents)", "4 (48 latents)", "8 (96 latents)"]
    assert (density["start"], dictionary["start"]) == (0, 1)


def test_a_grid_of_four_densities_three_dictionaries_and_five_sizes_weighs_under_40_kilobytes():
    stored = 36 * torch.rand(4, 5, 3)
    counts = {name: 90 * torch.rand(3, 4, 5, 3) for name in "abcd"}
    page = measures_explorable(
        stored, counts, torch.rand(3, 4, 5, 3), [0.1, 0.2, 0.3, 0.4], [2, 4, 8], 12
    )
    assert len(page.html.encode()) < 40_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": (2, 0)}, r"start is \(2, 0\).*to \(1, 2\)"),
        ({"start": (0,)}, r"start is \(0,\)"),
        ({"probabilities": [0.1, 1.2]}, "probabilities has 1 of 2 entries"),
        ({"stored": TRUTH[:1]}, "stored has shape"),
        ({"measured": {"F": TRUTH}}, r"F has shape \[2, 2, 2\]; it must be \[3, 2, 2, 2\]"),
        ({"measured": {"F": -SCALES * TRUTH}}, "F has 24 of 24 entries"),
        ({"fvu": torch.full((3, 2, 2, 2), torch.nan)}, "fvu has 24 of 24 entries"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        measures_explorable(**given(**change))


@pytest.fixture
def page(open_picture):
    return lambda **options: open_picture(measures_explorable(**given()), **options)


def test_the_keyboard_walks_over_dictionaries_and_densities(page):
    shown = page()
    cell = shown.locator("[data-cell='effective features']")
    assert cell.text_content() == "2.00"
    shown.get_by_role("slider", name="SAE latents per dimension").press("ArrowRight")
    assert cell.text_content() == "3.00"
    assert "effective features 72.0" in shown.locator(".summary").inner_text()
    shown.get_by_role("slider", name="Chance that a feature is on").press("ArrowRight")
    summary = shown.locator(".summary").inner_text()
    assert "With 12.0 features stored: effective features 36.0" in summary
    assert "0.30 to 0.30 of the variance" in summary
    assert shown.locator("[data-cell='participation ratio']").text_content() == "1.00"


def test_every_model_is_a_mark_and_stays_inside_the_picture(page):
    shown = page()
    assert shown.locator("[data-mark='effective features']").count() == 4
    inside = shown.evaluate("""() => [...document.querySelectorAll('[data-mark]')].every((mark) => {
        const outer = mark.ownerSVGElement.getBoundingClientRect();
        const inner = mark.getBoundingClientRect();
        return inner.left >= outer.left && inner.right <= outer.right && inner.top >= outer.top;
    })""")
    assert inside


def test_a_phone_shows_everything_in_one_column(page):
    shown = page(width=360)
    assert shown.evaluate("document.documentElement.scrollWidth") == 360


def test_without_javascript_the_start_stands_in_a_table(page):
    shown = page(java_script_enabled=False)
    text = shown.locator(".stage").inner_text()
    assert "4 (48 latents) per dimension" in text and "participation ratio" in text
