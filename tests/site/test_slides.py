"""The decks that the built site offers."""

from pathlib import Path

from tools import tables
from tools.teaching import SLIDES

ROOT = Path(__file__).resolve().parents[2]


def test_every_chapter_has_its_deck_with_formulas_and_figures_that_are_described(site, open_page):
    for chapter in tables.chapters(ROOT):
        name = (SLIDES / f"{chapter.notebook.stem}.html").as_posix()
        assert (site / name).is_file(), f"{name} is missing"
    page, faults = open_page(name)
    page.wait_for_function("document.querySelectorAll('mjx-container').length > 0")
    pictures = page.locator("img")
    assert pictures.count() >= 3
    texts = [pictures.nth(k).get_attribute("alt") for k in range(pictures.count())]
    assert all(len(text) > 20 for text in texts)
    assert page.locator("h1").count() == 1 and page.locator("mjx-merror").count() == 0
    assert faults == []
