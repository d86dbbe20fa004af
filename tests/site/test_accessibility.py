"""What every reader needs from a page, by static rules and by axe-core in a browser."""

import pytest

from tools import pages

PAGE = '<html lang="en"><body><h1>Title</h1>{}</body></html>'

# How Sphinx writes a bibliography; the entries are still read out, one after the other.
EXCEPTIONS = (
    ("aria-deprecated-role", 'role="doc-biblioentry"'),
    ("aria-required-children", 'class="citation-list"'),
)


def test_every_page_has_a_language_one_heading_texts_for_pictures_and_labels(site):
    assert pages.unreadable(site) == []


@pytest.mark.parametrize(
    ("element", "fault"),
    [
        ('<img src="x.png">', "alt text"),
        ('<img src="x.png" alt=" ">', "alt text"),
        ('<img src="x.png" alt="../_images/5f2c.png">', "alt text"),
        ("<h1>Second</h1>", "2 main headings"),
        ('<input type="range">', "no label"),
        ("<select></select>", "no label"),
    ],
)
def test_a_planted_barrier_is_found(element, fault, tmp_path):
    (tmp_path / "index.html").write_text(PAGE.format(element))
    (found,) = pages.unreadable(tmp_path)
    assert fault in found


def test_a_page_without_language_or_heading_is_found(tmp_path):
    (tmp_path / "index.html").write_text("<html><body></body></html>")
    assert len(pages.unreadable(tmp_path)) == 2


def test_described_pictures_and_labelled_controls_are_no_faults(tmp_path):
    (tmp_path / "index.html").write_text(
        PAGE.format(
            '<img src="x.png" alt="A line that rises.">'
            '<label for="p">p</label><input id="p"><label>q <input></label>'
            '<input aria-label="r"><input type="hidden">'
        )
    )
    assert pages.unreadable(tmp_path) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_wcag_a_or_aa_violation(page_name, scheme, visit):
    found = visit(page_name).violations[scheme]
    assert [one for one in found if not _is_exception(one)] == []


def _is_exception(violation):
    return any(violation.startswith(rule) and element in violation for rule, element in EXCEPTIONS)
