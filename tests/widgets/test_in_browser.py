"""The explorable as a reader meets it: a page in Chromium that can reach no other host."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from course_lib.widgets import toy_model_explorable
from course_lib.widgets.toy_model import align
from tests.browser import launched

SHAPE = (4, 3)
GENERATOR = torch.Generator().manual_seed(3)
W = 0.8 * torch.randn(*SHAPE, 5, 2, generator=GENERATOR)
B_DEC = 0.4 * torch.randn(*SHAPE, 5, generator=GENERATOR)
PICTURE = toy_model_explorable(W, B_DEC, [1.0, 0.5, 0.1, 0.02], [1.0, 0.9, 0.5], start=(1, 1))
OTHER = toy_model_explorable(W.flip(0), B_DEC, [1.0, 0.5, 0.1, 0.02], [1.0, 0.9, 0.5])
ROW_HEIGHT = 44  # px, the smallest comfortable touch target


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with launched() as running:
        yield running


@pytest.fixture
def show(browser, tmp_path: Path) -> Iterator:
    """Open HTML as a page; at the end nothing may have been logged as an error or asked for."""
    contexts, problems = [], []

    def open_page(body: str, root: str = "", width: int = 800, **options: object):
        file = tmp_path / "page.html"
        file.write_text(
            f'<!doctype html><html lang="en" {root}><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><title>Test</title>'
            f"<body>{body}",
            encoding="utf-8",
        )
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: m.type in ("error", "warning") and problems.append(m.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda r: r.url != file.as_uri() and problems.append(r.url))
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def drawn(page, kind: str, figure: int = 0) -> torch.Tensor:
    cells = page.locator("figure").nth(figure).locator(f"[data-cell^={kind}]").all_text_contents()
    return torch.tensor([float(text.replace("\u2212", "-")) for text in cells])


def dimensionality(weights: torch.Tensor) -> torch.Tensor:
    """D_i, written as the definition reads."""
    values = []
    for i in range(len(weights)):
        norm = math.hypot(*weights[i].tolist())
        total = sum(float(weights[i] @ other / norm) ** 2 for other in weights)
        values.append(norm**2 / total)
    return torch.tensor(values)


def test_numbers_in_the_drawing_are_those_of_the_model_at_every_position(show):
    page = show(PICTURE.html)
    sliders = page.locator("input")
    sliders.nth(0).press("Home")
    for i in range(SHAPE[0]):
        sliders.nth(1).press("Home")
        for j in range(SHAPE[1]):
            overlap = (W[i, j] @ W[i, j].T).flatten()
            # 0.05 from showing one decimal, the rest from three decimals in the page
            torch.testing.assert_close(drawn(page, "overlap"), overlap, atol=0.055, rtol=0)
            torch.testing.assert_close(drawn(page, "bias"), B_DEC[i, j], atol=0.051, rtol=0)
            shares = drawn(page, "share")
            torch.testing.assert_close(shares, dimensionality(W[i, j]), atol=0.015, rtol=0)
            count = int((W[i, j].norm(dim=-1) > 0.5).sum())
            assert page.locator(".summary").inner_text().startswith(f"{count} of 5 features")
            sliders.nth(1).press("ArrowRight")
        sliders.nth(0).press("ArrowRight")


def test_arrows_end_where_the_rows_of_w_point(show):
    page = show(PICTURE.html)
    weights = align(W)[1, 1]
    ends = {}
    for feature in page.locator("svg").first.locator("g[data-feature]").all():
        shaft = feature.locator("line")
        x1, y1, x2, y2 = (float(shaft.get_attribute(name)) for name in ("x1", "y1", "x2", "y2"))
        ends[int(feature.get_attribute("data-feature"))] = (x2 - x1, y1 - y2)
    assert sorted(ends) == [i for i in range(5) if weights[i].norm() > 0.1]
    arrows = torch.tensor([ends[i] for i in sorted(ends)])
    wanted = weights[sorted(ends)]
    scale = arrows.norm() / wanted.norm()
    torch.testing.assert_close(arrows / scale, wanted, atol=2e-3, rtol=0)


def test_arrow_keys_move_the_slider_the_picture_and_its_descriptions(show):
    page = show(PICTURE.html)
    slider, plane = page.get_by_role("slider", name="Sparsity S"), page.get_by_role("img").first
    page.evaluate("addEventListener('keydown', () => { window.escaped = true })")
    before = plane.inner_html(), plane.get_attribute("aria-label")
    assert slider.get_attribute("aria-valuetext") == "0.5 (2.5 of 5 active)"
    slider.press("ArrowRight")
    assert slider.input_value() == "2"
    assert slider.get_attribute("aria-valuetext") == "0.9 (0.5 of 5 active)"
    assert page.locator("output").first.inner_text() == "0.9 (0.5 of 5 active)"
    after = plane.inner_html(), plane.get_attribute("aria-label")
    assert before[0] != after[0]
    assert before[1] != after[1]
    assert after[1].startswith("The 5 features as arrows in the hidden plane: feature 0 has norm")
    assert after[1].endswith(".")
    assert page.locator(".summary").get_attribute("aria-live") == "polite"
    assert page.evaluate("window.escaped") is None, "a key press left the slider for the page"


def test_pictures_on_one_page_do_not_move_each_other_even_when_they_are_the_same(show):
    page = show(PICTURE.html + OTHER.html + PICTURE.html)
    assert page.locator("input").count() == 6
    before = [figure.inner_html() for figure in page.locator(".panels").all()]
    page.locator("input").nth(4).press("ArrowRight")
    after = [figure.inner_html() for figure in page.locator(".panels").all()]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, False]


def test_nothing_is_left_on_window(show):
    page = show("<p></p>")
    names = "Object.keys(window).sort()"
    before = page.evaluate(names)
    assert show(PICTURE.html).evaluate(names) == before


def test_a_front_end_that_makes_scripts_anew_builds_each_picture_once(show):
    page = show("<main></main>")
    insert = """(html) => {
        const output = document.createElement("div");
        output.innerHTML = html;
        for (const old of output.querySelectorAll("script")) {
            const fresh = document.createElement("script");
            fresh.textContent = old.textContent;
            for (const { name, value } of old.attributes) fresh.setAttribute(name, value);
            old.replaceWith(fresh);
        }
        document.querySelector("main").append(output);
    }"""
    page.evaluate(insert, PICTURE.html)
    assert page.get_by_role("slider").count() == 2
    page.get_by_role("slider").first.press("End")
    page.evaluate(insert, PICTURE.html)
    assert page.get_by_role("slider").count() == 4
    assert page.get_by_role("slider").first.input_value() == "3", "the first picture was reset"


@pytest.mark.parametrize(
    ("root", "scheme", "dark"),
    [
        ("", "light", False),
        ("", "dark", True),
        ('data-theme="dark"', "light", True),
        ('data-theme="light"', "dark", False),
        ('theme="dark"', "light", True),
    ],
)
def test_the_page_decides_between_light_and_dark_and_the_system_where_it_does_not(
    show, root: str, scheme: str, dark: bool
):
    page = show(PICTURE.html, root, color_scheme=scheme)
    assert is_dark(page) == dark


def test_jupyterlab_decides_between_light_and_dark(show):
    page = show(PICTURE.html, color_scheme="light")
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    assert is_dark(page)


def is_dark(page) -> bool:
    colour = page.locator("figure").evaluate("e => getComputedStyle(e).backgroundColor")
    return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(","))) < 3 * 128


def test_a_phone_shows_everything_in_one_column_with_room_for_a_finger(show):
    page = show(PICTURE.html, width=360)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    first, second = (panel.bounding_box() for panel in page.locator(".panel").all())
    assert second["y"] >= first["y"] + first["height"]
    assert all(box.bounding_box()["height"] >= ROW_HEIGHT for box in page.locator("input").all())


def test_without_javascript_a_sentence_and_a_table_stand_there(show):
    page = show(PICTURE.html, width=360, java_script_enabled=False)
    assert page.locator("input").count() == 0
    assert "At sparsity 0.5 (2.5 of 5 active) and decay 0.9" in page.locator(".stage").inner_text()
    rows = [
        [float(t) for t in row.locator("td").all_text_contents()]
        for row in page.locator("tbody tr").all()
    ]
    wanted = torch.cat([W[1, 1] @ W[1, 1].T, B_DEC[1, 1][:, None]], dim=1)
    torch.testing.assert_close(torch.tensor(rows), wanted, atol=0.051, rtol=0)
    assert page.locator("table").bounding_box()["width"] <= 344


def test_print_is_a_still_on_white(show):
    page = show(PICTURE.html, 'data-theme="dark"')
    page.emulate_media(media="print")
    assert not is_dark(page)
    assert not page.locator("input").first.is_visible()
    assert page.locator("output").first.is_visible()
