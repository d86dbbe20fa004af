"""Directions can be dragged and stepped, and the counts are those of the library."""

import json
import re
from itertools import combinations, product

import pytest
import torch

from course_lib.geometry import spread, unit_rows
from course_lib.runtime import generator
from course_lib.superposition import mutual_coherence, orthogonal_matching_pursuit, welch_bound
from course_lib.widgets import directions_explorable

SIZES = (3, 5)


def given(**changes) -> dict:
    W = torch.randn(2, 2, 5, 3, generator=generator(0))
    W[0, :, :, 2] = 0
    W[:, 0, 3:] = 0
    return {"arrangements": {"random": unit_rows(W), "packed": spread(W, steps=100)}} | changes


def settings(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1])


def test_the_page_holds_every_arrangement_and_the_bounds():
    page = settings(directions_explorable(**given()).html)
    rows, W = page["data"]["rows"], given()["arrangements"]["packed"]
    assert [[len(rows[s][i]) for i in range(2)] for s in range(2)] == [[2, 2], [2, 2]]
    shown = torch.tensor(rows[1][0][1])
    assert (shown[:, 2] >= 0).all(), "the near end of each line"
    flipped = torch.where(W[1, 0, :3, 2:] < 0, -1, 1) * W[1, 0, :3]
    torch.testing.assert_close(shown, flipped, atol=1e-4, rtol=0)
    assert page["data"]["welch"][1] == [0.0, round(welch_bound(5, 3), 4)]
    assert [slider["shown"] for slider in page["sliders"]] == [
        ["plane", "sphere"], ["3", "5"], ["random", "packed"], ["1", "2", "3"],
    ]  # fmt: skip


