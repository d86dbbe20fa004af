"""What the ledger says of the editions before this one."""

import json

import pytest

from tools import history


def claim(name, status, value=1.0):
    return {"name": name, "status": status, "value": value, "paper": "x"}


NOW = history.of(
    [claim("a", "reproduced"), claim("b", "contradicted", 0.25), claim("new", "reproduced")]
)


def store(root, edition, claims):
    file = root / history.FOLDER / f"{edition}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(history.of(claims)))


def test_the_first_edition_has_nothing_to_compare_with(tmp_path):
    assert "No earlier edition is stored" in history.page_of(tmp_path, NOW)


def test_what_moved_since_the_newest_edition_is_told(tmp_path):
    store(tmp_path, "v0.9.0", [claim("a", "contradicted")])
    old = [claim("a", "reproduced"), claim("b", "reproduced", 0.75), claim("gone", "reproduced")]
    store(tmp_path, "v0.10.0", old)
    page = history.page_of(tmp_path, NOW)
    assert (
        "Since v0.10.0: 1 new, 1 no longer made, and another status for 1 of the other 2." in page
    )
    assert "| `b` | reproduced, 0.75 | contradicted, 0.25 |" in page and "`a`" not in page
    assert page.index("v0.10.0") < page.index("v0.9.0")
    assert "| this edition | 3 | 1 | 2 |" in page and "| v0.9.0 | 1 | 1 | 0 |" in page


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["../x"]])
def test_a_wrong_name_stores_nothing(arguments, capsys):
    assert history.main(arguments) == 2
