"""Staging and tables of the book, on a small book in a temporary folder."""

import json
from pathlib import Path

import nbformat
import pytest

from course_lib.files import only_writer
from tools import caught, records, site, tables

CLAIM = {
    "name": "01_one.rule",
    "paper": "elhage2022toy",
    "where": "section 2",
    "states": "x*y | z",
    "measures": "the share",
    "value": 0.98765,
    "band": [0.9, 1.0],
    "full": 0.99,
    "expected": [0.5, None],
    "n_seeds": 12,
    "status": "reproduced",
    "contested": "",
}


@pytest.fixture
def book(tmp_path):
    """A book of one chapter whose notebook has passed and claims one thing."""
    (tmp_path / "course_lib").mkdir()
    (tmp_path / "book" / "static").mkdir(parents=True)
    for folder in ("exercises", "solutions"):
        (tmp_path / folder).mkdir()
    (tmp_path / "constraints.txt").write_text("")
    (tmp_path / "_config.yml").write_text("execute: {execute_notebooks: cache}\n")
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/intro\n"
        "parts: [{caption: P, chapters: [{file: book/01_one}]}]\n"
    )
    (tmp_path / "book" / "intro.md").write_text(
        "# Book\n\n<!-- generated: chapters -->\nold\n<!-- end -->\n"
    )
    cells = [
        nbformat.v4.new_markdown_cell("# One\n\n<!-- generated: cost --><!-- end -->"),
        nbformat.v4.new_code_cell("show()"),
    ]
    path = tmp_path / "book" / "01_one.ipynb"
    executed = nbformat.v4.new_notebook(cells=cells)
    nbformat.write(executed, path)
    executed.cells[1].outputs = [
        nbformat.v4.new_output("display_data", {tables.CLAIM: CLAIM, "text/plain": "card"}),
        nbformat.v4.new_output(
            "display_data", {"image/png": ""}, metadata={"image/png": {"alt": "A line."}}
        ),
    ]
    digest = records.inputs_digest(tmp_path, path)
    record = records.Record(digest, 41.3, 612, 50.0, "a machine", "2026-01-01")
    records.save(tmp_path, path, executed, record)
    return tmp_path


def test_a_notebook_changed_since_it_passed_stops_the_build_and_is_named(book):
    (book / "course_lib" / "a.py").write_text("")
    with pytest.raises(site.SiteError, match=r"book/01_one\.ipynb; run `make book`"):
        site.build(book)


def test_staging_puts_in_outputs_tables_and_picture_texts_and_turns_execution_off(book):
    site.stage(book, book / "_build" / "source")
    staged = nbformat.read(book / "_build" / "source" / "book" / "01_one.ipynb", as_version=4)
    assert "41 CPU seconds, 612 MB peak, no download, measured on a machine" in (
        staged.cells[0].source
    )
    assert staged.cells[1].metadata["mystnb"]["image"]["alt"] == "A line."
    intro = (book / "_build" / "source" / "book" / "intro.md").read_text()
    assert "[One](01_one.ipynb)" in intro
    assert "1 claim: 1 reproduced" in intro
    assert "old" not in intro
    config = (book / "_build" / "source" / "_config.yml").read_text()
    assert "execute_notebooks: 'off'" in config


def test_the_ledger_shows_value_band_need_and_status_of_each_claim(book):
    text = tables.ledger(book, Path("book/back/ledger.md"))
    assert "[One](../01_one.ipynb)" in text
    assert r"x\*y \| z {cite:p}`elhage2022toy`, section 2" in text
    for part in ("**0.9877**", "0.9 to 1, 12 seeds", "at least 0.5", "**reproduced**", "0.99"):
        assert part in text


def test_the_run_times_add_up_and_name_the_budget(book):
    text = tables.run_times(book, Path("book/back/runtimes.md"))
    assert "| [One](../01_one.ipynb) | 41.3 | 612 | 50.0 | 2026-01-01 | a machine |" in text
    assert "90 CPU seconds and 1500 MB" in text


@pytest.fixture
def checked(book, monkeypatch):
    """The small book with one chapter's exercises and one problem set; (wrong, caught) of each."""
    counted = {"one": (60, 58), "set": (30, 30)}
    listed = [("one", "One", Path("book/01_one.ipynb"))]
    monkeypatch.setattr("tools.teaching.chapters_with_exercises", lambda root: listed)
    monkeypatch.setattr(caught, "of_chapter", lambda name: caught.Rate(name, 6, *counted[name]))

    def card(root):
        wrong, found = counted["set"]
        return [{"name": "ps1", "title": "Set", "judged": 4, "wrong": wrong, "caught": found}]

    monkeypatch.setattr("tools.set_cards.cards", card)
    return counted


