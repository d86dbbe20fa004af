"""What was tuned is stored with every cell, and a stored file cannot be edited unnoticed."""

import json

import pytest

from course_lib import claims
from course_lib.claims import tuning
from course_lib.claims.core import digest
from tools import tuning as tools_tuning

CHAPTERS = sorted(path.stem for path in tuning.path_of("x").parent.glob("*.json"))


@pytest.fixture
def stored(tmp_path, monkeypatch):
    path = tmp_path / "07_example.json"
    found = {"A": {"cells": [{"lr": 0.1, "fvu": 0.2}], "best": {"lr": 0.1, "fvu": 0.2}}}
    path.write_text(json.dumps({"tuning": found, "sha256": digest(found)}), encoding="utf-8")
    monkeypatch.setattr(tuning, "path_of", lambda chapter: path)
    return path


def test_the_cells_come_back_as_they_were_stored(stored):
    assert claims.stored_tuning("07_example")["A"]["cells"] == [{"lr": 0.1, "fvu": 0.2}]


def test_what_the_tools_store_is_what_the_book_reads(tmp_path, monkeypatch):
    for module in (tuning, tools_tuning):
        monkeypatch.setattr(module, "path_of", lambda chapter: tmp_path / f"{chapter}.json")
    found = {"A": {"cells": [{"lr": 0.1, "fvu": 0.2}], "best": {"lr": 0.1, "fvu": 0.2}}}
    assert tools_tuning.store("07_example", found) == tmp_path / "07_example.json"
    assert claims.stored_tuning("07_example") == found
    assert {"torch", "machine", "date"} <= set(
        json.loads((tmp_path / "07_example.json").read_text())
    )


def test_an_edited_file_is_refused_with_the_command_that_makes_it_again(stored):
    stored.write_text(stored.read_text(encoding="utf-8").replace("0.2", "0.1"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"was changed .* python -m tools\.tuning_example"):
        claims.stored_tuning("07_example")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_best_cell_of_every_stored_tuning_is_one_of_its_cells(chapter):
    for name, found in claims.stored_tuning(chapter).items():
        assert found["best"] in found["cells"], name
