"""The map of the course follows the table of contents and the chapters' own prerequisites."""

import re
from pathlib import Path

import nbformat
import pytest

from tests.project.tree import ROOT
from tools.course_map import course_map, stops
from tools.tables import chapters

PAGE = Path("book/intro.md")


def make(root: Path, **chapters_and_headers: str) -> Path:
    entries = ""
    for name, header in chapters_and_headers.items():
        cell = nbformat.v4.new_markdown_cell(header)
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), root / f"{name[1:]}.ipynb")
        entries += f"      - file: {name[1:]}\n"
    (root / "_toc.yml").write_text(f"parts:\n  - caption: First & last\n    chapters:\n{entries}")
    return root


def test_every_chapter_of_the_book_is_a_link_once_and_in_order():
    links = re.findall(r'<a href="\.\./([^"]+)\.html">', course_map(ROOT, PAGE))
    assert links == [one.notebook.with_suffix("").as_posix() for one in chapters(ROOT)]


def test_a_chapter_builds_on_earlier_chapters_only_and_most_on_one_at_least():
    order = [stop for found in stops(ROOT).values() for stop in found]
    for place, stop in enumerate(order):
        assert set(stop.needs) <= {earlier.title for earlier in order[:place]}
    assert sum(not stop.needs for stop in order) <= 3


def test_an_arc_stands_for_each_title_in_the_prerequisites(tmp_path):
    root = make(
        tmp_path,
        _01_a="# A < B\n\n| Prerequisites | sums |\n|---|---|",
        _02_b="# Second\n\n| Prerequisites | *A < B*, *calculus* |\n|---|---|",
    )
    drawn = course_map(root, PAGE)
    assert drawn.count("<path") == 1
    assert "Second; builds on A &lt; B" in drawn
    assert "First &amp; last" in drawn
    assert "calculus" not in drawn


@pytest.mark.parametrize("header", ["# Alone", "| Prerequisites | none |"])
def test_a_chapter_without_title_or_prerequisites_is_refused(tmp_path, header):
    with pytest.raises(ValueError, match=r"01_a\.ipynb: the first cell must hold"):
        stops(make(tmp_path, _01_a=header))
