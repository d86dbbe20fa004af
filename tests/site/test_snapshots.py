"""Ten pages look as they looked, and show something soon.

A picture is compared at a sixteenth of its size, block by block, in the font that matplotlib
brings, so that another machine's fonts and smoothing pass and a lost style sheet, a lost picture or
a column in the wrong place do not.
`pytest tests/site/test_snapshots.py --update-snapshots` takes them anew; look at each before you
commit it.
"""

from base64 import b64encode
from functools import cache
from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

STORED = Path(__file__).parent / "snapshots"
BLOCK = 16  # pixels
WIDTH, HEIGHT = 1440, 896
CHANGED = 24  # of 255, for the mean colour of a block
MOST_CHANGED = 0.07  # of the blocks: below half of what the mildest planted damage changes
SOON = 1500  # milliseconds until the first paint, the best of three visits
CHAPTER = "book/1_superposition/02_toy_models.html"
VIEWS = {
    "landing": ("book/intro.html", "light", None),
    "landing-dark": ("book/intro.html", "dark", None),
    "chapter": (CHAPTER, "light", None),
    "chapter-figure": (CHAPTER, "light", "div.cell_output img"),
    "explorable": (CHAPTER, "light", ".course-explorable"),
    "explorable-dark": (CHAPTER, "dark", ".course-explorable"),
    "exercise": ("exercises/02_toy_models.html", "light", None),
    "solution": ("solutions/02_toy_models.html", "light", "details.hide"),
    "ledger": ("book/back/ledger.html", "light", None),
    "glossary": ("book/back/glossary.html", "light", None),
}


@cache
def one_font() -> str:
    """A style sheet that sets every text but icons in DejaVu Sans, wherever it is read."""
    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    font = b64encode(file.read_bytes()).decode()
    return (
        f"@font-face {{font-family: Same; src: url(data:font/ttf;base64,{font})}}"
        "*:not(i, [class*='fa-']) {font-family: Same !important}"
    )


def look(open_page, page: str, scheme: str, selector: str | None, before=None) -> np.ndarray:
    """The mean colour of every block of what a screen shows, [rows, columns, 3]."""
    shown, _ = open_page(page, scheme=scheme)
    shown.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    shown.add_style_tag(content=one_font())
    shown.evaluate("() => document.fonts.ready")
    if selector:
        shown.locator(selector).first.evaluate("e => e.scrollIntoView({block: 'center'})")
    if before:
        before(shown)
    shown.wait_for_timeout(300)
    picture = Image.open(BytesIO(shown.screenshot(animations="disabled"))).convert("RGB")
    shown.context.close()
    return np.asarray(picture.reduce(BLOCK))


def changed(one: np.ndarray, other: np.ndarray) -> float:
    """The share of blocks whose colour differs."""
    difference = np.abs(one.astype(int) - other.astype(int)).max(axis=-1)
    return float((difference > CHANGED).mean())


@pytest.mark.parametrize("name", VIEWS)
def test_a_page_looks_as_it_looked(name, open_page, request):
    now, file = look(open_page, *VIEWS[name]), STORED / f"{name}.png"
    if request.config.getoption("--update-snapshots"):
        STORED.mkdir(exist_ok=True)
        Image.fromarray(now).save(file)
    before = np.asarray(Image.open(file).convert("RGB"))
    assert changed(now, before) <= MOST_CHANGED


DAMAGE = {
    "no style": "() => document.querySelectorAll('link[rel=stylesheet]').forEach(e => e.remove())",
    "no pictures": "() => document.querySelectorAll('svg, img').forEach(e => e.remove())",
    "no sidebar": "() => document.querySelectorAll('.bd-sidebar-primary').forEach(e => e.remove())",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_planted_damage_is_seen(damage, open_page):
    view = VIEWS["explorable"]
    broken = look(open_page, *view, before=lambda page: page.evaluate(DAMAGE[damage]))
    assert changed(broken, look(open_page, *view)) > 2 * MOST_CHANGED


@pytest.mark.parametrize("page", sorted({view[0] for view in VIEWS.values()}))
def test_something_is_painted_soon(page, open_page):
    times = []
    for _ in range(3):
        shown, _ = open_page(page)
        script = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"
        times.append(shown.evaluate(script))
        shown.context.close()
    assert min(times) < SOON