def test_twelve_packings_of_up_to_eight_weigh_less_than_40_kilobytes():
    W = unit_rows(torch.randn(2, 6, 8, 3, generator=generator(0)))
    assert len(directions_explorable({"a": W, "b": W}).html.encode()) < 40_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"arrangements": {"a": torch.ones(2, 1, 3, 3)}},
            r"arrangements has 1 entries; give at least 2",
        ),
        ({"arrangements": {"a": torch.ones(2, 3, 3), "b": torch.ones(2, 3, 3)}}, "a has shape"),
        (
            {"arrangements": {"a": torch.ones(2, 1, 3, 3), "b": torch.zeros(2, 1, 3, 3)}},
            "b has other numbers of directions",
        ),
        (
            {"arrangements": {"a": torch.ones(2, 1, 9, 3), "b": torch.ones(2, 1, 9, 3)}},
            r"the sizes are \[9\]; this picture is drawn for 2 to 8",
        ),
        ({"start": (0, 0, 0, 3)}, r"start is \(0, 0, 0, 3\)"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        directions_explorable(**given(**change))


@pytest.fixture
def page(open_picture):
    def opened(width=800, start=(0, 0, 0, 0), **options):
        return open_picture(directions_explorable(**given(start=start)), width, **options)

    return opened


def overlaps(shown, figure=0) -> torch.Tensor:
    cells = shown.locator("figure").nth(figure).locator("[data-cell]").all_text_contents()
    n = round(len(cells) ** 0.5)
    return torch.tensor([float(text or 1) for text in cells]).view(n, n)


def center(handle) -> tuple[float, float]:
    box = handle.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def named(W: torch.Tensor, k: int) -> tuple[int, int, int]:
    """Codes of k features at ±1, the first at +1: how many, one look names, pursuit names."""
    n, rows = len(W), []
    for active in combinations(range(n), k):
        for signs in product((1.0, -1.0), repeat=k - 1):
            z = torch.zeros(n, dtype=torch.double)
            z[list(active)] = torch.tensor((1.0, *signs), dtype=torch.double)
            rows.append(z)
    z = torch.stack(rows)
    reading = (z @ W @ W.T).abs()
    least = reading.masked_fill(z == 0, float("inf")).amin(1)
    look = least > reading.masked_fill(z != 0, -1.0).amax(1) + 1e-6
    pursued = ((orthogonal_matching_pursuit(z @ W, W, k).abs() > 1e-6) == (z != 0)).all(1)
    return len(z), int(look.sum()), int(pursued.sum())


@pytest.mark.parametrize("start", [(0, 1, 0, 0), (1, 1, 0, 1), (1, 1, 1, 1)])
def test_overlaps_coherence_and_counts_are_those_of_the_library(page, start):
    shown = page(start=start)
    W = list(given()["arrangements"].values())[start[2]][start[0], start[1]].double()
    table = (W @ W.T).abs()
    torch.testing.assert_close(overlaps(shown).double(), table, atol=0.006, rtol=0)
    total, look, pursued = named(W, start[3] + 1)
    text = shown.locator(".summary").inner_text()
    assert text.startswith(f"Coherence {mutual_coherence(W):.2f}")
    assert f"Of {total} codes" in text
    assert f"one look names {look}, pursuit {pursued}." in text


def test_a_tip_in_the_plane_follows_the_mouse_and_stays_on_the_circle(page):
    shown = page()
    before = overlaps(shown)
    grip = shown.locator("[data-handle='0']")
    x, y = center(grip)
    svg = shown.locator("svg").first.bounding_box()
    shown.mouse.move(x, y)
    shown.mouse.down()
    shown.mouse.move(svg["x"] + svg["width"] / 2, svg["y"] + 5, steps=5)  # straight up
    shown.mouse.up()
    assert shown.locator("[data-handle='0']").get_attribute("aria-valuetext") == "90 degrees"
    after = overlaps(shown)
    assert not torch.equal(before, after)
    second = given()["arrangements"]["random"][0, 0, 1]
    assert after[0, 1].item() == pytest.approx(abs(second[1].item()), abs=0.01)
    shown.mouse.move(svg["x"] + 5, svg["y"] + 5)
    assert torch.equal(overlaps(shown), after), "a tip that was let go still moves"


def test_arrow_keys_move_a_tip_keep_the_focus_and_do_not_leave_for_the_page(page):
    shown = page(start=(1, 0, 0, 0))
    shown.evaluate("addEventListener('keydown', () => { window.escaped = true })")
    grip = shown.locator("[data-handle='1']")
    grip.focus()
    before = center(grip)
    shown.keyboard.press("ArrowUp")
    shown.keyboard.press("ArrowUp")
    assert shown.evaluate("document.activeElement.dataset.handle") == "1"
    after = center(shown.locator("[data-handle='1']"))
    assert before != after
    assert shown.evaluate("window.escaped") is None


def test_what_was_moved_stays_moved_when_the_sliders_come_back(page):
    shown = page()
    shown.locator("[data-handle='0']").focus()
    for _ in range(4):
        shown.keyboard.press("ArrowDown")
    moved = overlaps(shown)
    space = shown.get_by_role("slider", name="Space")
    space.press("ArrowRight")
    assert not torch.equal(overlaps(shown), moved)
    space.press("ArrowLeft")
    assert torch.equal(overlaps(shown), moved)


def test_the_same_picture_twice_on_a_page_has_two_lives(page):
    shown = page(copies=2)
    before = overlaps(shown, 1)
    shown.locator("[data-handle='0']").first.focus()
    shown.keyboard.press("ArrowUp")
    shown.keyboard.press("ArrowUp")
    assert not torch.equal(overlaps(shown, 0), before)
    assert torch.equal(overlaps(shown, 1), before)


def test_a_phone_shows_everything_in_one_column(page):
    shown = page(width=360)
    assert shown.evaluate("document.documentElement.scrollWidth") == 360


def test_without_javascript_the_start_stands_in_a_table(page):
    text = page(java_script_enabled=False).locator(".stage").inner_text()
    assert "3 random directions in the plane: coherence" in text and "direction" in text
