"""The book as one file to print: `make pdf` writes `_build/features-in-superposition.pdf`.

A headless browser prints the built pages one after the other, answers unfolded on the pages of
solutions and only there, pictures that move as they stand at the start. A page of which something
would be cut off, and a printed sheet with nothing on it, is a fault and no file is written.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from course_lib.files import write_file
from tools import browser

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parent.parent
FILE = Path("_build") / "features-in-superposition.pdf"
MARGIN = 14  # millimetres
SCALE = 0.75
SHEET = round((210 - 2 * MARGIN) / 25.4 * 96 / SCALE)  # CSS pixels between the margins of A4
UNFOLD = """() => {
    for (const details of document.querySelectorAll("details")) details.open = true;
}"""
CUT_OFF = """width => {
    const all = [...document.querySelectorAll("main *")].filter(e => !e.closest("svg, .noprint"));
    const scrolls = e => e.clientWidth && getComputedStyle(e).overflowX !== "visible"
        && e.scrollWidth > e.clientWidth + 2 && !e.closest("mjx-container");
    const leaves = e => e.matches("mjx-container, img, td, pre, p")
        && e.getBoundingClientRect().right > width + 4;
    return all.filter(e => scrolls(e) || leaves(e))
        .map(e => `${e.tagName} ${e.className}: ${e.textContent.trim().slice(0, 60)}`);
}"""


class Unprintable(Exception):
    """The book cannot be printed; the message says which page and why."""


def order(root: Path = ROOT) -> list[tuple[str, str]]:
    """Part and page, as a path below the site, in the order of the table of contents."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    pages = [("", f"{toc['root']}.html")]
    for part in toc["parts"]:
        for chapter in part["chapters"]:
            for one in (chapter, *chapter.get("sections", ())):
                pages.append((part["caption"], f"{one['file']}.html"))
    return pages


def printed(page: Page, address: str) -> bytes:
    """One page of the site as PDF. Raises Unprintable when something would be cut off."""
    page.set_viewport_size({"width": SHEET, "height": 1000})
    page.goto(address)
    page.evaluate("() => window.MathJax?.startup?.promise")
    page.evaluate(browser.WAKE)
    if "/solutions/" in address:
        page.evaluate(UNFOLD)
    page.emulate_media(media="print", color_scheme="light")
    cut = page.evaluate(CUT_OFF, SHEET)
    if cut:
        raise Unprintable(f"{address}: cut off on paper: " + "; ".join(cut[:5]))
    margin = f"{MARGIN}mm"
    return page.pdf(
        format="A4", scale=SCALE, margin=dict.fromkeys(("top", "right", "bottom", "left"), margin)
    )


def bind(sheets: list[tuple[str, str, bytes]]) -> bytes:
    """Parts, titles and PDFs as one PDF with bookmarks. Raises Unprintable for an empty sheet."""
    from pypdf import PdfReader, PdfWriter

    book, marks = PdfWriter(), {}
    for part, title, data in sheets:
        start = len(book.pages)
        for number, sheet in enumerate(PdfReader(BytesIO(data)).pages, start=1):
            if not sheet.extract_text().strip() and not sheet.images:
                raise Unprintable(f"{title}: sheet {number} is empty")
            book.add_page(sheet)
        if part and part not in marks:
            marks[part] = book.add_outline_item(title=part, page_number=start)
        book.add_outline_item(title=title, page_number=start, parent=marks.get(part))
    out = BytesIO()
    book.write(out)
    return out.getvalue()


def make(site: Path, target: Path) -> Path:
    """Print the built site. Raises Unprintable, also where there is no browser."""
    from playwright.sync_api import sync_playwright

    path = browser.chromium()
    if path is None:
        raise Unprintable("no Chromium found: install it, or name it in the variable CHROMIUM")
    sheets, pages = [], order()
    with browser.served(site) as address, sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=browser.FLAGS)
        page = chromium.new_page(reduced_motion="reduce")
        for number, (part, name) in enumerate(pages, start=1):
            data = printed(page, f"{address}/{name}")
            title = page.locator("h1").first.inner_text().strip("# \n")
            sheets.append((part, title, data))
            print(f"[{number:>2}/{len(pages)}] {title}", flush=True)
        chromium.close()
    return write_file(target, bind(sheets))


def main() -> int:
    site = ROOT / "_build" / "html"
    if not site.is_dir():
        print("The site is not built; run `make book` first.", file=sys.stderr)
        return 1
    try:
        print(make(site, ROOT / FILE))
    except (Unprintable, OSError) as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
