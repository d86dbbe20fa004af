"""The map of a vector holds every number, frames what is shown and too dear, and tells the text."""

import json
import re

import pytest
import torch

from course_lib.widgets import steering_map_explorable

EFFECT = torch.tensor([[-1.5, 0.0, 2.04], [-3.0, 0.0, 12.6]])
KL = torch.tensor([[0.02, 0.0, 0.05], [0.4, 0.0, 1.2]])
FORBIDDEN = torch.tensor([[0.0, 0.1, 0.2], [0.3, 0.1, 0.5]])
BEFORE = "she visited Bazo sadly"
TEXTS = [[f"she visited Bazo {word}" for word in row.split()]
         for row in ("angrily sadly gladly", "bitterly sadly joyfully")]  # fmt: skip


def given(**changes) -> dict:
    arguments = {
        "effect": {"mean difference": EFFECT, "random": EFFECT / 10},
        "kl": {"mean difference": KL, "random": KL / 10},
        "forbidden": {"mean difference": FORBIDDEN, "random": FORBIDDEN},
        "texts": {"mean difference": TEXTS, "random": [[BEFORE] * 3] * 2},
        "layers": ["block 0", "block 1"],
        "strengths": ["−2", "0", "+2"],
        "prompt": "be-grim hens in-truth ,",
        "before": BEFORE,
        "shows": ["gladly", "joyfully"],
        "opposes": ["sadly", "angrily", "bitterly"],
        "budget": 0.1,
        "start": (0, 0, 0, 2),
    }
    return arguments | changes


def settings(html: str) -> dict:
    text = re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1]
    return json.loads(text)


def test_the_page_holds_every_number_and_every_text():
    held = settings(steering_map_explorable(**given()).html)
    assert held["data"]["maps"][0][0] == [[-1.5, 0.0, 2.04], [-3.0, 0.0, 12.6]]
    assert held["data"]["maps"][1][1][1] == [0.04, 0.0, 0.12]
    assert held["data"]["texts"][0] == TEXTS
    names = [slider["label"] for slider in held["sliders"]]
    assert names == ["Vector", "What the map shows", "Layer", "Strength"]


def test_one_vector_has_no_slider_and_words_say_what_is_shown_first():
    one = {name: {"v": given()[name]["mean difference"]}
           for name in ("effect", "kl", "forbidden", "texts")}  # fmt: skip
    page = steering_map_explorable(**given(**one))
    assert len(settings(page.html)["sliders"]) == 3
    assert "v at block 0, strength +2. After “be-grim hens in-truth ,” comes" in str(page)
    assert "with it “she visited Bazo gladly”" in str(page)


def test_four_vectors_at_eight_layers_and_nine_strengths_weigh_under_100_kilobytes():
    names, size = "abcd", (8, 9)
    page = steering_map_explorable(
        *({name: torch.rand(size) for name in names} for _ in range(3)),
        {name: [[" ".join(["joyfully"] * 20)] * 9] * 8 for name in names},
        **{
            name: given()[name] for name in ("prompt", "before", "shows", "opposes", "budget")
        },
        layers=[f"block {i}" for i in range(8)],
        strengths=[str(s) for s in range(9)],
    )  # fmt: skip
    assert len(page.html.encode()) < 100_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": (0, 0, 2, 0)}, r"start is \(0, 0, 2, 0\).*to \(1, 2, 1, 2\)"),
        ({"start": (0,)}, r"start is \(0,\)"),
        ({"layers": ["one"]}, r"effect, mean difference has shape \[2, 3\]"),
        ({"kl": {"v": KL}}, r"kl has the vectors \['v'\]"),
        ({"kl": {"mean difference": -KL, "random": KL}}, "kl, mean difference has 4 of 6 entries"),
        ({"texts": {"mean difference": [[""]], "random": [[""]]}}, "must have 2 rows of 3 texts"),
        ({"forbidden": {"mean difference": 9 * FORBIDDEN, "random": KL}}, "forbidden, mean"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        steering_map_explorable(**given(**change))


@pytest.fixture
def page(open_picture):
    return lambda **options: open_picture(steering_map_explorable(**given()), **options)


def test_the_keyboard_moves_the_frame_the_numbers_and_the_text(page):
    shown = page()
    cell = shown.locator("[data-cell='1,2']")
    assert cell.text_content() == "13"
    assert shown.locator("[data-word=shows]").all_text_contents() == ["gladly"]
    summary = shown.locator(".summary")
    assert "mean difference at block 0, strength +2: log odds +2.04 nats" in summary.inner_text()
    assert "0.050 nats a word (within 0.1), 20% of the words" in summary.inner_text()
    frame = shown.locator(".framed")
    low = frame.bounding_box()["y"]
    shown.get_by_role("slider", name="Layer").press("ArrowRight")
    assert frame.bounding_box()["y"] < low - 10
    assert shown.locator("[data-word=shows]").all_text_contents() == ["joyfully"]
    assert "(above 0.1)" in summary.inner_text()
    shown.get_by_role("slider", name="Strength").press("Home")
    assert shown.locator("[data-word=opposes]").all_text_contents() == ["sadly", "bitterly"]
    assert "log odds \u22123.00 nats" in summary.inner_text()
    view = shown.get_by_role("slider", name="What the map shows")
    view.press("ArrowRight")
    assert cell.text_content() == "1.2"
    view.press("ArrowRight")
    assert cell.text_content() == "50"
    shown.get_by_role("slider", name="Vector").press("ArrowRight")
    assert "random at block 1" in summary.inner_text()


def test_cells_over_the_budget_are_framed_and_only_changed_words_are_coloured(page):
    shown = page()
    over = shown.locator("[data-over]").evaluate_all("all => all.map((e) => e.dataset.over)")
    assert sorted(over) == ["1,0", "1,2"]
    coloured = shown.locator("tspan[style*=accent]").all_text_contents()
    assert coloured == ["gladly"]
    shown.get_by_role("slider", name="Strength").press("ArrowLeft")
    assert shown.locator("tspan[style*=accent]").count() == 0


def test_all_that_is_written_stays_inside_its_picture_on_a_phone_of_360_pixels(page):
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
    assert "mean difference at block 0" in text and "+12.6" in text
