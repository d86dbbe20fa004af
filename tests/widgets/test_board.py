"""The board that is pressed shows the law, the rules and the errors of the edit that was chosen."""

import base64
import json
import re

import pytest
import torch

from course_lib.data import TorusGame
from course_lib.probes.boards import every_edit
from course_lib.runtime import generator
from course_lib.widgets import board_explorable

WORLD = TorusGame(3, 6)
TOKENS = torch.tensor([0, 1, 2, 5])
CASES = every_edit(WORLD, TOKENS)
PLAY = WORLD.replay(TOKENS[None])
LAWS = torch.rand(2, 1, 2, 3, 9, 2, 9, generator=generator(0)).softmax(-1)
LAWS[0, 0, 0, 0] = (CASES.after / CASES.after.sum(1, keepdim=True)).view(9, 2, 9)  # no error
BOARD = PLAY.relative[0, -1]


def given(**changes) -> dict:
    legal = PLAY.legal[0, -1]
    arguments = {
        "boards": BOARD.repeat(2, 1),
        "before": (legal / legal.sum()).repeat(2, 1),
        "legal": legal.repeat(2, 1),
        "legal_after": CASES.after.view(1, 9, 2, 9).repeat(2, 1, 1, 1),
        "laws": LAWS,
        "names": WORLD.vocabulary,
        "positions": ["after move 4", "the same"],
        "depths": ["block 0"],
        "vectors": ["code", "random"],
        "strengths": ["0.2", "0.4", "2.0"],
        "start": (0, 0, 0, 0, 1, 0),
    }
    return arguments | changes


def two_depths() -> dict:
    return {"laws": LAWS.repeat(1, 2, 1, 1, 1, 1, 1), "depths": ["block 0", "block 1"]}


def settings(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1])


def test_the_page_holds_every_law_to_two_thousandths_and_the_rules():
    data = settings(board_explorable(**given(**two_depths())).html)["data"]
    assert data["boards"][0] == BOARD.tolist() and data["start"] == [1, 1]
    laws = torch.frombuffer(bytearray(base64.b64decode(data["laws"])), dtype=torch.uint8)
    exact = given(**two_depths())["laws"].flatten()
    assert (laws / data["scale"] - exact)[exact < 0.5].abs().max() <= 0.0011
    assert [bit == "1" for bit in data["legal_after"][1][3][1]] == CASES.after[7].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boards": torch.full((2, 9), 3)}, "boards has values other than 0, 1 and 2"),
        ({"before": torch.zeros(2, 8)}, "before has shape"),
        ({"laws": LAWS[:, :, :1]}, "laws has shape"),
        ({"laws": torch.full_like(LAWS, torch.nan)}, "laws has"),
        ({"start": (0, 0, 0, 3, 1, 0)}, "start is"),
        ({"depths": ["block 0"]}, "slider 'Edited at'"),
    ],
)
def test_a_bad_argument_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        board_explorable(**given(**change))


@pytest.fixture
def page(open_picture):
    return lambda **options: open_picture(board_explorable(**given(**two_depths())), **options)


HOLDS = ("mine", "theirs", "empty")


def errors(law, legal) -> int:
    likeliest = law.argsort(descending=True, stable=True)[: int(legal.sum())]
    return 2 * int((~legal[likeliest]).sum())


def test_the_summary_follows_the_cell_that_is_pressed_and_every_slider(page):
    shown = page()
    summary = shown.locator(".summary")
    case, held = CASES.after[2], HOLDS[BOARD[1]]
    before = errors(given()["before"][0], case)
    said = f"B1 was {held} and is made {HOLDS[(BOARD[1] + 1) % 3]}. On that board {case.sum()}"
    assert said in summary.inner_text()
    assert f"Wrong moves: {before} without the edit, 0 with it" in summary.inner_text()
    shown.get_by_role("slider", name="Strength").press("End")
    assert f"{errors(LAWS[0, 0, 0, 2, 1, 0], case)} with it" in summary.inner_text()
    shown.get_by_role("slider", name="Vector").press("End")
    assert f"{errors(LAWS[0, 0, 1, 2, 1, 0], case)} with it" in summary.inner_text()
    shown.get_by_role("slider", name="Position").press("End")
    assert f"{errors(LAWS[1, 0, 1, 2, 1, 0], case)} with it" in summary.inner_text()
    shown.locator("[data-cell='5']").click()
    wrong = errors(LAWS[1, 0, 1, 2, 5, 0], CASES.after[10])
    assert f"{WORLD.vocabulary[5]} was" in summary.inner_text()
    assert f"{wrong} with it" in summary.inner_text()


def test_pressing_the_same_cell_goes_through_what_it_can_hold_and_back(page):
    shown = page()
    cell, summary = shown.locator("[data-cell='1']"), shown.locator(".summary")
    cell.click()
    assert f"is made {HOLDS[(BOARD[1] + 2) % 3]}" in summary.inner_text()
    cell.click()
    assert f"{PLAY.legal[0, -1].sum()} moves are legal, framed" in summary.inner_text()
    cell.click()
    assert f"is made {HOLDS[(BOARD[1] + 1) % 3]}" in summary.inner_text()


def test_the_board_is_walked_and_pressed_with_the_keyboard(page):
    shown = page()
    shown.locator("[data-cell='1']").focus()
    for key, cell in (("ArrowRight", 2), ("ArrowRight", 0), ("ArrowUp", 6), ("ArrowDown", 0)):
        shown.keyboard.press(key)
        assert shown.evaluate("document.activeElement.dataset.cell") == str(cell)
    shown.keyboard.press("Enter")
    assert shown.locator(".summary").inner_text().startswith("A1 was")
    assert shown.evaluate("document.activeElement.dataset.cell") == "0"
    assert shown.locator("[data-cell][tabindex='0']").count() == 1
    label = shown.locator("[data-cell='0']").get_attribute("aria-label")
    assert label.startswith(f"A1, {HOLDS[BOARD[0]]}, ") and ", changed to " in label


def test_stones_and_legal_moves_are_drawn_on_both_boards(page):
    shown = page()
    boards = shown.locator("svg.board")
    for k, (board, legal) in enumerate(((BOARD, PLAY.legal[0, -1]), (None, CASES.after[2]))):
        assert boards.nth(k).locator("rect.legal").count() == legal.sum()
        if board is not None:
            assert boards.nth(k).locator("circle.mine").count() == (board == 0).sum()
            assert boards.nth(k).locator("circle.theirs").count() == (board == 1).sum()


def test_a_phone_shows_everything_in_one_column_with_cells_for_a_finger(page):
    shown = page(width=360)
    assert shown.evaluate("document.documentElement.scrollWidth") == 360
    assert shown.locator("[data-cell='4'] rect").first.bounding_box()["width"] > 44


def test_without_javascript_the_start_stands_in_a_table(page):
    text = page(java_script_enabled=False).locator(".stage").inner_text()
    assert "after move 4: B1 is" in text and "strength 0.2" in text and "block 1" in text