def test_one_number_counts_the_wrong_answers_to_exercises_and_problem_sets(book, checked):
    made = tables.check_table(book, Path("book/back/checks.md"))
    assert "| [One](../01_one.ipynb) | 6 | 60 | 58 |" in made
    assert "| Set | 4 | 30 | 30 |" in made
    assert "| **All** | 10 | 90 | 88, which is **97.8%** |" in made


def test_the_build_stops_when_too_few_wrong_answers_are_caught(book, checked):
    (book / "book" / "checks.md").write_text("# C\n\n<!-- generated: checks --><!-- end -->\n")
    checked["set"] = (30, 27)  # with the 58 of 60 these are 94.4 %
    with pytest.raises(site.SiteError, match=r"85 of 90 .* 95% are needed; see one, ps1\."):
        site.build(book)


def test_wrong_answers_are_tried_once_and_again_when_the_library_changes(book, monkeypatch):
    runs = []
    monkeypatch.setattr(caught, "ROOT", book)
    monkeypatch.setattr(caught, "__file__", str(book / "_config.yml"))

    def kept():
        return caught._kept("one", [], lambda: runs.append(1) or {"a": {"b": [{"c": "d"}]}})

    assert kept() == kept() and len(runs) == 1
    (book / "course_lib" / "a.py").write_text("")
    kept()
    assert len(runs) == 2


def test_an_unknown_generated_region_is_an_error_that_lists_the_known_ones(book):
    with pytest.raises(
        ValueError, match=r"'price'; use one of \['alarms', 'benchmarks', 'chapters'"
    ):
        tables.fill("<!-- generated: price --><!-- end -->", book, Path("book/intro.md"))


def test_a_failed_build_leaves_the_old_site_and_says_what_was_warned(book, monkeypatch):
    old = book / "_build" / "html"
    old.mkdir()
    (old / "index.html").write_text("old")
    (book / "book" / "intro.md").write_text("# Book\n\n[gone](gone.md)\n")
    with pytest.raises(site.SiteError, match=r"intro\.md:3: WARNING.*gone"):
        site.build(book)
    assert (old / "index.html").read_text() == "old"
    assert sorted(path.name for path in (book / "_build").iterdir()) == [
        "html",
        "notebooks",
        "site.log",
        "source",
    ]


def test_a_site_that_something_else_has_touched_is_built_again(tmp_path):
    (tmp_path / "index.html").write_text("page")
    (tmp_path / site.STAMP).write_text(f"inputs {site._digest(tmp_path)}")
    assert site.is_built_from("inputs", tmp_path)
    assert not site.is_built_from("other inputs", tmp_path)
    (tmp_path / "index.html").write_text("another page")
    assert not site.is_built_from("inputs", tmp_path)


def test_every_notebook_of_the_repository_is_a_page_of_the_book():
    found = {
        path.relative_to(site.ROOT)
        for folder in ("book", "exercises", "solutions")
        for path in (site.ROOT / folder).rglob("*.ipynb")
        if ".ipynb_checkpoints" not in path.parts
    }
    assert found == set(tables.notebooks(site.ROOT))


def test_claims_in_the_fixture_have_the_fields_that_course_lib_writes():
    from course_lib.claims import Claim

    claim = Claim("a.b", 1.0, "p", "w", "s", "m", "r", (0.0, None))
    assert set(CLAIM) <= set(json.loads(json.dumps(claim.record())))


def test_a_second_build_is_told_so_and_touches_nothing(book):
    with only_writer(book / "_build" / "html"), pytest.raises(site.SiteError, match="another run"):
        site.build(book)
    assert not (book / "_build" / "source").exists()


def test_what_a_killed_build_has_left_goes_and_the_old_site_comes_back(tmp_path):
    for name in ("html.old", "site-abc", "source"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(name)
    site._clear(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"html", "source"}
    assert (tmp_path / "html" / "index.html").read_text() == "html.old"
    (tmp_path / "html.old").mkdir()
    site._clear(tmp_path)
    assert (tmp_path / "html" / "index.html").exists() and not (tmp_path / "html.old").exists()


def test_a_run_whose_outputs_were_changed_is_run_again(book):
    path = book / "book" / "01_one.ipynb"
    executed = records.record_path(book, path).with_suffix(".ipynb")
    assert records.is_current(book, path)
    executed.write_text(executed.read_text().replace("card", "cord"))
    assert not records.is_current(book, path)
