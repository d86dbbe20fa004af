"""Every page in a real browser that reaches no other host, and the picture one can move."""

import pytest

from tools.browser import WAKE

CHAPTER = "book/1_superposition/02_toy_models.html"


def test_a_page_logs_no_error_and_asks_no_other_host(page_name, visit):
    assert visit(page_name).faults == []


def test_a_page_fits_a_phone_a_tablet_and_a_desktop_screen(page_name, visit):
    assert visit(page_name).overflow == {"phone": 0, "tablet": 0, "desktop": 0}


def test_a_page_shows_every_formula_as_a_formula(page_name, visit):
    assert visit(page_name).raw_formulas == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_sliders_of_the_explorable_change_picture_and_text_by_keyboard(scheme, open_page):
    page, faults = open_page(CHAPTER, scheme=scheme)
    assert page.locator("html").get_attribute("data-theme") == scheme
    explorable = page.locator(".course-explorable").first
    sliders = explorable.locator("input[type=range]")
    assert sliders.count() >= 1
    for slider in sliders.all():
        before = _shown(explorable)
        slider.focus()
        at_start = slider.input_value() == slider.get_attribute("min")
        page.keyboard.press("ArrowRight" if at_start else "ArrowLeft")
        after = _shown(explorable)
        assert after["picture"] != before["picture"]
        assert after["text"] != before["text"]
    assert faults == []


def test_a_picture_loads_its_numbers_when_it_comes_near_the_screen(open_page):
    page, faults = open_page(CHAPTER, wake=False)
    explorable = page.locator(".course-explorable").first
    address = explorable.locator("script[data-src]").get_attribute("data-src")
    loaded = page.locator(f"head script[src='{address}']")
    page.wait_for_timeout(200)
    assert loaded.count() == 0 and explorable.locator("input").count() == 0
    assert "table" in explorable.inner_html()  # what it shows at the start, in words
    explorable.scroll_into_view_if_needed()
    explorable.locator("svg").first.wait_for()
    assert loaded.count() == 1 and explorable.locator("input").count() >= 1
    assert faults == []


def test_a_picture_is_drawn_on_a_page_that_was_opened_from_disk(open_page, site):
    page, _ = open_page(CHAPTER, wake=False)
    page.goto((site / CHAPTER).as_uri())
    page.evaluate(WAKE)
    assert page.locator(".course-explorable svg").count() >= 1


def test_a_picture_whose_numbers_are_lost_says_so(open_page, site):
    page, _ = open_page(CHAPTER, wake=False)
    page.route("**/_static/numbers/*", lambda route: route.abort())
    page.evaluate(WAKE)
    assert "did not load" in page.locator(".course-explorable").first.inner_text()


def test_the_chapter_offers_colab_and_binder_for_the_notebook_itself(open_page):
    page, _ = open_page(CHAPTER)
    links = page.locator("a[href*='colab.research.google.com'], a[href*='mybinder.org']")
    paths = [link.get_attribute("href") for link in links.all()]
    assert len(paths) == 2
    assert all(path.endswith("book/1_superposition/02_toy_models.ipynb") for path in paths)


def test_a_solution_is_folded_until_the_reader_opens_it(open_page):
    page, _ = open_page("solutions/02_toy_models.html")
    answer = page.locator("details.hide.above-input").first
    assert not answer.locator("pre").is_visible()
    answer.locator("summary").click()
    assert answer.locator("pre").is_visible()


def _shown(explorable):
    picture = "".join(svg.inner_html() for svg in explorable.locator("svg").all())
    texts = explorable.locator("svg[aria-label]").all()
    return {"picture": picture, "text": [svg.get_attribute("aria-label") for svg in texts]}
