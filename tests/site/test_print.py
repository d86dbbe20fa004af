"""The book on paper: nothing is cut off, and no sheet is empty."""

from io import BytesIO

import pypdf
import pytest

from tools import pdf

CHAPTER = "book/1_superposition/02_toy_models.html"
WIDE = "<main><div style='overflow: auto'><div style='width: 3000px'>wide</div></div></main>"


@pytest.mark.parametrize("name", [CHAPTER, "solutions/02_toy_models.html", "book/back/ledger.html"])
def test_a_page_fits_on_paper(name, open_page):
    page, _ = open_page(name)
    data = pdf.printed(page, page.url)
    page.context.close()
    book = pypdf.PdfReader(BytesIO(pdf.bind([("A part", "A page", data)])))
    assert len(book.pages) > 3
    assert [mark.title for mark in book.outline if not isinstance(mark, list)] == ["A part"]
    if name == CHAPTER:
        assert "antipodal" in "".join(sheet.extract_text() for sheet in book.pages)


INK = """() => {
    const folded = [...document.querySelectorAll("main details")];
    for (const details of folded) { details.open = false; details.offsetHeight; }
    for (const details of folded) details.open = true;
    return folded.flatMap(details => [...details.querySelectorAll("pre")]).map(code => {
        let ink = 1;
        for (let e = code; e; e = e.parentElement) ink *= Number(getComputedStyle(e).opacity);
        return ink;
    });
}"""


def test_answers_that_were_just_unfolded_are_printed_in_full_ink(open_page):
    page, _ = open_page("solutions/02_toy_models.html")
    page.emulate_media(media="print")
    ink = page.evaluate(INK)
    page.context.close()
    assert len(ink) > 6 and set(ink) == {1}


def test_what_would_be_cut_off_is_named(open_page, tmp_path):
    file = tmp_path / "page.html"
    file.write_text(WIDE)
    page, _ = open_page(CHAPTER)
    with pytest.raises(pdf.Unprintable, match="cut off on paper"):
        pdf.printed(page, file.as_uri())
    file.write_text(WIDE.replace("3000", "300"))
    assert pdf.printed(page, file.as_uri()).startswith(b"%PDF")
    page.context.close()


def test_an_empty_sheet_is_a_fault():
    out, blank = BytesIO(), pypdf.PdfWriter()
    blank.add_blank_page(600, 800)
    blank.write(out)
    with pytest.raises(pdf.Unprintable, match="sheet 1 is empty"):
        pdf.bind([("", "A page", out.getvalue())])


def test_pages_stand_in_the_order_of_the_contents_and_are_all_of_them():
    pages = [name for _, name in pdf.order()]
    assert pages[0] == "book/intro.html" and len(pages) == len(set(pages)) > 50
    chapter = pages.index(CHAPTER)
    assert pages[chapter + 1 : chapter + 3] == [
        "exercises/02_toy_models.html",
        "solutions/02_toy_models.html",
    ]
