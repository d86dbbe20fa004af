"""A patching direction can be turned, and what is shown is what the three neurons do."""

import json
import re

import pytest
import torch

from course_lib.causal import ThreeNeurons, illusion_report
from course_lib.runtime import generator
from course_lib.widgets import patch_direction_explorable
from course_lib.widgets.patch_direction import NAMED

MODEL = ThreeNeurons()
LANDINGS = MODEL.zero_loss(torch.tensor([0.1, -0.4, 0.9])).flatten(0, 1)
LANDINGS = LANDINGS[~LANDINGS.isnan().any(dim=1)]
E1, E2, E3 = torch.eye(3).double()


def given(**changes) -> dict:
    return {"model": MODEL, "landings": LANDINGS} | changes


def settings(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1])


def test_the_page_holds_the_weights_and_every_landing_on_the_near_half():
    page = settings(patch_direction_explorable(**given(start=(1, 2))).html)
    assert page["data"]["w_in"] == [1, 0, 1] and page["data"]["w_out"] == [0, 2, 1]
    shown = torch.tensor(page["data"]["landings"]).double()
    assert (shown[:, 2] >= 0).all()
    along = (shown * LANDINGS).sum(1).abs() / LANDINGS.norm(dim=1)
    torch.testing.assert_close(along, torch.ones(len(along)).double(), atol=2e-3, rtol=0)
    assert page["sliders"][1]["shown"][2] == "25% of the inputs"
    assert [s["start"] for s in page["sliders"]] == [1, 2]


def test_the_line_recovers_everything_and_goes_from_the_true_axis_by_the_illusory_one():
    page = settings(patch_direction_explorable(**given()).html)
    line = torch.tensor(page["data"]["curve"]).double()
    torch.testing.assert_close(
        MODEL.effect(line), torch.ones(len(line)).double(), atol=1e-3, rtol=0
    )
    for point in (E3, (E1 + E2) / 2**0.5, MODEL.w_out / 5**0.5, (E1 + E3) / 2**0.5):
        assert (line - point).norm(dim=1).min() < 0.05
    assert (line[1:] - line[:-1]).norm(dim=1).max() < 0.06  # without a gap


def test_200_landings_weigh_less_than_35_kilobytes():
    found = torch.randn(200, 3, generator=generator(0))
    assert len(patch_direction_explorable(MODEL, found).html.encode()) < 35_000


def test_the_start_is_said_in_words_and_in_a_table():
    picture = patch_direction_explorable(**given())
    assert "the illusory direction: patching along it recovers 1.00" in str(picture)
    assert picture.html.count("<tr>") == 1 + len(NAMED)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"landings": torch.ones(4, 2)}, "landings has shape"),
        ({"landings": torch.zeros(4, 3)}, "a row of zeros"),
        ({"landings": torch.zeros(0, 3)}, r"landings has shape \[0, 3\]; no axis may be empty"),
        ({"landings": torch.full((1, 3), torch.nan)}, "landings has 3 of 3"),
        ({"awake": (0.0, 1.5)}, "awake has 1 of 2"),
        ({"awake": (0.5,)}, "give at least 2"),
        ({"start": (0, 9)}, r"start is \(0, 9\)"),
        ({"start": (7, 0)}, r"start is \(7, 0\)"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        patch_direction_explorable(**given(**change))


@pytest.fixture
def page(open_picture):
    def opened(width=800, **options):
        return open_picture(patch_direction_explorable(**given(**options)), width)

    return opened


def values(shown) -> list[float | None]:
    texts = shown.locator("[data-value]").all_text_contents()
    return [None if "no" in t else float(t.replace("\u2212", "-")) for t in texts]


def expected(v) -> list[float | None]:
    """What the library says of v: the first five bars, and the sixth."""
    x, y = torch.randn(2, 50, generator=generator(0))
    base, source = MODEL.hidden(x), MODEL.hidden(y)
    report = illusion_report(MODEL.output, base, source, v, MODEL.w_out[None])
    v = v / v.norm()
    left = ((v - v[0] * E1) @ MODEL.w_in * (v @ MODEL.w_out)).item()
    parts = [report.effect, report.through_row, report.through_null, report.row, report.null, left]
    return [None if p is None or p != p else p for p in parts]


def agree(found, wanted):
    assert [f is None for f in found] == [w is None for w in wanted]
    for f, w in zip(found, wanted, strict=True):
        assert f is None or f == pytest.approx(w, abs=0.006)


@pytest.mark.parametrize("row", range(len(NAMED)))
def test_every_bar_of_a_named_direction_is_what_the_library_measures(page, row):
    shown = page(start=(row, 0))
    v = torch.tensor(list(NAMED.values())[row][1]).double()
    agree(values(shown)[:6], expected(v))


def test_waking_neuron_2_spoils_the_illusory_direction_and_not_the_true_one(page):
    shown = page(start=(0, 0))
    assert values(shown)[6] == pytest.approx(1)
    for _ in range(4):
        shown.get_by_role("slider", name="awake").press("ArrowRight")
    assert values(shown)[6] == pytest.approx(0)
    assert "R² is 0.00" in shown.locator(".summary").inner_text()
    shown.get_by_role("slider", name="Go to").press("ArrowRight")
    assert values(shown)[6] == pytest.approx(1)


def test_r_squared_is_what_a_run_with_neuron_2_awake_measures(page):
    shown = page(start=(2, 1))
    x, y = torch.randn(2, 40_000, generator=generator(1)).double()
    draw = generator(2)
    base, source = MODEL.hidden(x, 0.1, draw), MODEL.hidden(y, 0.1, draw)
    unit = MODEL.w_out / MODEL.w_out.norm()
    moved = MODEL.output(((source - base) @ unit)[:, None] * unit)
    r2 = 1 - (moved - (y - x)).square().sum() / (y - x).square().sum()
    assert values(shown)[6] == pytest.approx(r2.item(), abs=0.03)


def test_a_dragged_direction_is_the_point_of_the_half_sphere_under_the_pointer(page):
    shown = page(start=(1, 0))
    svg = shown.locator("svg").first.bounding_box()
    scale = svg["width"] / 320
    grip = shown.locator("[data-handle='0']").bounding_box()
    shown.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
    shown.mouse.down()
    # v = (0, 0.8, 0.6): straight up from the middle, by 0.8 / sqrt(1.6) of the radius.
    shown.mouse.move(
        svg["x"] + 160 * scale, svg["y"] + (160 - 130 * 0.8 / 1.6**0.5) * scale, steps=4
    )
    shown.mouse.up()
    agree(values(shown)[:6], expected(torch.tensor([0.0, 0.8, 0.6]).double()))
    assert "0.80 e₂ + 0.60 e₃" in shown.locator("[data-handle='0']").get_attribute("aria-valuetext")


def test_arrow_keys_turn_the_direction_and_it_stops_at_the_rim(page):
    shown = page(start=(1, 0))
    shown.evaluate("addEventListener('keydown', () => { window.escaped = true })")
    shown.get_by_role("slider", name="the direction v").focus()
    for _ in range(40):
        shown.keyboard.press("ArrowRight")
    agree(values(shown)[:6], expected(E1))
    assert "1.00 e₁" in shown.locator(".summary").inner_text()
    assert shown.evaluate("window.escaped") is None


def test_a_phone_shows_everything_in_one_column(page):
    shown = page(width=360)
    assert shown.evaluate("document.documentElement.scrollWidth") == 360
