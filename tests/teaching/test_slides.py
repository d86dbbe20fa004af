"""Slides are made from what a notebook holds and shows."""

import base64
import re

import nbformat.v4 as nb
import pytest

from tests import browser
from tools import slides
from tools.tables import CLAIM

PICTURE = base64.b64encode(b"a picture").decode()
CLAIMED = {
    "states": "Few <features>", "value": 0.123, "measures": "a share", "expected": [None, 0.5],
    "status": "reproduced",
}  # fmt: skip


def code(*data, alt=None):
    cell = nb.new_code_cell("x", outputs=[nb.new_output("display_data", one) for one in data])
    if alt:
        cell.metadata["mystnb"] = {"image": {"alt": alt}}
    return cell


@pytest.fixture
def chapter():
    """An executed chapter in small."""
    return nb.new_notebook(
        cells=[
            nb.new_markdown_cell(
                "# Toys\n\n> **The promise.** You will see.\n\n**After this chapter you can** see "
                "a thing; and name it.\n\n| Cost | <!-- generated: cost -->no<!-- end --> |"
            ),
            nb.new_markdown_cell(
                "## First, a prediction\n\nHow many?\n\nCommit before you read on."
            ),
            nb.new_markdown_cell(
                "## Experiment 1: it is so\n\n**What we do.** We look at $a < b$. Then again. And "
                "a third time.\n\n$$\nx = 1\n$$\n\n[A link](../back/ledger.md) and {term}`fvu`."
            ),
            code({"image/png": PICTURE, "text/plain": "figure"}, alt="A line that rises."),
            code({"text/markdown": "**What to see.** It rises. It falls. It ends."}),
            code({CLAIM: CLAIMED, "text/plain": "claim"}),
            nb.new_markdown_cell("## Scale up\n\nOne switch.\n\n## Exercises\n\nSix of them."),
            code({"image/png": PICTURE}, alt="Not for the slides."),
        ]
    )


@pytest.fixture
def html(chapter):
    return slides.deck(chapter, "02_toy_models", mathjax="math.js")


def test_a_deck_has_one_main_heading_and_a_slide_for_each_part_and_figure(html):
    assert re.findall(r"<h1>(.*?)</h1>", html) == ["2. Toys"]
    assert re.findall(r"<h2>(.*?)</h2>", html) == [
        "First, a prediction", "Experiment 1: it is so", "Experiment 1: it is so",
        "What was stated, what was measured", "Exercises",
    ]  # fmt: skip
    assert "1 / 6" in html and 'id="s6"' in html


def test_the_figure_is_the_notebooks_own_output_with_its_text(html):
    assert f'<img src="data:image/png;base64,{PICTURE}" alt="A line that rises.">' in html
    assert html.count("<img") == 1


def test_first_sentences_stand_on_the_slide_and_the_whole_text_in_the_notes(html):
    shown = re.sub(r'<aside class="notes">.*?</aside>', "", html, flags=re.DOTALL)
    assert "<strong>What we do.</strong> We look at \\(a &lt; b\\). Then again." in shown
    assert "third time" not in shown and "third time" in html
    assert "It rises. It falls." in shown and "It ends" not in shown
    assert "\\[\nx = 1\n\\]" in shown
    assert "Commit before" not in html and "One switch" not in html


def test_what_only_the_book_can_follow_is_plain_text(html):
    assert "A link and fvu." in html
    assert "ledger.md" not in html and "generated" not in html


def test_claims_are_shown_with_what_was_measured_and_are_escaped(html):
    assert "Few &lt;features&gt;" in html and "0.123: a share" in html and "reproduced" in html


def test_the_exercises_of_the_chapter_stand_at_its_end_with_objectives_and_minutes(html):
    assert "2.3" in html and "Say how much of a dimension each feature owns." in html


def test_a_deck_by_itself_holds_its_formulas_script_and_one_of_the_book_shares_it(chapter, html):
    alone = slides.deck(chapter, "02_toy_models")
    assert len(alone) > 2_000_000 and "<script src" not in alone
    assert len(html) < 20_000 and '<script src="math.js">' in html


def test_a_deck_works_by_keyboard_and_asks_no_host(chapter, tmp_path):
    path = tmp_path / "deck.html"
    path.write_text(slides.deck(chapter, "02_toy_models"), encoding="utf-8")
    with browser.launched() as chromium:
        page = chromium.new_page(viewport={"width": 1280, "height": 720})
        asked, wrong = [], []
        page.on("request", lambda one: asked.append(one.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(path.as_uri())
        page.evaluate("() => window.MathJax.startup.promise")
        assert page.locator("mjx-container").count() >= 2
        assert page.locator("mjx-merror").count() == 0
        for key, slide in (("ArrowRight", "s2"), (" ", "s3"), ("ArrowLeft", "s2"), ("End", "s6")):
            page.keyboard.press(key)
            assert page.evaluate("location.hash") == f"#{slide}"
        notes = page.locator("#s3 .notes")
        assert not notes.is_visible()
        page.keyboard.press("n")
        assert notes.is_visible()
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        assert wrong == []
